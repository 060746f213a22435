"""Resizing inside an ONNX graph, in the integers that Pillow computes with: no level of a pixel differs.

Pillow resizes 8-bit pictures in two passes, along the rows and then along the columns, with coefficients of 22 binary
places and a rounding to 8 bits after each (its `Resample.c`). ONNX's own antialiased Resize differs from that by up to
12 levels. Here the coefficients are computed in the graph from the picture's height and width, in double precision as
there, and applied exactly: each is three digits of 8 bits, so that a product of 8-bit integers does it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from handful.export.graph import DOUBLE, FLOAT, INT64, UINT8, UINT32, Graph
from handful.features.transforms import Interpolation

PLACES = 22
"""Binary places of Pillow's coefficients: 32 bits less 8 of a pixel and 2 for sums that overshoot."""

BASE, N_DIGITS = 256, 3
ZERO = 128
"""What stands for 0 in a digit; both factors are unsigned, because signed ones overflow on some processors."""

SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
BEND = -0.5
"""Of Pillow's bicubic filter (Keys 1981, equation 4, a)."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a resize; all are names of values in a graph.

    Attributes:
        length: pixels of the picture in this direction, int64 ().
        start: where the part of the picture that is taken begins, float64 ().
        end: where it ends, float64 ().
        inner: pixels that the part becomes, float64 ().
        before: empty pixels before these, float64 ().
    """

    length: str
    start: str
    end: str
    inner: str
    before: str


@dataclass(frozen=True, slots=True)
class Taps:
    """Which pixels make up each pixel of the result; both are names of values in a graph.

    Attributes:
        places: of the pixels, from 0, int64 (S, K).
        digits: of their shares, the lowest first, uint8 (3, S, K).
    """

    places: str
    digits: str


def resize(graph: Graph, picture: str, *, down: Axis, across: Axis, size: int, interpolation: Interpolation) -> str:
    """Adds the resize of a picture, uint8 (H, W, 3), and returns the name of uint8 (size, size, 3).

    Pillow begins with the columns where that leaves fewer pixels to do: where the height falls, and by more than twice
    what the width falls by. Pixels outside of `before` and `inner` have no meaning.
    """
    falls = [graph.add("Sub", graph.cast(axis.length, DOUBLE), axis.inner) for axis in (down, across)]
    enough = graph.add("Max", graph.add("Mul", falls[1], graph.number(2.0)), graph.number(0.0))
    down_first = graph.add("Greater", falls[0], enough)
    first, second = (
        Axis(*(graph.add("Where", down_first, one, other) for one, other in zip(astuple(a), astuple(b), strict=True)))
        for a, b in ((down, across), (across, down))
    )
    lines = _turned(graph, picture, unless=down_first)
    lines, taken = _needed(graph, lines, _taps(graph, first, size, interpolation), axis=0)
    lines, taken_next = _needed(graph, lines, _taps(graph, second, size, interpolation), axis=1)
    n_next = graph.add("Shape", lines, start=1, end=2)
    narrow = _apply(graph, graph.add("Reshape", lines, graph.integers(0, -1)), taken)  # (size, next * 3)
    by_pixel = graph.add("Concat", graph.integers(size), n_next, graph.integers(3), axis=0)
    turned = graph.add("Transpose", graph.add("Reshape", narrow, by_pixel), perm=[1, 0, 2])
    square = _apply(graph, graph.add("Reshape", turned, graph.integers(0, -1)), taken_next)  # (size, size * 3)
    return _turned(graph, graph.add("Reshape", square, graph.integers(size, size, 3)), when=down_first)


def _turned(graph: Graph, values: str, *, when: str = "", unless: str = "") -> str:
    """Adds an exchange of the first two axes that is done under a condition, or unless it holds."""
    turned, same = graph.branch("Transpose", values, perm=[1, 0, 2]), graph.branch("Identity", values)
    if when:
        return graph.add("If", when, then_branch=turned, else_branch=same)
    return graph.add("If", unless, then_branch=same, else_branch=turned)


