"""Training of the upper layers of a network and of new ones on top, by gradient descent.

Only what needs no PyTorch is here. The rest is imported where a network runs: `freeze` cuts the network, `stack` makes
the new layers, `activations` and `batches` feed them, `loop` trains one model, `together` many stacks of new layers at
once.
"""

from handful.finetune.kept import Place, kept_trainings, place_of, work_seconds
from handful.finetune.layers import NewLayer, parse_head
from handful.finetune.precision import Device, Precision, training_device, training_precision
from handful.finetune.recipe import cautions, check_extras, check_recipe, count_frozen, groups_below, resolve
from handful.finetune.schedule import Schedule, rate

__all__ = [
    "Device",
    "NewLayer",
    "Place",
    "Precision",
    "Schedule",
    "cautions",
    "check_extras",
    "check_recipe",
    "count_frozen",
    "groups_below",
    "kept_trainings",
    "parse_head",
    "place_of",
    "rate",
    "resolve",
    "training_device",
    "training_precision",
    "work_seconds",
]
