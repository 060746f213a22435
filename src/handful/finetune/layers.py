"""The new layers that replace a network's last ones, as numbers; no PyTorch (handful.finetune.stack builds them)."""

from __future__ import annotations

from dataclasses import dataclass

from handful.core.errors import ConfigError
from handful.core.notation import read_stack


@dataclass(frozen=True, slots=True)
class NewLayer:
    """A fully connected layer.

    Attributes:
        size: neurons.
        dropout: share of its outputs that training drops before the next layer sees them, in [0, 1).
    """

    size: int
    dropout: float = 0.0


def parse_head(text: str, n_classes: int) -> tuple[NewLayer, ...]:
    """Returns new layers from bottom to top.

    Args:
        text: such as "5", "75-C" or "500d0.5-75-5"; the last size is the number of classes, or C for it.
        n_classes: C.

    Raises:
        ConfigError: not of that form, or the last layer has not one neuron per class.

    Example:
        >>> parse_head("500d0.5-75-C", 5)
        (NewLayer(size=500, dropout=0.5), NewLayer(size=75, dropout=0.0), NewLayer(size=5, dropout=0.0))
    """
    layers = tuple(NewLayer(n_classes if size is None else size, dropout) for size, dropout in read_stack(text))
    if layers[-1].size != n_classes:
        below = text.rpartition("-")[0]
        expected = f"{below}-{n_classes}" if below else str(n_classes)
        raise ConfigError(
            f"head is {text!r}: its last layer has {layers[-1].size} neurons, but there are {n_classes} classes. "
            f"Expected --head {expected}, or C for the number of classes."
        )
    return layers
