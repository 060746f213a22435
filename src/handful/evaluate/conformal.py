"""Prediction sets: which classes to name, so that the true one is among them as often as was asked for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from handful.core.records import FloatArray, IntArray
from handful.core.trust import SetRule


def choose_sets(proba: FloatArray, labels: IntArray, *, coverage: float) -> SetRule:
    """Returns the least probability of a class that is named.

    Least ambiguous sets (Sadinle, Lei and Wasserman 2019): of N held-out probabilities of the true class, the
    floor((N + 1) (1 - coverage))-th smallest. Were the probabilities those of the very model that answers, new
    pictures drawn like these would be covered with at least the probability asked for, whatever the model (split
    conformal prediction; Vovk, Gammerman and Shafer 2005). Here each comes from a model that was fitted without its
    picture: the jackknife. That covers as asked for in the limit, where leaving one picture out hardly changes the
    model (Steinberger and Leeb 2023); with few pictures there is no guarantee, so `benchmarks/trust.py` measures it.
    No picture is given up for calibration in return.

    Args:
        proba: float64 (N, C), rows sum to 1, of pictures that the model did not see.
        labels: int64 (N,).
        coverage: the share of pictures whose class is to be named, in (0, 1).
    """
    of_the_truth = np.sort(proba[np.arange(len(labels)), labels])
    rank = math.floor((len(labels) + 1) * (1.0 - coverage) + 1e-9)  # 0.1 * 40 is 4, not 3.9999
    return SetRule(coverage, float(of_the_truth[rank - 1]) if rank else 0.0, len(labels))


def prediction_sets(proba: FloatArray, rule: SetRule) -> npt.NDArray[np.bool_]:
    """Returns bool (N, C): the classes that are named; the most probable one always is.

    A set is never empty, so where single answers are right more often than was asked for, the sets are too.
    """
    named: npt.NDArray[np.bool_] = proba >= rule.probability
    named[np.arange(len(proba)), proba.argmax(axis=1)] = True
    return named
