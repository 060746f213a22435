"""Features of changed views, for layers that are trained on a network that stays as it is; the disk remembers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handful.core.progress import Progress
from handful.core.records import Picture, PixelArray
from handful.features import FrozenTrunk, Show, extract

if TYPE_CHECKING:
    from handful.finetune.activations import Activations
    from handful.finetune.pictures import Shown


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

        def show(decoded: PixelArray, picture: Picture, view: str) -> PixelArray:
            return shown.square(decoded, picture, numbers[view])

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
