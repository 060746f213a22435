"""Networks of Hugging Face's transformers: vision transformers of the kinds listed here; imports transformers.

A network on the hub says its kind in a file of its own, config.json. Nothing is imported by that name: the kinds are
listed here, with the classes that make them, and of the file only numbers and words that shape the network are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import transformers

from handful.backbones.facts import Facts, Source, Stated, checked
from handful.backbones.rows import Anatomy, Transformer
from handful.core.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

INTERPOLATIONS: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, in preprocessor_config.json; others become the nearest that handful has, bicubic."""

SHAPING = (
    "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "mlp_ratio",
    "hidden_act", "layer_norm_eps", "image_size", "patch_size", "num_channels", "qkv_bias", "layerscale_value",
    "use_swiglu_ffn", "use_mask_token", "num_register_tokens", "rope_theta", "pos_embed_rescale", "query_bias",
    "key_bias", "value_bias", "proj_bias", "mlp_bias", "use_gated_mlp",
)  # fmt: skip
"""What is read of config.json. Other entries can name code."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of network.

    Attributes:
        configuration: the class of its configuration.
        network: the class that makes it.
        pieces: how it is run.
        options: of the class that makes it.
    """

    configuration: type
    network: Any
    pieces: Transformer
    options: tuple[tuple[str, bool], ...] = ()


def describe(model: str, stated: Stated) -> Facts:
    """Returns the facts about a network from its own files, config.json and preprocessor_config.json.

    Args:
        model: its name on the hub.
        stated: what these files hold.

    Raises:
        ConfigError: it is of no kind that handful knows.
        WeightsError: the files do not say how pictures are to be shown.
    """
    shown = stated.preprocessor
    if not shown:
        raise WeightsError(f"{model} does not say how it is shown pictures: preprocessor_config.json is missing.")
    if shown.get("do_rescale") is False:
        raise WeightsError(f"{model} wants pixel values from 0 to 255, which handful does not do for hub networks.")
    _kind(model, stated)
    resized = _side(shown.get("size", {}))
    size = _side(shown["crop_size"]) if shown.get("do_center_crop") and "crop_size" in shown else resized
    if not size:
        raise WeightsError(f"{model} names no picture size in preprocessor_config.json.")
    is_normalised = shown.get("do_normalize", True)
    return Facts(
        name=model,
        title=f"{model} (Hugging Face)",
        input_size=size,
        interpolation=INTERPOLATIONS.get(shown.get("resample", 3), "bicubic"),
        crop_fraction=min(1.0, size / (resized or size)),
        mean=_pixel_values(shown["image_mean"]) if is_normalised else (0.0, 0.0, 0.0),
        std=_pixel_values(shown["image_std"]) if is_normalised else (255.0, 255.0, 255.0),
        licence="",
        source=Source(),
        settings=shaping(model, stated),
    )


def shaping(model: str, stated: Stated) -> dict[str, Any]:
    """Returns what of a network's configuration shapes it, checked; of a network with a text part the image tower's."""
    if stated.settings:
        return checked(stated.settings, SHAPING)
    config = stated.config
    if not isinstance(config.get("model_type"), str):
        raise ConfigError(f"{model} is no network of transformers: its config.json names no model_type.")
    if config["model_type"] == "clip":
        config = {**config.get("vision_config", {}), "model_type": "clip"}
    return checked({name: config[name] for name in SHAPING if name in config}, SHAPING)


def make(model: str, stated: Stated) -> tuple[nn.Module, Anatomy]:
    """Returns a network with random weights, and how it is run."""
    kind = _kind(model, stated)
    with _quiet():
        network = kind.network(_configured(kind, model, stated), **dict(kind.options))
    return network, Anatomy(_features, kind.pieces)


