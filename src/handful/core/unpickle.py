"""Foreign pickles, read without running anything they name.

Three kinds of file that handful needs are pickles: PyTorch's weight files, the CIFAR-10 batches, and the arrays of
one package of weights. This module is the only place that reads them. The formats that handful writes hold none.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import reprlib
import zipfile
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

MAX_DIMENSIONS = 32
LONGEST_KEY = 1000

TORCH_FUNCTIONS = frozenset({"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"})
"""Of torch._utils: what makes a dictionary's tensors. PyTorch's own restricted unpickler allows many more names, a
`bytearray` of any size among them."""

LEGACY_PICKLES = 5
"""A weights file from before PyTorch 1.6 is so many pickles in a row, and the tensors' bytes after them."""


def read_numpy_pickle(data: bytes, *, encoding: str = "ASCII") -> Any:
    """Returns what a pickle of numpy arrays in lists, tuples and dictionaries holds.

    Only three names of numpy may stand in the pickle (and the one that Python 3 uses for bytes in old protocols).
    Even these are not numpy's own: stand-ins collect what the pickle says, and arrays are made from it after the
    element type and the number of bytes were checked. So neither code nor numpy's own unpickling runs on foreign bytes.
    What is made of a pickle has at most the pickle's own size, and takes time in proportion to it.

    Args:
        data: the pickle.
        encoding: how Python 2's `str` is decoded: "ASCII", "latin1", or "bytes" for no decoding.

    Raises:
        DataError: the pickle is damaged, or names anything else.
    """
    try:
        loaded = _ArrayUnpickler(io.BytesIO(data), encoding=encoding).load()
        return _Made(len(data)).of(loaded, depth=0)
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
    (`weights_only=True`), once a reading with stand-ins found nothing but tensors in it; when either refuses a file,
    nothing else is tried.

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
        _rehearse(data)
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises almost anything on damaged or malicious bytes
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"{path} cannot be read as PyTorch weights without running code from it: {reason[0]} It is damaged, or "
            "holds more than tensors; save the network's state_dict() alone, best as safetensors."
        ) from error
    return _tensors_only(state, path)


