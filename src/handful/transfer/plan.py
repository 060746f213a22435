"""What the network is shown: every `auto` about features resolved, with its reason, before they are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from handful.backbones import BackboneSpec, Tap, find
from handful.core.config import FeaturesConfig, TrainConfig
from handful.core.errors import ConfigError
from handful.core.records import Picture, Resolved
from handful.features import VIEWS, Fit, Interpolation, Preprocessing, View

DEFAULT_BACKBONE = "efficientnet-lite0"

BEST = "best"
"""Value of the option `backbone` that ranks the networks at hand and takes the first."""

MIRROR_LIMIT = 1000
"""Pictures up to which the mirror image is worth its time by default: about 20 s of a network on two cores."""

WIDE = 1.5
"""Aspect ratio (that of a 3:2 photograph) past which a central square would lose more than a third of a picture."""

UNIT: tuple[tuple[float, float, float], tuple[float, float, float]] = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
"""Mean and deviation that make pixel values 0 to 1: the paper's section 3.4."""

SEVERAL_FROM = 200
"""Training pictures from which features of several layer groups are tried: on five CIFAR-10 classes they cost 4 points
with 50 pictures, and gain 1 with 250."""

HeldOutLoss = Callable[[Preprocessing], float]
"""Held-out log loss of a probe on some training pictures, prepared in the given way."""


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """How one backbone sees the pictures; `options` say why."""

    preprocessing: Preprocessing
    views: tuple[View, ...]
    options: dict[str, Resolved]


def with_options(config: TrainConfig, options: Mapping[str, Any]) -> TrainConfig:
    """Returns the options with some changed by name, but for those that the user gave; both count as given."""
    taken = {name: value for name, value in options.items() if name == "strategy" or name not in config.given}
    flat = {name: value for room in config.to_dict().values() for name, value in room.items()}
    return replace(TrainConfig.of({**flat, **taken}), given=config.given | taken.keys())


def choose_backbones(config: TrainConfig) -> tuple[tuple[BackboneSpec, ...], Resolved]:
    """Returns the backbones that the option `backbone` names, in its order.

    Raises:
        ConfigError: an unknown name, or one named twice; "best", which takes pictures to find out.
        MissingExtraError: a network of another library, which is not installed.
        WeightsError: a network of which nothing is known on this machine yet.
    """
    wanted = config.features.backbone
    if wanted == BEST:
        raise ConfigError(
            f"backbone is {BEST!r}, which only handful train can do. To find out which network it is: "
            "handful backbones --rank PHOTOS/. Then name that one."
        )
    if wanted == "auto":
        reason = "installed with handful, and the default run uses one network"
        return (find(DEFAULT_BACKBONE),), Resolved(DEFAULT_BACKBONE, reason)
    folder = Path(config.run.weights) if config.run.weights else None
    specs = tuple(find(name, folder=folder) for name in wanted.split("+"))
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise ConfigError(f"backbone is {wanted!r}, which names a network twice; name each once.")
    return specs, Resolved("+".join(spec.full_name for spec in specs), "chosen by the user")


def taps_to_try(config: FeaturesConfig, spec: BackboneSpec, n_images: int) -> tuple[Tap, ...]:
    """Returns where a network's features are taken: at its default tap, and perhaps at several layer groups too.

    Lower groups tell textures apart, which helps where there are pictures enough to learn by (Evci et al. 2022,
    Head2Toe, arXiv:2201.03529), and hurts where there are few. A lower precision is proven at the default tap alone.

    Args:
        config: the options.
        spec: the network.
        n_images: training pictures.
    """
    if spec.several is None or n_images < SEVERAL_FROM or config.precision != "fp32":
        return (spec.default_tap,)
    return (spec.default_tap, spec.several)


def plan_features(
    config: FeaturesConfig, spec: BackboneSpec, pictures: Sequence[Picture], *, held_out_loss: HeldOutLoss | None
) -> FeaturePlan:
    """Returns how a backbone is shown the pictures.

    Args:
        config: the options, some of them "auto".
        spec: the backbone.
        pictures: the training pictures; only their sizes and number are looked at.
        held_out_loss: tries a preprocessing on training pictures; called only where a choice is open. None where there
            is nothing to try with: no weights yet, or no picture that can be held out.
    """
    size = config.size or spec.input_size
    sizes = Resolved(size, "chosen by the user" if config.size else f"what {spec.name} was trained with")
    mean, std = UNIT if config.input == "unit" else (spec.mean, spec.std)
    fit = _fit(config, pictures)
    views = _views(config, len(pictures))
    base = Preprocessing(
        size=size,
        fit=cast(Fit, fit.value),
        interpolation=spec.interpolation,
        mean=mean,
        std=std,
    )
    interpolation = _interpolation(config, base, pictures, held_out_loss=held_out_loss)
    return FeaturePlan(
        preprocessing=replace(base, interpolation=interpolation.value),
        views=VIEWS[views.value],
        options={
            "size": sizes,
            "fit": fit,
            "interpolation": interpolation,
            "views": views,
            "view_use": Resolved(config.view_use, "default" if config.view_use == "average" else "chosen by the user"),
        },
    )


def _fit(config: FeaturesConfig, pictures: Sequence[Picture]) -> Resolved:
    if config.fit != "auto":
        return Resolved(config.fit, "chosen by the user")
    ratios = [max(p.width, p.height) / min(p.width, p.height) for p in pictures]
    ratio = float(np.median(ratios))
    if ratio > WIDE:
        return Resolved("squash", f"the median aspect ratio is {ratio:.2f}: a central square would cut too much away")
    return Resolved("crop", f"the median aspect ratio is {ratio:.2f}: the central square holds most of a picture")


def _views(config: FeaturesConfig, n_images: int) -> Resolved:
    if config.views != "auto":
        return Resolved(config.views, "chosen by the user")
    if n_images <= MIRROR_LIMIT:
        return Resolved("mirror", f"{n_images} training pictures are few enough to look at each one's mirror image too")
    return Resolved(
        "plain", f"{n_images} training pictures: a second view would double the time for little; --views mirror adds it"
    )


def _interpolation(
    config: FeaturesConfig, base: Preprocessing, pictures: Sequence[Picture], *, held_out_loss: HeldOutLoss | None
) -> Resolved:
    if config.interpolation != "auto":
        return Resolved(config.interpolation, "chosen by the user")
    if held_out_loss is None:
        return Resolved(base.interpolation, "what the network is usually shown; nothing could be tried")
    median = float(np.median([min(p.width, p.height) for p in pictures]))
    if median >= base.size:
        return Resolved(base.interpolation, "what the network was trained with")
    losses = {
        name: held_out_loss(replace(base, interpolation=name))
        for name in cast(tuple[Interpolation, ...], ("bilinear", "bicubic"))
    }
    best, other = sorted(losses, key=lambda name: losses[name])
    return Resolved(
        best,
        f"pictures are smaller than the network's input (median shorter side {median:.0f} of {base.size} pixels), so "
        f"both were tried by validation on training pictures: held-out log loss (smoothed) {losses[best]:.4f}, against "
        f"{losses[other]:.4f} for {other}",
    )
