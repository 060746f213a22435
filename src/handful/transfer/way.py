"""Which of the paper's ways is taken, and taking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import cast

from handful.backbones import BackboneSpec, LocatedWeights
from handful.core.advice import Decision, TransferPlan
from handful.core.choices import HEADS
from handful.core.cluster import Cluster
from handful.core.config import FinetuneConfig, TrainConfig
from handful.core.errors import ConfigError
from handful.core.progress import Progress
from handful.core.ranking import Ranking
from handful.core.records import ImageTable, Resolved, Split
from handful.features import Precision, check_engine
from handful.finetune import check_extras
from handful.transfer.bench import Candidate
from handful.transfer.best import train_best
from handful.transfer.choose import decide
from handful.transfer.clock import Time
from handful.transfer.layers import train_layers, trains_layers
from handful.transfer.order import candidates
from handful.transfer.plan import BEST, with_options
from handful.transfer.probe import Trained, locate_weights, train_probe
from handful.transfer.ranking import locate_all, rank
from handful.transfer.tries import Tried, try_ways

PROBE = Resolved(
    "features",
    "a frozen network with a new output layer: the default run is small and fixed, and on few pictures this way of the "
    "paper's three is the quickest and the hardest to overfit",
)

SEARCH = Resolved(
    "best",
    "a probe, and then networks that are trained from it and averaged, while there is time and held-out pictures gain",
)

Backbones = Sequence[tuple[BackboneSpec, LocatedWeights]]


@dataclass(frozen=True, slots=True)
class Way:
    """A way of transfer.

    Attributes:
        config: the options with the way's own filled in; its strategy is no longer "auto", its network not "best".
        strategy: the way and the reason for it.
        backbones: the networks that it takes.
        ranking: all networks at hand, compared, where the network was left open.
        decision: what was measured and tried, where the way was left open.
        planned: the options that the decision filled in, with its reasons.
        trained: what trying the way made, where it is all that `train_way` would make.
    """

    config: TrainConfig
    strategy: Resolved
    backbones: Backbones
    ranking: Ranking | None = None
    decision: Decision | None = None
    planned: dict[str, Resolved] = field(default_factory=dict)
    trained: Trained | None = None


def settled(config: TrainConfig) -> TrainConfig:
    """Returns the options with the strategy that a time to spend asks for, where the user named none."""
    searches = (
        config.finetune.time is not None
        and "time" in config.given
        and "strategy" not in config.given
        and not trains_layers(config)
    )
    return replace(config, transfer=replace(config.transfer, strategy="best")) if searches else config


def located(config: TrainConfig) -> Backbones:
    """Returns the networks that a way may take, with their weights; quick, and without torch.

    Raises:
        ConfigError: an unknown network.
        WeightsError: weights that are not at hand.
    """
    if config.features.backbone == BEST:
        return locate_all(config)
    if config.transfer.strategy == "best" and config.features.backbone == "auto":
        return candidates(locate_all(config))
    return locate_weights(config)


def check_ways(config: TrainConfig, backbones: Backbones) -> None:
    """Checks what can be checked before any picture is read.

    Raises:
        ConfigError: options that cannot go together.
        MissingExtraError: an option needs a library that is not installed.
    """
    check_extras(config.finetune)
    features = config.features
    check_engine(features.engine, cast(Precision, features.precision))
    if features.precision != "fp32" and (config.transfer.strategy == "auto" or trains_layers(config)):
        raise ConfigError(
            f"precision is {features.precision!r}, which is for the fixed network of a head that is solved for; "
            "training layers chooses its own. Leave it out, or take --strategy features."
        )
    ranks = config.features.backbone == BEST
    if ranks and config.transfer.strategy == "scratch":
        raise ConfigError(
            f"backbone is {BEST!r} and strategy is 'scratch': networks are ranked by what they have learnt, and "
            "scratch starts from random weights. Name a network: --backbone alexnet."
        )
    one_at_a_time = config.transfer.strategy == "auto" or trains_layers(config)
    if not ranks and len(backbones) > 1 and one_at_a_time and config.transfer.strategy != "best":
        raise ConfigError(
            f"backbone is {config.features.backbone!r}, strategy is {config.transfer.strategy!r} and head is "
            f"{config.heads.head!r}: layers are trained for one network at a time. Name one network, or take "
            "--strategy features with a head that is solved for."
        )
    strategy = config.transfer.strategy
    idle = idle_options(config)
    if strategy != "auto" and idle:
        raise ConfigError(
            f"{', '.join(sorted(idle))} would do nothing: strategy features with head {config.heads.head} trains no "
            "layer by gradient descent. Leave out what was given, or train layers with --strategy freeze, full or "
            "scratch, or with new layers such as --head 75-C."
        )
    _check_folds(config)
    if config.heads.class_weights != "none" and (strategy == "auto" or trains_layers(config)):
        raise ConfigError(
            f"class_weights is {config.heads.class_weights!r}, strategy is {strategy!r} and head is "
            f"{config.heads.head!r}: only an output layer that is solved for weighs classes. Take --strategy features "
            "with a head such as auto, or leave out --class-weights."
        )
    if strategy == "best" and config.heads.head != "auto":
        raise ConfigError(
            f"head is {config.heads.head!r}, and strategy 'best' chooses output layers itself. Leave one out."
        )
    if strategy == "best" and config.finetune.refit:
        raise ConfigError(
            "refit is given, and strategy 'best' averages trainings that each leave other pictures out, so that none "
            "is wasted. Leave one out."
        )
    if strategy != "features" and config.heads.head in HEADS and config.heads.head != "auto":
        raise ConfigError(
            f"head is {config.heads.head!r}, which is solved for on fixed features; strategy {strategy!r} trains "
            "layers. Give new layers such as --head C or --head 75-C, or leave it out."
        )


def _check_folds(config: TrainConfig) -> None:
    trust, strategy = config.trust, config.transfer.strategy
    if trust.folds is None and trust.repeats > 1:
        raise ConfigError(
            f"repeats is {trust.repeats} and would do nothing: nothing is cross-validated. Give the number of parts "
            "too, for instance --folds 5, or leave it out."
        )
    if trust.folds is not None and (strategy == "auto" or trains_layers(config)):
        raise ConfigError(
            f"folds is {trust.folds}, strategy is {strategy!r} and head is {config.heads.head!r}: cross-validation "
            "solves for the output layer again in every fold, and layers trained by gradient descent would take as "
            "many trainings. Take --strategy features with a head that is solved for, or leave out --folds and see "
            "the spread over trainings with `handful study --seeds 5`."
        )


def choose_way(
    table: ImageTable, split: Split, config: TrainConfig, *, backbones: Backbones, threads: int, progress: Progress
) -> Way:
    """Returns the way that the user chose, or, for "auto", the one that the training pictures speak for.

    What they speak for is measured first; then it is tried beside its alternatives, where time allows. Options that
    the user set by hand stay as they are in every one of them. For "best" the networks are ranked before anything else.
    """
    if config.features.backbone == BEST:
        ranking = rank(table, split, config, backbones=backbones, threads=threads, progress=progress)
        settled = replace(config, features=replace(config.features, backbone=ranking.best))
        first = [each for each in backbones if each[0].name == ranking.best]
        way = choose_way(table, split, settled, backbones=first, threads=threads, progress=progress)
        return replace(way, ranking=ranking)
    strategy = config.transfer.strategy
    if strategy == "best":
        return Way(config, SEARCH, backbones)
    if strategy != "auto":
        is_default = strategy == "features" and not trains_layers(config)
        return Way(config, PROBE if is_default else Resolved(strategy, "chosen by the user"), backbones)
    (backbone,) = backbones
    decision = decide(table, split, config, specs=[backbone[0]], threads=threads, progress=progress)
    candidates = [
        Candidate(plan, fill(config, plan))
        for plan in (decision.plan, *(other.plan for other in decision.alternatives))
    ]
    tried = try_ways(candidates, table, split, backbone=backbone, threads=threads, progress=progress)
    return _taken(config, decision, tried, backbones)


def fill(config: TrainConfig, plan: TransferPlan) -> TrainConfig:
    """Returns the options with a plan's in all places but those that the user filled; both count as given."""
    return with_options(config, plan.options)


