"""How a training of layers is laid out on a cluster: a process for each card or node, and its cores; no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handful.core.cluster import cores_beside, n_cards
from handful.core.errors import ConfigError, HandfulError
from handful.finetune.precision import WITH_CARD
from handful.finetune.shares import n_portions

if TYPE_CHECKING:
    from handful.finetune.batches import ActivationBatches, PictureBatches


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a group of ranks.

    Attributes:
        n_ranks: how many there are.
        cores: of each.
        each: threads that compute a portion, which decide its last bits.
        gpu: whether each has an NVIDIA card.
    """

    n_ranks: int
    cores: int
    each: int
    gpu: bool

    def __str__(self) -> str:
        ranks = "1 process" if self.n_ranks == 1 else f"{self.n_ranks} processes"
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{ranks} of the cluster, with {cores}{' and a card' if self.gpu else ''} for each"


def shape_on(
    nodes: Sequence[Mapping[str, float]],
    batches: ActivationBatches | PictureBatches,
    *,
    engine: str,
    before: Shape | None = None,
) -> Shape:
    """Returns how a training is laid out: a rank for each card, or where nodes have none, for each node.

    More ranks than a mini-batch has portions would have nothing to do. Where nodes have unlike numbers of cores, ranks
    have as many as keep most of all cores busy.

    Args:
        nodes: what each of them has.
        batches: of the training.
        engine: the option, which may ask for cards or for none.
        before: the ranks that were lost; portions are computed as by them, to the same bits.

    Raises:
        ConfigError: cards are asked for, and there are none.
        HandfulError: no node is left that can do the work of one that was lost.
    """
    n_parts = n_portions(-(-batches.n_pictures // batches.n_batches))
    cards = sum(map(n_cards, nodes)) if engine in WITH_CARD else 0
    if engine == "cuda" and not cards and not before:
        raise ConfigError("engine is 'cuda', and no node of the cluster has a GPU. Leave out --engine, or add one.")
    if cards and (before is None or before.gpu):
        return Shape(min(cards, n_parts), cores_beside(nodes), 1, True)
    least = before.each if before else 1
    sizes = [int(node["CPU"]) for node in nodes if node["CPU"] >= least]
    if not sizes or (before and before.gpu):
        raise HandfulError(
            "no node is left that can go on with the training of layers. What was reached is kept: add nodes as those "
            "that were lost, and give the same command."
        )

    def n_ranks(cores: int) -> int:
        return min(sum(size // cores for size in sizes), n_parts)

    cores = max(set(sizes), key=lambda cores: (n_ranks(cores) * cores, cores))
    each = before.each if before else cores // min(cores, -(-n_parts // n_ranks(cores)))
    return Shape(n_ranks(cores), cores, each, False)


def places(node: Mapping[str, float], shape: Shape) -> int:
    """Returns how many of some ranks a node has room for, when it does nothing else."""
    n_cores = int(node.get("CPU", 0.0)) // shape.cores
    return min(n_cores, int(node.get("GPU", 0.0))) if shape.gpu else n_cores
