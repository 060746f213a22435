"""The network that stays as it is, and its features of changed views, for layers that are trained on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from handful.backbones import BackboneSpec, LocatedWeights, Network, Tap
from handful.core.config import TrainConfig
from handful.core.progress import Progress
from handful.core.records import Picture, PixelArray, Resolved
from handful.features import Chosen, FrozenTrunk, Pool, Precision, Show, choose_engine, extract, trunk_from_weights
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


def chosen_engine(
    spec: BackboneSpec, network: Callable[[], Network], config: TrainConfig, *, threads: int, progress: Progress
) -> Chosen:
    """Returns the engine that runs a network that was just trained, and why; raises as `frozen_trunk` does."""
    return choose_engine(
        spec,
        network,
        wanted=config.features.engine,
        precision=cast(Precision, config.features.precision),
        threads=threads,
        progress=progress,
        pool=config.finetune.pool,
    )


def engine_options(trunk: FrozenTrunk, gate: Gate | None = None) -> dict[str, Resolved]:
    """Returns the options about what runs the network, resolved; a lower precision went through a gate."""
    precision = trunk.engine.precision
    if gate is None:
        why = "what is reported is what is exported"
    else:
        why = f"chosen by the user; {gate}" if gate.passes else f"a lower one was asked for, but {gate}"
    return {"engine": Resolved(trunk.engine.name, trunk.engine_reason), "precision": Resolved(precision, why)}


def frozen_activations(
    trunk: FrozenTrunk,
    shown: Shown,
    *,
    n_views: int,
    progress: Progress,
    group: str | None = None,
    use_cache: bool = True,
) -> Activations:
    """Returns what pictures, as training is shown them, become below the layers that are trained.

    Args:
        trunk: the whole network.
        shown: N pictures, and how they are shown; as they are, they have one view.
        n_views: V, of changed pictures.
        progress: told about every row computed.
        group: the highest frozen layer group, whose output keeps its places: float16 (N, V, H, W, channels). By default
            all are frozen: float32 (N, V, D), the features at the trunk's tap.
        use_cache: look up and remember rows on disk.
    """
    from handful.finetune.activations import Activations

    show: Show | None = None
    views: Sequence[str] = ("plain",)
    if shown.augmentation != "none":
        numbers = {f"{shown.name} {shown.seed}/{number}": number for number in range(n_views)}

        def show(decoded: PixelArray, picture: Picture, names: Sequence[str]) -> list[PixelArray]:
            return [shown.square(decoded, picture, numbers[name]) for name in names]

        views = tuple(numbers)
    shape: tuple[int, ...] = (trunk.tap.n_features,)
    if group is not None:
        shape = _shape_at(trunk, group, size=shown.preprocessing.size)
        trunk = replace(trunk, tap=Tap(f"{group}-places", group, "places", math.prod(shape)))
    values = extract(
        trunk,
        shown.table,
        shown.pictures,
        preprocessing=shown.preprocessing,
        views=views,
        threads=shown.threads,
        progress=progress,
        use_cache=use_cache,
        show=show,
    ).values
    return Activations(values.reshape(*values.shape[:2], *shape))


def _shape_at(trunk: FrozenTrunk, group: str, *, size: int) -> tuple[int, ...]:
    """Returns the shape of one picture's activations at a layer group: (H, W, channels) or (D,)."""
    import torch

    values = torch.zeros((1, 3, size, size))
    with torch.inference_mode():
        for name, layers in trunk.network().groups():
            values = layers(values)
            if name == group:
                break
    return tuple(values.permute(0, 2, 3, 1).shape[1:] if values.ndim == 4 else values.shape[1:])
