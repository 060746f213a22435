"""New output layers on frozen features: arrays in, arrays out."""

from handful.heads.fit import fit_head, fit_heads, pool_views, predict_proba
from handful.heads.gradient import score_gradient
from handful.heads.probability import balanced_weights, choose_temperature, softmax
from handful.heads.stacked import stacked_scores
from handful.heads.typical import fit_typical

__all__ = [
    "balanced_weights",
    "choose_temperature",
    "fit_head",
    "fit_heads",
    "fit_typical",
    "pool_views",
    "predict_proba",
    "score_gradient",
    "softmax",
    "stacked_scores",
]
