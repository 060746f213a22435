"""What this study's own numbers advise: which values to use, and which network."""

from __future__ import annotations

from collections.abc import Iterator

from handful.core.study import Setting
from handful.reproduce import measures
from handful.reproduce.judging import critical, shown
from handful.reproduce.records import Evidence, Measured

QUESTIONS = {
    "7a": "Learning rate",
    "8a": "Weight decay",
    "9b": "Mini-batch",
    "11": "Factor of the last layer's rate",
    "12a": "New layers",
}
"""The experiments whose best value is advice, and what is chosen with it."""


def directions(evidence: Evidence) -> tuple[str, ...]:
    """Returns the advice, one sentence per choice; only of what was measured."""
    return (*_values(evidence), *_epochs(evidence), *_pictures(evidence), *_network(evidence), *_unlike(evidence))


def _values(evidence: Evidence) -> Iterator[str]:
    for name, noun in QUESTIONS.items():
        if name in evidence.measured:
            yield f"{noun}: {_best_value(evidence.measured[name], evidence.chance)}."


def _best_value(measured: Measured, chance: float) -> str:
    """Returns the value with the highest accuracy, and those that are not shown to be worse."""
    by_label = dict(zip([point.label for point in measured.experiment.points], measured.settings, strict=True))
    best = _best_label(by_label, chance)
    at = critical(max(len(by_label) - 1, 1))
    alike = []
    for label, setting in by_label.items():
        behind = measures.difference(by_label[best], setting, chance=chance)
        if label != best and behind.value <= at * behind.error:
            alike.append(label)
    found = shown(measures.accuracy(by_label[best], chance=chance), "share")
    if len(alike) == len(by_label) - 1:
        return f"any of {', '.join(by_label)}; no difference is shown ({best}: {found})"
    others = f"; {', '.join(alike)} not shown to be worse" if alike else "; every other is worse"
    return f"{best} ({found}{others})"


def _epochs(evidence: Evidence) -> Iterator[str]:
    """Yields from which epoch on the usual setting stays within the uncertainty of its best."""
    if "10" not in evidence.measured:
        return
    (setting,) = evidence.measured["10"].settings
    n_epochs = min((len(result.curve) for result in setting.results), default=0)
    if not n_epochs:
        return
    course = [measures.accuracy(setting, chance=evidence.chance, epoch=epoch + 1) for epoch in range(n_epochs)]
    best = max(course, key=lambda each: each.value)
    enough = 1 + max((epoch for epoch, each in enumerate(course, 1) if each.value < best.value - best.error), default=0)
    yield (
        f"Epochs: {enough} are enough at mini-batch 128; from there on accuracy stays within one standard error of its "
        f"highest ({shown(best, 'share')} in {n_epochs} epochs)."
    )


def _pictures(evidence: Evidence) -> Iterator[str]:
    """Yields what the last doubling or so of the training pictures brought."""
    if "6" not in evidence.measured or len(evidence.measured["6"].settings) < 3:
        return
    measured = evidence.measured["6"]
    labels = [point.label for point in measured.experiment.points]
    half = labels[-3]
    gain = measures.difference(measured.at(labels[-1]), measured.at(half), chance=evidence.chance)
    worth = "more pictures still help" if gain.value > 2 * gain.error else "no gain is shown any more"
    yield f"Pictures: {labels[-1]} instead of {half} brought {shown(gain, 'points')}; {worth}."


def _network(evidence: Evidence) -> Iterator[str]:
    """Yields how the other network compares, each at its best rate."""
    if not {"networks", "7a"} <= evidence.measured.keys():
        return
    ours, other = (_best_setting(evidence.measured[name], evidence.chance) for name in ("7a", "networks"))
    gain = measures.difference(other, ours, chance=evidence.chance)
    first, second = (str(setting.options["backbone"]) for setting in (ours, other))
    said = f"{second} against {first}, each at the best of five rates: {shown(gain, 'points')}"
    if abs(gain.value) <= 2 * gain.error:
        yield f"Network: either; no difference is shown ({said})."
    else:
        yield f"Network: {second if gain.value > 0 else first} ({said})."


def _unlike(evidence: Evidence) -> Iterator[str]:
    if evidence.unlike is None:
        return
    found = measures.accuracy(evidence.unlike, chance=evidence.unlike_chance)
    yield (
        f"Pictures unlike ImageNet: with the same setting solar cells come to {shown(found, 'share')}, where always "
        f"naming the commoner class gives {100 * evidence.unlike_chance:.1f} %; measure before you trust a setting "
        "from other pictures (handful advise)."
    )


def _best_setting(measured: Measured, chance: float) -> Setting:
    by_label = dict(zip([point.label for point in measured.experiment.points], measured.settings, strict=True))
    return by_label[_best_label(by_label, chance)]


def _best_label(by_label: dict[str, Setting], chance: float) -> str:
    return max(by_label, key=lambda label: measures.accuracy(by_label[label], chance=chance).value)
