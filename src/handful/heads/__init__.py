"""New output layers on frozen features: arrays in, arrays out."""

from handful.heads.fit import fit_head, predict_proba
from handful.heads.stacked import stacked_scores

__all__ = ["fit_head", "predict_proba", "stacked_scores"]
