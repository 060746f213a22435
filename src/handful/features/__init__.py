"""Frozen activations of pictures, computed once."""

from handful.features.extract import extract
from handful.features.transforms import VIEWS, Fit, Interpolation, Preprocessing, View, prepare
from handful.features.trunk import FrozenTrunk, trunk_from_state, trunk_from_weights

__all__ = [
    "VIEWS",
    "Fit",
    "FrozenTrunk",
    "Interpolation",
    "Preprocessing",
    "View",
    "extract",
    "prepare",
    "trunk_from_state",
    "trunk_from_weights",
]
