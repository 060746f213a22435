"""A model as one ONNX file: from a decoded picture of any size to an answer, with nothing left outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handful.core.errors import ExportError, MissingExtraError
from handful.core.files import dump_json
from handful.core.machine import installed
from handful.core.parsed import parse_json
from handful.core.records import StackedHead
from handful.export.answers import apply_rules, average, probabilities
from handful.export.graph import LARGEST, Graph
from handful.export.squares import squares
from handful.features import Precision
from handful.features.engines.onnx_runtime import exported, without_onnx
from handful.transfer import Member, Model

if TYPE_CHECKING:
    import onnx

FORMAT = 1
"""Of the metadata in the file."""

PICTURE = "picture"

LARGEST_SIZE = 65_535
"""Of a side in pixels, and of a full scale."""


def require_onnx() -> None:
    """Raises MissingExtraError where ONNX's libraries are not installed."""
    if without_onnx("onnxruntime"):
        raise MissingExtraError("ONNX", "onnx")


def to_onnx(model: Model, *, precision: Precision = "fp32") -> bytes:
    """Returns a model as a file in the ONNX format that needs nothing else, checked by ONNX's own checker.

    Inputs: a decoded picture, uint8 (H, W, 3), RGB, upright, called `picture`. Networks of several picture sizes have
    an input for each, `picture-224` and so on, because large JPEG files are decoded at a reduced size that depends on
    it; a picture that is in memory goes into all of them.

    Outputs: `probabilities` float32 (C,), `label` string (), `confidence` float32 (); with rules also `unsure` bool (),
    `named` bool (C,), and where the model knows its training pictures `distance` float32 () and `unlike` bool ().

    Metadata, in JSON: `classes`; `inputs`, for each the shorter side that a JPEG is decoded for; `full_scale`;
    `networks`; `rules`; `format`; `handful`.

    Args:
        model: the classifier.
        precision: "fp32" as the bundle, or "int8": the networks in eight bits, all else as it is.

    Raises:
        MissingExtraError: ONNX is not installed.
        ExportError: a network cannot be exported, or the file would be too large for the format.
    """
    require_onnx()
    import onnx

    inputs = input_sizes(model)
    names = {size: name for name, size in inputs.items()}
    graph = Graph()
    answers, features = [], []
    ready: dict[object, str] = {}
    for number, member in enumerate(model.members):
        wanted = (member.preprocessing, member.views)
        if wanted not in ready:
            ready[wanted] = squares(graph, names[member.preprocessing.size], *wanted)
        (found,) = graph.include(_network(member, precision), ready[wanted], prefix=f"network-{number}/")
        features.append(found)
        answers.append(probabilities(graph, found, member.head))
    outputs = apply_rules(graph, average(graph, answers), features[0], classes=model.classes, rules=model.rules)
    whole = graph.model(
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, ["height", "width", 3]) for name in inputs],
        [_declared(name, len(model.classes)) for name in outputs],
        {name: dump_json(value) for name, value in _facts(model, precision).items()},
    )
    if whole.ByteSize() > LARGEST:
        raise ExportError(
            f"the file would have {whole.ByteSize():,} bytes; the ONNX format holds {LARGEST:,} in one file. Train "
            "with a smaller network, or with fewer of them."
        )
    onnx.checker.check_model(whole, full_check=True)
    return bytes(whole.SerializeToString())


def input_sizes(model: Model) -> dict[str, int]:
    """Returns the file's inputs, and for each the side of the squares that are made of it."""
    sizes = sorted({member.preprocessing.size for member in model.members})
    return {PICTURE if len(sizes) == 1 else f"{PICTURE}-{size}": size for size in sizes}


def _network(member: Member, precision: Precision) -> onnx.ModelProto:
    """Returns a member's network as a graph from uint8 (V, S, S, 3) to float32 (V, D)."""
    import onnx

    trunk, own = member.trunk, member.trunk.engine.precision
    title = f"{trunk.spec.title} ({trunk.spec.name}) at {trunk.tap.name}"
    if own == "bf16":
        raise ExportError(
            f"{title} was used in bf16, and the file would answer otherwise in fp32. Train with --precision fp32."
        )
    try:
        data = exported(
            trunk.network(),
            (trunk.tap,),
            member.preprocessing,
            "int8" if "int8" in (own, precision) else "fp32",
            batch=len(member.views),
        )
        return onnx.load_from_string(data)
    except Exception as error:  # of PyTorch's exporter, which names no kinds
        reason = next(iter(str(error).splitlines()), "")[:200]
        raise ExportError(
            f"{title} cannot be written as ONNX: {type(error).__name__}: {reason}. Use the bundle with `handful "
            "predict`, or train with another network."
        ) from error


def _facts(model: Model, precision: Precision) -> dict[str, object]:
    rules = model.rules
    return {
        "format": FORMAT,
        "handful": installed("handful"),
        "classes": model.classes,
        "inputs": input_sizes(model),
        "full_scale": model.full_scale,
        "precision": precision,
        "networks": [
            {
                "backbone": member.trunk.spec.name,
                "weights_sha256": member.trunk.weights_sha256,
                "licence": member.trunk.spec.licence,
                "tap": member.trunk.tap.name,
                "views": member.views,
                "temperature": member.head.temperature,
                "layers": len(member.head.layers) if isinstance(member.head, StackedHead) else 1,
            }
            for member in model.members
        ],
        "rules": None
        if rules is None
        else {"confidence": rules.answer.confidence, "risk": rules.answer.risk, "coverage": rules.sets.coverage},
    }


def read_facts(metadata: dict[str, str]) -> dict[str, object]:
    """Returns the metadata of an exported file as values; raises ExportError where they are not handful's."""
    try:
        facts = {name: parse_json(metadata[name]) for name in ("format", "classes", "inputs", "full_scale")}
        sizes = [facts["full_scale"], *dict(facts["inputs"]).values()]
        is_plain = all(isinstance(name, str) for name in facts["classes"]) and isinstance(facts["classes"], list)
        if not is_plain or not all(isinstance(size, int) and 0 < size <= LARGEST_SIZE for size in sizes):
            raise ValueError("values that cannot be")
    except (KeyError, ValueError, TypeError) as error:
        raise ExportError(f"the file was not made by `handful export`: {error} in its metadata.") from error
    if facts["format"] != FORMAT:
        raise ExportError(f"the file is of format {facts['format']!r}; this version reads {FORMAT}. Export it again.")
    return facts


def _declared(name: str, n_classes: int) -> onnx.ValueInfoProto:
    import onnx

    kinds = {"label": "STRING", "unsure": "BOOL", "named": "BOOL", "unlike": "BOOL"}
    kind = onnx.TensorProto.DataType.Value(kinds.get(name, "FLOAT"))
    return onnx.helper.make_tensor_value_info(name, kind, [n_classes] if name in ("probabilities", "named") else [])
