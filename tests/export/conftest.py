"""A small model of everything that a graph has to do."""

from __future__ import annotations

import numpy as np
import pytest

from handful.backbones import locate
from handful.core.config import ReadingConfig
from handful.core.progress import Silent
from handful.core.records import Head, KernelPart, StackedHead
from handful.core.trust import AnswerRule, Familiar, Rules, SetRule
from handful.features import VIEWS, Preprocessing, trunk_from_weights
from handful.transfer import Member, Model

CLASSES = ("a", "b <c>", "ü")


@pytest.fixture
def make_model(toy):
    """Returns models of the toy: each change is of the preprocessing, the views or the head of its only member."""

    def make(*, head=None, views="mirror", rules=None, full_scale=255, **changes):
        trunk = trunk_from_weights(toy, locate(toy), threads=1, progress=Silent())
        shown = {"size": 32, "fit": "crop", "interpolation": "bicubic", "mean": toy.mean, "std": toy.std, "share": 0.9}
        member = Member(trunk, Preprocessing(**shown | changes), VIEWS[views], head or kernel_head())
        return Model(CLASSES, (member,), full_scale, ReadingConfig(), rules)

    return make


def kernel_head(seed=0):
    rng = np.random.default_rng(seed)
    kernel = KernelPart(rng.normal(size=(5, 16)).astype(np.float32), rng.normal(size=(5, 3)), 0.3)
    return Head(rng.normal(size=(16, 3)), rng.normal(size=3), 0.7, kernel)


def stacked_head(nonlinearity):
    rng = np.random.default_rng(1)
    layers = ((rng.normal(size=(16, 7)), rng.normal(size=7)), (rng.normal(size=(7, 3)), rng.normal(size=3)))
    return StackedHead(layers, nonlinearity, 1.7)


def rules(confidence=0.6):
    rng = np.random.default_rng(2)
    references = rng.normal(size=(20, 16)).astype(np.float32)
    references /= np.linalg.norm(references, axis=1, keepdims=True)
    familiar = Familiar(references, np.linspace(0.05, 0.4, 20))
    return Rules(AnswerRule(0.05, confidence, 100, 70, 1), SetRule(0.9, 0.2, 100), None, familiar)
