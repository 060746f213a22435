"""How a pre-trained network is transferred to the user's pictures, and why that way."""

from handful.transfer.choose import choose, decide
from handful.transfer.clock import Time
from handful.transfer.cross import check_folds
from handful.transfer.frozen import frozen_trunk
from handful.transfer.hired import check_spread
from handful.transfer.looks import find_looks
from handful.transfer.model import (
    Examined,
    Member,
    Model,
    classify,
    describe_features,
    examine,
    judge,
    see_unchecked,
    side_by_side,
)
from handful.transfer.plan import BEST, choose_backbones, plan_features
from handful.transfer.probe import Trained, locate_weights
from handful.transfer.ranking import locate_all, rank
from handful.transfer.trust import check_miss, find_trust
from handful.transfer.way import Way, check_ways, choose_way, fill, idle_options, located, settled, train_way

__all__ = [
    "BEST",
    "Examined",
    "Member",
    "Model",
    "Time",
    "Trained",
    "Way",
    "check_folds",
    "check_miss",
    "check_spread",
    "check_ways",
    "choose",
    "choose_backbones",
    "choose_way",
    "classify",
    "decide",
    "describe_features",
    "examine",
    "fill",
    "find_looks",
    "find_trust",
    "frozen_trunk",
    "idle_options",
    "judge",
    "locate_all",
    "locate_weights",
    "located",
    "plan_features",
    "rank",
    "see_unchecked",
    "settled",
    "side_by_side",
    "train_way",
]
