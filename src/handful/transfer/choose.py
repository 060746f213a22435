"""Which of the paper's ways to use a pre-trained network suits a data set: its four cases, from measured figures.

Petrovska, Stojanovic and Atanasova-Pacemska 2018, Fig. 5: a small set that is like the pre-training data gets new
output layers on fixed features (case 1); for a small one that is unlike it the higher layers are retrained (2); on a
large unlike one a network is trained from scratch (3); for a large like one every layer is retrained (4). The paper
judges "large" and "like" by eye; here both are figures, and docs/choosing.md tells where the borders come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from handful.backbones import BackboneSpec
from handful.core.advice import Alternative, Decision, Evidence, Similarity, TransferPlan
from handful.core.config import TrainConfig
from handful.core.progress import Progress
from handful.core.records import ImageTable, Split
from handful.finetune.recipe import groups_below
from handful.transfer.similarity import BORDER, measure, neighbours

Case = Literal[1, 2, 3, 4]
Strategy = Literal["features", "freeze", "full", "scratch"]

SIMILAR = 0.5
"""Similarity from which on a set counts as similar; `transfer.similarity.BORDER` lies there."""


@dataclass(frozen=True, slots=True)
class Size:
    """From how many pictures on a set counts as large: in each class, on the average, and in all."""

    per_class: int
    in_all: int

    def is_reached(self, n_images: int, n_classes: int) -> bool:
        """Returns whether a set is large by both figures."""
        return n_images >= self.in_all and n_images >= self.per_class * n_classes


LARGE_SIMILAR = Size(per_class=500, in_all=5_000)
"""Enough to retrain every layer from good weights. The paper calls 2 000 pictures in 5 classes "definitely small"."""

LARGE_DIFFERENT = Size(per_class=2_000, in_all=20_000)
"""Enough to begin with random weights. CIFAR-10, where networks from scratch do well, has 5 000 in each class; a new
network has to learn edges and textures too, which fine-tuning gets for nothing."""

UPDATES = 1500
"""Mini-batches of fine-tuning that are aimed at; epochs follow from it, from 10 (large sets) to 60 (small ones: the
paper warns of hundreds). Training stops earlier when the validation part no longer gains."""

BATCH = 32
"""Bengio 2012, section 3.1.1: a good default, as the paper quotes."""

NEW_LAYERS = "head=10"
"""The paper's section 4: new layers learn ten times faster than those that know something already."""

RATES: dict[Strategy, float] = {"freeze": 3e-4, "full": 1e-4, "scratch": 1e-3}
"""For AdamW. The more of the good weights may move, the smaller the steps; random ones have nothing to lose. Customary
values, not tuned on any set."""

FEWEST_EPOCHS, MOST_EPOCHS, SCRATCH_EPOCHS = 10, 60, 60

FORWARD_RATE = 100
"""Pictures per second through EfficientNet-Lite0 on two cores."""

FEW_PER_CLASS = 30
"""Below this a test part has fewer than 6 pictures of a class."""

PLANNED: dict[Case, Strategy] = {1: "features", 2: "freeze", 3: "scratch", 4: "full"}
"""The paper's Figure 5."""

FEATURES = "needs seconds instead of minutes and nothing to tune; it is the figure that any other way has to beat"
FREEZE = "keeps the lower layers, so there is less to overfit with than when all of them move"
FULL = "often gains a few points even here, for minutes to hours of training"
FULL_FIRST = (
    "usually wins or ties even on large and different sets, and learns several times faster than from random weights: "
    "try it first; scratch is the paper's answer"
)

ALTERNATIVES: dict[Case, tuple[tuple[Strategy, str], ...]] = {
    1: (("freeze", FREEZE), ("full", FULL)),
    2: (("features", FEATURES), ("full", FULL)),
    3: (("full", FULL_FIRST), ("freeze", FREEZE)),
    4: (("features", FEATURES), ("freeze", FREEZE)),
}
"""What else comes into question, the most promising first, and why."""

CASES: dict[Case, str] = {
    1: "small and like ImageNet",
    2: "small and not like ImageNet",
    3: "large and not like ImageNet",
    4: "large and like ImageNet",
}
"""The cases in words."""

