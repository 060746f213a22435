"""Frozen activations of pictures, computed once."""

from handful.features.engines import Engine, Precision, find_engine
from handful.features.engines.choose import Chosen, check_engine, choose_engine
from handful.features.engines.parity import cosines
from handful.features.extract import Show, extract, extract_at, extract_unchecked, n_missing
from handful.features.places import maps_of_squares, place_maps
from handful.features.transforms import (
    RESAMPLING,
    VIEWS,
    Fit,
    Interpolation,
    Preprocessing,
    View,
    prepare,
    prepare_views,
    seen_part,
)
from handful.features.trunk import FrozenTrunk, Pool, serialise, trunk_from_state, trunk_from_weights

__all__ = [
    "RESAMPLING",
    "VIEWS",
    "Chosen",
    "Engine",
    "Fit",
    "FrozenTrunk",
    "Interpolation",
    "Pool",
    "Precision",
    "Preprocessing",
    "Show",
    "View",
    "check_engine",
    "choose_engine",
    "cosines",
    "extract",
    "extract_at",
    "extract_unchecked",
    "find_engine",
    "maps_of_squares",
    "n_missing",
    "place_maps",
    "prepare",
    "prepare_views",
    "seen_part",
    "serialise",
    "trunk_from_state",
    "trunk_from_weights",
]
