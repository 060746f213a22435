"""What to do next, the most useful first, each step with the numbers that speak for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from handful.core.calls import extended
from handful.core.records import Run
from handful.report.numbers import held_out_noun, n_held_out, worst_confusions
from handful.report.reliance import NO_GAIN, Reliance, reliance
from handful.report.remarks import only_solved, remarks
from handful.report.text import counted, percent, percent_range, printable
from handful.split import units

N_STEPS = 3

MANY_DOUBTS = 0.2
"""Share of doubtful labels from which the model is to blame rather than the labels: people err less often."""

SURE = 0.06
"""Width of an interval below which another estimate of the accuracy would change nothing."""

FEW_MISTAKES, OFTEN = 3, 0.05
"""Mistakes of one kind, and their share of a class, below which they say nothing about the class."""

N_FOLDS, N_REPEATS = 5, 3

URGENT: Mapping[str, tuple[str, str]] = {
    "leaks": ("Take the copies of training pictures out of the test part", "leaks"),
    "harder": ("Find out how the test pictures differ from the others", "pictures"),
    "single": ("Add a second training picture of every class, or better ten", "data"),
    "baseline": ("Look at the labels and at the most confident mistakes", "pictures"),
    "few": ("Test with 30 pictures or more", "data"),
}
"""What to do about a remark because of which the result cannot be relied on, and the section of the page."""

TOGETHER = "Say which pictures belong together"
"""Of no use where the parts are the user's own."""

FINDINGS: Mapping[str, tuple[str, str]] = {
    "copies-two-labels": ("Look at the copies that lie in two classes", "data"),
    "two-labels": ("Look at the pictures that lie in two classes", "data"),
    "runs": (TOGETHER, "data"),
    "look-alikes": (TOGETHER, "data"),
}
"""What to do about something that was found in the data, and the section of the page."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do.

    Attributes:
        about: what it is about; a remark about the same is its evidence, and need not be told twice.
        text: one short sentence that asks for it.
        evidence: why, in whole sentences.
        section: of the page that has the details.
        numbers: those in the text and the evidence, by their place in result.json.
        command: does it, where one line can.
        urgent: the result should not be relied on before.
    """

    about: str
    text: str
    evidence: str
    section: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    command: str = ""
    urgent: bool = False


def next_steps(run: Run) -> tuple[Step, ...]:
    """Returns the three most useful things to do, or fewer.

    First what makes the figures untrue, then what is expected to gain most, then what makes the figures surer or the
    answers safer.
    """
    found = (*_urgent(run), *_gaining(run), *_surer(run), *_further(run))
    return found[:N_STEPS]


def _urgent(run: Run) -> Iterator[Step]:
    """Yields what to do before the figures can be believed."""
    said = remarks(run)
    for about, (text, section) in URGENT.items():
        evidence = [remark.text for remark in said if remark.about == about]
        if evidence and not (about == "baseline" and run.evaluation.accuracy == 1.0):
            yield Step(about, text, evidence[-1], section, urgent=True)
    told: set[str] = set()
    for code, (text, section) in FINDINGS.items():
        messages = [printable(finding.message) for finding in run.table.findings if finding.code == code]
        useless = text in told or (text == TOGETHER and run.split.given)
        if messages and not useless:
            told.add(text)
            yield Step(code, text, messages[0], section)


def _gaining(run: Run) -> list[Step]:
    """Returns what is expected to make the model better, the largest gain first."""
    worth = [*_labels(run), *_pictures(run)]
    return [step for _, step in sorted(worth, key=lambda pair: -pair[0])]


def _labels(run: Run) -> Iterator[tuple[float, Step]]:
    """Yields a look at doubtful labels; wrong ones cost at most their share, and not all doubtful ones are wrong."""
    n, of = len(run.trust.suspects) if run.trust else 0, n_held_out(run)
    if not 0 < n < MANY_DOUBTS * of:
        return
    learnt = held_out_noun(run) == "training picture"
    harm = "A wrong label teaches the wrong thing" if learnt else "A wrong label misleads what is chosen"
    yield (
        n / of / 2 if learnt else 0.0,
        Step(
            "labels",
            f"Look at {'this label' if n == 1 else f'these {n:,} labels'}",
            f"Of the labels of {counted(of, held_out_noun(run))}, {n:,} {'is' if n == 1 else 'are'} doubtful: a model "
            f"that had not seen the picture takes it for another class. {harm}.",
            "labels",
            {"suspects.n": n, "suspects.of": of},
        ),
    )


