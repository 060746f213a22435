"""A stand-in for another library of networks, so that tests need none: one small network, as a library has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handful.backbones import borrowed, libraries, records
from handful.backbones.facts import Facts, Source, Stated
from handful.testing.backbone import Patcher

if TYPE_CHECKING:
    from torch import Tensor, nn

    from handful.backbones.rows import Anatomy

LENT = "timm:lent"
LENT_SIZE = 32
N_FEATURES = 12


class FakeLibrary:
    """A library with one network, "lent": convolutions that share one rectifier, as ResNet's blocks do.

    Attributes:
        source: where it says that the weights are.
        licence: which licence it names.
        n_asked: how often it was asked about a network.
    """

    def __init__(self) -> None:
        self.source = Source()
        self.licence = "mit"
        self.n_asked = 0

    def describe(self, model: str, stated: Stated) -> Facts:
        """Returns the facts about the network."""
        self.n_asked += 1
        return Facts(
            name=model,
            title="Lent",
            input_size=LENT_SIZE,
            interpolation="bilinear",
            crop_fraction=0.875,
            mean=(127.5, 127.5, 127.5),
            std=(127.5, 127.5, 127.5),
            licence=self.licence,
            source=self.source,
            settings={"width": int(stated.config.get("width", 8))},
        )

    def make(self, model: str, stated: Stated) -> tuple[nn.Module, Anatomy]:
        """Returns the network with random weights."""
        from handful.backbones.rows import Anatomy
        from handful.testing.lent import Lent

        return Lent(int(stated.settings["width"]), N_FEATURES), Anatomy(_features)

    def translate(self, model: str, stated: Stated, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Returns a file's tensors, less those of the classifier."""
        return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def install_fake_library(monkeypatch: Patcher) -> FakeLibrary:
    """Puts the stand-in in the place of every other library until the test is over.

    Args:
        monkeypatch: pytest's fixture.
    """
    library = FakeLibrary()
    for module in (borrowed, records):
        monkeypatch.setattr(module, "adapter", lambda name: library)
    monkeypatch.setattr(libraries, "find_spec", lambda name: object())
    monkeypatch.setattr(borrowed, "find_spec", lambda name: object())
    return library


def lent_state(seed: int = 0, *, width: int = 8) -> dict[str, Tensor]:
    """Returns a published file's tensors: the network's, and those of a classifier that handful has no use for."""
    import torch

    from handful.testing.lent import Lent

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {**Lent(width, N_FEATURES).state_dict(), "fc.weight": torch.zeros(5, N_FEATURES)}


def _features(network: Any, pixels: Tensor) -> Tensor:
    features: Tensor = network(pixels)
    return features
