"""What foreign pickles may hold, and what they may not."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from handful.core.errors import DataError, WeightsError
from handful.core.files import sha256_file
from handful.core.unpickle import read_numpy_pickle, read_torch_state

PYTHON_2_BATCH = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05U\x01b"
    b"\x87q\x06Rq\x07(K\x01K\x02K\x02\x86q\x08cnumpy\ndtype\nq\tU\x02u1q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01|NNNJ"
    b"\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\rb\x89U\x04\x01\x02\xfe\xffq\x0etq\x0fbU\x06labelsq\x10]q\x11(K\x06K\x09eu."
)
"""The layout of a CIFAR-10 batch as Python 2 wrote it, with a 2 x 2 array."""


class Trap:
    """Runs a command when an ordinary unpickler meets it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(5))  # 5 writes arrays by another function, which none of the files uses
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", ">f8", "bool", "float16"])
def test_arrays_come_back_as_numpy_wrote_them(protocol, dtype):
    array = (np.arange(24).reshape(2, 3, 4) % 7).astype(dtype)
    written = {"c": array, "f": np.asfortranarray(array), "list": [(array[0, 0], "name", 3, b"\xff")], "none": None}
    read = read_numpy_pickle(pickle.dumps(written, protocol=protocol))
    for name in ("c", "f"):
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
        assert read[name].flags.writeable
    np.testing.assert_array_equal(read["list"][0][0], array[0, 0])
    assert read["list"][0][1:] == ("name", 3, b"\xff")
    assert read["none"] is None


@pytest.mark.parametrize(("encoding", "key"), [("latin1", "data"), ("bytes", b"data")])
def test_a_cifar_batch_of_python_2_is_read(encoding, key):
    batch = read_numpy_pickle(PYTHON_2_BATCH, encoding=encoding)
    np.testing.assert_array_equal(batch[key], np.array([[1, 2], [254, 255]], dtype=np.uint8))
    assert batch["labels" if encoding == "latin1" else b"labels"] == [6, 9]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_pickle_does_not_run(tmp_path, protocol):
    canary = tmp_path / "canary"
    data = pickle.dumps({"data": Trap(f"touch {canary}")}, protocol=protocol)
    with pytest.raises(DataError, match=r"asks for (posix|nt)\.system"):
        read_numpy_pickle(data)
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    ["numpy\nload", "numpy.core.multiarray\nscalar", "builtins\neval", "__builtin__\neval", "copyreg\n_reconstructor"],
)
def test_no_name_but_the_listed_ones_is_found(name):
    with pytest.raises(DataError, match="asks for"):
        read_numpy_pickle(b"c" + name.encode() + b"\n.")


@pytest.mark.parametrize("name", ["torch\nload", "torch.hub\nload", "evil\nFloatStorage", "torch._utils\nOther"])
def test_no_name_that_a_tensor_does_not_need_is_found_in_weights(tmp_path, name):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"c" + name.encode() + b"\n.")
    with pytest.raises(WeightsError, match=rf"it asks for {name.replace(chr(10), '.')}\."):
        read_torch_state(path)


def test_arrays_of_python_objects_are_refused():
    with pytest.raises(DataError, match="array of 'O8'"):
        read_numpy_pickle(pickle.dumps(np.array([{}, []], dtype=object), protocol=2))


def test_structured_arrays_are_refused():
    with pytest.raises(DataError, match="only plain numbers"):
        read_numpy_pickle(pickle.dumps(np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]), protocol=2))


def test_an_array_that_claims_more_than_its_bytes_is_refused_before_memory_is_taken():
    data = PYTHON_2_BATCH.replace(b"K\x02K\x02\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    with pytest.raises(DataError, match="do not fill it"):
        read_numpy_pickle(data, encoding="latin1")


def test_references_to_outside_objects_are_refused():
    with pytest.raises(DataError, match="outside itself"):
        read_numpy_pickle(b"Pelsewhere\n.")


@pytest.mark.parametrize("state", [b"}", b"N}\x86"])
def test_the_stand_ins_themselves_cannot_be_changed(state):
    for name in (b"numpy\nndarray", b"numpy\ndtype", b"_codecs\nencode", b"numpy.core.multiarray\n_reconstruct"):
        with pytest.raises(DataError, match=r"cannot be read|refused"):
            read_numpy_pickle(b"\x80\x02c" + name + b"\n" + state + b"b.")


def test_every_truncation_is_one_clear_error():
    for end in range(len(PYTHON_2_BATCH) - 1):
        with pytest.raises(DataError, match="pickle"):
            read_numpy_pickle(PYTHON_2_BATCH[:end], encoding="latin1")


def test_random_damage_never_escapes_as_another_error():
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(300):
        damaged = bytearray(PYTHON_2_BATCH)
        damaged[rng.integers(2, len(damaged))] = rng.integers(256)
        try:
            read_numpy_pickle(bytes(damaged), encoding="latin1")
        except DataError:
            n_refused += 1
    assert n_refused > 50


def test_endless_nesting_is_refused():
    with pytest.raises(DataError, match="levels of lists"):
        read_numpy_pickle(b"]" * 201 + b"a" * 200 + b".")


def test_weights_of_torch_come_back(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights.pth"
    torch.save(OrderedDict(weight=torch.arange(6.0).reshape(2, 3), n=torch.tensor(3)), path)
    state = read_torch_state(path, sha256=sha256_file(path))
    assert set(state) == {"weight", "n"}
    np.testing.assert_array_equal(state["weight"].numpy(), np.arange(6.0).reshape(2, 3))


def test_a_weights_file_with_code_is_refused_and_nothing_else_is_tried(tmp_path):
    torch = pytest.importorskip("torch")
    path, canary = tmp_path / "weights.pth", tmp_path / "canary"
    torch.save({"weight": Trap(f"touch {canary}")}, path)
    with pytest.raises(WeightsError, match="without running code"):
        read_torch_state(path)
    assert not canary.exists()


def test_a_weights_file_with_another_hash_is_not_even_parsed(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not a pickle")
    with pytest.raises(WeightsError, match="expected 0000"):
        read_torch_state(path, sha256="0" * 64)


@pytest.mark.parametrize("state", [[1, 2], {"epoch": 3}, {"state_dict": {}}])
def test_only_tensors_by_name_are_weights(tmp_path, state):
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError, match="expected a dictionary of"):
        read_torch_state(path)


def test_a_missing_weights_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot read .*absent\.pth"):
        read_torch_state(tmp_path / "absent.pth")
