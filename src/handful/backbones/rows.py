"""Networks of other libraries cut into a row of layer groups; imports PyTorch.

A library runs its network in its own way; layer groups run one after the other. Whether the groups found here are the
network is not assumed but tried, once for each network: on drawn numbers they must give what the library's own forward
pass gives. Where they do not, the network is one group, which can be used and frozen as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from handful.backbones.grouped import Body, pooled
from handful.backbones.spec import Pooling, Tap

Run = Callable[[Any, Tensor], Tensor]
"""A part of a network's forward pass: from the network and values to values."""

Arrangement = Literal["average", "flatten", "whole"]
"""How features come out of the row: as the average over places, as they are, or as the library's own forward pass gives
them, in one piece."""

ROWS = ("features", "stages", "blocks", "layers")
"""What libraries call the part of a network that is a row of stages."""

MOST_STAGES, N_PARTS = 9, 4
"""A longer row is cut into so many parts: nobody wants to choose among 24 equal blocks."""

LARGEST_DIFFERENCE = 1e-5
"""Of features, over the largest: the same operations in the same order."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """How a vision transformer is run, piece by piece.

    Attributes:
        stem: from pixels to tokens (N, T, D).
        row: the attribute that holds the blocks, or holds what holds them.
        blocks: the blocks of a network, from bottom to top.
        step: runs one block: network, block, tokens.
        head: from tokens to features (N, D).
        head_parts: attributes that `head` uses.
    """

    stem: Run
    row: str
    blocks: Callable[[Any], Sequence[nn.Module]]
    step: Callable[[Any, nn.Module, Tensor], Tensor]
    head: Run
    head_parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """How a library's network is run.

    Attributes:
        features: from pixels to features (N, D), by the library's own forward pass.
        transformer: where it is a vision transformer whose pieces are known; otherwise its children are tried in order.
    """

    features: Run
    transformer: Transformer | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out about a network."""

    arrangement: Arrangement
    groups: tuple[str, ...]
    taps: tuple[Tap, ...]
    n_parameters: int


