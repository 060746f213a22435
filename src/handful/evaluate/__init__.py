"""How good a classifier is, and how sure that is: arrays in, numbers out."""

from handful.evaluate.calibration import CalibrationBin, calibration_bins, calibration_error
from handful.evaluate.intervals import wilson_interval
from handful.evaluate.metrics import evaluate

__all__ = ["CalibrationBin", "calibration_bins", "calibration_error", "evaluate", "wilson_interval"]
