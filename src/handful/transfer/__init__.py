"""How a pre-trained network is transferred to the user's pictures, and why that way."""

from handful.transfer.choose import choose, decide
from handful.transfer.model import Member, Model, classify
from handful.transfer.plan import choose_backbones
from handful.transfer.probe import Trained, locate_weights
from handful.transfer.way import Way, check_ways, choose_way, fill, idle_options, train_way

__all__ = [
    "Member",
    "Model",
    "Trained",
    "Way",
    "check_ways",
    "choose",
    "choose_backbones",
    "choose_way",
    "classify",
    "decide",
    "fill",
    "idle_options",
    "locate_weights",
    "train_way",
]
