"""Trains an accurate image classifier from a handful of pictures, and says how good it is and how sure that is.

>>> import handful
>>> result = handful.train("photos/")  # doctest: +SKIP
>>> result.report  # doctest: +SKIP
>>> handful.load("run/").predict(["new.jpg"])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handful.core.config import TrainConfig
from handful.core.errors import BundleError, ConfigError, DataError, HandfulError, WeightsError

if TYPE_CHECKING:
    from handful.api import (
        Classifier,
        Predictions,
        Result,
        StudyResult,
        advise,
        export_onnx,
        load,
        rank_backbones,
        run_study,
        train,
        train_from_study,
    )

__all__ = [
    "BundleError",
    "Classifier",
    "ConfigError",
    "DataError",
    "HandfulError",
    "Predictions",
    "Result",
    "StudyResult",
    "TrainConfig",
    "WeightsError",
    "advise",
    "export_onnx",
    "load",
    "rank_backbones",
    "run_study",
    "train",
    "train_from_study",
]


def __getattr__(name: str) -> Any:
    """Imports the rooms when one of their names is first used, so that `handful --help` does not wait for scipy."""
    if name not in __all__:
        raise AttributeError(f"module 'handful' has no attribute {name!r}")
    from handful import api

    return getattr(api, name)
