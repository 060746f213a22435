"""What each claim of the paper comes to in measurements."""

from __future__ import annotations

from itertools import combinations

from handful.reproduce import measures
from handful.reproduce.experiments import BATCHES, DECAYS, RATES, plain
from handful.reproduce.judging import Check, critical
from handful.reproduce.measures import Estimate
from handful.reproduce.records import Evidence

NEGLIGIBLE = 0.02
"""A difference that is called none: of the paper's 400 or so test pictures one standard error is 1.8 points."""

SMALLEST = 0.0025
"""The smallest difference that 400 test pictures can show: one picture. What is surely less is no gain."""

NEAR_CHANCE = 0.05
"""How far above chance is still "no better than chance", which is 20 % for five classes of equal size."""

SEVERE = 0.10
"""How far training accuracy lies above validation accuracy where overfitting is called severe. Ours: the paper gives no
number."""

POOR = 0.10
"""How far training from scratch stays behind pre-trained layers where its accuracy is called poor. Ours, too."""

HALF_WAY = 0.5
"""Of the way from chance to all right: what stays below is called very inaccurate. Ours, too."""

RATE_NAMES = tuple(plain(rate) for rate in RATES)
BATCH_NAMES = tuple(plain(batch) for batch in BATCHES)


def better(evidence: Evidence, name: str, first: str, second: str) -> list[Check]:
    """Returns the check that one value gives a higher accuracy than another."""
    found = _difference(evidence, name, first, second)
    return [Check(f"{first} over {second}", found, "above", 0.0, "points", slack=SMALLEST)]


def grows(evidence: Evidence, name: str) -> list[Check]:
    """Returns the checks that accuracy grows along an axis: from end to end, and with no fall behind the middle."""
    labels = [point.label for point in evidence.measured[name].experiment.points]
    last = labels[-1]
    checks = better(evidence, name, last, labels[0])
    between = {label: _accuracy(evidence, name, label).value for label in labels[1:-1]}
    if between:
        best = max(between, key=between.__getitem__)
        behind = _difference(evidence, name, last, best)
        checks.append(Check(f"{last} over {best}, the best between", behind, "above", -NEGLIGIBLE, "points"))
    return checks


def falls(evidence: Evidence, name: str) -> list[Check]:
    """Returns the checks that more new layers are worse: three than one, and no step is a clear gain."""
    steps = [
        Check(f"{fewer} over {more}", _difference(evidence, name, fewer, more), "above", -NEGLIGIBLE, "points")
        for fewer, more in (("1", "2"), ("2", "3"))
    ]
    return [*better(evidence, name, "1", "3"), *steps]


def accuracy_at_least(evidence: Evidence, name: str, level: float, *, epoch: int | None = None) -> list[Check]:
    """Returns the check that the last point of an experiment has at least some accuracy."""
    measured = evidence.measured[name]
    found = measures.accuracy(measured.settings[-1], chance=evidence.chance, epoch=epoch)
    where = f"after {epoch} epochs" if epoch else f"with {measured.experiment.points[-1].label} pictures"
    return [Check(f"accuracy {where}", found, "above", level, "share")]


def no_better_than_chance(evidence: Evidence) -> list[Check]:
    """Returns the checks that the two largest rates teach nothing."""
    limit = evidence.chance + NEAR_CHANCE
    return [
        Check(f"accuracy at {rate}", _accuracy(evidence, "7a", rate), "below", limit, "share")
        for rate in RATE_NAMES[:2]
    ]


def best_rates(evidence: Evidence) -> list[Check]:
    """Returns the checks that 0.001 and 0.0001 are better than each of the other rates."""
    good, others = RATE_NAMES[2:4], (*RATE_NAMES[:2], RATE_NAMES[4])
    return [check for one in good for other in others for check in better(evidence, "7a", one, other)]


def overfits_at_high_rate(evidence: Evidence) -> list[Check]:
    """Returns the checks that the gap at 0.001 is severe, and wider than at 0.0001."""
    high, low = (evidence.measured["7b"].at(rate) for rate in RATE_NAMES[2:4])
    return [
        Check("training over validation accuracy at 0.001", measures.gap(high), "above", SEVERE, "points"),
        Check("that gap over the one at 0.0001", measures.gap_difference(high, low), "above", 0.0, "points"),
    ]


def smaller_decay_negligible(evidence: Evidence) -> list[Check]:
    """Returns the checks that less decay than 0.0001 neither helps nor harms."""
    less, usual = (plain(decay) for decay in DECAYS[:2])
    return [
        Check(f"{first} over {second}", _difference(evidence, "8a", first, second), "above", -NEGLIGIBLE, "points")
        for first, second in ((less, usual), (usual, less))
    ]