def _taps(graph: Graph, axis: Axis, size: int, interpolation: Interpolation) -> Taps:
    """Adds the shares as Pillow has them; it takes the ends of the part in single precision, and all else in double."""
    add, number = graph.add, graph.number
    start, end = graph.cast(axis.start, FLOAT), graph.cast(axis.end, FLOAT)
    extent = graph.cast(add("Sub", end, start), DOUBLE)
    scale = add("Div", extent, axis.inner)
    stretch = add("Max", scale, number(1.0))
    support = add("Mul", stretch, number(SUPPORT[interpolation]))
    n_taps = add("Add", add("Mul", add("Ceil", support), number(2.0)), number(1.0))
    pixels = graph.constant(np.arange(size)[:, None] + 0.5, np.float64)
    middle = add("Add", graph.cast(start, DOUBLE), add("Mul", add("Sub", pixels, axis.before), scale))  # (S, 1)
    first = add("Floor", add("Add", add("Sub", middle, support), number(0.5)))
    last = add("Sub", graph.cast(axis.length, DOUBLE), number(1.0))
    first = add("Min", add("Max", first, number(0.0)), last)
    each = add("Add", first, add("Range", number(0.0), n_taps, number(1.0)))  # (S, K)
    distance = add("Add", add("Sub", each, middle), number(0.5))
    share = _filter(graph, add("Mul", distance, add("Div", number(1.0), stretch)), interpolation)
    share = add("Where", add("Greater", each, last), number(0.0), share)
    total = add("ReduceSum", share, graph.integers(1), keepdims=1)
    share = add("Div", share, add("Where", add("Equal", total, number(0.0)), number(1.0), total))
    whole = add("Floor", add("Add", add("Mul", add("Abs", share), number(2.0**PLACES)), number(0.5)))
    digits = _digits(graph, add("Mul", whole, add("Sign", share)))
    return Taps(graph.cast(add("Min", each, last), INT64), digits)


def _filter(graph: Graph, distance: str, interpolation: Interpolation) -> str:
    """Adds a resampling filter at float64 (S, K) and returns its values' name."""
    add, number = graph.add, graph.number
    x = add("Abs", distance)
    if interpolation == "bilinear":
        return add("Max", add("Sub", number(1.0), x), number(0.0))
    near = add("Sub", add("Mul", number(BEND + 2.0), x), number(BEND + 3.0))
    near = add("Add", add("Mul", add("Mul", near, x), x), number(1.0))
    far = add("Add", add("Mul", add("Sub", x, number(5.0)), x), number(8.0))
    far = add("Mul", add("Sub", add("Mul", far, x), number(4.0)), number(BEND))
    far = add("Where", add("Less", x, number(2.0)), far, number(0.0))
    return add("Where", add("Less", x, number(1.0)), near, far)


def _digits(graph: Graph, values: str) -> str:
    """Adds the digits of float64 (S, K), whole numbers below 2^23, and returns the name of uint8 (3, S, K)."""
    add, number = graph.add, graph.number
    units = [float(BASE**place) for place in range(N_DIGITS)]
    rest = add("Add", values, number(ZERO * sum(units)))
    found = []
    for digit in reversed(units):
        own = add("Floor", add("Div", rest, number(digit)))
        rest = add("Sub", rest, add("Mul", own, number(digit)))
        found.append(add("Unsqueeze", graph.cast(own, UINT8), graph.integers(0)))
    return add("Concat", *reversed(found), axis=0)


def _needed(graph: Graph, picture: str, taps: Taps, *, axis: int) -> tuple[str, Taps]:
    """Adds a cut to the rows, or columns, that are asked for; returns the part and where they are in it."""
    add = graph.add
    first = add("ReduceMin", taps.places, keepdims=0)
    end = add("Add", add("ReduceMax", taps.places, keepdims=0), graph.constant(1, np.int64))
    limits = [add("Unsqueeze", limit, graph.integers(0)) for limit in (first, end)]
    part = add("Slice", picture, *limits, graph.integers(axis))
    return part, Taps(add("Sub", taps.places, first), taps.digits)


def _apply(graph: Graph, lines: str, taps: Taps) -> str:
    """Adds the sums of lines, uint8 (L, M), by their shares, rounded to 8 bits; returns the name of uint8 (S, M)."""
    add = graph.add
    taken = add("Gather", lines, taps.places, axis=0)  # (S, K, M)
    factors = add("Transpose", taps.digits, perm=[1, 0, 2])  # (S, 3, K)
    zeros = graph.constant(ZERO, np.uint8), graph.constant(0, np.uint8)
    sums = add("MatMulInteger", factors, taken, *zeros)  # (S, 3, M)
    low, middle, high = (add("Gather", sums, graph.constant(digit, np.int64), axis=1) for digit in range(3))
    base = graph.constant(BASE, np.int32)
    whole = add("Add", add("Mul", add("Add", add("Mul", high, base), middle), base), low)
    rounded = add("Add", whole, graph.constant(1 << (PLACES - 1), np.int32))
    level = graph.cast(add("Max", rounded, graph.constant(0, np.int32)), UINT32)
    level = add("BitShift", level, graph.constant(PLACES, np.uint32), direction="RIGHT")
    return graph.cast(add("Min", level, graph.constant(255, np.uint32)), UINT8)
