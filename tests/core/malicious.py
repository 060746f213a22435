"""Pickles and weights files made to do harm: each would run a command, or take memory or time without end."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
U1 = b"cnumpy\ndtype\nVu1\nK\x00K\x01\x87R(K\x03V|\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
"""An empty array for the state to fill, and the element type of bytes."""


class Run:
    """Runs a command when an ordinary unpickler meets it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def arrays(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Yields pickles in the place of arrays."""
    command = f"touch {canary}"
    text = command.encode()
    for protocol in (0, 2, 4):
        yield f"a command, protocol {protocol}", pickle.dumps({"data": Run(command)}, protocol=protocol)
    yield "a process as a new object", b"\x80\x02csubprocess\nPopen\n(V" + text + b"\nt\x81."
    yield "a command by the oldest way", b"(S'" + text + b"'\nios\nsystem\n."
    yield "a command by a class's call", b"(cos\nsystem\nV" + text + b"\no."
    yield "an expression", b"c__builtin__\neval\n(Vopen('" + os.fsencode(canary) + b"', 'w')\ntR."
    yield "numpy's own reader of pickles", b"cnumpy\nload\n(V/etc/passwd\ntR."
    yield "a class to be rebuilt", b"\x80\x02ccopyreg\n_reconstructor\nN."
    yield "a registered extension", b"\x80\x02\x82\x01."
    yield "an object outside", b"Pelsewhere\n."
    yield "an array of objects", pickle.dumps(np.array([Run(command)], dtype=object), protocol=2)
    yield "a table of 60 GB", b"\x80\x02Nr\xff\xff\xff\x7f."
    yield "bytes that claim 4 GB", b"\x80\x04\x8e" + (1 << 32).to_bytes(8, "little") + b"x."
    yield "a frame that claims a terabyte", b"\x80\x04\x95" + (1 << 40).to_bytes(8, "little") + b"N."
    yield "tuples in tuples as a key", b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x00s."
    pairs = b"".join(b"h%ch%c\x86q%c" % (level, level, level + 1) for level in range(1, 100))
    yield "a key of 2 ** 100 parts", b"\x80\x02}K\x01q\x01" + pairs + b"K\x00s."
    tens = b"".join(b"](" + b"h%c" % level * 10 + b"eq%c" % (level + 1) for level in range(1, 20))
    yield "10 ** 19 lists", b"\x80\x02K\x01q\x01" + tens + b"."
    colliding = b"".join(b"\x8a\x0b%bK\x00" % (((1 << 61) - 1) * k).to_bytes(11, "little") for k in range(100_000))
    yield "keys that collide", b"\x80\x02}(" + colliding + b"u."
    million = b"B" + (1_000_000).to_bytes(4, "little") + bytes(1_000_000)
    filled = ARRAY + b"(K\x01J@B\x0f\x00\x85" + U1 + b"\x89h\x01tb"
    yield "one million bytes, ten thousand times", b"\x80\x03" + million + b"q\x01](" + filled * 10_000 + b"e."
    latin = b"X" + (1_000_000).to_bytes(4, "little") + b"x" * 1_000_000
    encoded = b"c_codecs\nencode\nh\x01\x85R"
    yield "a text encoded without end", b"\x80\x02" + latin + b"q\x01](" + encoded * 20_000 + b"e."
    yield "an array that claims 2 ** 62 bytes", ARRAY + b"(K\x01I4611686018427387904\n\x85" + U1 + b"\x89C\x01xtb."


def weights(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Yields files in the place of PyTorch's weights."""
    import torch

    command = f"touch {canary}"
    for way, is_zip in (("today's way", True), ("the old way", False)):
        stream = io.BytesIO()
        torch.save({"weight": Run(command)}, stream, _use_new_zipfile_serialization=is_zip)
        yield f"a command, {way}", stream.getvalue()
    yield "a process, today's way", _archive(b"\x80\x02csubprocess\nPopen\n(V" + command.encode() + b"\ntR.")
    yield "code of the hub", _archive(b"\x80\x02ctorch.hub\nload\n(Va/b\nVc\ntR.")
    yield (
        "4 GB of zeros from one name",
        _archive(b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R."),
    )
    yield "tuples in tuples as a weight's name", _archive(b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x00s.")
    huge = (1 << 40).to_bytes(6, "little")
    stored = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\n\x8a\x06" + huge + b"tQ"
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + stored + b"K\x00\x8a\x06" + huge + b"\x85K\x01\x85\x89N"
    yield "a tensor that claims 4 TB", _archive(b"\x80\x02}Vweight\n" + rebuilt + b"ccollections\nOrderedDict\n)RtRs.")
    yield "one member compressed a thousandfold", _archive(b"\x80\x02}.", packed=bytes(50_000_000))


def _archive(pickled: bytes, *, packed: bytes = b"") -> bytes:
    """Returns a weights file as torch.save writes it, around a pickle of our own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in (("data.pkl", pickled), ("byteorder", b"little"), ("data/0", b"four"), ("version", b"3\n")):
            archive.writestr(f"archive/{name}", data)
        if packed:
            archive.writestr("archive/data/1", packed, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
