"""From features to answers inside an ONNX graph: output layers, the average of networks, and the rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handful.core.records import Head, KernelPart, StackedHead
from handful.core.trust import Familiar, Rules
from handful.evaluate import FALSE_ALARMS
from handful.export.graph import DOUBLE, FLOAT, Graph


def probabilities(graph: Graph, features: str, head: Head | StackedHead) -> str:
    """Adds an output layer on float32 (V, D), the views of a picture, and returns the name of float64 (C,).

    In double precision, as `handful.heads.predict_proba`.
    """
    add = graph.add
    row = add("ReduceMean", graph.cast(features, DOUBLE), graph.integers(0), keepdims=1)
    if isinstance(head, StackedHead):
        for weight, bias in head.layers[:-1]:
            row = _neurons(graph, _layer(graph, row, weight, bias), head)
        scores = _layer(graph, row, *head.layers[-1])
    else:
        scores = _layer(graph, row, head.weight, head.bias)
        if head.kernel is not None:
            scores = add("Add", scores, _kernel_scores(graph, row, head.kernel))
    proba = add("Softmax", add("Div", scores, graph.number(head.temperature)), axis=1)
    return add("Squeeze", proba, graph.integers(0))


def average(graph: Graph, answers: Sequence[str]) -> str:
    """Adds the mean of several float64 (C,) and returns its name."""
    total, *others = answers
    for answer in others:
        total = graph.add("Add", total, answer)
    return graph.add("Div", total, graph.number(len(answers)))


def apply_rules(graph: Graph, proba: str, features: str, *, classes: Sequence[str], rules: Rules | None) -> list[str]:
    """Adds what is said of float64 (C,) and returns the outputs' names.

    Args:
        graph: is added to.
        proba: the probabilities.
        features: of the first network, float32 (V, D).
        classes: C names.
        rules: when to answer and which classes to name, where the model has any.
    """
    add = graph.add
    best = add("ArgMax", proba, axis=0, keepdims=0)
    confidence = add("ReduceMax", proba, keepdims=0)
    outputs = [
        add("Cast", proba, to=_number(FLOAT), output="probabilities"),
        add("Gather", graph.constant(classes, object), best, axis=0, output="label"),
        add("Cast", confidence, to=_number(FLOAT), output="confidence"),
    ]
    if rules is None:
        return outputs
    least = np.inf if rules.answer.confidence is None else rules.answer.confidence
    outputs.append(add("Less", confidence, graph.number(least), output="unsure"))
    likely = add("GreaterOrEqual", proba, graph.number(rules.sets.probability))
    is_best = add("Equal", graph.constant(np.arange(len(classes)), np.int64), best)
    outputs.append(add("Or", likely, is_best, output="named"))
    if rules.familiar is not None:
        outputs += _unlike(graph, features, rules.familiar)
    return outputs


def _layer(graph: Graph, rows: str, weight: object, bias: object) -> str:
    product = graph.add("MatMul", rows, graph.constant(weight, np.float64))
    return graph.add("Add", product, graph.constant(bias, np.float64))


def _neurons(graph: Graph, values: str, head: StackedHead) -> str:
    match head.nonlinearity:
        case "rectifier":
            return graph.add("Max", values, graph.number(0.0))
        case "sigmoid":
            return graph.add("Sigmoid", values)
        case "tanh":
            return graph.add("Tanh", values)
        case "hard-tanh":
            return graph.add("Clip", values, graph.number(-1.0), graph.number(1.0))


def _kernel_scores(graph: Graph, row: str, part: KernelPart) -> str:
    """Adds the kernel's share of the scores of float64 (1, D); see `handful.heads.kernel.kernel_scores`."""
    add = graph.add
    middle = part.centres.mean(axis=0, dtype=np.float64)
    x = add("Sub", row, graph.constant(middle, np.float64))
    y = add("Sub", graph.cast(graph.constant(part.centres, np.float32), DOUBLE), graph.constant(middle, np.float64))
    product = add("MatMul", x, add("Transpose", y, perm=[1, 0]))
    lengths = graph.constant(np.einsum("md,md->m", part.centres - middle, part.centres - middle), np.float64)
    own = add("ReduceSum", add("Mul", x, x), graph.integers(1), keepdims=1)
    apart = add("Add", add("Add", add("Mul", product, graph.number(-2.0)), own), lengths)
    apart = add("Max", apart, graph.number(0.0))
    kernel = add("Exp", add("Mul", apart, graph.number(-part.sharpness)))
    return add("MatMul", kernel, graph.constant(part.weight, np.float64))


def _unlike(graph: Graph, features: str, familiar: Familiar) -> list[str]:
    """Adds how far a picture is from the training pictures, and whether that is too far: `distance`, `unlike`."""
    add = graph.add
    row = add("ReduceMean", features, graph.integers(0), keepdims=1)
    length = add("ReduceL2", row, graph.integers(1), keepdims=1)
    scaled = add("Div", row, add("Max", length, graph.constant(1e-12, np.float32)))
    alike = add("MatMul", scaled, graph.constant(familiar.references.T, np.float32))
    nearest = graph.cast(add("ReduceMax", alike, keepdims=0), DOUBLE)
    apart = add("Sub", graph.number(1.0), nearest)
    farther = graph.cast(add("GreaterOrEqual", graph.constant(familiar.distances, np.float64), apart), DOUBLE)
    n_all = len(familiar.distances) + 1
    as_far = add("Add", add("ReduceSum", farther, keepdims=0), graph.number(1.0))
    rare = graph.number(max(FALSE_ALARMS * n_all, 1.0))
    return [
        add("Cast", apart, to=_number(FLOAT), output="distance"),
        add("LessOrEqual", as_far, rare, output="unlike"),
    ]


def _number(dtype: str) -> int:
    import onnx

    return int(onnx.TensorProto.DataType.Value(dtype))
