"""scikit-learn's own checks feed rows of numbers; here every row becomes a small picture before it gets to us."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_array, validate_data

import handful

SIDE = 16


def painted(rows):
    """Returns uint8 (N, 16, 16, 3): a number of a row is the brightness of some columns."""
    bright = np.rint(np.mod(16.0 * rows + 128.0, 255.0)).astype(np.uint8)
    columns = bright[:, np.arange(SIDE) % bright.shape[1]]
    return np.repeat(np.repeat(columns[:, None, :, None], SIDE, axis=1), 3, axis=3)


class PaintedClassifier(handful.ImageClassifier):
    def fit(self, X, y=None):  # noqa: N803
        X, y = validate_data(self, X, y)  # noqa: N806
        return super().fit(painted(X), y)

    def predict_proba(self, X):  # noqa: N803
        return super().predict_proba(painted(_again(self, X)))

    def __sklearn_tags__(self):
        return of_numbers(super().__sklearn_tags__())


class PaintedExtractor(handful.FeatureExtractor):
    def fit(self, X, y=None):  # noqa: N803
        return super().fit(painted(validate_data(self, X)))

    def transform(self, X):  # noqa: N803
        return super().transform(painted(_again(self, X)))

    def __sklearn_tags__(self):
        return of_numbers(super().__sklearn_tags__())


def _again(estimator, rows):
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    return check_array(validate_data(estimator, rows, reset=False))


def of_numbers(tags):
    tags.input_tags.two_d_array = True
    tags.input_tags.string = False
    tags.no_validation = False
    return tags