def nothing_told_apart(evidence: Evidence) -> list[Check]:
    """Returns the check that the most striking of all differences is one that so many bring by chance."""
    pairs = list(combinations([plain(decay) for decay in DECAYS], 2))
    striking = {pair: _in_errors(_difference(evidence, "8b", *pair)) for pair in pairs}
    first, second = max(striking, key=striking.__getitem__)
    what = f"the most striking of {len(pairs)} differences, {first} and {second}"
    return [Check(what, Estimate(striking[first, second], 0.0), "below", critical(len(pairs)), "errors")]


def overfits_at_16(evidence: Evidence) -> list[Check]:
    """Returns the check that the gap at mini-batch 16 is severe."""
    found = measures.gap(evidence.measured["9a"].at("16"))
    return [Check("training over validation accuracy at mini-batch 16", found, "above", SEVERE, "points")]


def overfits_more_in_small_batches(evidence: Evidence) -> list[Check]:
    """Returns the check that the gap is wider at the smallest mini-batch than at the largest."""
    smallest, largest = BATCH_NAMES[0], BATCH_NAMES[-1]
    found = measures.gap_difference(evidence.measured["9b"].at(smallest), evidence.measured["9b"].at(largest))
    what = f"training over validation accuracy, mini-batch {smallest} over {largest}"
    return [Check(what, found, "above", 0.0, "points")]


def stopped_at_8_and_16(evidence: Evidence) -> list[Check]:
    """Returns the checks that the threshold ended most trainings at 8 and 16, and few at the other mini-batches."""
    return [
        Check(
            f"trainings at mini-batch {name} that it stopped",
            measures.share_stopped(evidence.measured["9b"].at(name)),
            "above" if name in ("8", "16") else "below",
            0.5,
            "share",
        )
        for name in BATCH_NAMES
    ]


def more_epochs_for_large_batches(evidence: Evidence) -> list[Check]:
    """Returns the check that mini-batch 128 needs more epochs than 8."""
    smallest, largest = BATCH_NAMES[0], BATCH_NAMES[-1]
    found = measures.more_epochs(evidence.measured["9b"].at(largest), evidence.measured["9b"].at(smallest))
    what = f"epochs that mini-batch {largest} needs more than {smallest}, for the lower of their accuracies at the end"
    return [Check(what, found, "above", 0.0, "epochs")]


def best_on_test(evidence: Evidence) -> list[Check]:
    """Returns the check that the best setting has over 85 % on the test part."""
    if evidence.test is None:
        return []
    share, n_test = evidence.test.accuracy, evidence.test.n_test
    found = measures.pooled([share], [share * (1.0 - share) / n_test])
    return [Check(f"accuracy on {n_test} test pictures", found, "above", 0.85, "share")]


def poor_from_scratch(evidence: Evidence) -> list[Check]:
    """Returns the check that random layers, at the better of two rates, stay far behind pre-trained ones."""
    pretrained = evidence.measured["7a"].at("0.0001")
    found = [
        measures.difference(pretrained, random, chance=evidence.chance)
        for random in evidence.measured["scratch"].settings
    ]
    least = min(found, key=lambda each: each.value)
    return [Check("pre-trained layers over random ones, at the better of two rates", least, "above", POOR, "points")]


def no_gain_from_hundreds(evidence: Evidence) -> list[Check]:
    """Returns the check that many epochs gain nothing worth their time."""
    few, many = evidence.measured["long"].settings
    gain = measures.difference(many, few, chance=evidence.chance)
    return [Check(f"accuracy, {_many_over_few(evidence)}", gain, "below", NEGLIGIBLE, "points")]


def hundreds_overfit(evidence: Evidence) -> list[Check]:
    """Returns the check that many epochs make the answers on other pictures worse, in log loss."""
    few, many = evidence.measured["long"].settings
    rise = measures.loss_difference(many, few)
    return [Check(f"validation log loss, {_many_over_few(evidence)}", rise, "above", 0.0, "nats")]


def very_inaccurate(evidence: Evidence) -> list[Check]:
    """Returns the check that accuracy on unlike pictures stays below half the way from chance to all right."""
    if evidence.unlike is None:
        return []
    chance = evidence.unlike_chance
    found = measures.accuracy(evidence.unlike, chance=chance)
    limit = chance + HALF_WAY * (1.0 - chance)
    what = f"accuracy on solar cells, where always naming the commoner class gives {100 * chance:.1f} %"
    return [Check(what, found, "below", limit, "share")]


def _many_over_few(evidence: Evidence) -> str:
    few, many = (point.label for point in evidence.measured["long"].experiment.points)
    return f"{many} epochs over {few}"


def _accuracy(evidence: Evidence, name: str, label: str) -> Estimate:
    return measures.accuracy(evidence.measured[name].at(label), chance=evidence.chance)


def _difference(evidence: Evidence, name: str, first: str, second: str) -> Estimate:
    measured = evidence.measured[name]
    return measures.difference(measured.at(first), measured.at(second), chance=evidence.chance)


def _in_errors(estimate: Estimate) -> float:
    return abs(estimate.value) / estimate.error if estimate.error else 0.0
