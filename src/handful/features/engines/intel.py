"""OpenVINO, Intel's inference library: the quickest on the processors that were measured; an extra of 180 MB."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from handful.backbones import Network, Tap
from handful.core.errors import MissingExtraError
from handful.core.machine import installed
from handful.core.records import FeatureArray, PixelArray
from handful.features.engines.engine import Engine, Forward, Precision
from handful.features.engines.onnx_runtime import exported, without_onnx
from handful.features.engines.parity import compare
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from types import ModuleType

BATCH = 4
"""Pictures per pass and core. EfficientNet-Lite0 on two cores, pictures/s: 239 with 4, 222 with 8, 200 with 32."""

ATTEMPTS = 5
"""Times that a model in eight bits is compiled, at most, until it computes the network."""

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Of what is not in eight bits."""


def openvino(precision: Precision) -> Engine:
    """Returns OpenVINO on the processor."""

    def fault() -> str:
        if not (find_spec("openvino") and installed("openvino")):
            return str(MissingExtraError("engine openvino", "openvino"))
        return without_onnx("openvino in int8") if precision == "int8" else ""

    def open_(network: Network, taps: Sequence[Tap], preprocessing: Preprocessing, threads: int) -> Forward:
        library = silent_import()
        side = preprocessing.size
        if precision == "int8":
            model = library.Core().read_model(exported(network, taps, preprocessing, precision))
        else:
            model = _converted(library, network, taps, preprocessing)
        model.reshape([BATCH if precision == "int8" else -1, side, side, 3])
        options = settings(precision, threads)

        def compiled() -> Forward:
            return _forward(library.Core().compile_model(model, "CPU", options), n_taps=len(taps))

        return _right(compiled, network, taps, preprocessing) if precision == "int8" else compiled()

    return Engine("openvino", precision, BATCH, "openvino", fault, open_, any_size=precision != "int8")


def settings(precision: Precision, threads: int) -> dict[str, object]:
    """Returns how a model is compiled: as many streams as threads will call it, each on one core."""
    return {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "ENABLE_CPU_PINNING": False,  # threads that decode pictures share the cores
    }


def _forward(ready: Any, *, n_taps: int) -> Forward:
    """Returns the forward pass of a compiled model; every thread has a request of its own."""
    own = local()

    def forward(batch: PixelArray) -> tuple[FeatureArray, ...]:
        if not hasattr(own, "request"):
            own.request = ready.create_infer_request()
        found = own.request.infer({0: batch}, share_inputs=True)
        return tuple(np.array(found[index], dtype=np.float32) for index in range(n_taps))

    return forward


def _right(
    compiled: Callable[[], Forward], network: Network, taps: Sequence[Tap], preprocessing: Preprocessing
) -> Forward:
    """Returns a compiled model in eight bits that computes the network.

    Of one and the same graph OpenVINO 2026.4, with more than one stream, makes a model whose features are all wrong
    about once in thirty times (`benchmarks/eight_bits.py` counts them); the others agree bit for bit. So each is
    compared before it is used.

    Raises:
        RuntimeError: it was wrong every time.
    """
    for _ in range(ATTEMPTS):
        forward = compiled()
        parity = compare(forward, network, taps, preprocessing, batch=BATCH, precision="int8")
        if not parity.fault:
            return forward
    raise RuntimeError(f"compiled {ATTEMPTS} times, and {parity.fault}")


def _converted(library: Any, network: Network, taps: Sequence[Tap], preprocessing: Preprocessing) -> Any:
    import torch

    from handful.features.engines.whole import whole_network

    example = torch.zeros((BATCH, preprocessing.size, preprocessing.size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch's tracer, about sizes that are fixed here, and of its own age
        return library.convert_model(whole_network(network, taps, preprocessing), example_input=example)


def silent_import() -> ModuleType | Any:
    """Returns the library, imported so that it does not report to its makers.

    On import, openvino starts a process that sends usage data through the package openvino_telemetry; where that
    package cannot be imported, it has a stand-in that does nothing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
