"""How a pre-trained network is transferred to the user's pictures, and why that way."""

from handful.transfer.choose import choose, decide
from handful.transfer.model import Member, Model, classify
from handful.transfer.plan import choose_backbones
from handful.transfer.probe import Trained, locate_weights, train_probe

__all__ = [
    "Member",
    "Model",
    "Trained",
    "choose",
    "choose_backbones",
    "classify",
    "decide",
    "locate_weights",
    "train_probe",
]
