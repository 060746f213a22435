"""How good a classifier is, and how sure that is: arrays in, numbers out."""

from handful.evaluate.calibration import CalibrationBin, calibration_bins, calibration_error
from handful.evaluate.conformal import choose_sets, prediction_sets
from handful.evaluate.familiar import FALSE_ALARMS, are_unlike, as_far, distances, get_familiar, reference_rows
from handful.evaluate.forecast import forecast
from handful.evaluate.intervals import upper_bounds, wilson_interval
from handful.evaluate.metrics import evaluate, log_loss
from handful.evaluate.operating import OperatingCurve, choose_threshold, operating_curve
from handful.evaluate.reject import answers_needed, are_unsure, choose_answering, risk_curve
from handful.evaluate.resampled import corrected_interval
from handful.evaluate.suspects import Doubts, doubt_labels

__all__ = [
    "FALSE_ALARMS",
    "CalibrationBin",
    "Doubts",
    "OperatingCurve",
    "answers_needed",
    "are_unlike",
    "are_unsure",
    "as_far",
    "calibration_bins",
    "calibration_error",
    "choose_answering",
    "choose_sets",
    "choose_threshold",
    "corrected_interval",
    "distances",
    "doubt_labels",
    "evaluate",
    "forecast",
    "get_familiar",
    "log_loss",
    "operating_curve",
    "prediction_sets",
    "reference_rows",
    "risk_curve",
    "upper_bounds",
    "wilson_interval",
]