def idle_options(config: TrainConfig) -> frozenset[str]:
    """Returns the options that were given and do nothing, where the way trains no layer by gradient descent."""
    of_training = {declared.name for declared in fields(FinetuneConfig)} - {"pool"} | {"freeze"}
    return frozenset() if trains_layers(config) else config.given & of_training


def _taken(config: TrainConfig, decision: Decision, tried: Tried, backbones: Backbones) -> Way:
    """Returns the way that was taken after trying, with the reasons."""
    plan = tried.taken.plan
    why = decision.reasons if plan == decision.plan else {}
    strategy = Resolved(plan.strategy, "; ".join(filter(None, (why.get("strategy"), tried.verdict))))
    planned = {
        name: Resolved(value, why.get(name, "planned by strategy auto"))
        for name, value in plan.options.items()
        if name not in config.given - {"strategy"}
    }
    decided = replace(decision, tries=tried.tries)
    return Way(tried.taken.config, strategy, backbones, decision=decided, planned=planned, trained=tried.trained)


def train_way(
    table: ImageTable,
    split: Split,
    way: Way,
    *,
    time: Time | None = None,
    cluster: Cluster | None = None,
    threads: int,
    progress: Progress,
) -> Trained:
    """Returns what the way makes: a solved output layer, trained layers, or the best of a search in the run's time.

    See `train_probe`, `train_layers` and `train_best`.
    """
    if way.trained is not None:
        return way.trained
    config, backbones = way.config, way.backbones
    if config.transfer.strategy == "best":
        time = time or Time.given(config)
        return train_best(table, split, config, backbones=backbones, time=time, threads=threads, progress=progress)
    if not trains_layers(config):
        return train_probe(table, split, config, backbones=backbones, threads=threads, progress=progress)
    (backbone,) = backbones
    return train_layers(table, split, config, backbone=backbone, threads=threads, progress=progress, cluster=cluster)