class Part(nn.Module):
    """A layer group that is more than its layers in a row: the modules and parameters that it uses, and how."""

    def __init__(self, owner: nn.Module, run: Callable[[Any, Sequence[nn.Module], Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.tensors = nn.ParameterList()
        self._owner = (owner,)  # not registered: the whole network is no part of this one
        self._run = run

    def forward(self, values: Tensor) -> Tensor:
        """Returns what the network makes of some values here."""
        return self._run(self._owner[0], list(self.layers), values)


class BorrowedBody(Body):
    """A network that another library made, without its classifier."""

    def __init__(self, network: nn.Module, anatomy: Anatomy, arrangement: Arrangement) -> None:
        super().__init__()
        self.network = network
        self.anatomy = anatomy
        self.arrangement = arrangement

    def groups(self) -> dict[str, nn.Module]:
        """Returns the stem, the stages and what follows them; or the network in one piece."""
        if self.arrangement == "whole":
            whole = Part(self.network, lambda network, _, values: self.anatomy.features(network, values))
            whole.layers.append(self.network)
            return {"network": whole}
        if self.anatomy.transformer is not None:
            return dict(_transformer_groups(self.network, self.anatomy.transformer))
        return dict(_child_groups(self.network, keeps_places=self.arrangement == "average"))


@contextmanager
def drawn_apart() -> Iterator[None]:
    """Lets a library draw a network's first weights: always the same ones, and without touching anybody's generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def examine(network: nn.Module, anatomy: Anatomy, *, size: int) -> Examined:
    """Returns the layer groups of a network, and the features that it gives; its weights are changed.

    Args:
        network: without its classifier.
        anatomy: how it is run.
        size: side of the pictures to try it with.

    Raises:
        ValueError: it gives no features of pictures.
    """
    generator = torch.Generator().manual_seed(0)
    network.eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim <= 1:  # scales that begin at 0 or 1 would hide a layer that was left out
                parameter.uniform_(0.5, 1.5, generator=generator)
        pixels = torch.randn((2, 3, size, size), generator=generator)
        wanted = anatomy.features(network, pixels)
        if wanted.ndim != 2:
            raise ValueError(f"it makes values of shape {tuple(wanted.shape)} of two pictures, not a row for each")
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        for arrangement in cast(tuple[Arrangement, ...], ("average", "flatten")):
            found = _tried(BorrowedBody(network, anatomy, arrangement), pixels, wanted)
            if found is not None:
                return Examined(arrangement, *found, n_parameters)
    return Examined("whole", ("network",), (Tap("network", "network", "flatten", wanted.shape[1]),), n_parameters)


def _tried(body: BorrowedBody, pixels: Tensor, wanted: Tensor) -> tuple[tuple[str, ...], tuple[Tap, ...]] | None:
    """Returns the groups of a body and its taps from the top down; None where they are not the network."""
    try:
        groups = body.groups()
        outputs, values = {}, pixels
        for name, group in groups.items():
            values = group(values)
            outputs[name] = values
    except Exception:  # whatever a library raises on values that it does not expect
        return None
    if not outputs or any(values.ndim == 4 and values.shape[2] != values.shape[3] for values in outputs.values()):
        return None
    pooling: Pooling = "average" if values.ndim == 4 else "flatten"
    features = pooled(values, pooling)
    if values.ndim == 3 or features.shape != wanted.shape or pooling != body.arrangement:
        return None
    if not float((features - wanted).abs().max()) <= LARGEST_DIFFERENCE * float(wanted.abs().max()):
        return None
    *below, top = outputs
    places = [name for name in reversed(below) if outputs[name].ndim == 4]
    taps = (Tap(top, top, pooling, wanted.shape[1]),)
    return tuple(groups), (*taps, *(Tap(name, name, "average", outputs[name].shape[1]) for name in places))


def _transformer_groups(network: nn.Module, pieces: Transformer) -> Iterator[tuple[str, nn.Module]]:
    stem = Part(network, lambda owner, _, values: pieces.stem(owner, values))
    head = Part(network, lambda owner, _, values: pieces.head(owner, values))
    stem.tensors.extend(network.parameters(recurse=False))
    for name, child in network.named_children():
        if name != pieces.row:
            (head if name in pieces.head_parts else stem).layers.append(child)
    yield "stem", stem
    blocks = pieces.blocks(network)
    for number, part in enumerate(_parts(list(blocks), min(N_PARTS, len(blocks))), start=1):
        stage = Part(network, _steps(pieces))
        stage.layers.extend(part)
        yield f"stage{number}", stage
    yield "head", head


def _steps(pieces: Transformer) -> Callable[[Any, Sequence[nn.Module], Tensor], Tensor]:
    def run(owner: Any, blocks: Sequence[nn.Module], values: Tensor) -> Tensor:
        for block in blocks:
            values = pieces.step(owner, block, values)
        return values

    return run


def _child_groups(network: nn.Module, *, keeps_places: bool) -> Iterator[tuple[str, nn.Module]]:
    """Yields layer groups made of a network's children in their order.

    Args:
        network: whose children run one after the other, if it is to work.
        keeps_places: leave out what follows the last layer that has weights, such as pooling.
    """
    stem: list[nn.Module] = []
    stages: list[list[nn.Module]] = []
    after: list[nn.Module] = []
    for module, is_stage in _flat(network):
        if is_stage:
            if stages:
                stages[-1] += after
            else:
                stem += after
            after = []
            stages.append([module])
        else:
            after.append(module)
    if len(stages) > MOST_STAGES:
        stages = [list(chain(*part)) for part in _parts(stages, N_PARTS)]
    if keeps_places:
        while after and not _has_weights(after[-1]):
            after.pop()
    if not any(map(_has_weights, stem)):
        stages[0] = stem + stages[0]
        stem = []
    if not any(map(_has_weights, after)):
        stages[-1] += after
        after = []
    rows = {"stem": stem, **{f"stage{number}": stage for number, stage in enumerate(stages, start=1)}, "head": after}
    yield from ((name, nn.Sequential(*row)) for name, row in rows.items() if row)


def _flat(network: nn.Module) -> list[tuple[nn.Module, bool]]:
    """Returns a network's children, its one row of stages taken apart, and whether each is a stage."""
    for name in ROWS:
        row = getattr(network, name, None)
        if isinstance(row, nn.Sequential | nn.ModuleList):
            flat: list[tuple[nn.Module, bool]] = []
            for child in network.children():
                flat += [(each, _has_weights(each)) for each in row] if child is row else [(child, False)]
            return flat
    children = list(network.children())
    rows = [isinstance(child, nn.Sequential) and _has_weights(child) for child in children]
    if not any(rows):
        rows = [any(True for _ in child.children()) and _has_weights(child) for child in children]
    return list(zip(children, rows, strict=True))


def _parts(row: list[Any], n_parts: int) -> list[list[Any]]:
    """Returns a row in parts whose lengths differ by one at most."""
    ends = [round(len(row) * part / n_parts) for part in range(n_parts + 1)]
    return [row[start:end] for start, end in pairwise(ends)]


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())
