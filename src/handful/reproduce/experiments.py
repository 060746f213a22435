"""The paper's figures as data: which trainings each of them needs.

Where the paper gives no value, the one here is ours, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handful.core.study import Value
from handful.reproduce.records import Experiment, Mode, Point

FIGURES = ("6", "7a", "7b", "8a", "8b", "9a", "9b", "10", "11", "12a", "12b")
FURTHER = ("best", "scratch", "long", "batches", "unlike")
"""Claims of the text that no figure shows; they are judged when everything is reproduced."""

DEFAULT: Mapping[str, Value] = {
    "head": "C",
    "optimizer": "sgd",
    "momentum": 0.9,
    "momentum_form": "common",
    "schedule": "constant",
    "lr": 1e-4,
    "l2": 1e-4,
    "l2_form": "common",
    "decay_biases": False,
    "batch": 128,
    "epochs": 20,
    "weight_factor": "head.0=10",
    "bias_factor": "head.0=20",
    "augmentation": "none",
    "fit": "squash",
    "interpolation": "bilinear",
}
"""The setting from which each figure varies one thing: the form of MATLAB's sgdm. The paper names mini-batch 128, 20
epochs, the rate 0.0001, the decay 0.0001 and the factors 10 and 20; it names neither momentum nor how pictures were
enlarged."""

RATES = (0.1, 0.01, 0.001, 0.0001, 0.00001)
DECAYS = (5e-5, 1e-4, 5e-4, 2.5e-3, 5e-3)
BATCHES = (8, 16, 32, 64, 128)
EPOCHS = (1, 2, 5, 10, 20, 30, 40)
FACTORS = (1, 2, 5, 10, 20, 50)
STACKS = ("C", "75-C", "500d0.5-75-C")
SIZES = (100, 250, 500, 1000, 1500, 2000)
FULL_SIZE = 2000
"""Training pictures of the paper, "a couple of thousand"; `SIZES` are shares of it."""

MANY_EPOCHS = 200
STOP_AT = 0.995
"""The paper tells of its 99.5 % threshold where it varies the mini-batch, so it is on in figures 9a and 9b alone."""

SCRATCH_RATES = (0.01, 0.001)
"""Krizhevsky et al. (2012) began at 0.01; random layers learn nothing at the small rate that suits trained ones."""

OTHER_NETWORK = "efficientnet-lite0"
"""Installed with handful; the paper asks which network to choose and tries one."""


def experiments(*, backbone: str, mode: Mode, n_train: int, n_classes: int) -> dict[str, Experiment]:
    """Returns every experiment by its name, in the paper's order, then the further ones.

    Args:
        backbone: the paper's network, as the catalogue names it.
        mode: which layers learn; training from scratch is part of "finetune" only.
        n_train: training pictures that there are; figure 6 scales with them.
        n_classes: C; no size of figure 6 is smaller.
    """
    base = {**DEFAULT, "backbone": backbone, "strategy": "features" if mode == "features" else "full"}
    further = [_long(base), *([_networks(base)] if backbone != OTHER_NETWORK else [])]
    if mode == "finetune":
        further.append(_scratch(base))
    return {one.name: one for one in (*_figures(base, n_train, n_classes), *further)}


def default_point(*, backbone: str, mode: Mode) -> Point:
    """Returns the setting from which each figure varies one thing."""
    strategy = "features" if mode == "features" else "full"
    return Point("default", {**DEFAULT, "backbone": backbone, "strategy": strategy})


def distinct(chosen: Sequence[Experiment]) -> tuple[Point, ...]:
    """Returns the points that differ in their options: equal settings of several figures are trained once."""
    return tuple({tuple(sorted(point.options.items())): point for one in chosen for point in one.points}.values())


def plain(number: float) -> str:
    """Returns a number as the paper writes it.

    Example:
        >>> plain(1e-5), plain(128), plain(1500)
        ('0.00001', '128', '1,500')
    """
    return f"{number:,}" if isinstance(number, int) else f"{number:.6f}".rstrip("0").rstrip(".")


def _figures(base: Mapping[str, Value], n_train: int, n_classes: int) -> tuple[Experiment, ...]:
    rates = _varied(base, "lr", RATES)
    decays = _varied(base, "l2", DECAYS)
    stopping = {**base, "stop_at": STOP_AT}
    unit_factors = {**base, **_factors(1, 1, head="C")}
    return (
        Experiment("6", "Size of the training set", "training pictures", _sizes(base, n_train, n_classes), level=0.85),
        Experiment(
            "7a",
            "Learning rate",
            "learning rate",
            rates,
            note="The paper's text calls its figure 7a training accuracy; shown is validation accuracy.",
        ),
        Experiment("7b", "Training at different learning rates", "epoch", rates, curves=True),
        Experiment("8a", "Weight decay at mini-batch 128", "L2 weight decay", decays),
        Experiment(
            "8b", "Weight decay at mini-batch 32", "L2 weight decay", _varied({**base, "batch": 32}, "l2", DECAYS)
        ),
        Experiment(
            "9a",
            "Training at mini-batch 16",
            "epoch",
            _varied(stopping, "batch", (16,)),
            curves=True,
            note="Training stops when a whole epoch's training accuracy reaches 99.5 %, as in the paper.",
        ),
        Experiment(
            "9b",
            "Size of the mini-batch",
            "mini-batch",
            _varied(stopping, "batch", BATCHES),
            note="Training stops when a whole epoch's training accuracy reaches 99.5 %, as in the paper.",
        ),
        Experiment(
            "10",
            "Number of epochs",
            "epoch",
            (Point(plain(max(EPOCHS)), {**base, "epochs": max(EPOCHS)}),),
            curves=True,
            note=f"Read from one training of {max(EPOCHS)} epochs: at a constant rate, shorter ones are its beginning.",
            level=0.83,
        ),
        Experiment(
            "11", "Learning-rate factor of the last layer", "factor of the weights (biases: twice)", _last(base)
        ),
        Experiment("12a", "New layers, factors 10 and 20 on the last", "new layers", _stacks(base, 10, 20)),
        Experiment("12b", "New layers, factors 1 and 1", "new layers", _stacks(unit_factors, 1, 1)),
    )


def _long(base: Mapping[str, Value]) -> Experiment:
    settings = _varied(base, "epochs", (int(str(base["epochs"])), MANY_EPOCHS))
    return Experiment("long", "Hundreds of epochs", "epochs", settings)


def _networks(base: Mapping[str, Value]) -> Experiment:
    return Experiment(
        "networks",
        "Another network: EfficientNet-Lite0",
        "learning rate",
        _varied({**base, "backbone": OTHER_NETWORK, "interpolation": "bicubic"}, "lr", RATES),
    )


def _scratch(base: Mapping[str, Value]) -> Experiment:
    random = {**base, "strategy": "scratch", "epochs": max(EPOCHS), **_factors(1, 1, head="C")}
    return Experiment("scratch", "Training from scratch", "learning rate", _varied(random, "lr", SCRATCH_RATES))


def _varied(base: Mapping[str, Value], option: str, values: Iterable[int | float]) -> tuple[Point, ...]:
    return tuple(Point(plain(value), {**base, option: value}) for value in values)


def _sizes(base: Mapping[str, Value], n_train: int, n_classes: int) -> tuple[Point, ...]:
    """Returns figure 6's points; the last takes every training picture, as the other figures do."""
    sizes = [round(size * n_train / FULL_SIZE) for size in SIZES[:-1]]
    fewer = [
        Point(plain(size), {**base, "images": size}) for size in dict.fromkeys(sizes) if n_classes <= size < n_train
    ]
    return (*fewer, Point(plain(n_train), base))


def _last(base: Mapping[str, Value]) -> tuple[Point, ...]:
    return tuple(Point(plain(factor), {**base, **_factors(factor, 2 * factor, head="C")}) for factor in FACTORS)


def _stacks(base: Mapping[str, Value], weight: int, bias: int) -> tuple[Point, ...]:
    """Returns one, two and three new layers with factors on the last; 75 and 500 learn at the base rate."""
    return tuple(
        Point(str(number), {**base, "head": head, **_factors(weight, bias, head=head)})
        for number, head in enumerate(STACKS, start=1)
    )


def _factors(weight: int, bias: int, *, head: str) -> dict[str, Value]:
    """Returns the options that give the last new layer learning-rate factors, and every other layer none."""
    last = head.count("-")
    return {"weight_factor": f"head.{last}={weight}", "bias_factor": f"head.{last}={bias}"}