def translate(model: str, stated: Stated, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns a published file's tensors under the network's names, as transformers reads them.

    Raises:
        WeightsError: they are not this network's.
    """
    kind = _kind(model, stated)
    with _quiet():
        network, found = kind.network.from_pretrained(
            None,
            config=_configured(kind, model, stated),
            state_dict=dict(state),
            output_loading_info=True,
            **dict(kind.options),
        )
    faults = [*found["missing_keys"], *found["mismatched_keys"]]
    if faults:
        raise WeightsError(
            f"the weights lack {len(faults)} tensors of {model} or hold them in another shape, among them "
            f"{min(map(str, faults))}. They belong to another network; get them again."
        )
    loaded: Mapping[str, Tensor] = network.state_dict()
    return loaded


def _kind(model: str, stated: Stated) -> Kind:
    name = str(shaping(model, stated)["model_type"])
    if name not in KINDS:
        raise ConfigError(
            f"{model} is of kind {name!r}, which handful does not know as a network for pictures. It takes: "
            f"{', '.join(KINDS)}. Most other networks for pictures are in timm: --backbone timm:NAME."
        )
    return KINDS[name]


def _configured(kind: Kind, model: str, stated: Stated) -> Any:
    settings = {name: value for name, value in shaping(model, stated).items() if name != "model_type"}
    return kind.configuration(**settings)


def _side(size: Any) -> int:
    """Returns the side in {"shortest_edge": 256}, {"height": 224, "width": 224} or 224; 0 where there is none."""
    if isinstance(size, dict):
        size = size.get("shortest_edge") or size.get("height") or 0
    return int(size)


def _pixel_values(values: Any) -> tuple[float, float, float]:
    red, green, blue = (255.0 * float(value) for value in values)
    return red, green, blue


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library from reporting on the parts of a file that are not wanted, such as a text tower."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _features(network: Any, pixels: Tensor) -> Tensor:
    sized = {"interpolate_pos_encoding": True} if isinstance(network, INTERPOLATING) else {}
    found = network(pixels, **sized)
    features: Tensor = found.last_hidden_state[:, 0] if found.pooler_output is None else found.pooler_output
    return features


def _resized_stem(network: Any, pixels: Tensor) -> Tensor:
    tokens: Tensor = network.embeddings(pixels, interpolate_pos_encoding=True)
    return tokens


def _step(network: Any, block: nn.Module, tokens: Tensor) -> Tensor:
    after: Tensor = block(tokens, None)
    return after


def _turned_step(network: Any, block: nn.Module, tokens: Tensor) -> Tensor:
    """Runs a block whose positions are rotations, which follow from the number of patches of a square picture."""
    side = math.isqrt(tokens.shape[1] - 1 - network.config.num_register_tokens) * network.config.patch_size
    positions = network.rope_embeddings(tokens.new_empty((1, 3, side, side)))
    after: Tensor = block(tokens, position_embeddings=positions)
    return after


def _class_token(network: Any, tokens: Tensor) -> Tensor:
    features: Tensor = network.layernorm(tokens)[:, 0]
    return features


DINOV2 = Transformer(
    stem=lambda network, pixels: network.embeddings(pixels),
    row="encoder",
    blocks=lambda network: list(network.encoder.layer),
    step=_step,
    head=_class_token,
    head_parts=("layernorm",),
)

INTERPOLATING = (transformers.CLIPVisionModel, transformers.ViTModel)
"""Networks that fit their positions to other picture sizes only where they are told to."""

KINDS = {
    "dinov2": Kind(transformers.Dinov2Config, transformers.Dinov2Model, DINOV2),
    "dinov2_with_registers": Kind(
        transformers.Dinov2WithRegistersConfig, transformers.Dinov2WithRegistersModel, DINOV2
    ),
    "dinov3_vit": Kind(
        transformers.DINOv3ViTConfig,
        transformers.DINOv3ViTModel,
        Transformer(
            stem=lambda network, pixels: network.embeddings(pixels),
            row="model",
            blocks=lambda network: list(network.model.layer),
            step=_turned_step,
            head=lambda network, tokens: network.norm(tokens)[:, 0],
            head_parts=("norm",),
        ),
    ),
    "clip": Kind(
        transformers.CLIPVisionConfig,
        transformers.CLIPVisionModel,
        Transformer(
            stem=lambda network, pixels: network.pre_layrnorm(_resized_stem(network, pixels)),
            row="encoder",
            blocks=lambda network: list(network.encoder.layers),
            step=_step,
            head=lambda network, tokens: network.post_layernorm(tokens[:, 0]),
            head_parts=("post_layernorm",),
        ),
    ),
    "vit": Kind(
        transformers.ViTConfig,
        transformers.ViTModel,
        Transformer(
            stem=_resized_stem,
            row="layers",
            blocks=lambda network: list(network.layers),
            step=_step,
            head=_class_token,
            head_parts=("layernorm",),
        ),
        options=(("add_pooling_layer", False),),
    ),
}
