"""Ways to run a frozen network, behind one contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from handful.core.errors import ConfigError
from handful.features.engines.engine import Engine, Forward, Precision
from handful.features.engines.intel import openvino
from handful.features.engines.onnx_runtime import onnxruntime
from handful.features.engines.pytorch import compiled, eager, fused, on_device

__all__ = ["ENGINES", "Engine", "Forward", "Precision", "find_engine"]

ENGINES: Mapping[str, tuple[Callable[[Precision], Engine], tuple[Precision, ...]]] = {
    "fused": (fused, ("fp32", "bf16")),
    "eager": (eager, ("fp32", "bf16")),
    "openvino": (openvino, ("fp32", "bf16", "int8")),
    "onnxruntime": (onnxruntime, ("fp32", "int8")),
    "compile": (compiled, ("fp32", "bf16")),
    "cuda": (partial(on_device, "cuda"), ("fp32", "bf16")),
    "mps": (partial(on_device, "mps"), ("fp32",)),
}
"""Every engine by name, with the precisions that it has."""


def find_engine(name: str, precision: Precision) -> Engine:
    """Returns an engine in a precision.

    Raises:
        ConfigError: there is no such engine, or not in this precision.
    """
    if name not in ENGINES:
        raise ConfigError(f"there is no engine {name!r}. The engines are: {', '.join(ENGINES)}.")
    make, precisions = ENGINES[name]
    if precision not in precisions:
        able = [other for other, (_, has) in ENGINES.items() if precision in has]
        raise ConfigError(
            f"engine {name} has no precision {precision}, only {', '.join(precisions)}. With {precision}: "
            f"{', '.join(able)}."
        )
    return make(precision)
