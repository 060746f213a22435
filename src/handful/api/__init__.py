"""The whole path through the house, for people who write Python."""

from handful.api.bulk import Written
from handful.api.exporting import export_onnx
from handful.api.prediction import Classifier, Predictions, load
from handful.api.repeating import Rerun, rerun
from handful.api.studies import StudyResult, run_study, train_from_study
from handful.api.training import Result, advise, rank_backbones, train

__all__ = [
    "Classifier",
    "Predictions",
    "Rerun",
    "Result",
    "StudyResult",
    "Written",
    "advise",
    "export_onnx",
    "load",
    "rank_backbones",
    "rerun",
    "run_study",
    "train",
    "train_from_study",
]
