import pytest

from handful.core.errors import ConfigError
from handful.finetune import NewLayer, parse_head


def test_the_papers_heads_are_read():
    assert parse_head("5", 5) == (NewLayer(5),)
    assert parse_head("75-5", 5) == (NewLayer(75), NewLayer(5))
    assert parse_head("500d0.5-75-5", 5) == (NewLayer(500, 0.5), NewLayer(75), NewLayer(5))


def test_the_number_of_classes_is_filled_in():
    assert parse_head("75-C", 3) == (NewLayer(75), NewLayer(3))


@pytest.mark.parametrize(("text", "better"), [("5", "--head 3, or C"), ("500d0.5-75", "--head 500d0.5-3, or C")])
def test_a_head_that_does_not_end_in_the_number_of_classes_is_refused(text, better):
    with pytest.raises(ConfigError, match=f"there are 3 classes. Expected {better}"):
        parse_head(text, 3)
