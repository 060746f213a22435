"""Whether this processor multiplies bfloat16 numbers itself; no PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Precision = Literal["float32", "bfloat16"]

FLAGS = {"avx512_bf16", "amx_bf16"}
"""Processor features with which bfloat16 is about twice as quick as float32; without them it is far slower."""

CPU_INFO = Path("/proc/cpuinfo")


def training_precision(cpu_info: Path = CPU_INFO) -> Precision:
    """Returns the precision in which layers with convolutions are trained quickest on this machine.

    Weights, updates and the loss are in float32 either way; what is reported is computed in float32 afterwards.

    Args:
        cpu_info: Linux's description of the processor; elsewhere there is none, and the answer is float32.
    """
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "float32"
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    return "bfloat16" if FLAGS & set(flags) else "float32"
