"""How a search trains a network: from where a probe ended, on squares and with changes that suit the pictures.

Linear probing, then fine-tuning (LP-FT: Kumar et al. 2022, arXiv:2202.10054). Every constant here can be tried against
others by `benchmarks/best_parts.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from handful.backbones import BackboneSpec
from handful.core.progress import Progress
from handful.core.records import ImageTable, Picture, PixelArray, Resolved, Split
from handful.features import FrozenTrunk, Preprocessing, extract, prepare
from handful.heads import fit_head, predict_proba
from handful.split import units
from handful.transfer.tries import paired

RATE = 3e-4
"""Of AdamW, for new and old layers alike."""

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

FEWEST_TURNED, MOST_TURNED = 100, 500
"""Training pictures on which it is tried whether they may be shown upside down; half of them answer."""

WORSE = 0.03
"""Share of right answers that may be lost upside down, one standard error included."""


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
    share = SIDES[min(first + lap, len(SIDES) - 1)]
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
        "lr": RATE,
        "weight_factor": "",
        "bias_factor": "",
        "schedule": "one-cycle",
        "mixup": MIXUP,
        "keep": "last",
        "every": NEVER,
        "epochs": n_epochs(n_images),
        "size": squares(spec, side, lap=lap),
        "views": "mirror",
    }


def choose_augmentation(
    trunk: FrozenTrunk,
    preprocessing: Preprocessing,
    *,
    table: ImageTable,
    split: Split,
    seed: int,
    threads: int,
    progress: Progress,
) -> Resolved:
    """Returns the changes that training pictures are shown with: upside down too where the network shows it harmless.

    A ridge head learns from half of some training pictures as they are and answers for the other half, as they are and
    upside down. Photographs of cells, of parts, from above have no up; a dog has.

    Args:
        trunk: the network as it is.
        preprocessing: from picture to square.
        table: the data set.
        split: its parts; only training pictures are looked at.
        seed: draws them.
        threads: for decoding and for the network.
        progress: told about the work.
    """

    def turned(decoded: PixelArray, picture: Picture, names: Sequence[str]) -> list[PixelArray]:
        return [np.ascontiguousarray(prepare(decoded, preprocessing)[::-1]) for _ in names]

    if len(split.train) < FEWEST_TURNED:
        return Resolved("ksh", f"{len(split.train)} training pictures cannot show that they have no up")
    chosen = np.random.default_rng(seed).permutation(split.train)[:MOST_TURNED]
    chosen = chosen[np.argsort(table.labels[chosen], kind="stable")]
    learning, answering = ([table.pictures[index] for index in chosen[start::2]] for start in (0, 1))
    labels, truth = table.labels[chosen[::2]], table.labels[chosen[1::2]]

    def shown(pictures: Sequence[Picture], view: str) -> Any:
        return extract(
            trunk,
            table,
            pictures,
            preprocessing=preprocessing,
            views=(view,),
            threads=threads,
            progress=progress,
            show=None if view == "plain" else turned,
        ).values

    head, _ = fit_head(
        shown(learning, "plain")[:, 0],
        labels,
        kind="ridge",
        n_classes=len(table.classes),
        units=units(learning),
        seed=seed,
    )
    upright, upside_down = (
        predict_proba(head.layer, shown(answering, view)).argmax(axis=1) == truth for view in ("plain", "upside down")
    )
    difference, standard_error = paired(upside_down, upright)
    told = (
        f"a ridge head knows {100 * upside_down.mean():.1f} % of {len(truth)} training pictures upside down, and "
        f"{100 * upright.mean():.1f} % as they are"
    )
    harmless = difference - standard_error >= -WORSE
    return Resolved("flips" if harmless else "ksh", told)
