"""Downloads a file whose hash is known; under its final name it is whole or not there."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from handful.backbones.received import Policy, received, without_password
from handful.core.errors import WeightsError
from handful.core.files import STALE_SECONDS, staged_file
from handful.core.progress import Progress


def download(url: str, path: Path, *, sha256: str, max_bytes: int, policy: Policy, progress: Progress) -> None:
    """Downloads a file and gives it its name once its hash is right.

    Several processes may download one file at once; each writes its own temporary file, and the last one to finish
    replaces a file with the same bytes.

    Args:
        url: where it is.
        path: the name to take; folders are made.
        sha256: the hash that it must have, 64 hex digits, or its beginning where the publisher gives no more.
        max_bytes: stop when more than this arrives.
        policy: which hosts and schemes are allowed.
        progress: told about every byte.

    Raises:
        WeightsError: the host is not allowed or does not answer, the transfer breaks off, or the bytes are not the
            published ones. Nothing is left under the name.
        HandfulError: the disk cannot take it; nothing is left either.
    """
    _remove_stale(path.parent)
    shown = without_password(url)
    found = hashlib.sha256()
    n_bytes = 0
    with staged_file(path, n_bytes=max_bytes) as stream:
        for chunk in received(url, policy, f"Downloading {path.name}", max_bytes=max_bytes, progress=progress):
            n_bytes += len(chunk)
            if n_bytes > max_bytes:
                raise WeightsError(f"{shown} sends more than the {max_bytes:,} bytes of the published file.")
            found.update(chunk)
            stream.write(chunk)
        if not found.hexdigest().startswith(sha256):
            raise WeightsError(
                f"{shown} sent {n_bytes:,} bytes with SHA-256 {found.hexdigest()}; the published file has {sha256}. "
                "It was cut short, changed on the way or replaced; it was not kept. Try again, or from another network."
            )


def _remove_stale(folder: Path) -> None:
    for left_over in folder.glob(".*.tmp"):
        try:
            if time.time() - left_over.stat().st_mtime > STALE_SECONDS:
                left_over.unlink()
        except FileNotFoundError:
            continue  # another process was quicker
