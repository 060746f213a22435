"""How training uses the processor: bfloat16 where it multiplies that itself, threads where they pay.

PyTorch is imported only inside the functions that need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from handful.core.machine import installed, processor
from handful.core.parsed import MALFORMED
from handful.core.remembered import memory_of, recall, remember

if TYPE_CHECKING:
    import torch
    from torch import nn

Precision = Literal["float32", "bfloat16"]
Device = Literal["cpu", "cuda"]

WITH_CARD = ("auto", "cuda")
"""Engines with which an NVIDIA card trains layers too."""

FLAGS = {"avx512_bf16", "amx_bf16"}
"""Processor features without which bfloat16 is far slower than float32. With them it is twice as quick on some
processors and half as quick on others (both were measured), so it is tried."""

GAIN = 1.15
"""How much quicker a product has to be in bfloat16; timings on a laptop vary by a tenth."""

SIDE, N_PRODUCTS = 1024, 5
"""Of the square matrices that are multiplied to find out, and how often; the shortest time counts."""

THREADS_FROM = 1_000_000
"""Weights from which an update is worth more than one thread.

Below, the threads wait for each other longer than they work: on two cores that others use too, an update of 5 neurons
on 9216 features took 3 ms with one thread and 40 ms with two.
"""

CPU_INFO = Path("/proc/cpuinfo")


def training_precision(cpu_info: Path = CPU_INFO) -> Precision:
    """Returns the precision in which convolutions run quickest on this machine while others are trained.

    Weights, updates and the loss are in float32 either way; what is reported is computed in float32 afterwards. Where
    only new layers are trained, float32 is as quick.

    Args:
        cpu_info: Linux's description of the processor; elsewhere there is none, and the answer is float32.
    """
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "float32"
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    return "bfloat16" if FLAGS & set(flags) and _known_gain() > GAIN else "float32"


def training_device(engine: str) -> Device:
    """Returns where layers are trained: on an NVIDIA card where there is one, or on the processor.

    Args:
        engine: the option; one that names something else than a card asks for the processor.
    """
    import torch

    return "cuda" if engine in WITH_CARD and torch.cuda.is_available() else "cpu"


def autocast(precision: Precision, device: str = "cpu") -> torch.autocast:
    """Returns a context in which multiplications run in a precision."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def _known_gain() -> float:
    """Returns how much quicker products are in bfloat16 on this machine: measured once, because it decides results."""
    facts = {"processor": processor(), "torch": installed("torch"), "product": SIDE}
    memory = memory_of(facts)
    try:
        return float(recall(memory)["bfloat16_gain"])
    except MALFORMED:
        gain = bfloat16_gain()
    remember(memory, {**facts, "bfloat16_gain": gain})
    return gain


def bfloat16_gain() -> float:
    """Returns the time of a matrix product in float32 over that in bfloat16, on as many threads as PyTorch uses."""
    import torch

    shortest = []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones((SIDE, SIDE), dtype=dtype)
        times = []
        for _ in range(N_PRODUCTS):
            start = perf_counter()
            torch.mm(matrix, matrix)
            times.append(perf_counter() - start)
        shortest.append(min(times))
    return shortest[0] / shortest[1]


@contextmanager
def suitable_threads(model: nn.Module) -> Iterator[None]:
    """Keeps PyTorch to one thread while the context is open, if the model is small; otherwise leaves it alone."""
    import torch

    before = torch.get_num_threads()
    if sum(parameter.numel() for parameter in model.parameters()) < THREADS_FROM and not has_convolutions(model):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def has_convolutions(model: nn.Module) -> bool:
    """Returns whether a model has weights of convolutions."""
    return any(parameter.ndim == 4 for parameter in model.parameters())
