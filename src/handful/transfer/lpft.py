"""How a search trains a network: from where a probe ended, on squares that suit the pictures.

Linear probing, then fine-tuning (LP-FT: Kumar et al. 2022, arXiv:2202.10054). Every constant here can be tried against
others by `benchmarks/best_parts.py`.
"""

from __future__ import annotations

import math
from typing import Any

from handful.backbones import BackboneSpec

FEW = 500
"""Up to so many training pictures a training goes less far from its start, and has time for the largest squares."""

RATE, LOW_RATE = 3e-4, 1e-4
"""Of AdamW, for new and old layers alike; the low one where pictures are few."""

MIXUP = 0.4
"""Alpha; with it the last weights are kept: they are the ones that the rate ended with."""

NEVER = 1_000_000
"""Updates between looks at the pictures that are left out: they are looked at when the training is over."""

PASSES = 16_000
FEWEST_EPOCHS, MOST_EPOCHS = 5, 40
"""Pictures that a training is shown, within so many epochs: 8 for 2 000 pictures."""

SIDES = (4 / 7, 5 / 7, 1.0)
"""Sides of the squares that networks are trained on, over that of their own: of 224 pixels 128, which take a third of
the time, 160, which take half of it, and all."""


def squares(spec: BackboneSpec, side: float, *, lap: int = 0) -> int:
    """Returns the side of the squares that a network is trained on, a multiple of 32.

    Args:
        spec: the network.
        side: of the pictures, in pixels: the median of the shorter ones.
        lap: how often every part of the pictures was left out before; squares then grow, up to the network's own.

    Example:
        >>> from handful.backbones import find
        >>> squares(find("efficientnet-lite2"), 32.0), squares(find("efficientnet-lite2"), 300.0)
        (128, 160)
        >>> squares(find("efficientnet-lite0"), 300.0, lap=1)
        224
    """
    first = 1 if side >= SIDES[1] * spec.input_size else 0
    return square_of(spec, SIDES[min(first + lap, len(SIDES) - 1)])


def square_of(spec: BackboneSpec, share: float) -> int:
    """Returns the side of squares that is a share of the network's own, a multiple of 32."""
    return max(32 * int(spec.input_size * share / 32), spec.min_size)


def n_epochs(n_images: int) -> int:
    """Returns how often a training sees every picture.

    Example:
        >>> n_epochs(2000), n_epochs(50)
        (8, 40)
    """
    return min(max(math.ceil(PASSES / n_images), FEWEST_EPOCHS), MOST_EPOCHS)


def training_options(spec: BackboneSpec, *, n_images: int, side: float, lap: int = 0) -> dict[str, Any]:
    """Returns the options of a training, by name.

    Args:
        spec: the network.
        n_images: training pictures.
        side: of the pictures, as in `squares`.
        lap: as in `squares`.
    """
    return {
        "strategy": "freeze",
        "head": "C",
        "start": "probe",
        "lr": RATE if n_images > FEW else LOW_RATE,
        "weight_factor": "",
        "bias_factor": "",
        "schedule": "one-cycle",
        "mixup": MIXUP,
        "keep": "last",
        "every": NEVER,
        "epochs": n_epochs(n_images),
        "size": squares(spec, side, lap=lap if n_images > FEW else len(SIDES)),
        "views": "mirror",
    }