def _pictures(run: Run) -> Iterator[tuple[float, Step]]:
    """Yields more training pictures, where they are expected to gain something."""
    growth = run.trust.growth if run.trust else None
    if growth is None or run.held_out is None:
        return
    place = next(place for place, each in enumerate(growth.forecasts) if each.factor == 2.0)
    double = growth.forecasts[place]
    low, high = double.gain
    expected = double.accuracy - run.held_out.accuracy
    if expected < NO_GAIN:
        return
    n_now = len(run.split.train)
    prefix = f"trust.growth.forecasts.{place}"
    numbers = {
        f"{prefix}.n_images": double.n_images,
        f"{prefix}.gain.0": low,
        f"{prefix}.gain.1": high,
        "n_train": n_now,
    }
    evidence = (
        f"With {double.n_images:,} training pictures instead of {n_now:,}, drawn like these, {_points(low, high)} of "
        "accuracy are expected (90 % interval)."
    )
    first = growth.classes[0]
    most = ""
    if len(growth.classes) > 2 and first.interval[0] > NO_GAIN:
        most = f", first of all of '{printable(first.name)}'"
        evidence += f" Of '{printable(first.name)}' itself {_points(*first.interval)} more would be recognised."
        numbers |= {"trust.growth.classes.0.interval.0": first.interval[0]}
        numbers |= {"trust.growth.classes.0.interval.1": first.interval[1]}
    text = f"Add about {counted(double.n_images - n_now, 'training picture')}{most}"
    yield expected, Step("pictures", text, evidence, "more", numbers)


def _surer(run: Run) -> Iterator[Step]:
    """Yields what would tell better how good the model is, or make its answers safer."""
    figures = run.evaluation
    low, high = figures.accuracy_interval
    numbers = {"n_test": figures.n_test, "accuracy_interval.0": low, "accuracy_interval.1": high}
    said = {remark.about: remark.text for remark in remarks(run)}
    if "interval" in said:
        yield Step("interval", "Test with more pictures", said["interval"], "data", numbers)
    if high - low > SURE and _can_fold(run):
        n_train = len(run.split.train)
        yield Step(
            "folds",
            "Cross-validate, to know the figure better",
            f"One draw of {counted(figures.n_test, 'test picture')} gives {percent_range((low, high))}. Each of the "
            f"{n_train:,} training pictures can be held out in turn as well; nothing has to be computed again for it "
            "but the output layer.",
            "use",
            numbers | {"n_train": n_train},
            extended(run.command, {"folds": N_FOLDS, "repeats": N_REPEATS}),
        )
    if "skew" in said:
        yield Step("skew", "Train with --class-weights balanced", said["skew"], "classes")
    known = reliance(run)
    if known and _leaves_some(known, figures.accuracy):
        yield _leave(known, figures.accuracy)


def _can_fold(run: Run) -> bool:
    """Returns whether cross-validation was not made and could be: every class can be in every fold."""
    if run.trust is None or run.trust.cross is not None or not only_solved(run):
        return False
    own = units([run.table.pictures[index] for index in run.split.train])
    labels = run.table.labels[run.split.train]
    return all(len(np.unique(own[labels == label])) >= N_FOLDS for label in range(len(run.table.classes)))


def _leaves_some(known: Reliance, accuracy: float) -> bool:
    """Returns whether leaving unsure answers to people halves the share of wrong ones among the others."""
    some = (1 - accuracy) * known.answered.of >= FEW_MISTAKES and 0 < known.answered.n < known.answered.of
    return some and known.wrong.share <= (1 - accuracy) / 2


def _leave(known: Reliance, accuracy: float) -> Step:
    confidence = known.trust.rules.answer.confidence
    assert confidence is not None  # some pictures are answered and others are not
    return Step(
        "unsure",
        "Leave unsure answers to a person",
        f"The model can say that it is not sure, below a confidence of {percent(confidence)}. It then answers "
        f"{percent(known.answered.share)} of the test pictures, and {percent(known.wrong.share)} of these answers are "
        f"wrong, instead of {percent(1 - accuracy)}.",
        "unsure",
        {
            "trust.answer.confidence": confidence,
            "trust.answer.test.answered.share": known.answered.share,
            "trust.answer.test.wrong.share": known.wrong.share,
            "accuracy": accuracy,
        },
    )


def _further(run: Run) -> Iterator[Step]:
    """Yields what can be done in any case."""
    for pair in worst_confusions(run.evaluation, limit=1):
        if pair.n < FEW_MISTAKES or pair.share < OFTEN:
            continue
        true, taken = printable(pair.true), printable(pair.predicted)
        yield Step(
            "confusion",
            f"See whether '{true}' and '{taken}' can be told apart",
            f"{percent(pair.share)} of the test pictures of '{true}' were taken for '{taken}', the most frequent "
            "mistake. Can a person tell them apart in these pictures?",
            "confusions",
            {"confusions.0.share": pair.share},
        )
    yield Step(
        "use", "Try it on new pictures", "Pictures taken on another day, or by another person, tell the most.", "use"
    )


def _points(low: float, high: float) -> str:
    """Returns "-0.2 to +3.1 points"."""
    return f"{100 * low:+.1f} to {100 * high:+.1f} points"
