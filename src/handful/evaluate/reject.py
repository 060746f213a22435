"""When to answer and when to say "unsure", so that only a chosen share of the answers is wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handful.core.records import FloatArray, IntArray
from handful.core.trust import AnswerRule, RiskPoint
from handful.evaluate.intervals import upper_bounds

MARGIN = 0.9
"""How sure a promise is: the true share stays below the bound in so many of the cases."""


def choose_answering(proba: FloatArray, labels: IntArray, *, risk: float) -> AnswerRule:
    """Returns the rule that answers most pictures while the upper bound of its share of mistakes stays within the risk.

    Selective classification (Geifman and El-Yaniv 2017): among the pictures in order of confidence, the longest head
    whose exact binomial bound at 90 % (Clopper and Pearson 1934, one-sided) is at most the risk. They correct the
    bound for trying several heads; we do not, because heads that nearly coincide are nearly one trial, and measure how
    often the risk is exceeded instead (`benchmarks/trust.py`).

    Args:
        proba: float64 (N, C), rows sum to 1, of pictures that the model did not see.
        labels: int64 (N,).
        risk: the share of wrong answers that may be, in (0, 1).
    """
    confidence, n_wrong = _by_confidence(proba, labels)
    n_images = len(labels)
    sizes = np.arange(1, n_images + 1)
    ends = np.r_[confidence[1:] < confidence[:-1], True]  # pictures of equal confidence are answered together
    allowed = np.flatnonzero(ends & (upper_bounds(n_wrong, sizes, level=MARGIN) <= risk))
    if not len(allowed):
        return AnswerRule(risk, None, n_images, 0, 0)
    last = int(allowed[-1])
    least = 0.0 if last + 1 == n_images else float(confidence[last])
    return AnswerRule(risk, least, n_images, last + 1, int(n_wrong[last]))


def are_unsure(proba: FloatArray, rule: AnswerRule) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): which pictures of float64 (N, C) get no answer; all, where nothing could be promised."""
    least = np.inf if rule.confidence is None else rule.confidence
    unsure: npt.NDArray[np.bool_] = proba.max(axis=1) < least
    return unsure


def answers_needed(risk: float) -> int:
    """Returns how many answers without a mistake it takes to promise a risk.

    Example:
        >>> answers_needed(0.05)
        45
    """
    return int(np.ceil(np.log(1.0 - MARGIN) / np.log(1.0 - risk)))


def risk_curve(proba: FloatArray, labels: IntArray) -> tuple[RiskPoint, ...]:
    """Returns what each level of confidence gives, the highest first (El-Yaniv and Wiener 2010); empty for no picture.

    Args:
        proba: float64 (N, C), rows sum to 1.
        labels: int64 (N,).
    """
    confidence, n_wrong = _by_confidence(proba, labels)
    ends = np.flatnonzero(np.r_[confidence[1:] < confidence[:-1], True][: len(labels)])
    return tuple(
        RiskPoint(float(confidence[end]), (end + 1) / len(labels), float(n_wrong[end] / (end + 1)))
        for end in ends.tolist()
    )


def _by_confidence(proba: FloatArray, labels: IntArray) -> tuple[FloatArray, IntArray]:
    """Returns the confidences, the highest first, and how many mistakes there are up to each."""
    confidence = proba.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (proba.argmax(axis=1) != labels)[order]
    return confidence[order], np.cumsum(wrong, dtype=np.int64)
