"""A model that is open and warm: files in, answers out, and nothing is loaded in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handful import export
from handful.api.answering import answers_of
from handful.core.errors import BundleError
from handful.core.progress import Progress
from handful.core.records import FeatureArray, PixelArray, Prediction
from handful.features import Preprocessing, prepare_views
from handful.images import UnreadableError, decode
from handful.transfer import Examined, Member, Model, judge

Pictures = Sequence[PixelArray]
"""One decoded picture, uint8 (H, W, 3), as each of a model's sizes has it (`Opened.sizes`)."""

Answering = Callable[[Sequence[Pictures]], Examined]
"""From N decoded pictures to their probabilities: what serves a model; several threads may call it at once."""

KEY_DIGITS = 12
"""Hexadecimal digits of the manifest's hash by which a model is told from another."""


@dataclass(frozen=True, slots=True)
class Warm:
    """A member of a model whose network is open.

    Attributes:
        member: the network and its output layer.
        size: index into `Opened.sizes`.
        forward: the network; takes any of the numbers of squares in `passes`.
        passes: numbers of squares of one pass, the largest first.
        exact: whether the last of them is 1; otherwise a pass is filled up with black squares.
    """

    member: Member
    size: int
    forward: Callable[[PixelArray], tuple[FeatureArray, ...]]
    passes: tuple[int, ...]
    exact: bool

    def features(self, pictures: Sequence[Pictures]) -> FeatureArray:
        """Returns float32 (N, V, D)."""
        shown = np.stack(
            [
                square
                for decoded in pictures
                for square in prepare_views(decoded[self.size], self.member.preprocessing, self.member.views)
            ]
        )
        rows = [self.forward(squares)[0] for squares in self._passes(shown)]
        found: FeatureArray = np.concatenate(rows)[: len(shown)]
        return found.reshape(len(pictures), len(self.member.views), -1)

    def _passes(self, shown: PixelArray) -> list[PixelArray]:
        if not self.exact:
            short = -len(shown) % self.passes[0]
            shown = np.concatenate([shown, np.zeros((short, *shown.shape[1:]), dtype=np.uint8)])
        parts, start = [], 0
        while start < len(shown):
            n_squares = next(number for number in self.passes if number <= len(shown) - start)
            parts.append(np.ascontiguousarray(shown[start : start + n_squares]))
            start += n_squares
        return parts


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that answers.

    Attributes:
        name: of the run folder.
        key: tells this model from another of the same name.
        model: the classifier.
        members: its networks, open.
        sizes: shorter sides that pictures are decoded for.
        answering: from decoded pictures to probabilities.
        batch: pictures that are best answered together.
    """

    name: str
    key: str
    model: Model
    members: tuple[Warm, ...]
    sizes: tuple[int, ...]
    answering: Answering
    batch: int

    def decoded(self, data: bytes, *, max_pixels: float) -> Pictures:
        """Returns a picture as `Answering` takes it.

        Raises:
            UnreadableError: it is no picture that is read, or has too many pixels.
        """
        full_scale = self.model.full_scale
        return [decode(data, max_pixels=max_pixels, shortest=size).rgb(full_scale) for size in self.sizes]

    def answers(self, files: Sequence[bytes], *, max_pixels: float) -> list[Prediction | UnreadableError]:
        """Returns the answer for each file, or why it cannot be read."""
        decoded: list[Pictures | UnreadableError] = []
        for data in files:
            try:
                decoded.append(self.decoded(data, max_pixels=max_pixels))
            except UnreadableError as error:
                decoded.append(error)
        readable = [each for each in decoded if not isinstance(each, UnreadableError)]
        answers = iter(answers_of(self.model, [""] * len(readable), self.answering(readable)) if readable else ())
        return [each if isinstance(each, UnreadableError) else next(answers) for each in decoded]


def open_model(run: Path, *, threads: int, progress: Progress, own_engine: bool = False) -> Opened:
    """Opens the model of a run folder, warms it up, and tries it.

    Args:
        run: the folder.
        threads: that will call it.
        progress: told where another engine takes the place of the one that the model was made with.
        own_engine: as in `Settings`.

    Raises:
        BundleError: there is no model, it is damaged, or its answers are no numbers.
        ConfigError: its network cannot run here.
    """
    model = export.load(run)
    sizes = tuple(sorted({member.preprocessing.size for member in model.members}))
    members = tuple(
        _warm(member, sizes, threads=threads, progress=progress, own_engine=own_engine) for member in model.members
    )

    def answering(pictures: Sequence[Pictures]) -> Examined:
        return judge(model, [warm.features(pictures) for warm in members])

    batch = max(warm.passes[0] for warm in members)
    key = export.manifest_sha256(run)[:KEY_DIGITS]
    opened = Opened(run.resolve().name, key, model, members, sizes, answering, batch)
    blank = [np.full((size, size, 3), 127, dtype=np.uint8) for size in sizes]
    for n_pictures in range(1, batch + 1):
        if not np.isfinite(answering([blank] * n_pictures).proba).all():
            raise BundleError(f"the model in {run} answers with something that is no number. Train again.")
    return opened


def _warm(member: Member, sizes: tuple[int, ...], *, threads: int, progress: Progress, own_engine: bool) -> Warm:
    """Returns a member whose network is open, and has seen every number of squares that it will be shown."""
    shown: Preprocessing = member.preprocessing
    tap: Any = member.trunk.tap
    trunk = member.trunk
    if own_engine:
        trunk = trunk.proven(shown, taps=[tap], threads=threads, progress=progress)
    else:
        trunk = trunk.quickest(shown, threads=threads, progress=progress)
    forward, batch = trunk.open(shown, taps=[tap], threads=threads, progress=progress, by_another=True)
    exact = trunk.engine.any_size
    passes = [batch]
    while exact and passes[-1] > 1:
        passes.append(passes[-1] // 2)
    for n_squares in passes:
        forward(np.zeros((n_squares, shown.size, shown.size, 3), dtype=np.uint8))
    return Warm(member, sizes.index(shown.size), forward, tuple(passes), exact)
