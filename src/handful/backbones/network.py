"""The contract of a loaded network: what the rooms above may ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from handful.backbones.spec import BackboneSpec, Tap

if TYPE_CHECKING:
    from torch import Tensor, nn


class Network(Protocol):
    """A pre-trained network, made of the layer groups that its weights cover.

    `handful.testing.backbone.check_backbone` checks everything that is promised here.
    """

    @property
    def spec(self) -> BackboneSpec:
        """The facts about it."""

    @property
    def body(self) -> nn.Module:
        """All its layers, under the names of the published weights."""

    def groups(self) -> list[tuple[str, nn.Module]]:
        """Returns the layer groups from bottom to top; applied one after the other they are the network."""

    def features(self, pixels: Tensor, tap: Tap | None = None) -> Tensor:
        """Returns features, float32 (N, D).

        Args:
            pixels: float32 (N, 3, S, S), red green blue, less the spec's mean and divided by its std.
            tap: one of the spec's taps; the default one when None.
        """

    def activations(self, pixels: Tensor, taps: Sequence[Tap]) -> tuple[Tensor, ...]:
        """Returns the features at several taps from one pass, in their order, each (N, D) in the pixels' precision.

        Args:
            pixels: as in `features`.
            taps: at least one.
        """

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the 1000 ImageNet logits, float32 (N, 1000), where the classifier was loaded."""

    def __call__(self, pixels: Tensor) -> Tensor:
        """Returns what `forward` returns."""
