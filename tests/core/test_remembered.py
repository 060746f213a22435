import pytest

from handful.core.remembered import memory_of, recall, remember


def test_what_was_found_out_is_recalled_by_all_its_facts(own_caches):
    memory = memory_of({"processor": "a", "torch": "2.13"})
    assert memory.parent == own_caches / "engines"
    assert recall(memory) == {}
    remember(memory, {"gain": 1.5})
    assert recall(memory_of({"processor": "a", "torch": "2.13"})) == {"gain": 1.5}
    assert recall(memory_of({"processor": "b", "torch": "2.13"})) == {}


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_file_that_cannot_be_understood_is_as_good_as_none(text):
    memory = memory_of({"question": text})
    remember(memory, {"gain": 1.5})
    memory.write_text(text)
    assert recall(memory) == {}


def test_what_cannot_be_written_down_is_found_out_again(own_caches):
    (own_caches / "engines").write_text("a file in the place of the folder")
    remember(memory_of({}), {"gain": 1.5})
    assert recall(memory_of({})) == {}
