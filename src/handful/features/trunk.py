"""A frozen network that says what its numbers mean before it is opened, and imports torch only then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as once
from typing import TYPE_CHECKING, Any, Literal

from handful.backbones import BackboneSpec, LocatedWeights, Tap, for_inference, from_state, keep_memory, load, state_of
from handful.core.records import FeatureArray, PixelArray
from handful.features import cache
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from handful.backbones.network import Network

BATCH = 32
"""Pictures per pass, always: a short last batch is padded, so that no row depends on how many others there are."""

ENGINE = "torch eager, batch normalisation folded, channels last"
PRECISION = "float32"

Pool = Literal["max", "l2"]

Forward = Callable[[PixelArray], FeatureArray]
"""From uint8 (BATCH, S, S, 3) to float32 (BATCH, D)."""


@dataclass(frozen=True, slots=True)
class FrozenTrunk:
    """A backbone with particular weights, up to a tap.

    Attributes:
        spec: the facts about the backbone.
        tap: where the features are taken.
        weights_sha256: hash of the weights that `network` returns; part of what names the features.
        network: loads the network, once; called only when something has to be computed.
        state: its weights up to the tap, in the safetensors format.
        pool: "l2" where its max pooling is replaced by the root of the sum of squares.
    """

    spec: BackboneSpec
    tap: Tap
    weights_sha256: str
    network: Callable[[], Network]
    state: Callable[[], bytes]
    pool: Pool = "max"

    @property
    def facts(self) -> dict[str, Any]:
        """Everything about the network that decides its numbers."""
        return {
            "backbone": self.spec.name,
            "weights": self.weights_sha256,
            "tap": self.tap.name,
            "pooling": self.tap.pooling,
            "pool": self.pool,
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


def trunk_from_weights(spec: BackboneSpec, located: LocatedWeights, *, pool: Pool = "max") -> FrozenTrunk:
    """Returns the trunk with weights that lie on this machine; what a bundle needs of them is kept in the cache."""
    tap = spec.default_tap
    network = once(lambda: _pooled(load(spec, located), pool))
    facts = {"trunk": spec.name, "weights": located.sha256, "tap": tap.name}
    space = cache.space_key(facts)

    def state() -> bytes:
        data = next(cache.kept(space), None)
        if data is None:
            data = serialise(network(), tap)
            cache.keep(space, data, facts=facts)
        return data

    return FrozenTrunk(spec, tap, located.sha256, network, state, pool)


def trunk_from_state(spec: BackboneSpec, tap: Tap, state: bytes, *, sha256: str, pool: Pool = "max") -> FrozenTrunk:
    """Returns the trunk with weights of its own (a bundle's, or just trained), in the safetensors format."""

    def network() -> Network:
        import safetensors.torch

        return _pooled(from_state(spec, safetensors.torch.load(state)), pool)

    return FrozenTrunk(spec, tap, sha256, once(network), lambda: state, pool)


def _pooled(network: Network, pool: Pool) -> Network:
    if pool == "max":
        return network
    from handful.backbones.pooling import L2Pooled

    return L2Pooled(network)


def serialise(network: Network, tap: Tap) -> bytes:
    """Returns what the features at a tap need of a network's weights, in the safetensors format."""
    import safetensors.torch

    data: bytes = safetensors.torch.save(
        {name: tensor.detach().contiguous() for name, tensor in state_of(network, tap).items()}
    )
    return data
