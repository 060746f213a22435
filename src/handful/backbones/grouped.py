"""A network as a row of layer groups; imports PyTorch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from handful.backbones.spec import BackboneSpec, Pooling, Tap
from handful.core.errors import ConfigError, WeightsError

TINY = 1e-12
"""Added to the length that features are divided by, which is 0 where all of them are."""


class Body(nn.Module, ABC):
    """An architecture under the parameter names of its published weights.

    Children stand in the order in which they run, so that a convolution and the batch normalisation after it are
    neighbours (`handful.backbones.inference` folds them).
    """

    @abstractmethod
    def groups(self) -> dict[str, nn.Module]:
        """Returns the spec's layer groups, in order; they share their layers with this module."""


class GroupedNetwork(nn.Module):
    """The `Network` that this room makes: a body, cut off above the last group that has weights."""

    def __init__(self, spec: BackboneSpec, body: Body, n_groups: int) -> None:
        super().__init__()
        self.spec = spec
        self.body = body
        self.n_groups = n_groups

    def groups(self) -> list[tuple[str, nn.Module]]:
        """Returns the layer groups from bottom to top."""
        return list(self.body.groups().items())[: self.n_groups]

    def features(self, pixels: Tensor, tap: Tap | None = None) -> Tensor:
        """Returns features, float32 (N, D); see `Network.features`."""
        return self.activations(pixels, [tap or self.spec.default_tap])[0]

    def activations(self, pixels: Tensor, taps: Sequence[Tap]) -> tuple[Tensor, ...]:
        """Returns the features at several taps from one pass, each (N, D); see `Network.activations`."""
        names = [name for name, _ in self.groups()]
        for tap in taps:
            if tap.group not in names:
                raise ConfigError(
                    f"{self.spec.name} gives no features at {tap.name!r}: its weights reach up to {names[-1]!r}. "
                    f"Use one of: {', '.join(other.name for other in self.spec.taps if other.group in names)}."
                )
        top = max(names.index(tap.group) for tap in taps)
        parts: dict[Tap, list[Tensor]] = {tap: [] for tap in taps}
        values = pixels
        for name, group in self.groups()[: top + 1]:
            values = self._run(group, values, size=pixels.shape[-1])
            for tap, found in parts.items():
                if name == tap.group or name in tap.beside:
                    found.append(pooled(values, tap.pooling))
        return tuple(_joined(parts[tap]) for tap in taps)

    def _run(self, group: nn.Module, values: Tensor, *, size: int) -> Tensor:
        try:
            after: Tensor = group(values)
        except (AssertionError, ValueError, RuntimeError) as error:
            if not self.spec.library or size == self.spec.input_size:
                raise
            raise ConfigError(
                f"{self.spec.title} cannot take pictures of {size} pixels: {str(error).rstrip('.')}. Its own size is "
                f"{self.spec.input_size}; leave --size out."
            ) from error
        return after

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the 1000 ImageNet logits, float32 (N, 1000); see `Network.forward`."""
        if self.n_groups < len(self.spec.groups) or not self.spec.has_classifier:
            raise ConfigError(
                f"the 1000-way classifier of {self.spec.name} is not loaded; "
                "pass with_classifier=True to load(), with weights that hold it."
            )
        values = pixels
        for _, group in self.groups():
            values = group(values)
        return values


def pooled(values: Tensor, pooling: Pooling) -> Tensor:
    """Returns features (N, D) of a layer group's output, (N, channels, H, W) or (N, D)."""
    if values.ndim == 4 and pooling == "average":
        values = values.mean(dim=(2, 3))
    if values.ndim == 4 and pooling == "places":
        values = values.permute(0, 2, 3, 1)
    return values.flatten(1)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Returns a single part as it is; several side by side, (N, D), each of length 1."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat([part / (part.norm(dim=1, keepdim=True) + TINY) for part in parts], dim=1)


