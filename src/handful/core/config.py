"""Every option of a run: one frozen dataclass per room, each default written once.

The command line, the docs and the messages about wrong values are generated from the fields and their `Option`s.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handful.core import choices as words
from handful.core.declared import fault_of, option
from handful.core.errors import ConfigError
from handful.core.notation import check_head, read_duration, read_factors, read_miss


@dataclass(frozen=True)
class ReadingConfig:
    """The images room: which pictures are taken, and when to stop."""

    classes: tuple[str, ...] = option((), "Take only these classes, separated by commas.")
    per_class: int | None = option(
        None, "Take at most this many training pictures of each class, the first by name.", low=1
    )
    class_level: int | None = option(
        None, "Take the class from this many folder levels below the root (1: a/b/x.jpg is an a).", low=1, high=16
    )
    group_by: str | None = option(
        None, "Regular expression on the path; pictures with equal match (or first bracket) stay on one side."
    )
    labels: tuple[str, ...] = option(
        (),
        "Tables (path, label) of corrected labels, such as a run's suspects.csv; an empty label leaves a picture out.",
    )
    add: tuple[str, ...] = option(
        (), "More class folders, such as corrections: their pictures are learnt from, and never tested."
    )
    drop_small_classes: bool = option(False, "Leave out classes of too few pictures instead of stopping.")
    fps: float | None = option(
        None, "Take so many frames of every second of video files; those of one stay together.", low=1e-4, high=1000.0
    )
    max_unreadable: float = option(0.05, "Stop when a larger share of the files cannot be read.", low=0.0, high=1.0)
    max_file_mb: float = option(50.0, "Skip files larger than this many megabytes.", low=0.001, high=4096.0)
    max_megapixels: float = option(64.0, "Skip pictures with more million pixels than this.", low=0.001, high=1000.0)


@dataclass(frozen=True)
class SplitConfig:
    """The split room: which pictures test, and how many of the others are learnt from."""

    test: float = option(
        0.2, "Size of the test part as a share of the size of the training part (the paper's 20 %).", low=0.01, high=4.0
    )
    images: int | None = option(
        None, "Learn from so many training pictures, drawn at random, every class with its share.", low=2
    )


@dataclass(frozen=True)
class FeaturesConfig:
    """The features room: what the frozen network is shown."""

    backbone: str = option(
        "auto",
        "Pre-trained network; several joined by + are averaged; best ranks those at hand (see: handful backbones).",
    )
    size: int | None = option(
        None, "Side in pixels of the square that the network sees; its own by default.", low=32, high=1024
    )
    fit: str = option("auto", "How a picture becomes a square.", choices=words.FITS)
    interpolation: str = option(
        "auto",
        "Resampling; auto tries both by validation where pictures are smaller than the network's input.",
        choices=words.INTERPOLATIONS,
    )
    input: str = option(
        "network",
        "Pixel values: as the network was trained with, or unit (0 to 1, in each channel).",
        choices=words.INPUTS,
    )
    views: str = option(
        "auto", "Views of each picture: plain, with its mirror image, or with crops.", choices=words.VIEWS
    )
    view_use: str = option(
        "average", "Average the views' features, or train on each as a row.", choices=words.VIEW_USES
    )
    engine: str = option(
        "auto",
        "What runs the fixed network; auto tries once, for some seconds, what is quickest.",
        choices=words.ENGINES,
    )
    precision: str = option(
        "fp32",
        "Precision of the fixed network. bf16 and int8 can be quicker, and are used only where they cost no accuracy.",
        choices=words.PRECISIONS,
    )


@dataclass(frozen=True)
class HeadConfig:
    """The heads room: the new output layer."""

    head: str = option(
        "auto",
        "Output layer: ridge, logistic, linear (their average), kernel, average (of linear and kernel) or auto (the "
        "lowest held-out log loss); or new layers from bottom to top, such as 75-C or 500d0.5-75-C (d: dropout, "
        "C: the number of classes).",
        check=check_head,
    )
    class_weights: str = option(
        "none",
        "With balanced every class counts alike however many pictures it has; for output layers that are solved for.",
        choices=words.CLASS_WEIGHTS,
    )


@dataclass(frozen=True)
class TransferConfig:
    """The transfer room: which of the paper's ways to use a pre-trained network (section 3.3)."""

    strategy: str = option(
        "features",
        "Way of transfer: features (all layers fixed), freeze (the lowest ones), full (none), scratch (random start), "
        "auto (measured, as `handful advise` does), or best (a search, as --time asks for).",
        choices=words.STRATEGIES,
    )
    freeze: str = option(
        "", "With freeze: how many of the lowest layer groups stay fixed, or the name of the last; half by default."
    )