WAYS: dict[Strategy, str] = {
    "features": "train a new output layer on the network as it is",
    "freeze": "keep the lower layers of the network and retrain the higher ones",
    "full": "retrain every layer, starting from the pre-trained weights",
    "scratch": "train every layer, starting from random weights",
}
"""The ways in words."""


def decide(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    specs: Sequence[BackboneSpec],
    threads: int,
    progress: Progress,
) -> Decision:
    """Returns the decision for a data set; the pictures of its test part take no part.

    Args:
        table: the data set.
        split: its parts, as training makes them.
        config: the options; only the seed and `images` are looked at.
        specs: the networks that would be used.
        threads: resolved.
        progress: told about the work.

    Raises:
        DataError: fewer than two pictures to train with.
        WeightsError: the network that measures similarity is not on this machine.
    """
    similarity = measure(
        table,
        [table.pictures[index] for index in split.train],
        seed=config.run.seed,
        threads=threads,
        progress=progress,
    )
    drawn = not split.given and config.split.images is None
    n_images = len(split.train) + len(split.test) if drawn else len(split.train)
    return choose(
        similarity,
        n_images=n_images,
        n_classes=len(table.classes),
        backbone="+".join(spec.full_name for spec in specs),
        n_groups=min(len(groups_below(spec.default_tap, spec.groups)) for spec in specs),
    )


def choose(similarity: Similarity, *, n_images: int, n_classes: int, backbone: str, n_groups: int) -> Decision:
    """Returns the case and the plan for a data set of given size and similarity.

    Args:
        similarity: to ImageNet, measured.
        n_images: pictures that the user gave to learn from.
        n_classes: C.
        backbone: the network, or several joined by +.
        n_groups: n, the layer groups below the new layers; of several networks the smallest n.
    """
    similar = similarity.value >= SIMILAR
    limit = LARGE_SIMILAR if similar else LARGE_DIFFERENT
    case = case_of(similar=similar, large=limit.is_reached(n_images, n_classes))
    frozen = count_frozen_groups(similarity.value, n_groups)

    def plan(strategy: Strategy) -> TransferPlan:
        return plan_way(strategy, backbone, n_images=n_images, frozen=frozen)

    return Decision(
        case=case,
        similarity=similarity,
        n_images=n_images,
        n_classes=n_classes,
        n_per_class=n_images / n_classes,
        plan=plan(PLANNED[case]),
        reasons=_reasons(case, similarity.value, frozen=frozen, n_groups=n_groups),
        evidence=(*_similarity_evidence(similarity), *_size_evidence(n_images, n_classes, limit)),
        expects=_expects(case, n_images, n_images / n_classes),
        alternatives=tuple(Alternative(plan(strategy), reason) for strategy, reason in ALTERNATIVES[case]),
    )


def case_of(*, similar: bool, large: bool) -> Case:
    """Returns the number of the case in the paper's Figure 5."""
    if similar:
        return 4 if large else 1
    return 3 if large else 2


def count_frozen_groups(similarity: float, n_groups: int) -> int:
    """Returns k = round(similarity * n), at least 1 and at most n - 1: the less alike, the lower the cut.

    Lower layers see edges and colours, which serve any picture; higher ones see what ImageNet has. The share of layers
    that is kept is therefore the share by which the pictures are alike. A rule of thumb, not a fitted law.

    Example:
        >>> count_frozen_groups(0.33, 9), count_frozen_groups(0.12, 9)
        (3, 1)
    """
    return max(1, min(round(similarity * n_groups), n_groups - 1))


def plan_way(strategy: Strategy, backbone: str, *, n_images: int, frozen: int) -> TransferPlan:
    """Returns how one way would be gone.

    Args:
        strategy: the way.
        backbone: the network, or several joined by +.
        n_images: pictures to learn from; few of them are passed more often.
        frozen: k of the way "freeze".
    """
    if strategy == "features":
        return TransferPlan("features", backbone, head="auto")
    epochs = SCRATCH_EPOCHS if strategy == "scratch" else math.ceil(UPDATES * BATCH / n_images)
    factors = "" if strategy == "scratch" else NEW_LAYERS
    return TransferPlan(
        strategy,
        backbone,
        head="C",
        freeze=frozen if strategy == "freeze" else None,
        lr=RATES[strategy],
        epochs=min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS),
        batch=BATCH,
        optimizer="adamw",
        schedule="cosine",
        weight_factor=factors,
        bias_factor=factors,
    )


