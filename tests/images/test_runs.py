import re

import pytest

from handful.core.config import ReadingConfig
from handful.core.records import Picture
from handful.images import read
from handful.images.runs import EXPRESSION, find_runs
from handful.testing.pictures import draw_folder


def pictures(*paths, group=""):
    classes = sorted({path.split("/")[0] for path in paths})
    return [Picture(path, classes.index(path.split("/")[0]), "", "", 64, 64, group=group) for path in paths]


def films(per_class=3, frames=5, name="video{film}_{frame:04d}.jpg"):
    return [
        f"{label}/{name.format(film=film + 10 * number, frame=frame)}"
        for number, label in enumerate(("cat", "dog"))
        for film in range(per_class)
        for frame in range(frames)
    ]


@pytest.mark.parametrize(
    "name", ["video{film}_{frame:04d}.jpg", "clip-{film}-frame{frame}.png", "{film}b{frame:06d}.JPG"]
)
def test_frames_of_films_are_a_run_each(name):
    [finding] = find_runs(pictures(*films(name=name)))
    assert finding.code == "runs"
    assert "6 runs" in finding.message
    assert f"--group-by '{EXPRESSION}'" in finding.message


def test_the_proposed_expression_groups_by_film():
    found = {re.search(EXPRESSION, path).group(1) for path in films()}
    assert found == {f"video{number}_" for number in (0, 1, 2, 10, 11, 12)}


@pytest.mark.parametrize(
    "paths",
    [
        [f"{label}/{number:04d}.jpg" for label in ("cat", "dog") for number in range(20)],
        [f"{label}/IMG_{number:04d}.jpg" for label in ("cat", "dog") for number in range(20)],
        [f"{label}/{label}.{number}.jpg" for label in ("cat", "dog") for number in range(20)],
        [f"{label}/{word}.jpg" for label in ("cat", "dog") for word in ("one", "two", "three")],
        [f"{label}/{label[0]}{letter}{number}.jpg" for label in ("cat", "dog") for number, letter in enumerate("abcd")],
        [*films(per_class=2), *(f"cat/{word * 3}.jpg" for word in "abcdefghij")],
    ],
    ids=["numbers", "one camera", "named like the class", "words", "one picture for each stem", "too few in runs"],
)
def test_numbered_pictures_that_are_no_runs_are_left_alone(paths):
    assert list(find_runs(pictures(*paths))) == []


def test_nothing_is_proposed_where_groups_are_given():
    assert list(find_runs(pictures(*films(), group="a"))) == []


def test_the_proposal_works_as_it_is_printed(tmp_path):
    draw_folder(tmp_path, classes=("cat", "dog"), per_class=12, size=16)
    for path in sorted(tmp_path.glob("*/*.png")):
        path.rename(path.with_name(f"film{int(path.stem) // 4}{path.parent.name}{path.stem}.png"))
    [finding] = read(tmp_path, ReadingConfig()).findings
    expression = re.search(r"--group-by '(.*)'", finding.message).group(1)
    grouped = read(tmp_path, ReadingConfig(group_by=expression))
    assert {picture.group for picture in grouped.pictures} == {f"film{n}{c}" for n in range(3) for c in ("cat", "dog")}
    assert grouped.findings == ()
