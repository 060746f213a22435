"""What a search tries, and in which order: networks, probes after the first, and trainings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from handful.backbones import BackboneSpec, LocatedWeights
from handful.core.records import Split
from handful.transfer.layers import N_PARTS
from handful.transfer.lpft import squares
from handful.transfer.plan import DEFAULT_BACKBONE

N_LAPS = 2
"""How often every part of the pictures is left out: the second time, networks are trained on larger squares."""

Backbone = tuple[BackboneSpec, LocatedWeights]


class Turn(NamedTuple):
    """A training: of which network, without which part of the training pictures, and how often all were left out."""

    backbone: Backbone
    part: int
    lap: int


def candidates(backbones: Sequence[Backbone]) -> tuple[Backbone, ...]:
    """Returns the networks that are worth training: the default one, then those as good on ImageNet, the best first.

    The default one is the quickest, so it comes first. Where it is not among them, all stay as they are. Those of which
    nobody says how good they are on ImageNet, such as networks that learnt without labels, come last.
    """
    default = [each for each in backbones if each[0].name == DEFAULT_BACKBONE]
    if not default:
        return tuple(backbones)
    ((least, _),) = default
    told = {each[0].name: each[0].imagenet_top1 or 0.0 for each in backbones}
    others = [each for each in backbones if each not in default]
    worth = [each for each in others if told[each[0].name] >= told[least.name] or each[0].imagenet_top1 is None]
    return (*default, *sorted(worth, key=lambda each: -told[each[0].name]))


def further_probes(
    backbones: Sequence[Backbone], *, are_few: bool, side: float, is_size_given: bool
) -> list[tuple[Backbone, dict[str, Any]]]:
    """Returns the probes after that of the first network, as pairs of a network and the options that differ.

    Where pictures are few, of the other networks, and of all on smaller squares; a network that sees squares of one
    size alone is shown them once. Where they are many, of the other networks whose own squares they fill, with
    their mirror images: trainings are shown smaller squares, and see less of such pictures.

    Args:
        backbones: in their order.
        are_few: whether the training pictures are.
        side: of the pictures, in pixels: the median of the shorter ones.
        is_size_given: by the user, who gets no other squares then.
    """
    if not are_few:
        return [(each, {"views": "mirror"}) for each in backbones[1:] if side >= each[0].input_size]
    ways: list[tuple[Backbone, dict[str, Any]]] = [(each, {}) for each in backbones[1:]]
    if not is_size_given:
        ways += [
            (each, {"size": size})
            for lap in (1, 0)
            for each in backbones
            if (size := squares(each[0], 0.0, lap=lap)) != squares(each[0], 0.0, lap=lap + 1)
        ]
    return ways


def turns(backbones: Sequence[Backbone], split: Split, *, n_laps: int) -> Iterator[Turn]:
    """Yields the trainings in their order.

    With the user's own validation part nothing has to be left out, and every network is trained once in a lap.
    """
    n_turns = len(backbones) if len(split.validation) else N_PARTS
    for turn in range(n_laps * n_turns):
        yield Turn(backbones[turn % len(backbones)], turn % n_turns, turn // n_turns)
