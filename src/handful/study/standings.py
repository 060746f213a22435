"""Which setting is best, whether it really is, and what that says about new pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.study import Axis, Setting, Study, TrialResult
from handful.report.remarks import Remark
from handful.report.text import counted, listed, percent
from handful.study.compare import Comparison, compare
from handful.study.scale import scale_of, setting_text, value_text

MOST_RIVALS = 3
"""Settings as good as the best that are named where one option is varied; of more, the number."""

NEAR_THE_END = 0.05
"""Share of a searched range from its ends within which the best value says that the range should be wider."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A setting that is done with every seed, and how the best compares with it; None for the best itself."""

    setting: Setting
    behind: Comparison | None

    @property
    def level(self) -> bool:
        """Whether it may be as good as the best."""
        return self.behind is not None and self.behind.verdict == "no difference shown"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A trial that is not done, with the setting that it belongs to."""

    setting: Setting
    result: TrialResult


def standings(study: Study) -> tuple[Standing, ...]:
    """Returns the settings that are done with every seed, the most accurate first."""
    if study.best is None:
        return ()
    best = study.settings[study.best]
    others = [setting for setting in _whole(study) if setting is not best]
    ranked = sorted(others, key=lambda setting: -(setting.accuracy or 0.0))
    pool = study.plan.pool
    return (Standing(best, None), *(Standing(setting, compare(best, setting, pool=pool)) for setting in ranked))


def unfinished(study: Study) -> tuple[Unfinished, ...]:
    """Returns the trials that failed or were given up, in the order in which they were tried."""
    return tuple(
        Unfinished(setting, result)
        for setting in study.settings
        for result in setting.results
        if result.status != "done"
    )


def result_sentence(study: Study, ranked: Sequence[Standing]) -> str:
    """Returns the result in one sentence: "lr 0.001 is best: 84.1 % +- 0.8 on validation, over 3 seeds; ...".

    Args:
        study: what was tried.
        ranked: its `standings`.
    """
    if not ranked:
        return "No setting was trained to the end."
    best = ranked[0].setting
    spread = "" if best.spread is None else f" \N{PLUS-MINUS SIGN} {100 * best.spread:.1f}"
    seeds = counted(len(study.plan.seeds), "seed")
    said = f"{setting_text(best.options)} is best: {percent(best.accuracy or 0.0)}{spread} on validation, over {seeds}"
    return f"{said}; {rivals(ranked)}."


def rivals(ranked: Sequence[Standing]) -> str:
    """Returns which settings may be as good as the best: "0.0001 is within the noise"."""
    level = [_short_text(standing.setting) for standing in ranked if standing.level]
    most = MOST_RIVALS if len(ranked[0].setting.options) == 1 else 1
    if len(ranked) == 1:
        return "no other setting was trained to the end"
    if not level:
        return "every other setting is worse by more than the noise"
    if len(level) > most:
        return f"{len(level)} of the other {len(ranked) - 1} settings are within the noise"
    return f"{listed(level)} {'is' if len(level) == 1 else 'are'} within the noise"


def lead_sentence(ranked: Sequence[Standing]) -> str:
    """Returns by how much the best is ahead of the runner-up, and whether that counts; "" where there is none."""
    if len(ranked) < 2 or ranked[1].behind is None:
        return ""
    found = ranked[1].behind
    means = "no difference that these pictures can show" if ranked[1].level else "more than chance gives"
    return (
        f"It is {100 * found.difference:.1f} points ahead of {_short_text(ranked[1].setting)}, with a standard error "
        f"of {100 * found.standard_error:.1f} (paired over {counted(found.n_seeds, 'seed')} and "
        f"{counted(found.n_pictures, 'picture')} each): {means}."
    )


def luck_sentence(study: Study) -> str:
    """Returns what to expect of the best setting on new pictures; "" where there is none."""
    if study.best is None:
        return ""
    seen, fresh = study.settings[study.best].accuracy or 0.0, fresh_accuracy(study)
    if fresh is None:
        return f"Expect somewhat less than {percent(seen)} of new pictures."
    said = (
        f"When the setting is chosen with all seeds but one, and judged with the one that had no say, {percent(fresh)} "
        "are right"
    )
    if percent(fresh) == percent(seen):
        return f"{said}: here the choice does not hang on one seed."
    return f"{said}: expect about that of new pictures, rather than {percent(seen)}."


def fresh_accuracy(study: Study) -> float | None:
    """Returns the accuracy of settings that were chosen with other seeds than the one they are judged with, in [0, 1].

    For each seed the setting that is best with the others is taken, and the mean of their accuracies with the seed
    that had no say in it is what choosing like this gives: the winner's luck is left out. None for fewer than two seeds
    or settings, and where all seeds have the same validation pictures.
    """
    whole = _whole(study)
    accuracies = np.array([[result.accuracy for result in setting.results] for setting in whole], dtype=np.float64)
    if len(study.plan.seeds) < 2 or len(whole) < 2 or study.plan.validation_given:
        return None
    others = accuracies.sum(axis=1, keepdims=True) - accuracies
    return float(np.mean(accuracies[others.argmax(axis=0), np.arange(accuracies.shape[1])]))


def remarks(study: Study) -> tuple[Remark, ...]:
    """Returns what should be known before the result is believed, warnings first."""
    found = []
    missing = sum(len(setting.results) < len(study.plan.seeds) for setting in study.settings) + _untried(study)
    if missing:
        found.append(
            Remark("warning", f"{counted(missing, 'setting')} not trained with every seed yet: go on with --resume.")
        )
    if len(study.plan.seeds) == 1:
        found.append(
            Remark(
                "warning",
                "One seed does not tell how far another draw of pictures moves the accuracies: take --seeds 3.",
            )
        )
    failed = Counter(why_failed(each.result) for each in unfinished(study) if each.result.status == "failed")
    found += [Remark("note", f"{counted(n, 'training')} failed: {reason}.") for reason, n in failed.items()]
    if study.best is not None:
        options = study.settings[study.best].options
        ends = ((axis, _end(axis, options[axis.option])) for axis in study.plan.axes)
        found += [
            Remark("note", f"The best {axis.option} is at the {end} end of what was tried; look beyond it too.")
            for axis, end in ends
            if end
        ]
    return tuple(found)


def why_failed(result: TrialResult) -> str:
    """Returns why a trial failed, as a clause."""
    return result.stopped.rstrip(".") if result.failed_at is None else "the loss was no longer a number"


def _whole(study: Study) -> list[Setting]:
    n_seeds = len(study.plan.seeds)
    return [each for each in study.settings if each.accuracy is not None and len(each.results) == n_seeds]


def _untried(study: Study) -> int:
    wanted = study.plan.n_trials
    if study.plan.search != "grid" and all(axis.values for axis in study.plan.axes):
        return 0  # a search over lists proposes some settings more than once
    if study.plan.search == "grid":
        wanted = int(np.prod([len(axis.values) for axis in study.plan.axes]))
    return max(wanted - len(study.settings), 0)


def _end(axis: Axis, value: object) -> str:
    """Returns "lower" or "upper" where a value lies at an end beyond which there could be more; "" elsewhere."""
    scale = scale_of(axis)
    if (
        not scale.continuous
        or not isinstance(value, int | float)
        or axis.option == "images"
        or len(axis.values) in (1, 2)
    ):
        return ""
    share = (scale.place(value) - scale.low) / (scale.high - scale.low)
    slack = 0.0 if axis.values else NEAR_THE_END
    if share <= slack and value != 0:
        return "lower"
    return "upper" if share >= 1.0 - slack else ""


def _short_text(setting: Setting) -> str:
    """Returns the value alone where one option is varied."""
    values = list(setting.options.values())
    return value_text(values[0]) if len(values) == 1 else setting_text(setting.options)
