"""From a decoded picture to the squares that a network sees, inside an ONNX graph: `handful.features.prepare` again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handful.export.graph import DOUBLE, Graph
from handful.export.resize import Axis, resize
from handful.features import Preprocessing, View
from handful.features.transforms import CORNER_SHARE


def squares(graph: Graph, picture: str, preprocessing: Preprocessing, views: Sequence[View]) -> str:
    """Adds the views of a picture, uint8 (H, W, 3) of any size, and returns the name of uint8 (V, S, S, 3)."""
    seen: dict[View, str] = {}
    shown = []
    for view in views:
        part: View = "plain" if view == "mirror" else view
        if part not in seen:
            seen[part] = _square(graph, picture, preprocessing, part)
        square = seen[part] if view != "mirror" else _mirrored(graph, seen[part], preprocessing.size)
        shown.append(graph.add("Unsqueeze", square, graph.integers(0)))
    return graph.add("Concat", *shown, axis=0)


def _square(graph: Graph, picture: str, preprocessing: Preprocessing, view: View) -> str:
    """Adds a part of a picture as a square and returns the name of uint8 (S, S, 3)."""
    lengths = [graph.add("Squeeze", graph.add("Shape", picture, start=axis, end=axis + 1)) for axis in (0, 1)]
    sides = [graph.cast(length, DOUBLE) for length in lengths]
    if preprocessing.fit == "pad":
        return _padded(graph, picture, lengths, sides, preprocessing=preprocessing, view=view)
    if preprocessing.fit == "squash":
        starts, ends = [graph.number(0.0)] * 2, sides
    else:
        side = graph.add("Mul", graph.add("Min", *sides), graph.number(preprocessing.share))
        starts = [graph.add("Div", graph.add("Sub", whole, side), graph.number(2.0)) for whole in sides]
        ends = [graph.add("Add", start, side) for start in starts]
    return _resized(graph, picture, lengths, _within(graph, starts, ends, view), preprocessing=preprocessing)


def _resized(
    graph: Graph, picture: str, lengths: list[str], parts: list[tuple[str, str]], *, preprocessing: Preprocessing
) -> str:
    """Adds the resize of a part, (start, end) of rows and of columns, to the whole square."""
    size, zero = graph.number(preprocessing.size), graph.number(0.0)
    down, across = (Axis(length, *part, size, zero) for length, part in zip(lengths, parts, strict=True))
    return resize(
        graph,
        picture,
        down=down,
        across=across,
        size=preprocessing.size,
        interpolation=preprocessing.interpolation,
    )


def _padded(
    graph: Graph,
    picture: str,
    lengths: list[str],
    sides: list[str],
    *,
    preprocessing: Preprocessing,
    view: View,
) -> str:
    """Adds the whole picture in the middle of a square of the colour `mean`, or a corner of that square."""
    add, number, size = graph.add, graph.number, preprocessing.size
    scale = add("Div", number(size), add("Max", *sides))
    axes, inside = [], []
    for length, whole in zip(lengths, sides, strict=True):
        inner = add("Max", number(1.0), add("Round", add("Mul", whole, scale)))
        before = add("Floor", add("Div", add("Sub", number(size), inner), number(2.0)))
        axes.append(Axis(length, number(0.0), whole, inner, before))
        places = graph.constant(np.arange(size), np.float64)
        from_start = add("GreaterOrEqual", places, before)
        inside.append(add("And", from_start, add("Less", places, add("Add", before, inner))))
    drawn = resize(graph, picture, down=axes[0], across=axes[1], size=size, interpolation=preprocessing.interpolation)
    rows, columns = add("Unsqueeze", inside[0], graph.integers(1, 2)), add("Unsqueeze", inside[1], graph.integers(0, 2))
    colour = graph.constant([round(value) for value in preprocessing.mean], np.uint8)
    square = add("Where", add("And", rows, columns), drawn, colour)
    if view == "plain":
        return square
    ends, whole_side = [number(0.0)] * 2, graph.constant(size, np.int64)
    parts = _within(graph, ends, [number(size)] * 2, view)
    return _resized(graph, square, [whole_side] * 2, parts, preprocessing=preprocessing)


def _within(graph: Graph, starts: list[str], ends: list[str], view: View) -> list[tuple[str, str]]:
    """Adds the part of a box that a view shows, the box itself or one of its corners: (start, end) down and across."""
    if view == "plain":
        return list(zip(starts, ends, strict=True))
    parts = []
    for start, end, place in zip(starts, ends, view.split("-"), strict=True):
        side = graph.add("Mul", graph.add("Sub", end, start), graph.number(CORNER_SHARE))
        first = start if place in ("top", "left") else graph.add("Sub", end, side)
        parts.append((first, graph.add("Add", first, side)))
    return parts


def _mirrored(graph: Graph, square: str, size: int) -> str:
    return graph.add("Gather", square, graph.constant(np.arange(size)[::-1], np.int64), axis=1)
