"""The machine that a run uses: its cores and what to call it."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_limits

_version = cache(version)
"""Looked up once: a distribution's metadata is a text that has to be parsed."""

LIBRARIES = ("handful", "torch", "numpy", "scipy", "pillow", "safetensors")
"""Libraries whose version can change a number."""


def count_threads(wanted: int | None) -> int:
    """Returns the wanted number of threads, or the number of cores that this process may use."""
    if wanted is not None:
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads(threads: int) -> AbstractContextManager[object]:
    """Limits the linear algebra libraries to so many threads while the context is open."""
    limits: AbstractContextManager[object] = threadpool_limits(limits=threads)
    return limits


@contextmanager
def open_threads(n_threads: int, *, each: Callable[[], object] | None = None) -> Iterator[ThreadPoolExecutor]:
    """Opens threads; what they have not begun when the context ends is dropped, so that a stop is quick.

    Args:
        n_threads: at least one is opened.
        each: what every thread does first.
    """
    pool = ThreadPoolExecutor(max(1, n_threads), initializer=each)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def release_memory() -> None:
    """Gives free memory back to the system, where the C library keeps it for later and can be asked not to (glibc)."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def describe_machine(threads: int) -> str:
    """Returns one line: system, processor, cores and threads in use."""
    used = f"{threads} thread{'s' if threads > 1 else ''} used"
    return f"{platform.system()} {platform.machine()}, {processor()}, {os.cpu_count()} cores, {used}"


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that can change a number, without importing them."""
    return {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def installed(library: str) -> str:
    """Returns the version of an installed distribution; "" where it is not there under this name. Imports nothing."""
    try:
        return _version(library)
    except PackageNotFoundError:
        return ""


def code_sha256() -> str:
    """Returns a hash of handful's own source, 64 hex digits: names and content of all its modules."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def processor() -> str:
    """Returns the processor's name."""
    return _cpu_info("model name") or platform.processor() or "unknown processor"


def processor_flags() -> tuple[str, ...]:
    """Returns what the processor can do (avx2, avx512_bf16, ...), sorted; nothing where the system does not say."""
    return tuple(sorted((_cpu_info("flags") or _cpu_info("Features")).split()))


def _cpu_info(field: str) -> str:
    """Returns a field of Linux's description of the first processor; "" where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")
