"""Trains an accurate image classifier from a handful of pictures, and says how good it is and how sure that is.

>>> import handful
>>> result = handful.train("photos/")  # doctest: +SKIP
>>> result.report  # doctest: +SKIP
>>> handful.load("run/").predict(["new.jpg"])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handful.core.config import TrainConfig
from handful.core.errors import (
    BundleError,
    ConfigError,
    DataError,
    HandfulError,
    MissingExtraError,
    WeightsError,
)

if TYPE_CHECKING:
    from handful.api import (
        Classifier,
        Predictions,
        Rerun,
        Result,
        StudyResult,
        Written,
        advise,
        export_onnx,
        load,
        rank_backbones,
        rerun,
        run_study,
        train,
        train_from_study,
    )
    from handful.api.estimators import FeatureExtractor, ImageClassifier

__all__ = [
    "BundleError",
    "Classifier",
    "ConfigError",
    "DataError",
    "FeatureExtractor",
    "HandfulError",
    "ImageClassifier",
    "MissingExtraError",
    "Predictions",
    "Rerun",
    "Result",
    "StudyResult",
    "TrainConfig",
    "WeightsError",
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

ESTIMATORS = frozenset({"FeatureExtractor", "ImageClassifier"})
"""Names that need scikit-learn, which is imported with the first of them."""


def __getattr__(name: str) -> Any:
    """Imports the rooms when one of their names is first used, so that `handful --help` does not wait for scipy."""
    if name not in __all__:
        raise AttributeError(f"module 'handful' has no attribute {name!r}")
    if name in ESTIMATORS:
        try:
            from handful.api import estimators
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "sklearn":
                raise
            raise MissingExtraError(f"handful.{name}", "sklearn") from None
        return getattr(estimators, name)
    from handful import api

    return getattr(api, name)
