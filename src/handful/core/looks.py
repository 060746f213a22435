"""The records of where a model looked in some test pictures, and which training pictures are most like them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Alike:
    """A training picture: index into `ImageTable.pictures`, and the cosine of its features to another's."""

    index: int
    cosine: float


@dataclass(frozen=True, slots=True)
class Look:
    """Where a model looked in one test picture.

    Attributes:
        index: the picture, into `ImageTable.pictures`.
        answer: index of the class that was answered, whose score the map is of.
        places: float32 (h, w), how much each place of the network's square adds to the score; negative where it
            speaks against the class.
        seen: the square's left, top, right and bottom as shares of the picture's width and height; outside of [0, 1]
            where the square has a border.
        alike: training pictures, the most alike first; empty where they were not looked for.
    """

    index: int
    answer: int
    places: npt.NDArray[np.float32]
    seen: tuple[float, float, float, float]
    alike: tuple[Alike, ...] = ()


@dataclass(frozen=True, slots=True)
class Looks:
    """Where a model looked.

    Attributes:
        backbone: the network that was asked.
        n_networks: how many the model averages; the one asked is the first.
        mistakes: the most confident wrong answers, the most confident first.
        typical: the most confident right answers of the classes, class by class.
        n_compared: training pictures among which those alike were looked for.
        left_out: why there is nothing, or something is missing; "" where all is there.
    """

    backbone: str
    n_networks: int
    mistakes: tuple[Look, ...] = ()
    typical: tuple[Look, ...] = ()
    n_compared: int = 0
    left_out: str = ""
