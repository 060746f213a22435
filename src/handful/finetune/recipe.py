"""What training needs, checked before any work and with every fault at once; no PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec

from handful.backbones import Tap
from handful.core.choices import HEADS
from handful.core.config import FinetuneConfig
from handful.core.errors import ConfigError, MissingExtraError
from handful.core.notation import nearest, read_factors
from handful.core.records import Resolved
from handful.finetune.layers import parse_head

RATES = {"adamw": 1e-4, "sgd": 1e-3}
DECAYS = {"adamw": 0.01, "sgd": 5e-4}
"""Where the user gives none. Customary for fine-tuning; 5e-4 is the value around which the paper looks (figure 8)."""

USUAL_RATES = (1e-6, 1.0)
"""The paper's section 3.4, which says not to take them too strictly."""

HEAD = "head"


def groups_below(tap: Tap, groups: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the layer groups that a tap's features need, from bottom to top: the n of `--freeze`."""
    return tuple(groups[: list(groups).index(tap.group) + 1])


def resolve(config: FinetuneConfig) -> tuple[FinetuneConfig, dict[str, Resolved]]:
    """Returns the configuration with the rate and the decay filled in, and the reasons."""
    options = {
        "lr": _resolved(config.lr, RATES[config.optimizer], config.optimizer),
        "l2": _resolved(config.l2, DECAYS[config.optimizer], config.optimizer),
    }
    return replace(config, lr=options["lr"].value, l2=options["l2"].value), options


def check_recipe(
    config: FinetuneConfig, *, head: str, freeze: str | int, groups: Sequence[str], n_classes: int
) -> None:
    """Checks everything about a training that can be known before it starts.

    Args:
        config: the options of training.
        head: the option `head`.
        freeze: how many of the lowest groups stay fixed, or the name of the last one.
        groups: n names from bottom to top, from `groups_below`.
        n_classes: C.

    Raises:
        ConfigError: every fault, one per line.
    """
    heads = parse_head("C", n_classes) if head in HEADS else None
    checks: list[Callable[[], object]] = [
        lambda: count_frozen(freeze, groups),
        lambda: heads or parse_head(head, n_classes),
        lambda: layer_factors(config.weight_factor, option="weight_factor", groups=groups, n_new=_n_new(head)),
        lambda: layer_factors(config.bias_factor, option="bias_factor", groups=groups, n_new=_n_new(head)),
        lambda: _check_momentum(config),
    ]
    faults = list(_faults(checks))
    if faults:
        raise ConfigError("\n".join(faults))


def check_extras(config: FinetuneConfig) -> None:
    """Raises MissingExtraError where an option needs a library that is not installed; imports none."""
    if config.augmentation in ("randaugment", "trivialaugment") and find_spec("kornia") is None:
        raise MissingExtraError(f"augmentation {config.augmentation!r}", "augment")
    if config.tensorboard and find_spec("tensorboardX") is None:
        raise MissingExtraError("option tensorboard", "tensorboard")


def cautions(config: FinetuneConfig) -> tuple[str, ...]:
    """Returns sentences about values that are unusual and yet taken."""
    low, high = USUAL_RATES
    if config.lr is not None and not low < config.lr < high:
        return (
            f"lr is {config.lr:g}, outside the usual ({low:g}, {high:g}); it is taken as it is. "
            "If the loss does not fall, try a rate inside.",
        )
    return ()


def count_frozen(freeze: str | int, groups: Sequence[str]) -> int:
    """Returns k, the number of lowest layer groups that stay fixed.

    Args:
        freeze: k itself, as a number or its text, or the name of the highest fixed group; "" for none.
        groups: n names, from bottom to top.

    Raises:
        ConfigError: more than n, negative, or an unknown name; the nearest names are shown.

    Example:
        >>> count_frozen("conv3", ["conv1", "conv2", "conv3", "conv4"])
        3
    """
    text = str(freeze).strip()
    if not text:
        return 0
    if text in groups:
        return list(groups).index(text) + 1
    names = f"The layer groups are, from bottom to top: {', '.join(groups)}."
    if not text.lstrip("-").isdigit():
        raise ConfigError(
            f"freeze is {text!r}, which is no layer group of this network. {nearest(text, groups)}{names}"
        )
    if not 0 <= int(text) <= len(groups):
        raise ConfigError(f"freeze is {text}; this network has {len(groups)} layer groups to freeze. {names}")
    return int(text)


def layer_factors(text: str, *, option: str, groups: Sequence[str], n_new: int) -> dict[str, float]:
    """Returns the learning-rate factor of every layer: the one given for it, 1 elsewhere.

    Args:
        text: "head=10,head.0=2,conv5=0.5"; "head" means every new layer and gives way to the more exact "head.0".
        option: name of the option, for the messages.
        groups: names of the network's layer groups.
        n_new: number of new layers.

    Returns:
        Factors of the groups by `body_layer`, and of "head.0" to "head.<n_new - 1>".

    Raises:
        ConfigError: a layer that does not exist; the nearest names are shown.
    """
    given = read_factors(text, option=option)
    body = [body_layer(name) for name in groups]
    new = [f"{HEAD}.{index}" for index in range(n_new)]
    known = [*body, HEAD, *new]
    for name in given:
        if name not in known:
            raise ConfigError(
                f"{option} names the layer {name!r}, which does not exist. {nearest(name, known)}"
                f"The layers are: {', '.join(known)}."
            )
    return {name: given.get(name, 1.0) for name in body} | {name: given.get(name, given.get(HEAD, 1.0)) for name in new}


def body_layer(group: str) -> str:
    """Returns the name by which a layer group's factors are given: its own, but "body.head" for one called "head"."""
    return f"body.{group}" if group == HEAD else group


def _resolved(given: float | None, default: float, optimizer: str) -> Resolved:
    if given is not None:
        return Resolved(given, "chosen by the user")
    return Resolved(default, f"customary for {optimizer} on pre-trained layers")


def _n_new(head: str) -> int:
    return 1 if head in HEADS else head.count("-") + 1


def _check_momentum(config: FinetuneConfig) -> None:
    if config.momentum_form == "paper" and config.momentum == 0.0:
        raise ConfigError(
            "momentum is 0 in the paper's form, where it is the weight of the new gradient: nothing would be learned. "
            "Expected more than 0, at most 1 (0.1 there is like 0.9 in the common form)."
        )
    if config.momentum_form == "common" and config.momentum >= 1.0:
        raise ConfigError(
            f"momentum is {config.momentum:g} in the common form, where the past would never fade. "
            "Expected at least 0 and less than 1, for instance 0.9."
        )


def _faults(checks: Sequence[Callable[[], object]]) -> Iterator[str]:
    for check in checks:
        try:
            check()
        except ConfigError as error:
            yield str(error)
