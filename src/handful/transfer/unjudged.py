"""The best that time allows where no picture can be held out to judge by: probes of several networks, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handful.core.config import TrainConfig
from handful.core.progress import Progress
from handful.core.records import ImageTable, Resolved, Split
from handful.split import NO_TWO_OF_A_CLASS, can_hold_out
from handful.transfer.clock import RESERVE, SLOWER, Time
from handful.transfer.frozen import frozen_trunk
from handful.transfer.hurry import seconds_each
from handful.transfer.judged import why_averaged
from handful.transfer.order import Backbone
from handful.transfer.plan import plan_features, with_options
from handful.transfer.probe import Trained, train_probe


def nothing_judges(table: ImageTable, split: Split) -> bool:
    """Returns whether no training picture can be held out to judge by, and the user gave no validation part."""
    return not len(split.validation) and not can_hold_out(table, split.train)


def train_unjudged(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    backbones: Sequence[Backbone],
    time: Time,
    threads: int,
    progress: Progress,
) -> Trained:
    """Returns the average of the probes that there is time for, the first in any case; arguments as in `train_best`."""
    reason = f"{NO_TWO_OF_A_CLASS}, so nothing can be held out to judge by: no layers are trained, all probes are taken"
    progress.say(f"{reason[0].upper()}{reason[1:]}.")
    config = with_options(config, {"strategy": "features", "head": "auto"})
    pictures = [table.pictures[index] for index in split.train]
    taken: list[Backbone] = []
    needed = 0.0
    for backbone in backbones:
        if time.limit is not None:
            trunk = frozen_trunk(backbone, config, threads=threads, progress=progress)
            plan = plan_features(config.features, backbone[0], pictures, held_out_loss=None)
            each = seconds_each(trunk, table, pictures, plan.preprocessing, threads=threads) * len(plan.views)
            needed += SLOWER * each * (len(pictures) + len(split.test))
        if taken and needed > time.left - RESERVE:
            break
        taken.append(backbone)
    trained = train_probe(table, split, config, backbones=taken, threads=threads, progress=progress)
    own = {
        "strategy": Resolved("best", reason),
        "backbone": Resolved(trained.options["backbone"].value, why_averaged(config)),
    }
    return replace(trained, options={**trained.options, **own})
