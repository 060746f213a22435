"""ONNX Runtime: one library for processors of every kind; an extra."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from importlib.util import find_spec

from handful.backbones import Network, Tap
from handful.core.errors import MissingExtraError
from handful.core.machine import installed
from handful.core.records import FeatureArray, PixelArray
from handful.features.engines.engine import Engine, Forward, Precision
from handful.features.transforms import Preprocessing

BATCH = 4
OPSET = 18


def onnxruntime(precision: Precision) -> Engine:
    """Returns ONNX Runtime on the processor, one thread per call."""

    def fault() -> str:
        return without_onnx("onnxruntime")

    def open_(network: Network, taps: Sequence[Tap], preprocessing: Preprocessing, threads: int) -> Forward:
        import onnxruntime as library

        graph = exported(network, taps, preprocessing, precision)
        options = library.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = library.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

        def forward(batch: PixelArray) -> tuple[FeatureArray, ...]:
            return tuple(session.run(None, {"pictures": batch}))

        return forward

    return Engine("onnxruntime", precision, BATCH, "onnxruntime", fault, open_)


def without_onnx(engine: str) -> str:
    """Returns why an engine that takes ONNX graphs cannot run here; "" where it can."""
    at_hand = find_spec("onnxruntime") and find_spec("onnx") and installed("onnxruntime")
    return "" if at_hand else str(MissingExtraError(f"engine {engine}", "onnx"))


def exported(
    network: Network, taps: Sequence[Tap], preprocessing: Preprocessing, precision: Precision, *, batch: int = BATCH
) -> bytes:
    """Returns the network as an ONNX graph, from uint8 (batch, S, S, 3) to features at each tap."""
    import torch

    from handful.features.engines.quantised import quantised
    from handful.features.engines.whole import whole_network

    example = torch.zeros((batch, preprocessing.size, preprocessing.size, 3), dtype=torch.uint8)
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about sizes that are fixed here, and of its own age
        torch.onnx.export(
            whole_network(network, taps, preprocessing),
            (example,),
            graph,  # type: ignore[arg-type]  # a stream is taken, and documented
            input_names=["pictures"],
            opset_version=OPSET,
            dynamo=False,
        )
    return quantised(graph.getvalue()) if precision == "int8" else graph.getvalue()
