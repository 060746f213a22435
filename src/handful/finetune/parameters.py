"""Which tensors are trained, each with its factor and its decay; imports PyTorch."""

from __future__ import annotations

from torch import nn

from handful.core.config import FinetuneConfig
from handful.finetune.freeze import Trainable
from handful.finetune.optimiser import ParameterGroup
from handful.finetune.recipe import layer_factors


def parameter_groups(model: Trainable, config: FinetuneConfig) -> tuple[ParameterGroup, ...]:
    """Returns a group for the weights and one for the biases of every layer, with their factors.

    Decay is for the weights of convolutions and fully connected layers; biases and the scales of batch normalisation
    decay only with `decay_biases`.

    Args:
        model: what is trained; a factor for one of the frozen groups has nothing to do.
        config: the options.
    """
    layers = model.layers()
    factors = {
        "weight": _factors(model, config.weight_factor, option="weight_factor"),
        "bias": _factors(model, config.bias_factor, option="bias_factor"),
    }
    groups = []
    for layer, module in layers.items():
        for kind in ("weight", "bias"):
            for decays in (True, False):
                tensors = tuple(
                    parameter
                    for name, parameter in module.named_parameters()
                    if (name.split(".")[-1] == "bias") == (kind == "bias") and _decays(parameter, config) == decays
                )
                if tensors:
                    groups.append(ParameterGroup(f"{layer} {kind}", tensors, factors[kind].get(layer, 1.0), decays))
    return tuple(groups)


def _factors(model: Trainable, text: str, *, option: str) -> dict[str, float]:
    return layer_factors(text, option=option, groups=model.group_names, n_new=len(model.head.layers))


def _decays(parameter: nn.Parameter, config: FinetuneConfig) -> bool:
    return parameter.ndim > 1 or config.decay_biases
