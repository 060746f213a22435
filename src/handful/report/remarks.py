"""What a careful friend would say about the result, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from handful.backbones import licence_words
from handful.core.config import FinetuneConfig
from handful.core.records import Run
from handful.finetune import cautions
from handful.report.numbers import held_out_noun
from handful.report.text import counted, listed, percent, percent_range, printable, seconds
from handful.split import NO_TWO_OF_A_CLASS

LICENCE = "licence"
"""What a remark about a licence is about; the terminal tells it too."""

FEW_PICTURES = 10
"""Below this many test pictures the interval spans 29 points or more, whatever the accuracy."""

WIDE_INTERVAL = 0.15
"""Width of an interval that deserves a word; 92 test pictures at an accuracy of 85 % give this."""

FEW_OF_A_CLASS = 5
"""Below this many test pictures a class's recall has steps of 25 points or more."""

IMBALANCE = 3.0
"""Ratio of the most to the least frequent class from which the accuracy alone misleads."""

CALIBRATION_OFF = 0.1
"""Calibration error that a user would notice; below 50 pictures chance alone can make one."""


LATE = 1.05
"""Share of the time given from which a search that took more says so."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark; a "warning" says that the result should not be relied on as it stands.

    Attributes:
        level: how much it matters.
        text: whole sentences.
        about: a word for what it is about, by which `next_steps` knows what can be done.
    """

    level: Literal["warning", "note"]
    text: str
    about: str = ""


def remarks(run: Run) -> tuple[Remark, ...]:
    """Returns what should be known before the result is believed, warnings first."""
    found = (
        *_leaks(run),
        *_few_pictures(run),
        *_baseline(run),
        *_imbalance(run),
        *_small_classes(run),
        *_held_out(run),
        *_calibration(run),
        *_no_mistakes(run),
        *_unusual_recipe(run),
        *_late(run),
        *_licences(run),
    )
    return tuple(sorted(found, key=lambda remark: remark.level != "warning"))


def majority_class(run: Run) -> str:
    """Returns the training part's most frequent class, which the baseline always answers."""
    labels = run.table.labels[run.split.train]
    return printable(run.table.classes[int(np.bincount(labels, minlength=len(run.table.classes)).argmax())])


def _leaks(run: Run) -> tuple[Remark, ...]:
    found = [Remark("warning", printable(note), "leaks") for note in run.split.notes if note.startswith("LEAK")]
    if run.unleaked is not None:
        without = run.unleaked
        text = (
            f"Without the copies {percent(without.accuracy)} of {counted(without.n_test, 'test picture')} "
            f"{'is' if without.n_test == 1 else 'are'} right ({percent_range(without.accuracy_interval)}), with them "
            f"{percent(run.evaluation.accuracy)}. Go by the first figure."
        )
        found.append(Remark("warning", text, "leaks"))
    return tuple(found)


def _late(run: Run) -> tuple[Remark, ...]:
    """Returns where the time went, if a search took clearly more than it was given."""
    limit = run.search.limit if run.search else None
    spent = sum(stage.seconds for stage in run.stages)
    if limit is None or spent <= LATE * limit:
        return ()
    longest = max(run.stages, key=lambda stage: stage.seconds)
    text = (
        f"It took {seconds(spent)}, where {seconds(limit)} were given; {seconds(longest.seconds)} of these to "
        f"{longest.name}. For so many pictures, give it more time on this machine."
    )
    return (Remark("note", text),)


def _licences(run: Run) -> tuple[Remark, ...]:
    """Returns a note for every licence that asks for more than a mention, or that nobody knows."""
    used = {each.backbone: each.licence for each in run.weights}
    return tuple(
        Remark(
            "note", f"The weights of {printable(name)} have the licence {printable(licence_words(licence))}.", LICENCE
        )
        for name, licence in used.items()
        if licence_words(licence) != licence
    )


def _few_pictures(run: Run) -> tuple[Remark, ...]:
    figures = run.evaluation
    low, high = figures.accuracy_interval
    if figures.n_test < FEW_PICTURES:
        return (
            Remark(
                "warning",
                f"Only {counted(figures.n_test, 'picture')} tested: the accuracy means little. Anything from "
                f"{percent_range((low, high))} fits what was seen. Test with 30 pictures or more before relying on it.",
                "few",
            ),
        )
    if high - low > WIDE_INTERVAL:
        return (
            Remark(
                "note",
                f"The interval is {100 * (high - low):.0f} points wide: {figures.n_test} test pictures cannot tell a "
                f"model that is right in {percent(low)} of cases from one that is right in {percent(high)}. "
                "Four times as many test pictures would halve it.",
                "interval",
            ),
        )
    return ()


