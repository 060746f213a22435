"""From a verified weights file, or from tensors, to a network; PyTorch is imported when a network is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from handful.backbones.network import Network
from handful.backbones.spec import BackboneSpec, Tap
from handful.backbones.store import LocatedWeights
from handful.core.errors import DataError, WeightsError
from handful.core.files import sha256_bytes
from handful.core.unpickle import read_numpy_pickle, read_torch_state

if TYPE_CHECKING:
    from torch import Tensor

    from handful.backbones.grouped import GroupedNetwork


def load(spec: BackboneSpec, located: LocatedWeights, *, with_classifier: bool = False) -> Network:
    """Returns a pre-trained network in evaluation mode.

    The file is hashed again as it is read. The network ends where its weights end: AlexNet and VGG-16 from the
    package index are their convolutions alone.

    Args:
        spec: which network.
        located: its file, from `locate` or `get`.
        with_classifier: keep the 1000-way ImageNet classifier.

    Raises:
        WeightsError: the file was changed since it was located, is damaged, belongs to another network, or does not
            hold the classifier that was asked for.
    """
    from handful.backbones.grouped import from_tensors

    network = from_tensors(spec, _read(spec, located), with_classifier=with_classifier)
    if with_classifier and network.n_groups < len(spec.groups):
        raise WeightsError(
            f"{located.path} does not hold the 1000-way classifier of {spec.title}, only {network.groups()[0][0]} to "
            f"{network.groups()[-1][0]}. Get the whole network with: handful backbones --get {spec.name} --full"
        )
    return network


def untrained(spec: BackboneSpec) -> Network:
    """Returns a network up to its default tap with all weights zero, to be drawn at random before it is used.

    One of another library comes as that draws it, always the same: it may hold weights of other kinds.
    """
    from handful.backbones.grouped import zero_tensors

    if spec.library:
        return _drawn(spec)
    return from_state(spec, zero_tensors(spec))


def from_state(spec: BackboneSpec, state: Mapping[str, Tensor]) -> Network:
    """Returns the network that some tensors make, in evaluation mode: how a saved model brings its own weights.

    Args:
        spec: which network.
        state: tensors by their published names, as `state_of` gives them.

    Raises:
        WeightsError: a tensor is missing, unknown, of another shape, or not finite.
    """
    from handful.backbones.grouped import from_tensors

    return from_tensors(spec, state)


def state_of(network: Network, tap: Tap | None = None) -> dict[str, Tensor]:
    """Returns the tensors that the features at a tap need, by their published names.

    Args:
        network: a loaded network; not one that `for_inference` has folded.
        tap: one of the spec's taps; the default one when None.
    """
    from handful.backbones.grouped import tensors_up_to

    tap = tap or network.spec.default_tap
    return tensors_up_to(cast("GroupedNetwork", network), tap.group)


def _drawn(spec: BackboneSpec) -> Network:
    from handful.backbones.grouped import GroupedNetwork

    return GroupedNetwork(spec, spec.build(), len(spec.groups)).eval()


def _read(spec: BackboneSpec, located: LocatedWeights) -> dict[str, Tensor]:
    if located.file.format == "torch":
        return read_torch_state(located.path, sha256=located.sha256)
    data = _read_verified(located)
    if located.file.format == "safetensors":
        return _safetensors(data, located)
    try:
        return _from_flax(spec, read_numpy_pickle(data))
    except (DataError, LookupError, TypeError) as error:
        raise WeightsError(f"{located.path} does not hold the arrays of {spec.title}: {error}") from error


def _read_verified(located: LocatedWeights) -> bytes:
    try:
        data = located.path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {located.path}: {error.strerror}. Get the weights again.") from error
    if sha256_bytes(data) != located.sha256:
        raise WeightsError(
            f"{located.path} has SHA-256 {sha256_bytes(data)}, expected {located.sha256}: it changed after it was "
            "found. Get the weights again."
        )
    return data


def _safetensors(data: bytes, located: LocatedWeights) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load as load_bytes

    try:
        return load_bytes(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"{located.path} is not a whole safetensors file: {error}. Get it again.") from error


def _from_flax(spec: BackboneSpec, tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns convolutions under torchvision's names from flax's `{network: {Conv_i: {kernel, bias}}}`.

    Kernels come as (height, width, in, out) and go as (out, in, height, width). The arrays of LPIPS's own layers,
    which stand beside the network's, are left.
    """
    import torch

    with torch.device("meta"):
        body = spec.build()
    places = [name for name, module in body.named_modules() if isinstance(module, torch.nn.Conv2d)]
    network = next(part for name, part in tree.items() if not name.startswith("NetLinLayer"))
    state = {}
    for index, place in enumerate(places):
        arrays = network[f"Conv_{index}"]
        state[f"{place}.weight"] = torch.from_numpy(arrays["kernel"]).permute(3, 2, 0, 1).contiguous()
        state[f"{place}.bias"] = torch.from_numpy(arrays["bias"])
    return state
