"""Every step that work takes on the disk, seen before it happens: to record it, to refuse it, or to die there."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the system.

    Attributes:
        call: "open" (to write), "write", "half" (of a write is done), "fsync", "replace", "mkdir", "unlink" or "rmdir".
        path: of the file or folder; of names that `shutil.rmtree` removes only the last part.
        to: the new name, for "replace".
    """

    call: str
    path: Path
    to: Path | None = None


See = Callable[[Step], None]


@contextmanager
def watched(see: See) -> Iterator[None]:
    """Tells every step of the context, in its process, before it is taken; what `see` raises takes its place.

    Files that Python's own temporary folders and other libraries write by themselves are not seen.
    """
    opened = io.open
    calls = {name: getattr(os, name) for name in ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir")}

    def fsync(descriptor: int) -> None:
        see(Step("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        calls["fsync"](descriptor)

    def renamed(source: Any, target: Any) -> None:
        see(Step("replace", Path(source).absolute(), Path(target).absolute()))
        calls["replace"](source, target)

    def told(name: str) -> Callable[..., None]:
        def call(path: Any, *rest: Any, **options: Any) -> None:
            see(Step(name, Path(path) if options.get("dir_fd") is not None else Path(path).absolute()))
            calls[name](path, *rest, **options)

        return call

    def open_(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if "b" not in mode or not set(mode) & set("wxa+"):
            return opened(file, mode, *rest, **options)
        see(Step("open", Path(file).absolute()))
        raw = _Watched(file, mode.replace("b", ""), see)
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    ours = {"fsync": fsync, "replace": renamed, "rename": renamed}
    ours |= {name: told(name) for name in ("mkdir", "unlink", "rmdir")}
    try:
        for name, call in ours.items():
            setattr(os, name, call)
        io.open = open_
        yield
    finally:
        for name, call in calls.items():
            setattr(os, name, call)
        io.open = opened


class _Watched(io.FileIO):
    """A file whose writes are seen, and again when half of one is done."""

    def __init__(self, file: Any, mode: str, see: See) -> None:
        super().__init__(file, mode)
        self._see, self._path = see, Path(file).absolute()

    def write(self, data: Any) -> int:
        """Writes bytes, in two parts where there are two."""
        whole = bytes(data)
        self._see(Step("write", self._path))
        half = len(whole) // 2
        if half:
            super().write(whole[:half])
            self._see(Step("half", self._path))
        super().write(whole[half:])
        return len(whole)
