"""Other libraries that make networks: what their networks are called, and which of our modules knows which library.

Nothing is imported before a network of that library is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from handful.backbones.facts import Facts, Stated
from handful.core.errors import ConfigError, MissingExtraError
from handful.core.machine import installed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from handful.backbones.rows import Anatomy


@dataclass(frozen=True, slots=True)
class Library:
    """A library that makes networks.

    Attributes:
        module: as it is imported.
        extra: of handful, which installs it.
    """

    module: str
    extra: str


LIBRARIES = {
    "timm": Library("timm", "timm"),
    "torchvision": Library("torchvision", "torchvision"),
    "hf": Library("transformers", "hf"),
}


@dataclass(frozen=True, slots=True)
class Alias:
    """A plain name for a network of another library.

    Attributes:
        name: the plain one.
        stands_for: the whole one.
        n_features: D.
        licence: of the weights.
        about: one line.
    """

    name: str
    stands_for: str
    n_features: int
    licence: str
    about: str


ALIASES = (
    Alias("googlenet", "torchvision:googlenet", 1024, "BSD-3-Clause", "Szegedy et al. 2015, named in the paper"),
    Alias("resnet50", "torchvision:resnet50.IMAGENET1K_V1", 2048, "BSD-3-Clause", "He et al. 2016, named in the paper"),
    Alias("convnext-tiny", "timm:convnext_tiny.fb_in22k", 768, "Apache-2.0", "14 million pictures, 22 000 classes"),
    Alias("efficientnetv2-s", "timm:tf_efficientnetv2_s.in21k", 1280, "Apache-2.0", "14 million pictures"),
    Alias("dinov2-small", "hf:facebook/dinov2-small", 384, "Apache-2.0", "142 million pictures, no labels"),
    Alias("dinov2-base", "hf:facebook/dinov2-base", 768, "Apache-2.0", "the same, four times as large"),
    Alias("dinov3-small", "hf:facebook/dinov3-vits16-pretrain-lvd1689m", 384, "dinov3-license", "behind a form"),
    Alias("clip-vit-b-32", "hf:openai/clip-vit-base-patch32", 768, "MIT", "CLIP's image tower, 400 million pictures"),
)


class Adapter(Protocol):
    """What is asked of the module that knows a library: `from_timm`, `from_torchvision`, `from_transformers`."""

    def describe(self, model: str, stated: Stated) -> Facts:
        """Returns the facts about a network."""

    def make(self, model: str, stated: Stated) -> tuple[nn.Module, Anatomy]:
        """Returns a network with random weights and without its classifier, and how it is run."""

    def translate(self, model: str, stated: Stated, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Returns a published file's tensors under the network's own names."""


def parse(name: str) -> tuple[str, str] | None:
    """Returns the whole name of a network of another library, and the tap after it ("" for none); None for others.

    Example:
        >>> parse("resnet50:stage3")
        ('torchvision:resnet50.IMAGENET1K_V1', 'stage3')
    """
    first, _, rest = name.strip().partition(":")
    if first in LIBRARIES:
        model, _, tap = rest.partition(":")
        if not model:
            raise ConfigError(f"{name!r} names no network. Expected {first}:NAME, for instance {_example(first)}.")
        return f"{first}:{model}", tap
    whole = {alias.name: alias.stands_for for alias in ALIASES}.get(first.lower())
    return (whole, rest) if whole else None


def library_of(name: str) -> str:
    """Returns "timm", "torchvision" or "hf": the part of a whole name before the colon."""
    return name.partition(":")[0]


def require(name: str) -> None:
    """Raises MissingExtraError where the library that makes a network is not installed; imports nothing."""
    library = LIBRARIES[library_of(name)]
    if find_spec(library.module) is None:
        raise MissingExtraError(f"network {name}", library.extra)


def adapter(name: str) -> Adapter:
    """Returns the module that knows a network's library, which it imports.

    Raises:
        MissingExtraError: the library is not installed.
        ConfigError: it is, but does not work here.
    """
    require(name)
    library = library_of(name)
    module: Any
    try:
        if library == "timm":
            from handful.backbones import from_timm as module
        elif library == "torchvision":
            from handful.backbones import from_torchvision as module
        else:
            from handful.backbones import from_transformers as module
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise ConfigError(
            f"network {name} needs {stamp(library)}, which is installed but cannot be imported: {error}. Often torch "
            "and torchvision do not belong together; install both from one index, for instance: pip install "
            "--force-reinstall torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from error
    return cast(Adapter, module)


def stamp(library: str) -> str:
    """Returns a library with its version."""
    module = LIBRARIES[library].module
    return f"{module} {installed(module) or '?'}"


def _example(library: str) -> str:
    return next(alias.stands_for for alias in ALIASES if library_of(alias.stands_for) == library)
