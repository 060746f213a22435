"""Trainings that can be gone on with: what was reached is kept on disk until the run is done; no PyTorch.

A training lies in a folder named by the hash of everything that decides its numbers, so that the same command finds it
and no other does. A checkpoint is a safetensors file named by the epochs that are done and by its own SHA-256: one that
was damaged is known by that and passed over. The last two stay, and an older one goes when a newer one is in place.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors

from handful.core.errors import HandfulError
from handful.core.files import cache_folder, dump_json, sha256_bytes, sha256_file, staged_file
from handful.core.parsed import MALFORMED
from handful.core.progress import Progress
from handful.core.stops import told_when_stopped

FORMAT = 1

SECONDS = 5.0
"""Between two checkpoints of a training, at least: what is quicker is as quickly done again."""

SHARE = 0.05
"""Of a training's time that its checkpoints may take: where one takes 1 s, the next is not written for 20 s."""

N_KEPT = 2
"""Checkpoints of a training, so that there is one to fall back to."""

DAYS = 14
"""After which a training is removed that nobody went on with."""

DTYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
"""What a checkpoint may hold, with safetensors' own names."""

Array = npt.NDArray[Any]

_NAME = re.compile(r"([0-9]{6})-([0-9a-f]{64})\.safetensors")


@dataclass(frozen=True, slots=True)
class Written:
    """What a checkpoint holds.

    Attributes:
        n_epochs: that are done.
        arrays: by name, C-contiguous, of `DTYPES`.
        facts: what JSON can hold.
        reached: how far the training is, in words.
    """

    n_epochs: int
    arrays: Mapping[str, Array]
    facts: Mapping[str, Any]
    reached: str


class Place:
    """Where one training is kept.

    Attributes:
        reached: what is there, in words; "" where nothing is.
        n_damaged: checkpoints that were damaged.

    Args:
        folder: its own.
        run: the trainings of the run.
    """

    def __init__(self, folder: Path, run: Kept) -> None:
        self.folder, self.run = folder, run
        self.reached, self.n_damaged = "", 0
        self._free_at = perf_counter() + SECONDS

    def is_due(self, *, seconds: float, is_over: bool) -> bool:
        """Returns whether a checkpoint is worth its time, by `SECONDS` and `SHARE`.

        Args:
            seconds: that the training has taken.
            is_over: whether this is its end.
        """
        return seconds >= SECONDS if is_over else perf_counter() >= self._free_at

    def write(self, written: Written, *, progress: Progress) -> None:
        """Writes a checkpoint, then removes those older than the one before; where it cannot be written, says so.

        Args:
            written: what it holds.
            progress: told where it cannot be written; those before are still there then.
        """
        start = perf_counter()
        try:
            self._write(written)
        except HandfulError as error:
            progress.say(f"The training goes on, but a checkpoint could not be written: {error}")
        self._free_at = perf_counter() + max(SECONDS, (perf_counter() - start) / SHARE)

    def _write(self, written: Written) -> None:
        n_epochs, arrays, facts = written.n_epochs, written.arrays, written.facts
        header = _header(arrays, facts)
        digest = hashlib.sha256(header)
        for array in arrays.values():
            digest.update(_raw(array))
        path = self.folder / f"{n_epochs:06d}-{digest.hexdigest()}.safetensors"
        try:
            with staged_file(path) as stream:
                stream.write(header)
                for array in arrays.values():
                    stream.write(_raw(array))
        finally:  # a stop may come when it has its name already
            if path.exists():
                self.reached = written.reached
        for old in [path for number, path in self._files() if number < n_epochs][N_KEPT - 1 :]:
            old.unlink(missing_ok=True)

    def checkpoints(self) -> Iterator[Path]:
        """Yields the checkpoints that are what their names say, the latest first; the others are removed."""
        for _, path in self._files():
            with suppress(FileNotFoundError):
                if sha256_file(path) == path.stem[-64:]:
                    yield path
                else:
                    self.n_damaged += 1
                    path.unlink()

    def files(self) -> dict[str, bytes]:
        """Returns what lies here, damaged or not, as it travels to other machines."""
        return {path.name: path.read_bytes() for _, path in self._files()}

    def fact(self, name: str) -> Any:
        """Returns a fact of the latest checkpoint that can be read; None where there is none, or no such fact."""
        for _, path in self._files():
            with suppress(safetensors.SafetensorError, *MALFORMED), safetensors.safe_open(path, "numpy") as file:
                return json.loads(file.metadata()["facts"]).get(name)
        return None

    def went_on(self, seconds: float, *, reached: str) -> None:
        """Takes note that the training was taken up, which had taken some time before."""
        self.run.seconds += seconds
        self.reached = reached

    def _files(self) -> list[tuple[int, Path]]:
        """Returns epochs and paths of what lies here, the latest first."""
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        found = [(match, path) for path in there if (match := _NAME.fullmatch(path.name))]
        return sorted(((int(match[1]), path) for match, path in found), reverse=True)


class Kept:
    """The trainings of a run.

    Attributes:
        seconds: that the trainings had taken before which it went on with.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._by_folder: dict[Path, Place] = {}

    def place(self, facts: Mapping[str, Any]) -> Place:
        """Returns where the training lies that some facts decide."""
        key = sha256_bytes(dump_json({"format": FORMAT, **facts}).encode())[:32]
        folder = cache_folder("trainings") / key
        return self._by_folder.setdefault(folder, Place(folder, self))

    @property
    def places(self) -> tuple[Place, ...]:
        """Where they lie."""
        return tuple(self._by_folder.values())

    def told(self) -> str:
        """Returns what is kept, in words."""
        reached = [place.reached for place in self.places if place.reached]
        trainings = f" and of trainings ({'; '.join(reached)})" if reached else ""
        return f"what was computed of the pictures{trainings} is kept, and the same command goes on from there"

    def clear(self) -> None:
        """Removes them all."""
        for folder in self._by_folder:
            shutil.rmtree(folder, ignore_errors=True)


_RUN: ContextVar[Kept | None] = ContextVar("run", default=None)


@contextmanager
def kept_trainings() -> Iterator[Kept]:
    """Keeps the trainings of a run until it is done; a stop from outside (Ctrl+C) is told what is kept."""
    _remove_forgotten()
    run = Kept()
    outer = _RUN.set(run)
    try:
        with told_when_stopped(run.told):
            yield run
    finally:
        _RUN.reset(outer)
    run.clear()


def place_of(facts: Mapping[str, Any]) -> Place | None:
    """Returns where a training is kept, by all that decides it; None outside of `kept_trainings`."""
    run = _RUN.get()
    return run.place(facts) if run else None


def work_seconds() -> float:
    """Returns the seconds of a clock that counts what trainings had taken before this run went on with them."""
    run = _RUN.get()
    return perf_counter() + (run.seconds if run else 0.0)


def _header(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> bytes:
    """Returns the first bytes of a safetensors file, up to the arrays, which follow each other in their order.

    The library would want all of them in one piece, a copy of what may be hundreds of megabytes.
    """
    header: dict[str, Any] = {"__metadata__": {"facts": json.dumps(facts, allow_nan=False)}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _raw(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _remove_forgotten() -> None:
    """Removes trainings that nobody went on with."""
    folder, oldest = cache_folder("trainings"), time.time() - DAYS * 24 * 3600
    for training in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ():
        with suppress(OSError):
            if re.fullmatch(r"[0-9a-f]{32}", training.name) and training.stat().st_mtime < oldest:
                shutil.rmtree(training)
