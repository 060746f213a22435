"""A model as the files of a bundle in memory: what another process is given, or a pickle keeps."""

from __future__ import annotations

import tempfile
from pathlib import Path

from handful.export.bundle import load, save
from handful.transfer import Model


def pack(model: Model) -> dict[str, bytes]:
    """Returns the files of a model's bundle by name."""
    with tempfile.TemporaryDirectory() as name:
        save(model, Path(name))
        return {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}


def unpack(files: dict[str, bytes]) -> Model:
    """Returns the model of a bundle's files, which answers as the packed one does.

    Raises:
        BundleError: they are no whole bundle, or this version cannot read it.
    """
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            (Path(name) / Path(file).name).write_bytes(content)
        return load(Path(name))
