"""Who trains layers: this process, on its processor or an NVIDIA card, or processes on the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from handful.core.cluster import Cluster, node_resources
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError
from handful.core.training import Training
from handful.finetune import parse_head, training_device, training_precision
from handful.transfer.kept import Computing

if TYPE_CHECKING:
    from handful.finetune.batches import ActivationBatches, PictureBatches
    from handful.finetune.freeze import Trainable

SHARED = ("freeze", "full")
"""Strategies whose training a cluster shares: pre-trained layers, in mini-batches whose pictures are independent."""


def check_spread(config: TrainConfig) -> None:
    """Checks whether a cluster has anything to do, before any work.

    Raises:
        ConfigError: it has not.
    """
    strategy, head = config.transfer.strategy, config.heads.head
    if strategy not in SHARED:
        raise ConfigError(
            f"ray is given and strategy is {strategy!r}: a cluster shares the training of pre-trained layers. Take "
            f"--strategy {SHARED[0]} or {SHARED[1]}, or leave out --ray."
        )
    if head[0].isdigit() and any(layer.dropout for layer in parse_head(head, 2)):
        raise ConfigError(_refusal(f"head is {head!r}", "dropout draws in the order in which pictures come"))


def check_shared(model: Trainable) -> None:
    """Checks whether processes can share the mini-batches of a model.

    Raises:
        ConfigError: they cannot.
    """
    from handful.finetune.gradients import why_whole

    if why := why_whole(model):
        raise ConfigError(_refusal("it is one", why))


def hire(
    model: Trainable,
    batches: ActivationBatches | PictureBatches,
    config: TrainConfig,
    *,
    threads: int,
    cluster: Cluster | None,
) -> tuple[Computing, Callable[..., Training]]:
    """Returns by what a model is trained, and a function like `finetune.loop.fit` that has it trained there.

    Args:
        model: what is trained.
        batches: of the training part.
        config: the options.
        threads: of this process.
        cluster: open; None where this process trains.
    """
    engine, on_processor = config.features.engine, training_precision() if len(model.groups) else "float32"
    if cluster is None:
        from handful.finetune.loop import fit

        device = training_device(engine)
        precision = on_processor if device == "cpu" else "float32"
        return Computing(precision, device, threads), partial(fit, precision=precision, device=device)

    from handful.finetune.layout import shape_on
    from handful.finetune.ray import fit_on

    shape = shape_on(node_resources(), batches, engine=engine)
    precision = "float32" if shape.gpu else on_processor
    computing = Computing(precision, "cuda" if shape.gpu else "cpu", 0)
    return computing, partial(fit_on, cluster, shape, precision=precision, engine=engine)


def _refusal(what: str, why: str) -> str:
    return (
        f"ray is given, and the mini-batches of this model cannot be shared among processes ({what}): {why}. Leave "
        "out --ray, and one process trains it."
    )
