"""Training pictures as the network's squares, changed at random where that is wanted; PyTorch only for RandAugment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock
from typing import Literal

import numpy as np

from handful.core.errors import MissingExtraError
from handful.core.machine import installed, open_threads
from handful.core.records import ImageTable, Picture, PixelArray
from handful.features import Preprocessing, prepare
from handful.images import pixels

Augmentation = Literal["none", "ksh", "randaugment", "trivialaugment"]

KSH_RATIO = 256 / 224
"""Side of the square that crops are taken from, over the side of a crop (Krizhevsky et al. 2012, section 4.1)."""

RANDAUGMENT_CHANGES = 2
RANDAUGMENT_STRENGTH = 9
"""N and M of Cubuk et al. 2020 (arXiv:1909.13719), their values for ImageNet with a small network."""

ONE_AT_A_TIME = Lock()
"""Held while kornia draws from PyTorch's generator, which all threads share."""

AHEAD = 64
"""Pictures decoded before they are needed, at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Some pictures of a table, and how training is shown them.

    Attributes:
        table: where the pictures' bytes come from.
        pictures: N of its pictures.
        preprocessing: from picture to square.
        augmentation: change at random; "none" shows every picture the same way each time.
        seed: with a picture's file and the number of a view, decides the change.
        threads: for decoding.
    """

    table: ImageTable
    pictures: Sequence[Picture]
    preprocessing: Preprocessing
    augmentation: Augmentation
    seed: int
    threads: int

    @property
    def name(self) -> str:
        """Everything that decides a change but its seed: what names its features on disk."""
        if self.augmentation in ("none", "ksh"):
            return f"{self.augmentation} {KSH_RATIO:.6f}"
        drawn = f"{RANDAUGMENT_CHANGES} {RANDAUGMENT_STRENGTH} kornia {installed('kornia')}"
        return f"{self.augmentation} {KSH_RATIO:.6f} {drawn}"

    def squares(self, wanted: Sequence[tuple[int, int]]) -> Iterator[PixelArray]:
        """Yields squares, uint8 (size, size, 3), decoded ahead of their use by a few threads.

        Args:
            wanted: (index of the picture, number of the view); neighbours of one picture are decoded once.
        """
        views: dict[int, list[int]] = {}
        for row, view in wanted:
            views.setdefault(row, []).append(view)

        def read(row: int) -> list[PixelArray]:
            size = enlarged(self.preprocessing).size
            decoded = pixels(self.table, self.pictures[row], shortest=size)
            return [self.square(decoded, self.pictures[row], view) for view in views[row]]

        with open_threads(self.threads) as pool:
            rows = iter(views)
            ahead = [pool.submit(read, row) for row in islice(rows, AHEAD)]
            while ahead:
                yield from ahead.pop(0).result()
                ahead.extend(pool.submit(read, row) for row in islice(rows, 1))

    def square(self, decoded: PixelArray, picture: Picture, view: int) -> PixelArray:
        """Returns one view of a decoded picture, uint8 (size, size, 3); threads may call it at once."""
        if self.augmentation == "none":
            return prepare(decoded, self.preprocessing)
        seeds = self.seed, int(picture.file_sha256[:16], 16), view
        cropped = crop_and_mirror(decoded, self.preprocessing, np.random.default_rng(seeds))
        if self.augmentation == "ksh":
            return cropped
        drawn = np.random.default_rng(seeds).spawn(1)[0]
        return strong_change(cropped, self.augmentation, seed=int(drawn.integers(2**32)))


def crop_and_mirror(decoded: PixelArray, preprocessing: Preprocessing, rng: np.random.Generator) -> PixelArray:
    """Returns Krizhevsky, Sutskever and Hinton's augmentation: a random crop, mirrored half the time.

    The picture becomes a square of 256/224 times the size first (the central one where `fit` is "crop": the shorter
    side is 256), and the crop keeps that scale.

    Args:
        decoded: uint8 (H, W, 3).
        preprocessing: size and fit.
        rng: decides the place and the mirror.

    Returns:
        uint8 (size, size, 3).
    """
    square = prepare(decoded, enlarged(preprocessing))
    size = preprocessing.size
    top, left = rng.integers(0, len(square) - size + 1, 2)
    crop = square[top : top + size, left : left + size]
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def enlarged(preprocessing: Preprocessing) -> Preprocessing:
    """Returns the preprocessing of the square that crops are taken from."""
    return replace(preprocessing, size=round(preprocessing.size * KSH_RATIO), share=1.0)


def strong_change(square: PixelArray, augmentation: Augmentation, *, seed: int) -> PixelArray:
    """Returns a picture after RandAugment or TrivialAugment, as the kornia library draws them.

    Args:
        square: uint8 (size, size, 3).
        augmentation: "randaugment" or "trivialaugment".
        seed: equal arguments give equal pictures; PyTorch's generator is left as it was.

    Raises:
        MissingExtraError: kornia is not installed.
    """
    import torch

    try:
        from kornia.augmentation.auto import (  # type: ignore[import-not-found,unused-ignore]
            RandAugment,
            TrivialAugment,
        )
    except ImportError:
        raise MissingExtraError(f"augmentation {augmentation!r}", "augment") from None
    randaugment = augmentation == "randaugment"
    values = torch.from_numpy(square.astype(np.float32) / 255.0).permute(2, 0, 1)[None]
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        change = RandAugment(n=RANDAUGMENT_CHANGES, m=RANDAUGMENT_STRENGTH) if randaugment else TrivialAugment()
        changed = change(values)[0].permute(1, 2, 0).clamp(0.0, 1.0)
    return np.ascontiguousarray((changed * 255.0).round().to(torch.uint8).numpy())
