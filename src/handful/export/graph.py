"""An ONNX graph that is written node by node, by names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handful.features.engines.onnx_runtime import OPSET

if TYPE_CHECKING:
    import onnx

INT64, FLOAT, DOUBLE, UINT8, UINT32 = "INT64", "FLOAT", "DOUBLE", "UINT8", "UINT32"

LARGEST = 2**31 - 1
"""Bytes of a file in the ONNX format, which is one message of Protocol Buffers."""


@dataclass(slots=True)
class Graph:
    """Nodes and constants so far; every value is known by its name.

    Attributes:
        nodes: in the order in which they are computed.
        constants: by name.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, value: Any, dtype: npt.DTypeLike) -> str:
        """Adds a constant and returns its name."""
        import onnx

        name = f"constant-{len(self.constants)}"
        array = np.asarray(value, dtype=dtype)
        if array.dtype == object:
            texts = [str(text).encode("utf-8") for text in array.ravel()]
            self.constants[name] = onnx.helper.make_tensor(name, onnx.TensorProto.STRING, array.shape, texts)  # type: ignore[arg-type]
        else:
            self.constants[name] = onnx.numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        """Adds int64 (len(values),) and returns its name: shapes, axes, ends of slices."""
        return self.constant(values, np.int64)

    def number(self, value: float) -> str:
        """Adds a float64 scalar and returns its name."""
        return self.constant(value, np.float64)

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node with one output and returns the output's name."""
        import onnx

        name = output or f"value-{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [name], name=f"node-{name}", **attributes))
        return name

    def branch(self, operator: str, value: str, **attributes: Any) -> onnx.GraphProto:
        """Returns a graph of one node that takes a value of this one: a branch of an "If"."""
        import onnx

        node = onnx.helper.make_node(operator, [value], ["branch"], **attributes)
        output = onnx.ValueInfoProto(name="branch")
        return onnx.helper.make_graph([node], operator, [], [output])

    def cast(self, value: str, dtype: str) -> str:
        """Adds a change of type and returns the new value's name."""
        import onnx

        return self.add("Cast", value, to=onnx.TensorProto.DataType.Value(dtype))

    def include(self, model: onnx.ModelProto, entry: str, *, prefix: str) -> tuple[str, ...]:
        """Adds another graph, fed with a value, its names under a prefix; returns its outputs' names.

        Args:
            model: a graph with one input.
            entry: the name of the value that it takes.
            prefix: no other graph's.
        """
        import onnx.compose

        own = onnx.compose.add_prefix(model, prefix).graph
        self.add("Identity", entry, output=own.input[0].name)
        self.nodes.extend(own.node)
        self.constants |= {tensor.name: tensor for tensor in own.initializer}
        return tuple(value.name for value in own.output)

    def model(
        self, inputs: Iterable[onnx.ValueInfoProto], outputs: Iterable[onnx.ValueInfoProto], facts: dict[str, str]
    ) -> onnx.ModelProto:
        """Returns the whole graph as a model that carries facts."""
        import onnx

        constants = list(self.constants.values())
        graph = onnx.helper.make_graph(self.nodes, "handful", list(inputs), list(outputs), constants)
        model = onnx.helper.make_model(
            graph,
            producer_name="handful",
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", OPSET)]),
        )
        onnx.helper.set_model_props(model, facts)
        return model
