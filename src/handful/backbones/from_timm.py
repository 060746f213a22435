"""Networks of timm, by its own facts about them; imports timm."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import timm
import torch
from timm.models import get_pretrained_cfg, is_model
from timm.models.vision_transformer import VisionTransformer

from handful.backbones.facts import Facts, Source, Stated
from handful.backbones.rows import Anatomy, Transformer
from handful.core.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn


def describe(model: str, stated: Stated) -> Facts:
    """Returns what timm says about a network of its own; weights are named after the dot, else timm's default.

    Raises:
        ConfigError: timm has no such network.
    """
    config = _config(model)
    name = f"{config.architecture}.{config.tag}" if config.tag else str(config.architecture)
    source = Source(repo=str(config.hf_hub_id or ""), files=_files(config))
    return Facts(
        name=name,
        title=f"{name} (timm)",
        input_size=int(config.input_size[-1]),
        interpolation="bilinear" if config.interpolation == "bilinear" else "bicubic",
        crop_fraction=float(config.crop_pct),
        mean=_pixel_values(config.mean),
        std=_pixel_values(config.std),
        licence=str(config.license or ""),
        source=source if config.hf_hub_id and not config.custom_load else Source(),
    )


def make(model: str, stated: Stated) -> tuple[nn.Module, Anatomy]:
    """Returns a network with random weights and without its classifier, and how it is run."""
    _config(model)
    network = _created(model, num_classes=0)
    pieces = VISION_TRANSFORMER if isinstance(network, VisionTransformer) else None
    return network, Anatomy(_features, pieces)


def translate(model: str, stated: Stated, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns a published file's tensors under the network's names: the file's own, or as timm reads them.

    timm is asked for the network with its classifier: only then does it insist on every tensor.

    Raises:
        WeightsError: they are not this network's.
    """
    with torch.device("meta"):
        expected = _created(model, num_classes=0).state_dict()
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    if needed <= state.keys():
        return {name: state[name] for name in expected if name in state}
    try:
        network = _created(model, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(state)})
    except (RuntimeError, KeyError, AttributeError, ValueError) as error:
        raise WeightsError(
            f"timm cannot load these weights into {model}: {str(error)[:300]}. They belong to another network."
        ) from error
    loaded: Mapping[str, Tensor] = network.state_dict()
    return {name: loaded[name] for name in expected}


def _created(model: str, **options: Any) -> nn.Module:
    """Returns a network that takes pictures of any size, where timm has it so."""
    try:
        network: nn.Module = timm.create_model(model, dynamic_img_size=True, **options)
    except TypeError:
        network = timm.create_model(model, **options)
    return network


def _config(model: str) -> Any:
    if not is_model(model):
        near = difflib.get_close_matches(model.partition(".")[0], timm.list_models(), n=3)
        hint = f" Near: {', '.join(near)}." if near else ""
        raise ConfigError(f"timm {timm.__version__} has no network {model!r}.{hint} timm.list_models() lists all.")
    try:
        return get_pretrained_cfg(model, allow_unregistered=False)
    except RuntimeError as error:
        known = ", ".join(timm.list_pretrained(f"{model.partition('.')[0]}.*"))
        raise ConfigError(f"timm has no weights {model!r}. It has: {known or 'none'}.") from error


def _files(config: Any) -> tuple[str, ...]:
    """Returns the names under which the weights may lie, the safe format first."""
    return (str(config.hf_hub_filename),) if config.hf_hub_filename else ("model.safetensors", "pytorch_model.bin")


def _pixel_values(values: Any) -> tuple[float, float, float]:
    red, green, blue = (255.0 * float(value) for value in values)
    return red, green, blue


def _features(network: Any, pixels: Tensor) -> Tensor:
    features: Tensor = network(pixels)
    return features


def _stem(network: Any, pixels: Tensor) -> Tensor:
    tokens: Tensor = network.norm_pre(network.patch_drop(network._pos_embed(network.patch_embed(pixels))))
    return tokens


def _step(network: Any, block: nn.Module, tokens: Tensor) -> Tensor:
    after: Tensor = block(tokens)
    return after


def _head(network: Any, tokens: Tensor) -> Tensor:
    features: Tensor = network.forward_head(network.norm(tokens))
    return features


VISION_TRANSFORMER = Transformer(
    stem=_stem,
    row="blocks",
    blocks=lambda network: list(network.blocks),
    step=_step,
    head=_head,
    head_parts=("norm", "attn_pool", "fc_norm", "head_drop", "head"),
)