@dataclass(frozen=True)
class FinetuneConfig:
    """The finetune room: how layers are trained (the paper's section 3.4).

    The defaults are today's common ones for a few hundred pictures and pre-trained layers: AdamW, because it needs no
    rate per layer to reach a usable result, at 1e-4 with ten times that on the new layers, falling by a cosine. The
    paper's own setting is optimizer=sgd, schedule=constant (or paper), batch=128, stop_at=0.995.
    """

    optimizer: str = option("adamw", "Optimiser.", choices=words.OPTIMIZERS)
    momentum: float = option(
        0.9, "Momentum: weight of the past (common form) or of the new gradient (paper form).", low=0.0, high=1.0
    )
    momentum_form: str = option(
        "common",
        "common: v <- m v + g; paper: v <- (1 - m) v + m g, m weighs the new gradient.",
        choices=words.MOMENTUM_FORMS,
    )
    lr: float | None = option(
        None, "Base learning rate; 0.0001 for adamw and 0.001 for sgd by default.", low=1e-12, high=1e3
    )
    schedule: str = option("cosine", "How the rate changes; paper is its equation (2).", choices=words.SCHEDULES)
    tau: int = option(100, "Equation (2): updates at the base rate before it falls.", low=1, high=1_000_000_000)
    alpha: float = option(1.0, "Equation (2): exponent of tau / t.", low=0.0, high=10.0)
    batch: int = option(32, "Pictures in a mini-batch, at most.", low=1, high=4096)
    epochs: int = option(20, "Times that training sees every picture.", low=1, high=100_000)
    l2: float | None = option(
        None, "L2 weight decay; 0.01 for adamw (decoupled) and 0.0005 for sgd by default.", low=0.0, high=10.0
    )
    l2_form: str = option("common", "common: gradient l2 * theta; paper: 2 * l2 * theta.", choices=words.L2_FORMS)
    l1: float = option(0.0, "L1 weight decay: gradient l1 * sign(theta).", low=0.0, high=10.0)
    decay_biases: bool = option(False, "Weight decay on biases and normalisations too, not on weights only.")
    weight_factor: str = option(
        "head=10",
        "Learning-rate factors of weights by layer: head=10,conv5=2; head.0 is one new layer.",
        check=lambda text: _read_only(read_factors(text, option="weight_factor")),
    )
    bias_factor: str = option(
        "head=10",
        "Learning-rate factors of biases by layer.",
        check=lambda text: _read_only(read_factors(text, option="bias_factor")),
    )
    start: str = option(
        "random",
        "Where one new layer begins: at random, or as solved for on the network as it was (probe; LP-FT).",
        choices=words.STARTS,
    )
    nonlinearity: str = option("rectifier", "Neuron of the new hidden layers.", choices=words.NONLINEARITIES)
    init_scale: float = option(1.0, "Scale of random weights; 1 keeps signals at their size.", low=1e-4, high=100.0)
    patience: int | None = option(
        10, "Stop after so many checks on the validation part without improvement.", low=1, high=100_000
    )
    every: int | None = option(
        None, "Check on the validation part every so many updates; once per epoch by default.", low=1, high=1_000_000
    )
    stop_at: float | None = option(
        None, "Stop when the training accuracy of a whole pass reaches this (the paper's 0.995).", low=0.01, high=1.0
    )
    keep: str = option(
        "best", "Weights that are kept: those of the lowest validation loss, or the last.", choices=words.KEPT
    )
    refit: bool = option(
        False, "Then train once more, as long, with the training pictures that had been set apart to validate."
    )
    time: str | None = option(
        None,
        "Time to spend: 90s, 5m, 1h. Alone, the whole run's, spent on what gains most; with a strategy that trains "
        "layers, that of the training.",
        check=lambda text: _read_only(read_duration(text, option="time")),
    )
    sparsity: float = option(
        0.0, "Penalty on the mean absolute activation of the new hidden layers.", low=0.0, high=100.0
    )
    augmentation: str = option(
        "ksh", "Changes to training pictures: ksh is Krizhevsky's crop and mirror.", choices=words.AUGMENTATIONS
    )
    augmented_views: int = option(
        4, "Changed views per picture that are drawn once when lower layers are frozen.", low=1, high=256
    )
    mixup: float = option(0.0, "MixUp: alpha of its Beta distribution; 0 turns it off.", low=0.0, high=10.0)
    label_smoothing: float = option(
        0.0, "Share of every label that is spread over all classes while training.", low=0.0, high=0.9
    )
    ema: float = option(
        0.0,
        "Keep a running average of the weights, with this weight of the past; 0 turns it off.",
        low=0.0,
        high=0.99999,
    )
    pool: str = option(
        "max", "l2 replaces the network's max pooling by the root of the sum of squares.", choices=words.POOLINGS
    )
    tensorboard: bool = option(False, "Write the curves for TensorBoard too, into the run folder.")


