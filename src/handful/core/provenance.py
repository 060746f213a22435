"""What a run stands on: all that has to be the same for a repetition to give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that decides a run's numbers, but the pictures themselves.

    Attributes:
        options: every option as it was before any `auto` was resolved, but for the engine and the threads, which are
            those that were used: what a repetition is given.
        given: names of the options that the user gave.
        folder: the current folder, from which relative paths in the options lead.
        in_memory: whether the pictures were no path.
        processor: its name.
        flags: what it can do, as its system calls it; sorted.
        versions: of Python, handful and the libraries that were used.
        code_sha256: of handful's own source, which says more than its version.
        training_precision: of the multiplications while layers were trained; "" where none were.
    """

    options: Mapping[str, Any]
    given: tuple[str, ...]
    folder: str
    in_memory: bool
    processor: str
    flags: tuple[str, ...]
    versions: Mapping[str, str]
    code_sha256: str
    training_precision: str = ""