def _reasons(case: Case, similarity: float, *, frozen: int, n_groups: int) -> dict[str, str]:
    """Returns why, in plain words, by the name of the option that a person would give instead."""
    reasons = {
        "strategy": {
            1: "the network knows this kind of picture already, and few pictures would teach it little but themselves",
            2: "the higher layers look for what these pictures do not have, and there are too few to retrain them all",
            3: "the higher layers look for what these pictures do not have, and there are enough to learn new ones",
            4: "the network knows this kind of picture, and there are enough to fit every layer to them",
        }[case],
    }
    if case == 1:
        return reasons | {"head": "the output layer with the lowest held-out loss is taken"}
    if case == 2:
        reasons["freeze"] = (
            f"the {frozen} lowest of {n_groups} layer groups stay: round({similarity:.2f} x {n_groups}); "
            "the less alike, the fewer"
        )
    return reasons | {
        "head": "one new layer with as many outputs as there are classes; more layers did worse in the paper",
        "lr": "customary for AdamW here; the more of the good weights may move, the smaller the steps",
        "epochs": "a limit; training stops earlier when the validation part no longer gains",
        "weight_factor": "random weights, which all learn at one rate"
        if case == 3
        else "new layers learn ten times faster than those that know something, as in the paper",
    }


def _similarity_evidence(similarity: Similarity) -> Iterator[Evidence]:
    word = "like" if similarity.value >= SIMILAR else "not like"
    low, high = similarity.interval
    yield Evidence(
        "similarity to ImageNet",
        round(similarity.value, 3),
        f"from 0 (nothing alike) to 1; {SIMILAR} is the border, so these pictures count as {word} ImageNet's",
    )
    sure = (
        "on one side of the border: the answer does not hang on the draw"
        if low >= SIMILAR or high < SIMILAR
        else ("on both sides of the border: the answer is not certain, so try the first alternative too")
    )
    yield Evidence(
        "spread of the similarity",
        f"{low:.2f} to {high:.2f}",
        f"between draws of {similarity.n_pictures} training pictures; {sure}",
    )
    nearer, further = neighbours(similarity.divergence)
    places = [f"{landmark.name} ({landmark.divergence:.2f})" for landmark in (nearer, further) if landmark]
    where = (
        f"between {' and '.join(places)}"
        if len(places) == 2
        else (f"beyond {places[0]}" if nearer else f"nearer than {places[0]}")
    )
    yield Evidence(
        "divergence from ImageNet",
        round(similarity.divergence, 4),
        f"{where}; 0 would be ImageNet itself, {BORDER:g} is the border",
    )


def _size_evidence(n_images: int, n_classes: int, limit: Size) -> Iterator[Evidence]:
    per_class = n_images / n_classes
    purpose = "retrain every layer" if limit == LARGE_SIMILAR else "learn every layer from nothing"
    yield Evidence(
        "pictures in all",
        n_images,
        f"{limit.in_all:,} would count as large for pictures like these: enough to {purpose}",
    )
    yield Evidence(
        "pictures per class",
        round(per_class, 1),
        f"the average over {n_classes} classes; {limit.per_class:,} would count as large, and both figures have to be",
    )


def _expects(case: Case, n_images: int, per_class: float) -> str:
    """Returns what will come of the plan; times are for two processor cores."""
    passes = max(1, round(n_images / FORWARD_RATE / 60))
    minutes = f"about {passes} minute{'s' if passes > 1 else ''} on two cores"
    texts: dict[Case, str] = {
        1: f"A good result at once, in {minutes}. More layers may gain a few points when there are more pictures.",
        2: "Better than a frozen network if the validation part agrees, at the price of many passes over the pictures; "
        "--strategy auto tries both.",
        3: "A long training, hours without a graphics card. It pays only if the first alternative does worse.",
        4: "The best that these pictures give, usually some points above a frozen network, for a long training.",
    }
    few = " With so few pictures the accuracy will be known only roughly; its interval says how roughly."
    return texts[case] + (few if per_class < FEW_PER_CLASS else "")
