"""Models that leave the run: a bundle that predicts, and a file for other programs."""

from handful.export.bundle import fingerprint, load, manifest_sha256, save
from handful.export.onnx_folder import Exported, write_onnx
from handful.export.opened import Opened, open_exported
from handful.export.packed import pack, unpack

__all__ = [
    "Exported",
    "Opened",
    "fingerprint",
    "load",
    "manifest_sha256",
    "open_exported",
    "pack",
    "save",
    "unpack",
    "write_onnx",
]
