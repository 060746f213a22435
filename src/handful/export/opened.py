"""An exported file at work: pictures in, answers out, by ONNX Runtime alone; neither PyTorch nor a run folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from handful.core.errors import ExportError
from handful.core.records import FeatureArray, PixelArray, Prediction
from handful.export.onnx_file import read_facts, require_onnx
from handful.images.decode import decode


@dataclass(frozen=True, slots=True)
class Opened:
    """An exported model, ready; several threads may use it at once.

    Attributes:
        session: ONNX Runtime's.
        classes: names, in the order of the probabilities.
        inputs: the file's inputs, and the side of the squares that are made of each.
        full_scale: what stands for white in pictures of more than 8 bits.
        outputs: names of what the file answers.
    """

    session: Any
    classes: tuple[str, ...]
    inputs: Mapping[str, int]
    full_scale: int
    outputs: tuple[str, ...]

    def decode(self, data: bytes, *, max_pixels: float) -> dict[str, PixelArray]:
        """Returns the bytes of a picture file as the inputs take them.

        Raises:
            UnreadableError: no picture of a known format, damaged, or too large.
        """
        return {
            name: decode(data, max_pixels=max_pixels, shortest=size).rgb(self.full_scale)
            for name, size in self.inputs.items()
        }

    def answer(self, picture: PixelArray | Mapping[str, PixelArray], *, path: str = "") -> Prediction:
        """Returns the answer for a picture.

        Args:
            picture: uint8 (H, W, 3), RGB, upright; or what `decode` returned.
            path: names it in the answer.
        """
        feeds = picture if isinstance(picture, Mapping) else dict.fromkeys(self.inputs, picture)
        found = dict(zip(self.outputs, self.session.run(None, feeds), strict=True))
        proba = found["probabilities"].astype(np.float64)
        plain = Prediction(path, str(found["label"]), proba)
        if "unsure" not in found:
            return plain
        named = tuple(name for name, is_named in zip(self.classes, found["named"], strict=True) if is_named)
        unlike = bool(found["unlike"]) if "unlike" in found else None
        return Prediction(path, plain.label, proba, named=named, unsure=bool(found["unsure"]), unlike=unlike)

    def probabilities(self, picture: PixelArray | Mapping[str, PixelArray]) -> FeatureArray:
        """Returns float32 (C,) for a picture, as `answer` takes it."""
        feeds = picture if isinstance(picture, Mapping) else dict.fromkeys(self.inputs, picture)
        return cast(FeatureArray, self.session.run(["probabilities"], feeds)[0])


def open_exported(file: Path | bytes, *, threads: int = 1) -> Opened:
    """Opens a file that `handful export` made; nothing else is read, whatever the file says.

    Args:
        file: its place, or its bytes.
        threads: that one picture is answered with; pictures side by side are the caller's threads.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        ExportError: it is no such file, a link, or refers to other files.
    """
    require_onnx()
    import onnxruntime

    data = file if isinstance(file, bytes) else _read(file)
    what = "the model" if isinstance(file, bytes) else str(file)
    _refuse_others(data, what)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of a foreign library, with kinds of its own
        raise ExportError(
            f"{what} cannot be opened by ONNX Runtime: {str(error).splitlines()[0][:200]}. Export it again."
        ) from error
    facts = cast(Any, read_facts(session.get_modelmeta().custom_metadata_map))
    names = tuple(value.name for value in session.get_outputs())
    return Opened(session, tuple(facts["classes"]), dict(facts["inputs"]), int(facts["full_scale"]), names)


def _read(path: Path) -> bytes:
    """Returns the bytes of a file that has this one name."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise ExportError(
                f"{path} is a link, or no file; what it stands for may lie anywhere. Copy the exported file itself."
            )
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path} cannot be opened: {error.strerror}. Name a file that was exported.") from error


def _refuse_others(data: bytes, what: str) -> None:
    """Raises ExportError where a file in the ONNX format is damaged, or refers to other files."""
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # of the library that parses, with kinds of its own
        raise ExportError(f"{what} cannot be opened: it is no file in the ONNX format. Export it again.") from error
    outside = next(_outside(model), None)
    if outside is not None:
        raise ExportError(
            f"{what} keeps {outside[:200]!r} in another file, and an exported model is one file. Export it again."
        )


def _outside(message: Any) -> Iterator[str]:
    """Yields the tensors of an ONNX message, at any depth, whose values lie in other files."""
    for field, value in message.ListFields():
        if field.name in ("data_location", "external_data"):
            yield str(message.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _outside(part)
