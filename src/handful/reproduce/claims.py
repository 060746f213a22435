"""What the paper claims, close to its words, and a verdict on each claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handful.reproduce import checks
from handful.reproduce.experiments import EPOCHS
from handful.reproduce.judging import Check, as_verdict
from handful.reproduce.records import Evidence, Verdict

NEARLY = 0.02
"""How far below 85 % is still "nearly 85 %": one standard error of the paper's test part, as in `checks.NEGLIGIBLE`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the paper.

    Attributes:
        figure: the paper's figure, or one of `experiments.FURTHER` for claims of its text.
        text: the claim, close to the paper's words.
        needs: the experiments that decide.
        checks: what has to hold, all of it.
        every_layer: whether it is about imported layers that learn, which they do in the mode "finetune" only.
        papers_pictures: whether it gives an accuracy, which says nothing about other pictures than the paper's.
        missing: why nothing could be measured, where the checks come back empty.
    """

    figure: str
    text: str
    needs: tuple[str, ...]
    checks: Callable[[Evidence], Sequence[Check]]
    every_layer: bool = False
    papers_pictures: bool = False
    missing: str = ""


CLAIMS = (
    Claim(
        "6",
        "Accuracy grows with the number of training pictures.",
        ("6",),
        lambda found: checks.grows(found, "6"),
    ),
    Claim(
        "6",
        "With only a couple of thousand pictures the accuracy is nearly 85 %.",
        ("6",),
        lambda found: checks.accuracy_at_least(found, "6", 0.85 - NEARLY),
        papers_pictures=True,
    ),
    Claim(
        "7a",
        "At the rates 0.1 and 0.01 accuracy is no better than chance.",
        ("7a",),
        checks.no_better_than_chance,
    ),
    Claim(
        "7a",
        "The best accuracies are achieved at the rates 0.001 and 0.0001.",
        ("7a",),
        checks.best_rates,
    ),
    Claim(
        "7a",
        "The rate 0.00001 is too small and slows training down.",
        ("7a",),
        lambda found: checks.better(found, "7a", "0.0001", "0.00001"),
    ),
    Claim(
        "7b",
        "At the rate 0.001 the network overfits severely.",
        ("7b",),
        checks.overfits_at_high_rate,
        every_layer=True,
    ),
    Claim(
        "7b",
        "0.0001 is a better choice than 0.001.",
        ("7b",),
        lambda found: checks.better(found, "7b", "0.0001", "0.001"),
    ),
    Claim(
        "8a",
        "A decay of 0.0001 gives a little better accuracy than AlexNet's own 0.0005.",
        ("8a",),
        lambda found: checks.better(found, "8a", "0.0001", "0.0005"),
    ),
    Claim(
        "8a",
        "Below 0.0001 the improvement is negligible.",
        ("8a",),
        checks.smaller_decay_negligible,
    ),
    Claim(
        "8b",
        "At mini-batch 32 the values fluctuate, and no conclusion about the decay can be drawn.",
        ("8b",),
        checks.nothing_told_apart,
    ),
    Claim(
        "9a",
        "At mini-batch 16 the network overfits severely.",
        ("9a",),
        checks.overfits_at_16,
        every_layer=True,
    ),
    Claim(
        "9b",
        "The smaller the mini-batch, the more the network overfits.",
        ("9b",),
        checks.overfits_more_in_small_batches,
        every_layer=True,
    ),
    Claim(
        "9b",
        "The threshold of 99.5 % training accuracy stops training at mini-batches 8 and 16 only.",
        ("9b",),
        checks.stopped_at_8_and_16,
        every_layer=True,
    ),
    Claim(
        "10",
        "After a couple of tens of epochs the accuracy reaches over 83 %.",
        ("10",),
        lambda found: checks.accuracy_at_least(found, "10", 0.83, epoch=max(EPOCHS)),
        papers_pictures=True,
    ),
    Claim(
        "11",
        "Accuracy grows with the learning-rate factor of the last layer.",
        ("11",),
        lambda found: checks.grows(found, "11"),
    ),
    Claim(
        "12a",
        "The further from AlexNet's structure, the worse the accuracy (factors 10 and 20).",
        ("12a",),
        lambda found: checks.falls(found, "12a"),
        every_layer=True,
    ),
    Claim(
        "12b",
        "The same with the factors 1 and 1.",
        ("12b",),
        lambda found: checks.falls(found, "12b"),
        every_layer=True,
    ),
    Claim(
        "best",
        "The best setting is right on over 85 % of the test pictures.",
        (),
        checks.best_on_test,
        papers_pictures=True,
        missing="No setting came to its end.",
    ),
    Claim(
        "scratch",
        "Trained from scratch on a small set, a network has a poor accuracy.",
        ("7a", "scratch"),
        checks.poor_from_scratch,
        every_layer=True,
    ),
    Claim(
        "long",
        "Hundreds of epochs are not necessary.",
        ("long",),
        checks.no_gain_from_hundreds,
    ),
    Claim(
        "long",
        "Hundreds of epochs are not recommended: on a small set they overfit.",
        ("long",),
        checks.hundreds_overfit,
    ),
    Claim(
        "batches",
        "Larger mini-batches need more epochs for the same accuracy.",
        ("9b",),
        checks.more_epochs_for_large_batches,
    ),
    Claim(
        "unlike",
        "Pictures that differ a lot from ImageNet are classified very inaccurately.",
        (),
        checks.very_inaccurate,
        missing="The solar cells that test it are not installed: pip install 'handful[demo]'.",
    ),
)


def judge(evidence: Evidence) -> tuple[Verdict, ...]:
    """Returns a verdict on every claim of the experiments that were asked for."""
    return tuple(_verdict(claim, evidence) for claim in CLAIMS if claim.figure in evidence.asked)


def _verdict(claim: Claim, evidence: Evidence) -> Verdict:
    at_hand = all(name in evidence.measured for name in claim.needs)
    found = claim.checks(evidence) if at_hand else ()
    if claim.every_layer and evidence.mode == "features":
        reason = "With the trunk fixed, imported layers do not learn; --mode finetune tests this."
        reason += " With the new layers alone:" if found else ""
        return as_verdict(claim.figure, claim.text, found, word="not tested in this mode", reason=reason)
    if claim.papers_pictures and not evidence.is_papers:
        reason = "These are other pictures than the paper's, so its number says nothing about them."
        return as_verdict(claim.figure, claim.text, found, word="cannot tell", reason=reason)
    if not found:
        return as_verdict(claim.figure, claim.text, (), word="cannot tell", reason=claim.missing)
    return as_verdict(claim.figure, claim.text, found)
