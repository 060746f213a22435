"""A frozen network that says what its numbers mean before it is opened, and imports torch only then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from handful.backbones import BackboneSpec, LocatedWeights, Tap, for_inference, from_state, keep_memory, load
from handful.core.records import FeatureArray, PixelArray
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from handful.backbones.network import Network

BATCH = 32
"""Pictures per pass, always: a short last batch is padded, so that no row depends on how many others there are."""

ENGINE = "torch eager, batch normalisation folded, channels last"
PRECISION = "float32"

Forward = Callable[[PixelArray], FeatureArray]
"""From uint8 (BATCH, S, S, 3) to float32 (BATCH, D)."""


@dataclass(frozen=True, slots=True)
class FrozenTrunk:
    """A backbone with particular weights, up to a tap.

    Attributes:
        spec: the facts about the backbone.
        tap: where the features are taken.
        weights_sha256: hash of the weights that `network` returns; part of what names the features.
        network: loads the network, once; called only when something has to be computed or saved.
    """

    spec: BackboneSpec
    tap: Tap
    weights_sha256: str
    network: Callable[[], Network]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything about the network that decides its numbers."""
        return {
            "backbone": self.spec.name,
            "weights": self.weights_sha256,
            "tap": self.tap.name,
            "pooling": self.tap.pooling,
            "engine": ENGINE,
            "precision": PRECISION,
        }

    def open(self, preprocessing: Preprocessing, *, threads: int) -> Forward:
        """Returns the forward pass in inference mode on so many threads."""
        import torch

        keep_memory()
        torch.set_num_threads(threads)
        network = for_inference(self.network())
        mean = torch.tensor(preprocessing.mean, dtype=torch.float32).view(1, 3, 1, 1)
        scale = 1.0 / torch.tensor(preprocessing.std, dtype=torch.float32).view(1, 3, 1, 1)

        def forward(batch: PixelArray) -> FeatureArray:
            with torch.inference_mode():
                x = torch.from_numpy(batch).permute(0, 3, 1, 2)
                x = x.to(torch.float32, memory_format=torch.channels_last).sub_(mean).mul_(scale)
                features: FeatureArray = network.features(x, self.tap).numpy()
            return features

        return forward


def trunk_from_weights(spec: BackboneSpec, located: LocatedWeights) -> FrozenTrunk:
    """Returns the trunk with weights that were found on this machine."""
    return FrozenTrunk(spec, spec.default_tap, located.sha256, cache(lambda: load(spec, located)))


def trunk_from_state(spec: BackboneSpec, tap: Tap, state: dict[str, Tensor], *, sha256: str) -> FrozenTrunk:
    """Returns the trunk with weights that a bundle brought along."""
    return FrozenTrunk(spec, tap, sha256, cache(lambda: from_state(spec, state)))
