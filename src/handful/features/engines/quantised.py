"""A network in eight bits: integer convolutions with ranges that no picture of the user decides.

Weights get a scale for each channel, activations one for each layer. What range an activation has is seen on drawn
pictures and widened, as real ones go further: so it is the same on every machine and for every data set, and the
features of a picture do not depend on others. The first layers stay in fp32: they are few, and what they lose is lost
for all others.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handful.features.engines.parity import drawn_pictures

if TYPE_CHECKING:
    import onnx

N_PICTURES = 32
"""Drawn pictures on which ranges are seen, in batches of the graph's own size."""

WIDER = 1.7
"""Times the range on drawn pictures. With 1.0, 1.3, 1.7 and 2.5 the mean cosine of EfficientNet-Lite0's features to
fp32 is 0.9958, 0.9961, 0.9958 and 0.9946 on CIFAR-10, and 0.9944, 0.9973, 0.9976 and 0.9968 on photographs of cats and
dogs (`benchmarks/eight_bits.py`)."""

IN_FULL = 6
"""One in so many convolutions, the first ones, stays in fp32: there eight bits cost most."""

QUANTISED = ("Conv", "Add", "Clip", "Relu", "MaxPool")


def quantised(graph: bytes) -> bytes:
    """Returns an ONNX graph of a network, from uint8 (B, S, S, 3) to features, with eight-bit layers.

    Args:
        graph: the network in fp32; its input has a fixed size.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.load_from_string(graph)
    convolutions = [place for place, node in enumerate(model.graph.node) if node.op_type == "Conv"]
    start = convolutions[math.ceil(len(convolutions) / IN_FULL)] if len(convolutions) > 1 else 0
    batches = list(_batches(model))
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "network.onnx"
        quantize_static(
            model,
            path,
            _Reader(batches[:1]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=[node.name for node in model.graph.node[:start]],
            extra_options={"TensorQuantOverrides": _ranges(model, batches)},
        )
        return path.read_bytes()


class _Reader:
    """What the library asks for a batch, until there is none."""

    def __init__(self, batches: list[dict[str, Any]]) -> None:
        self.batches = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.batches, None)


def _batches(model: onnx.ModelProto) -> Iterator[dict[str, Any]]:
    """Yields drawn pictures as the graph takes them."""
    (entry,) = model.graph.input
    n_at_once, size, *_ = (dimension.dim_value for dimension in entry.type.tensor_type.shape.dim)
    pictures = drawn_pictures(N_PICTURES, size)
    for first in range(0, N_PICTURES - n_at_once + 1, n_at_once):
        yield {entry.name: pictures[first : first + n_at_once]}


def _ranges(model: onnx.ModelProto, batches: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Returns the range of every activation, as the library takes it; a clipped one has what it is clipped to."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = [node.output[0] for node in model.graph.node if node.op_type in QUANTISED]
    clipped = {node.output[0]: _limits(model, node) for node in model.graph.node if node.op_type == "Clip"}
    for name in names:
        watched.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = [[(float(each.min()), float(each.max())) for each in session.run(names, batch)] for batch in batches]
    found = {}
    for name, values in zip(names, zip(*seen, strict=True), strict=True):
        low, high = min(low for low, _ in values), max(high for _, high in values)
        ends = clipped.get(name, (WIDER * min(low, 0.0), WIDER * max(high, 0.0)))
        found[name] = [{"rmin": np.float32(ends[0]), "rmax": np.float32(ends[1])}]
    return found


def _limits(model: onnx.ModelProto, node: onnx.NodeProto) -> tuple[float, float]:
    """Returns what a clipped activation is clipped to."""
    import onnx

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    constants |= {each.output[0]: each.attribute[0].t for each in model.graph.node if each.op_type == "Constant"}
    low, high = (float(onnx.numpy_helper.to_array(constants[name])) for name in node.input[1:3])
    return low, high


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library from advising to prepare a graph that is ready."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