def _rehearse(data: bytes) -> None:
    """Raises DataError where the pickles of a weights file, read with stand-ins alone, hold more than tensors need."""
    if not data.startswith(b"PK\x03\x04"):
        stream = io.BytesIO(data)
        for _ in range(LEGACY_PICKLES):
            _TensorUnpickler(stream).load()
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        packed = [member.filename for member in archive.infolist() if member.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise DataError(f"its member {packed[0][:200]!r} is compressed, which torch.save does not do.")
        for name in archive.namelist():
            if name.endswith(".pkl"):
                _TensorUnpickler(io.BytesIO(archive.read(name))).load()


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
            raise DataError(
                f"the pickle holds an array whose elements are {reprlib.repr(state[:5])}; only plain numbers are read."
            )
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

    __slots__ = ("text",)

    def __init__(self, text: Any, encoding: Any = "latin1") -> None:
        if not isinstance(text, str) or encoding != "latin1":
            raise DataError(
                f"the pickle decodes text as {reprlib.repr(encoding)}; only bytes written as latin1 are read."
            )
        self.text = text


REFUSED = (
    pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4,
    pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
)  # fmt: skip

ALLOWED: dict[tuple[str, str], type[_Part]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encoded,
}


def _set_item(machine: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.stack[-1][_key(key)] = value


def _set_items(machine: Any) -> None:
    items = machine.pop_mark()
    for key, value in zip(items[::2], items[1::2], strict=True):
        machine.stack[-1][_key(key)] = value


def _make_dictionary(machine: Any) -> None:
    items = machine.pop_mark()
    machine.append({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})


def _refuse(machine: Any) -> None:
    raise DataError("the pickle makes objects that are neither arrays, lists nor dictionaries; refused.")


class _Unpickler(pickle._Unpickler):
    """The standard library's unpickler as it is written in Python, whose steps can be replaced one by one.

    The one in C makes a table as long as the pickle asks for, and hashes keys of any kind: tuples inside each other
    take it endless time, or end the interpreter. Here keys are text, and steps that arrays do without are refused.
    """

    dispatch = {  # noqa: RUF012
        **pickle._Unpickler.dispatch,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.DICT[0]: _make_dictionary,
        **dict.fromkeys((code[0] for code in REFUSED), _refuse),
    }

    def persistent_load(self, pid: Any) -> Any:
        raise DataError(f"the pickle refers to {reprlib.repr(pid)} outside itself; refused.")


class _ArrayUnpickler(_Unpickler):
    """Finds the stand-ins of numpy's names and nothing else."""

    def find_class(self, module_name: str, global_name: str, /) -> Callable[..., Any]:
        allowed = ALLOWED.get((module_name, global_name))
        if allowed is None:
            raise DataError(
                f"the pickle asks for {module_name}.{global_name}; only numpy arrays, numbers and text are read from "
                "it, because anything else could run code. Do not use this file."
            )
        return allowed


class _Tensors(dict[str, Any]):
    """Stands for whatever a weights file makes: its dictionary, a tensor, a kind of storage."""

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Takes what PyTorch adds to its dictionaries: the versions of layers."""


class _TensorUnpickler(_Unpickler):
    """Finds a stand-in for the names in a dictionary of tensors, and nothing else."""

    def find_class(self, module_name: str, global_name: str, /) -> Callable[..., Any]:
        is_storage = module_name in ("torch", "torch.storage") and global_name.endswith("Storage")
        is_tensor = module_name == "torch._utils" and global_name in TORCH_FUNCTIONS
        if not (is_storage or is_tensor or (module_name, global_name) == ("collections", "OrderedDict")):
            raise DataError(f"it asks for {module_name}.{global_name}.")
        return _Tensors

    def persistent_load(self, pid: Any) -> Any:
        return _Tensors()


def _key(key: Any) -> str | bytes:
    if isinstance(key, _Encoded) and len(key.text) <= LONGEST_KEY:
        return key.text.encode("latin1")
    if not isinstance(key, str | bytes):
        raise DataError(f"the pickle holds a dictionary with a key of type {type(key).__name__}; expected short text.")
    return key


class _Made:
    """Makes what the stand-ins describe, as many items and bytes in all as the pickle has bytes."""

    def __init__(self, n_bytes: int) -> None:
        self.left = n_bytes
        self.arrays: dict[int, np.ndarray[Any, Any]] = {}

    def of(self, value: Any, *, depth: int) -> Any:
        """Returns a value with every stand-in replaced by what it stands for."""
        self._take(1)
        if depth > MAX_DEPTH:
            raise DataError(f"the pickle holds more than {MAX_DEPTH} levels of lists inside each other; refused.")
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        if isinstance(value, _Array):
            if id(value) not in self.arrays:
                self.arrays[id(value)] = self._array(value)
            return self.arrays[id(value)]
        if isinstance(value, _Encoded):
            return self._bytes(value.text)
        if isinstance(value, list):
            return [self.of(item, depth=depth + 1) for item in value]
        if isinstance(value, tuple):
            return tuple(self.of(item, depth=depth + 1) for item in value)
        if isinstance(value, dict):
            return {key: self.of(item, depth=depth + 1) for key, item in value.items()}
        name = type(value).__name__.lstrip("_")
        raise DataError(f"the pickle holds a {name}, which is neither array, number nor text.")

    def _array(self, part: _Array) -> np.ndarray[Any, Any]:
        _, shape, dtype, by_columns, raw = part.state
        if not isinstance(dtype, _Dtype) or not PLAIN_DTYPE.fullmatch(dtype.code):
            code = dtype.code if isinstance(dtype, _Dtype) else dtype
            raise DataError(f"the pickle holds an array of {reprlib.repr(code)}; only plain numbers are read.")
        is_shape = isinstance(shape, tuple) and all(isinstance(size, int) and size >= 0 for size in shape)
        if not is_shape or len(shape) > MAX_DIMENSIONS:
            raise DataError(
                f"the pickle holds an array of shape {reprlib.repr(shape)}; expected few sizes, of 0 or more."
            )
        kind = np.dtype(dtype.order + dtype.code)
        data = self._bytes(raw.text if isinstance(raw, _Encoded) else raw)
        if len(data) != math.prod(shape) * kind.itemsize:
            raise DataError(f"the pickle holds an array of shape {shape} whose bytes do not fill it: it is damaged.")
        return np.frombuffer(data, dtype=kind).reshape(shape, order="F" if by_columns else "C").copy()

    def _bytes(self, raw: Any) -> bytes:
        """Returns bytes, or text as Python 2's str is read, as bytes of their own."""
        if not isinstance(raw, str | bytes):
            raise DataError(f"the pickle fills an array from a {type(raw).__name__}; expected bytes.")
        self._take(len(raw))
        return raw.encode("latin1") if isinstance(raw, str) else raw

    def _take(self, n_bytes: int) -> None:
        self.left -= n_bytes
        if self.left < 0:
            raise DataError("the pickle holds more than its size allows: it repeats itself without end; refused.")


def _text(value: Any) -> str:
    if not isinstance(value, str | bytes):
        raise DataError(f"the pickle holds a {type(value).__name__} where a word was expected.")
    return value.decode("ascii") if isinstance(value, bytes) else value


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
