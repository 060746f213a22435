"""Labels that are worth a second look: pictures that a model, not having seen them, takes for others."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.calls import extended, is_python, python_options
from handful.core.records import Picture, Run
from handful.report.numbers import n_held_out
from handful.report.thumbnails import thumbnail

N_SHOWN, N_UNFOLDED = 12, 50
"""Pictures that the page shows at once, and with those that can be unfolded; all are in suspects.csv."""

FILE = "suspects.csv"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A picture whose label is doubtful.

    Attributes:
        picture: the picture.
        label: the class that its label says.
        suggested: the class that speaks most against it.
        probability: of the suggested class, held out.
        of_label: of the label's class, held out.
    """

    picture: Picture
    label: str
    suggested: str
    probability: float
    of_label: float


@dataclass(frozen=True, slots=True)
class Suspicions:
    """What the page says about labels.

    Attributes:
        n: pictures whose labels are doubtful.
        of: pictures whose labels were looked at.
        shown: the first of them, each with a data URL ("" where it cannot be read any more).
        unfolded: the next ones.
        command: takes the corrected table, and all else as in this run.
    """

    n: int
    of: int
    shown: tuple[tuple[Doubt, str], ...]
    unfolded: tuple[tuple[Doubt, str], ...]
    command: str


def doubts(run: Run) -> tuple[Doubt, ...]:
    """Returns the pictures whose labels are doubtful, the likeliest to be wrong first."""
    classes = run.table.classes
    return tuple(
        Doubt(picture, classes[picture.label], classes[each.suggested], each.probability, each.of_label)
        for each in (run.trust.suspects if run.trust else ())
        for picture in (run.table.pictures[each.index],)
    )


def suspicions(run: Run, *, folder: Path) -> Suspicions | None:
    """Returns what the page says about labels; None where none is doubtful.

    Args:
        run: the finished run.
        folder: where its suspects.csv will lie.
    """
    found = doubts(run)
    if not found:
        return None
    cards = [(each, thumbnail(run.table, each.picture)) for each in found[:N_UNFOLDED]]
    return Suspicions(
        n=len(found),
        of=n_held_out(run),
        shown=tuple(cards[:N_SHOWN]),
        unfolded=tuple(cards[N_SHOWN:]),
        command=correction(run.command, folder / FILE),
    )


def suspects_dict(run: Run) -> dict[str, Any] | None:
    """Returns how many labels are doubtful, and of how many; the pictures are in suspects.csv."""
    return None if run.trust is None else {"n": len(run.trust.suspects), "of": n_held_out(run), "file": FILE}


def correction(command: str, file: Path) -> str:
    """Returns a run's command with one more table of labels; those that it took already stay, as this one wins.

    Example:
        >>> correction("handful train photos --labels old.csv --seed 1", Path("run/suspects.csv"))
        'handful train photos --labels old.csv,run/suspects.csv --seed 1'
    """
    if is_python(command):
        return extended(command, {"labels": (*python_options(command).get("labels", ()), str(file))})
    words = shlex.split(command)
    name = f'"{file}"' if "," in str(file) else str(file)
    if "--labels" in words:
        place = words.index("--labels") + 1
        words[place] += f",{name}"
    else:
        words += ["--labels", name]
    return shlex.join(words)