@dataclass(frozen=True)
class TrustConfig:
    """The evaluate room: what the probabilities are used for."""

    risk: float = option(
        0.05, "Share of wrong answers that may be; pictures too uncertain for it are marked unsure.", low=1e-3, high=0.5
    )
    coverage: float = option(
        0.9, "Share of pictures whose true class is to be among the classes named for them.", low=0.5, high=0.999
    )
    miss: str = option(
        "",
        "Miss at most this share of a class, as in defective=0.01: from which probability on does a picture count as "
        "one?",
        check=lambda text: _read_only(read_miss(text) if text else None),
    )
    folds: int | None = option(
        None, "Cross-validate on the training pictures too, in so many parts; the test part stays out.", low=2, high=100
    )
    repeats: int = option(1, "Times that the parts of a cross-validation are drawn.", low=1, high=100)


@dataclass(frozen=True)
class RunConfig:
    """What concerns the whole run."""

    seed: int = option(0, "Seed of everything that is drawn.", low=0, high=2**32 - 1)
    threads: int | None = option(None, "Processor threads; all cores by default.", low=1, high=1024)
    offline: bool = option(False, "Never open a network connection.")
    note: str = option("", "A sentence about the data, for the report.")
    track: str = option(
        "none", "Tell MLflow or Weights & Biases (wandb) of the run when it is over.", choices=words.TRACKERS
    )
    weights: str | None = option(None, "Folder (from: handful backbones --export) or file with pre-trained weights.")


@dataclass(frozen=True)
class TrainConfig:
    """All options of `handful.train` and `handful train`."""

    reading: ReadingConfig = field(default_factory=ReadingConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    heads: HeadConfig = field(default_factory=HeadConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    trust: TrustConfig = field(default_factory=TrustConfig)
    run: RunConfig = field(default_factory=RunConfig)
    given: frozenset[str] = field(default=frozenset(), compare=False)
    """Names of the options that the user gave, default values too."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TrainConfig:
        """Returns the defaults with some options changed by name, checked all at once.

        Args:
            options: option name to value; a list serves for a tuple.

        Raises:
            ConfigError: an unknown name (the nearest is shown) or a value outside its range; every fault is listed.
        """
        fields = option_fields()
        faults = []
        by_room: dict[str, dict[str, Any]] = {}
        for name, value in options.items():
            if name not in fields:
                near = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
                hint = f"Did you mean {near[0]!r}?" if near else f"The options are: {', '.join(fields)}."
                faults.append(f"there is no option {name!r}. {hint}")
                continue
            room, declared = fields[name]
            value = tuple(value) if isinstance(value, list) else value
            fault = fault_of(name, value, declared)
            if fault:
                faults.append(fault)
            by_room.setdefault(room, {})[name] = value
        if faults:
            raise ConfigError("\n".join(faults))
        rooms = {room: ROOMS[room](**values) for room, values in by_room.items()}
        return cls(**rooms, given=frozenset(options))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Returns plain values by room and option, for config.json."""
        return {room: dataclasses.asdict(getattr(self, room)) for room in ROOMS}


ROOMS: dict[str, type[Any]] = {
    "reading": ReadingConfig,
    "split": SplitConfig,
    "features": FeaturesConfig,
    "transfer": TransferConfig,
    "heads": HeadConfig,
    "finetune": FinetuneConfig,
    "trust": TrustConfig,
    "run": RunConfig,
}


def option_fields() -> dict[str, tuple[str, dataclasses.Field[Any]]]:
    """Returns, for every option by name, its room and its dataclass field, in reading order."""
    return {
        declared.name: (room, declared) for room, config in ROOMS.items() for declared in dataclasses.fields(config)
    }


def _read_only(value: object) -> None:
    """Drops what a notation says: a check only wants to know whether it can be read."""
