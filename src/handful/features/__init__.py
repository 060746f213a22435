"""Frozen activations of pictures, computed once."""

from handful.features.extract import Show, extract
from handful.features.places import place_maps
from handful.features.transforms import VIEWS, Fit, Interpolation, Preprocessing, View, prepare, seen_part
from handful.features.trunk import FrozenTrunk, Pool, serialise, trunk_from_state, trunk_from_weights

__all__ = [
    "VIEWS",
    "Fit",
    "FrozenTrunk",
    "Interpolation",
    "Pool",
    "Preprocessing",
    "Show",
    "View",
    "extract",
    "place_maps",
    "prepare",
    "seen_part",
    "serialise",
    "trunk_from_state",
    "trunk_from_weights",
]
