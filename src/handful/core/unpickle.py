"""Foreign pickles, read without running anything they name.

Three kinds of file that handful needs are pickles: PyTorch's weight files, the CIFAR-10 batches, and the arrays of
one package of weights. This module is the only place that reads them. The formats that handful writes hold none.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handful.core.errors import DataError, WeightsError
from handful.core.files import sha256_bytes

if TYPE_CHECKING:
    from torch import Tensor

MAX_DEPTH = 64
"""Levels of lists and dictionaries inside each other; the files that we read have four."""

PLAIN_DTYPE = re.compile(r"b1|[iu][1248]|f[248]")
"""Booleans, integers and floating-point numbers: nothing that holds a Python object."""


def read_numpy_pickle(data: bytes, *, encoding: str = "ASCII") -> Any:
    """Returns what a pickle of numpy arrays in lists, tuples and dictionaries holds.

    Only three names of numpy may stand in the pickle (and the one that Python 3 uses for bytes in old protocols).
    Even these are not numpy's own: stand-ins collect what the pickle says, and arrays are made from it after the
    element type and the number of bytes were checked. So neither code nor numpy's own unpickling runs on foreign bytes.

    Args:
        data: the pickle.
        encoding: how Python 2's `str` is decoded: "ASCII", "latin1", or "bytes" for no decoding.

    Raises:
        DataError: the pickle is damaged, or names anything else.
    """
    try:
        loaded = _ArrayUnpickler(io.BytesIO(data), encoding=encoding).load()
        return _with_arrays(loaded, depth=0)
    except DataError:
        raise
    except Exception as error:  # the unpickler raises almost anything on damaged bytes
        raise DataError(
            f"this pickle of arrays cannot be read: {error} ({type(error).__name__}). It is damaged or not what it "
            "is taken for; get the file again from where it was published."
        ) from error


def read_torch_state(path: Path, *, sha256: str | None = None) -> dict[str, Tensor]:
    """Returns the tensors of a weights file that `torch.save` wrote.

    The file is read once; what is hashed is what is loaded. PyTorch's restricted unpickler reads it
    (`weights_only=True`), and when that refuses a file, nothing else is tried.

    Args:
        path: a file with a dictionary of tensors (a "state dict").
        sha256: the hash that the file must have, 64 hex digits.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        WeightsError: the file cannot be read, has another hash, or holds anything but tensors.
    """
    import torch

    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}. Check that it exists and can be read.") from error
    if sha256 is not None and sha256_bytes(data) != sha256:
        raise WeightsError(
            f"{path} has SHA-256 {sha256_bytes(data)}, expected {sha256}: it is damaged or another file. "
            "Get it again from where it was published."
        )
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises almost anything on damaged or malicious bytes
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"{path} cannot be read as PyTorch weights without running code from it: {reason[0]} It is damaged, or "
            "holds more than tensors; save the network's state_dict() alone, best as safetensors."
        ) from error
    return _tensors_only(state, path)


class _Part:
    """A stand-in that a pickle may call for; refuses what pickles can do to objects except what a subclass allows."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise DataError(f"the pickle sets the state of {type(self).__name__}, which arrays do not need; refused.")


class _Dtype(_Part):
    """Collects an element type: a code like "f4" and a byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = _text(code), "="

    def __setstate__(self, state: Any) -> None:
        order = _text(state[1])
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise DataError(f"the pickle holds an array whose elements are {state[:5]!r}; only plain numbers are read.")
        self.order = order


class _Array(_Part):
    """Collects an array: its shape, element type, memory order and bytes."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reconstruct(_Part):
    """numpy's function that makes an empty array for a pickle to fill."""

    __slots__ = ()

    def __new__(cls, kind: Any, *_: Any) -> Any:
        if kind is not _Array:
            raise DataError("the pickle makes an array of a class other than numpy's own; refused.")
        return _Array()


class _Encoded(_Part):
    """How Python 3 writes bytes in protocols 0 to 2: text and the word latin1."""

    __slots__ = ()

    def __new__(cls, text: Any, encoding: Any = "latin1") -> Any:
        if not isinstance(text, str) or encoding != "latin1":
            raise DataError(f"the pickle decodes text as {encoding!r}; only bytes written as latin1 are read.")
        return text.encode("latin1")


ALLOWED: dict[tuple[str, str], type[_Part]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encoded,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Finds the stand-ins and nothing else."""

    def find_class(self, module_name: str, global_name: str, /) -> Callable[..., Any]:
        allowed = ALLOWED.get((module_name, global_name))
        if allowed is None:
            raise DataError(
                f"the pickle asks for {module_name}.{global_name}; only numpy arrays, numbers and text are read from "
                "it, because anything else could run code. Do not use this file."
            )
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise DataError(f"the pickle refers to {pid!r} outside itself; refused.")


def _with_arrays(value: Any, *, depth: int) -> Any:
    """Returns a value with every stand-in replaced by the array that it describes."""
    if depth > MAX_DEPTH:
        raise DataError(f"the pickle holds more than {MAX_DEPTH} levels of lists inside each other; refused.")
    if isinstance(value, _Array):
        return _array(value)
    if isinstance(value, list):
        return [_with_arrays(item, depth=depth + 1) for item in value]
    if isinstance(value, tuple):
        return tuple(_with_arrays(item, depth=depth + 1) for item in value)
    if isinstance(value, dict):
        return {key: _with_arrays(item, depth=depth + 1) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    raise DataError(f"the pickle holds a {type(value).__name__.lstrip('_')}, which is neither array, number nor text.")


def _array(part: _Array) -> np.ndarray[Any, Any]:
    _, shape, dtype, by_columns, raw = part.state
    if not isinstance(dtype, _Dtype) or not PLAIN_DTYPE.fullmatch(dtype.code):
        code = dtype.code if isinstance(dtype, _Dtype) else dtype
        raise DataError(f"the pickle holds an array of {code!r}; only arrays of plain numbers are read.")
    if not isinstance(shape, tuple) or not all(isinstance(size, int) and size >= 0 for size in shape):
        raise DataError(f"the pickle holds an array of shape {shape!r}; expected sizes of 0 or more.")
    kind = np.dtype(dtype.order + dtype.code)
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * kind.itemsize:
        raise DataError(f"the pickle holds an array of shape {shape} whose bytes do not fill it: the file is damaged.")
    return np.frombuffer(data, dtype=kind).reshape(shape, order="F" if by_columns else "C").copy()


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _tensors_only(state: Any, path: Path) -> dict[str, Tensor]:
    import torch

    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds a {type(state).__name__}; expected a dictionary of tensors (a state dict).")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            raise WeightsError(
                f"{path} holds a {type(value).__name__} under {name!r}; expected a dictionary of dense tensors. "
                "Save the network's state_dict() alone."
            )
    return dict(state)
