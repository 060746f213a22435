"""The network that stays as it is, and its features of changed views, for layers that are trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from handful.backbones import BackboneSpec, LocatedWeights
from handful.core.config import TrainConfig
from handful.core.progress import Progress
from handful.core.records import Picture, PixelArray, Resolved
from handful.features import FrozenTrunk, Pool, Precision, Show, extract, trunk_from_weights
from handful.transfer.gate import Gate

if TYPE_CHECKING:
    from handful.finetune.activations import Activations
    from handful.finetune.pictures import Shown


def frozen_trunk(
    backbone: tuple[BackboneSpec, LocatedWeights], config: TrainConfig, *, threads: int, progress: Progress
) -> FrozenTrunk:
    """Returns a pre-trained network that stays as it is, with the engine that runs it.

    Raises:
        ConfigError: the engine cannot run here, or does not compute this network.
    """
    spec, located = backbone
    return trunk_from_weights(
        spec,
        located,
        threads=threads,
        progress=progress,
        engine=config.features.engine,
        precision=cast(Precision, config.features.precision),
        pool=cast(Pool, config.finetune.pool),
    )


def engine_options(trunk: FrozenTrunk, gate: Gate | None = None) -> dict[str, Resolved]:
    """Returns the options about what runs the network, resolved; a lower precision went through a gate."""
    precision = trunk.engine.precision
    if gate is None:
        why = "what is reported is what is exported"
    else:
        why = f"chosen by the user; {gate}" if gate.passes else f"a lower one was asked for, but {gate}"
    return {"engine": Resolved(trunk.engine.name, trunk.engine_reason), "precision": Resolved(precision, why)}


def frozen_activations(trunk: FrozenTrunk, shown: Shown, *, n_views: int, progress: Progress) -> Activations:
    """Returns features (N, V, D) of pictures as training is shown them: what `activations_at` gives at the top.

    Args:
        trunk: the whole network.
        shown: N pictures, and how they are shown; as they are, they have one view.
        n_views: V, of changed pictures.
        progress: told about every row computed.
    """
    from handful.finetune.activations import Activations

    show: Show | None = None
    views: Sequence[str] = ("plain",)
    if shown.augmentation != "none":
        numbers = {f"{shown.name} {shown.seed}/{number}": number for number in range(n_views)}

        def show(decoded: PixelArray, picture: Picture, names: Sequence[str]) -> list[PixelArray]:
            return [shown.square(decoded, picture, numbers[name]) for name in names]

        views = tuple(numbers)
    values = extract(
        trunk,
        shown.table,
        shown.pictures,
        preprocessing=shown.preprocessing,
        views=views,
        threads=shown.threads,
        progress=progress,
        show=show,
    ).values
    return Activations(values, shown.preprocessing)
