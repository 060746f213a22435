"""What an engine is: a way to run a frozen network that says what its numbers depend on before it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from handful.backbones import Tap
from handful.core.machine import installed, processor
from handful.core.records import FeatureArray, PixelArray
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from handful.backbones import Network

Precision = Literal["fp32", "bf16", "int8"]

Forward = Callable[[PixelArray], tuple[FeatureArray, ...]]
"""From uint8 (B, S, S, 3), B the engine's batch, to float32 (B, D) at each tap; several threads may call it at once."""

Open = Callable[["Network", Sequence[Tap], Preprocessing, int], Forward]
"""From a network, taps, a preprocessing and the number of threads that will call it, to the forward pass."""


GRAPH_FORMAT = 1
"""Raised whenever `quantised` writes other graphs: part of the key of features in eight bits."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to run a frozen network.

    Attributes:
        name: how it is asked for.
        precision: of its multiplications.
        batch: B, pictures per pass, always: a short last batch is padded, so that no row depends on how many others
            there are.
        library: the distribution whose version decides its numbers beside PyTorch's; "" where that is all.
        fault: why it cannot run on this machine; "" where it can. Quick, and without importing PyTorch where possible.
        open: makes it ready.
        any_size: whether its forward pass takes other numbers of pictures than B too. Rows then agree with those of
            whole batches as far as rounding allows, not to the bit.
    """

    name: str
    precision: Precision
    batch: int
    library: str
    fault: Callable[[], str]
    open: Open
    any_size: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """Everything about it that decides a network's numbers."""
        in_eight_bits = self.precision == "int8"
        libraries = filter(None, ("torch", self.library, "onnxruntime" if in_eight_bits else ""))
        return {
            **({"graph": GRAPH_FORMAT} if in_eight_bits else {}),
            "engine": self.name,
            "precision": self.precision,
            "batch": self.batch,
            "processor": processor(),
            "versions": {library: installed(library) for library in libraries},
        }

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"