def _baseline(run: Run) -> tuple[Remark, ...]:
    figures = run.evaluation
    if not figures.accuracy_interval[0] <= figures.majority_baseline:
        return ()
    return (
        Remark(
            "warning",
            f"This is not shown to be better than always answering '{majority_class(run)}', which gives "
            f"{percent(figures.majority_baseline)}. Are the labels right, and can a person tell the classes apart in "
            "these pictures?",
            "baseline",
        ),
    )


def _imbalance(run: Run) -> tuple[Remark, ...]:
    figures = run.evaluation
    counts = [each.n_test for each in figures.per_class if each.n_test]
    if max(counts) < IMBALANCE * min(counts):
        return ()
    return (
        Remark(
            "note",
            f"The classes are not equally frequent ({min(counts)} to {max(counts)} test pictures). The balanced "
            f"accuracy, {percent(figures.balanced_accuracy)}, counts every class alike.{_weighing(run)}",
            "skew" if _could_weigh(run) else "",
        ),
    )


def _could_weigh(run: Run) -> bool:
    """Returns whether counting every class alike in training was left out, could be done, and would tell."""
    figures, option = run.evaluation, run.options.get("class_weights")
    if not option or option.value == "balanced" or not only_solved(run):
        return False
    return figures.balanced_accuracy < figures.accuracy_interval[0]


def only_solved(run: Run) -> bool:
    """Returns whether the run did nothing but solve for output layers: options that are for this alone can be added."""
    return not run.training and run.decision is None and run.strategy.value == "features"


def _weighing(run: Run) -> str:
    """Returns what could be done about classes of unlike size, where it would tell, or what was done."""
    option = run.options.get("class_weights")
    if option and option.value == "balanced":
        return (
            " Training did too, so the probabilities are as if all classes were equally frequent, and rare ones are "
            "named more often than they occur."
        )
    if not _could_weigh(run):
        return ""
    return " If rare classes matter as much as frequent ones, --class-weights balanced trains for that."


def _small_classes(run: Run) -> tuple[Remark, ...]:
    figures = run.evaluation
    small = [f"'{printable(each.name)}'" for each in figures.per_class if each.n_test < FEW_OF_A_CLASS]
    if not small or figures.n_test < FEW_PICTURES:
        return ()
    verb = "has" if len(small) == 1 else "have"
    text = f"{listed(small)} {verb} fewer than {FEW_OF_A_CLASS} test pictures: their own figures are guesses."
    return (Remark("note", text),)


def _held_out(run: Run) -> tuple[Remark, ...]:
    test, held_out = run.evaluation, run.held_out
    if held_out is None:
        why = NO_TWO_OF_A_CLASS[0].upper() + NO_TWO_OF_A_CLASS[1:]
        return (
            Remark(
                "warning",
                f"{why}, so none could be held out: settings are typical ones instead of chosen ones, and nobody knows "
                "how sure an answer is. Two pictures of a class make a difference.",
                "single",
            ),
        )
    if held_out.accuracy_interval[0] <= test.accuracy_interval[1]:
        return ()
    return (
        Remark(
            "warning",
            f"The test pictures are harder than the {held_out_noun(run)}s: {percent(held_out.accuracy)} of those were "
            f"right when held out, {percent(test.accuracy)} of the test pictures. Were they taken at other times or "
            "places, or do the training pictures hold near-copies of the others?",
            "harder",
        ),
    )


def _calibration(run: Run) -> tuple[Remark, ...]:
    figures = run.evaluation
    if figures.calibration_error < CALIBRATION_OFF or figures.n_test < 50:
        return ()
    mean_confidence = float(run.test_proba.max(axis=1).mean())
    way = "more" if mean_confidence > figures.accuracy else "less"
    return (
        Remark(
            "note",
            f"The model is {way} certain than it should be: its confidence is {percent(mean_confidence)} on average, "
            f"its accuracy {percent(figures.accuracy)}.",
        ),
    )


def _no_mistakes(run: Run) -> tuple[Remark, ...]:
    figures = run.evaluation
    if figures.accuracy < 1.0 or figures.n_test < FEW_PICTURES:
        return ()
    return (
        Remark(
            "note",
            f"No mistake among {figures.n_test} test pictures. That is not the same as never wrong: a model with "
            f"{percent(1.0 - figures.accuracy_interval[0])} of mistakes could have been this lucky.",
        ),
    )


def _unusual_recipe(run: Run) -> tuple[Remark, ...]:
    if not run.training or "lr" not in run.options:
        return ()
    recipe = FinetuneConfig(lr=run.options["lr"].value)
    return tuple(Remark("note", text) for text in cautions(recipe))