def from_tensors(spec: BackboneSpec, state: Mapping[str, Tensor], *, with_classifier: bool = True) -> GroupedNetwork:
    """Returns the network that some tensors make: the layer groups from the bottom that they cover.

    Args:
        spec: the architecture.
        state: tensors under the names of the published weights.
        with_classifier: False leaves out the 1000-way classifier where the tensors hold it.

    Raises:
        WeightsError: a tensor is missing, unknown, of another shape, or not finite.
    """
    with torch.device("meta"):  # no memory and no random numbers for what is replaced at once
        body = spec.build()
    expected = dict(body.state_dict())
    if spec.translate is not None and not state.keys() <= expected.keys():
        state = spec.translate(state)
    _check_tensors(spec, state, expected)
    if not with_classifier and spec.has_classifier:
        classifier = _keys_by_group(body)[spec.groups[-1]]
        state = {name: tensor for name, tensor in state.items() if name not in classifier}
    n_groups = _n_covered(spec, body, state)
    ready = {name: _contiguous(tensor, expected[name]) for name, tensor in state.items()}
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked") and name.removesuffix("num_batches_tracked") + "weight" in ready:
            ready.setdefault(name, torch.zeros((), dtype=tensor.dtype))
    body.load_state_dict(ready, strict=False, assign=True)
    _drop_empty_layers(body)
    return GroupedNetwork(spec, body, n_groups).eval()


def tensors_up_to(network: GroupedNetwork, group: str) -> dict[str, Tensor]:
    """Returns the tensors of the layer groups from the bottom up to one of them, by their published names."""
    names: set[str] = set()
    for name, keys in _keys_by_group(network.body).items():
        names |= keys
        if name == group:
            break
    return {name: tensor for name, tensor in network.body.state_dict().items() if name in names}


def zero_tensors(spec: BackboneSpec) -> dict[str, Tensor]:
    """Returns zeros in the shapes of the tensors that the default tap's features need, by their published names."""
    with torch.device("meta"):
        network = GroupedNetwork(spec, spec.build(), len(spec.groups))
    needed = tensors_up_to(network, spec.default_tap.group)
    return {name: torch.zeros_like(tensor, device="cpu") for name, tensor in needed.items()}


def _check_tensors(spec: BackboneSpec, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    for name, tensor in state.items():
        if name not in expected:
            raise WeightsError(
                f"the weights hold {name!r}, which {spec.title} does not have (its first tensor is "
                f"{next(iter(expected))!r}). They belong to another network or use other names."
            )
        if tensor.shape != expected[name].shape:
            raise WeightsError(
                f"{name!r} has shape {tuple(tensor.shape)} in the weights; {spec.title} needs "
                f"{tuple(expected[name].shape)}. They belong to another network."
            )
        total = tensor.sum(dtype=torch.float64)  # finite only if every element is; takes no memory, unlike isfinite
        if tensor.is_floating_point() != expected[name].is_floating_point() or not bool(torch.isfinite(total)):
            raise WeightsError(
                f"{name!r} holds values that are not finite numbers of the right kind ({tensor.dtype}). "
                f"The weights of {spec.title} are damaged; get them again."
            )


def _n_covered(spec: BackboneSpec, body: Body, state: Mapping[str, Tensor]) -> int:
    """Returns how many groups from the bottom the tensors cover; a half-covered one, or a gap, is an error."""
    keys_by_group = _keys_by_group(body)
    n_covered = max((index for index, keys in enumerate(keys_by_group.values(), 1) if keys & state.keys()), default=0)
    needed = set().union(*list(keys_by_group.values())[: n_covered or None])
    absent = sorted(key for key in needed - state.keys() if not key.endswith("num_batches_tracked"))
    if absent:
        raise WeightsError(
            f"the weights of {spec.title} lack {len(absent)} of its tensors, among them {absent[0]!r}. "
            "They are incomplete; get them again."
        )
    return n_covered


def _keys_by_group(body: Body) -> dict[str, set[str]]:
    """Returns, for every layer group, the published names of its tensors."""
    names = {id(tensor): name for name, tensor in body.state_dict(keep_vars=True).items()}
    return {
        group: {names[id(tensor)] for tensor in module.state_dict(keep_vars=True).values()}
        for group, module in body.groups().items()
    }


def _contiguous(tensor: Tensor, expected: Tensor) -> Tensor:
    return tensor.detach().to(expected.dtype).contiguous()


def _drop_empty_layers(body: Body) -> None:
    """Replaces layers without weights, so that nobody counts or trains them."""
    for parent in list(body.modules()):
        for name, child in list(parent.named_children()):
            if any(parameter.is_meta for parameter in child.parameters(recurse=False)):
                setattr(parent, name, nn.Identity())
