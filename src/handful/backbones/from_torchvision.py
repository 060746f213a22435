"""Networks of torchvision, by its own facts about them; imports torchvision."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torchvision
from torch import nn
from torchvision import models

from handful.backbones.facts import Facts, Source, Stated
from handful.backbones.rows import Anatomy
from handful.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

LICENCE = "BSD-3-Clause"
"""torchvision's own, for weights that it gives no other licence for."""

CLASSIFIERS = ("fc", "classifier", "heads", "head")
"""What torchvision calls a network's last layers."""

WITHOUT_BRANCHES = {
    "googlenet": {"aux_logits": False, "transform_input": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "transform_input": False, "init_weights": False},
}
"""Networks with further classifiers half-way, used in their training alone. These two came from TensorFlow, and turn
their input from torchvision's normalisation back to theirs; they get theirs at once (`HALVES`)."""

HALVES = (127.5, 127.5, 127.5)
"""Mean and deviation, in pixel values, of networks from TensorFlow: -1 to 1."""

MEBIBYTE = 1 << 20


def describe(model: str, stated: Stated) -> Facts:
    """Returns what torchvision says about a network; weights are named after the dot, else torchvision's default.

    Raises:
        ConfigError: torchvision has no such network for pictures, or no such weights.
    """
    name, _, tag = model.partition(".")
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f" Near: {', '.join(near)}." if near else ""
        raise ConfigError(
            f"torchvision {torchvision.__version__} has no network {name!r} that classifies pictures.{hint}"
        )
    weights = models.get_model_weights(name)
    if tag and tag not in weights.__members__:
        raise ConfigError(f"torchvision has no weights {model!r}. Those of {name}: {', '.join(weights.__members__)}.")
    chosen = weights[tag] if tag else weights.DEFAULT
    shown, meta = chosen.transforms(), chosen.meta
    halves = HALVES if name in WITHOUT_BRANCHES else None
    return Facts(
        name=f"{name}.{chosen.name}",
        title=f"{name}.{chosen.name} (torchvision)",
        input_size=int(shown.crop_size[0]),
        interpolation="bilinear" if shown.interpolation.value == "bilinear" else "bicubic",
        crop_fraction=shown.crop_size[0] / shown.resize_size[0],
        mean=halves or _pixel_values(shown.mean),
        std=halves or _pixel_values(shown.std),
        licence=str(meta.get("license", LICENCE)),
        source=Source(url=str(chosen.url), n_bytes=round((float(meta["_file_size"]) + 1.0) * MEBIBYTE)),
        imagenet_top1=meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100.0,
    )


def make(model: str, stated: Stated) -> tuple[nn.Module, Anatomy]:
    """Returns a network with random weights and without its classifier, and how it is run."""
    name = model.partition(".")[0]
    network = models.get_model(name, weights=None, **WITHOUT_BRANCHES.get(name, {}))
    _cut_classifier(name, network)
    return network, Anatomy(_features)


def translate(model: str, stated: Stated, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns a published file's tensors, less those of the classifiers."""
    network, _ = make(model, stated)
    return {name: state[name] for name in network.state_dict() if name in state}


def _cut_classifier(name: str, network: nn.Module) -> None:
    """Takes a network's last fully connected layer away."""
    for attribute in CLASSIFIERS:
        last = getattr(network, attribute, None)
        if isinstance(last, nn.Linear):
            setattr(network, attribute, nn.Identity())
            return
        if isinstance(last, nn.Sequential) and isinstance(last[-1], nn.Linear):
            last[-1] = nn.Identity()
            return
    raise ConfigError(
        f"torchvision:{name} does not end in a fully connected layer, so handful finds no features in it."
    )


def _pixel_values(values: Any) -> tuple[float, float, float]:
    red, green, blue = (255.0 * float(value) for value in values)
    return red, green, blue


def _features(network: Any, pixels: Tensor) -> Tensor:
    features: Tensor = network(pixels)
    return features
