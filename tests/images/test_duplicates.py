import shutil

import numpy as np
import pytest
from PIL import Image

from handful.cli.demo import solar_cells
from handful.core.config import ReadingConfig, SplitConfig
from handful.core.records import Copy
from handful.images import duplicates, read
from handful.images.duplicates import chains
from handful.split import split, units
from tests.images.scenes import CHANGES, cell, cropped, encoded, mirrored, resized, scene

CONFIG = ReadingConfig()


def save(folder, **images):
    for name, image in images.items():
        path = folder / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)


@pytest.fixture
def photos(tmp_path):
    """Two classes of ten different scenes."""
    for label, first in (("cat", 0), ("dog", 100)):
        save(tmp_path / label, **{f"{index:02d}": scene(first + index) for index in range(10)})
    return tmp_path


def message(table, code):
    [found] = [finding.message for finding in table.findings if finding.code == code]
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_stays_with_its_original(photos, change):
    save(photos, cat__copy=CHANGES[change](scene(3)))
    table = read(photos, CONFIG)
    [copy] = table.copies
    assert (copy.first, copy.second, copy.mirrored) == ("cat/03.png", "cat/copy.png", change == "mirrored")
    assert {picture.path for picture in table.pictures if picture.look} == {"cat/03.png", "cat/copy.png"}
    assert len(set(units(table.pictures).tolist())) == len(table.pictures) - 1
    assert "2 pictures are copies" in message(table, "copies")
    assert ("(mirrored)" in message(table, "copies")) == (change == "mirrored")


def test_different_pictures_are_no_copies(photos):
    table = read(photos, CONFIG)
    assert (table.copies, table.findings) == ((), ())
    assert {picture.look for picture in table.pictures} == {""}


def test_copies_of_copies_and_equal_pixels_share_one_side(photos):
    save(photos, cat__a=encoded(scene(3)), cat__b=mirrored(scene(3)))
    shutil.copy(photos / "cat" / "b.png", photos / "cat" / "c.png")
    table = read(photos, CONFIG)
    side = dict(zip([picture.path for picture in table.pictures], units(table.pictures).tolist(), strict=True))
    assert len({side[f"cat/{name}.png"] for name in ("03", "a", "b", "c")}) == 1
    for seed in range(10):
        drawn = split(table, SplitConfig(), seed=seed)
        test = {table.pictures[index].path for index in drawn.test}
        assert len({f"cat/{name}.png" in test for name in ("03", "a", "b", "c")}) == 1


def test_copies_in_two_classes_are_listed(photos):
    save(photos, dog__wrong=resized(scene(3)))
    found = message(read(photos, CONFIG), "copies-two-labels")
    assert found.startswith("1 pair of copies are in different classes: cat/03.png and dog/wrong.png")
    assert "remove or move" in found


def test_pictures_that_look_much_alike_are_not_taken_for_copies(tmp_path):
    for index in range(40):
        save(tmp_path / "ab"[index % 2], **{f"{index:02d}": cell(index)})
    save(tmp_path, a__copy=encoded(cell(6), 80))
    table = read(tmp_path, CONFIG)
    assert [(copy.first, copy.second) for copy in table.copies] == [("a/06.png", "a/copy.png")]


def test_a_long_chain_is_cut_where_it_is_weakest_and_the_data_set_still_splits(photos, monkeypatch):
    """Frames that drift: each is a copy of the next, and the first is not one of the last."""
    wide = scene(50, side=400)
    for index in range(20):
        save(photos / "cat", **{f"frame{index:02d}": wide.crop((4 * index, 0, 4 * index + 300, 300))})
    everything = [Copy(f"cat/frame{i:02d}.png", f"cat/frame{i + 1:02d}.png", 1 - i / 1000, False) for i in range(19)]
    monkeypatch.setattr(duplicates, "_compare", lambda *args: tuple(everything))
    table = read(photos, CONFIG)
    sizes = np.unique(units(table.pictures), return_counts=True)[1]
    assert sizes.max() <= 8
    assert "--group-by" in message(table, "look-alikes")
    assert "8 are kept together at most" in message(table, "look-alikes")
    drawn = split(table, SplitConfig(), seed=0)
    assert set(table.labels[drawn.test]) == {0, 1}


def test_a_chain_keeps_its_most_alike_pairs():
    pairs = [Copy("a", "b", 0.999, False), Copy("c", "d", 0.998, False), Copy("b", "c", 0.98, False)]
    joined = chains(pairs, limit=3)
    assert joined.look == {"a": "a", "b": "a", "c": "c", "d": "c"}
    assert (joined.kept, joined.cut) == (tuple(pairs[:2]), tuple(pairs[2:]))
    assert chains(pairs, limit=4).look == dict.fromkeys("abcd", "a")


def test_a_pair_within_a_chain_is_kept_whatever_came_first():
    pairs = [Copy("a", "b", 0.999, False), Copy("b", "c", 0.998, False), Copy("a", "c", 0.98, False)]
    assert chains(pairs, limit=3).kept == tuple(pairs)


def test_small_and_flat_pictures_are_never_copies(tmp_path):
    for index in range(6):
        save(tmp_path / "ab"[index % 2], **{f"{index}": scene(0).resize((20 + index % 3, 20))})
        save(tmp_path / "ab"[index % 2], **{f"flat{index}": Image.new("RGB", (64 + index, 64), (200, 200, 201))})
    assert read(tmp_path, CONFIG).copies == ()


def test_a_second_reading_compares_nothing(photos, monkeypatch):
    save(photos, cat__copy=cropped(scene(3)))
    first = read(photos, CONFIG)
    monkeypatch.setattr(duplicates, "propose", None)
    monkeypatch.setattr(duplicates, "likenesses", None)
    assert read(photos, CONFIG) == first


@pytest.mark.parametrize("damage", [b"", b"{", b"7", b"[[0]]", b'[[0, 9999, "x", 1]]'])
def test_a_damaged_memory_is_ignored(photos, own_cache, damage):
    save(photos, cat__copy=cropped(scene(3)))
    first = read(photos, CONFIG)
    [memory] = own_cache.glob("copies/*/*.json")
    memory.write_bytes(damage)
    assert read(photos, CONFIG) == first


def test_the_result_does_not_depend_on_threads(photos, monkeypatch, tmp_path_factory):
    save(photos, cat__a=cropped(scene(3)), dog__b=mirrored(scene(104)), dog__c=encoded(scene(105)))
    tables = []
    for threads in (1, 3):
        monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path_factory.mktemp("own")))
        tables.append(read(photos, CONFIG, threads=threads))
    assert tables[0] == tables[1]
    assert len(tables[0].copies) == 3


@pytest.mark.real
def test_solar_cells_have_no_copies_and_planted_ones_are_found(tmp_path):
    """300 cells of a few modules, much alike; the sisters of one silicon block are no copies."""
    cells = [path for path, _ in solar_cells()][2100:2400]
    for index, path in enumerate(cells):
        (tmp_path / "ab"[index % 2]).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "ab"[index % 2] / path.name)
    assert read(tmp_path, CONFIG, threads=2).copies == ()
    for number, (kind, change) in enumerate(CHANGES.items()):
        for path in cells[number:300:20]:
            image = change(Image.open(path).convert("RGB"))
            save(tmp_path, **{f"a__{kind} {path.stem}": image})
    table = read(tmp_path, CONFIG, threads=2)
    assert all(copy.first.split("cell")[1] == copy.second.split("cell")[1] for copy in table.copies)
    n_planted = len(table.pictures) - 300
    assert sum("ed cell" in picture.path for picture in table.pictures if picture.look) >= 0.95 * n_planted
