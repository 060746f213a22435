"""Downloads a file whose hash is known; under its final name it is whole or not there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from handful.core.errors import WeightsError
from handful.core.files import STALE_SECONDS, staged_file
from handful.core.progress import Progress

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 18
CONNECT_SECONDS, READ_SECONDS = 15, 60


@dataclass(frozen=True, slots=True)
class Policy:
    """Where downloads may go, checked again at every redirect.

    The private addresses behind a name are not looked up: with https the host proves that it is the named one, and
    behind a proxy there is nothing to look up.

    Attributes:
        hosts: the allowed hosts; None allows any, for an index that the user configured, behind which files may lie
            anywhere. The hash decides in either case.
        schemes: the allowed schemes.
        max_redirects: redirects to follow.
    """

    hosts: tuple[str, ...] | None
    schemes: tuple[str, ...] = ("https",)
    max_redirects: int = 3


OFFICIAL = Policy(hosts=("download.pytorch.org",))


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
    shown = _without_password(url)
    found = hashlib.sha256()
    n_bytes = 0
    with staged_file(path, n_bytes=max_bytes) as stream:
        for chunk in _received(url, policy, f"Downloading {path.name}", max_bytes=max_bytes, progress=progress):
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


def _received(url: str, policy: Policy, label: str, *, max_bytes: int, progress: Progress) -> Iterator[bytes]:
    """Yields what an address sends, and tells how far it is.

    Raises:
        WeightsError: it is not allowed or does not answer, or the transfer breaks off.
    """
    import requests

    try:
        with _opened(url, policy) as response:
            announced = int(response.headers.get("Content-Length") or 0)
            with progress.stage(label, announced or max_bytes) as advance:
                for chunk in response.iter_content(CHUNK):
                    yield chunk
                    advance(len(chunk))
    except (requests.RequestException, OSError) as error:
        raise WeightsError(
            f"could not download {_without_password(url)}: {_reason(error)}. Check the network, then try again; "
            "without a network, carry the file over: handful backbones --export DIR, then --weights DIR."
        ) from error


@contextmanager
def _opened(url: str, policy: Policy) -> Iterator[requests.Response]:
    """Opens an address after checking it, and every address that it redirects to."""
    import requests

    with requests.Session() as session:
        for _ in range(policy.max_redirects + 1):
            _check_allowed(url, policy)
            with session.get(
                url, stream=True, allow_redirects=False, timeout=(CONNECT_SECONDS, READ_SECONDS)
            ) as response:
                if not response.is_redirect:
                    if response.status_code != 200:
                        raise WeightsError(
                            f"{_without_password(url)} answers {response.status_code} {response.reason}. The file may "
                            "have moved; look for a newer handful, or give your own file with --weights."
                        )
                    yield response
                    return
                url = urljoin(url, response.headers["Location"])
    raise WeightsError(
        f"{_without_password(url)} was reached after more than {policy.max_redirects} redirects; stopped."
    )


def _check_allowed(url: str, policy: Policy) -> None:
    parts = urlsplit(url)
    if parts.scheme not in policy.schemes:
        raise WeightsError(
            f"weights are downloaded by {' or '.join(policy.schemes)} only, not from {_without_password(url)}."
        )
    if policy.hosts is not None and parts.hostname not in policy.hosts:
        raise WeightsError(
            f"{_without_password(url)} is on host {parts.hostname!r}; weights come from {', '.join(policy.hosts)} only."
        )


def _remove_stale(folder: Path) -> None:
    for left_over in folder.glob(".*.tmp"):
        try:
            if time.time() - left_over.stat().st_mtime > STALE_SECONDS:
                left_over.unlink()
        except FileNotFoundError:
            continue  # another process was quicker


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _reason(error: Exception) -> str:
    """Returns the innermost cause in a few words, without the address and its password."""
    while error.__cause__ is not None or error.__context__ is not None:
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, Exception):
            break
        error = inner
    return f"{type(error).__name__}: {error}".split(" (Caused")[0]
