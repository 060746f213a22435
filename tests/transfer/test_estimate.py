"""Estimates against a training whose every step takes a known time."""

from __future__ import annotations

import pytest

from handful.core.config import SplitConfig, TrainConfig
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.transfer import estimate, locate_weights
from handful.transfer.layers import Work

OPENING, WARMING, UPDATE = 6.0, 9.0, 2.0


@pytest.fixture
def seconds(photos, toy, monkeypatch):
    """Returns a function that estimates with the given options; 32 of 40 training pictures train, 8 validate."""
    now = [0.0]
    monkeypatch.setattr(estimate, "perf_counter", lambda: now[0])

    class Updates:
        iterations = (None, None)

    def trained(work, frozen, recipe, preprocessing, *, rows, validation):
        assert (len(rows), validation, recipe.epochs, recipe.time) == (8, None, 1, None)
        now[0] += OPENING
        with work.progress.stage("Training", 2) as advance:
            for step in (WARMING, UPDATE):
                now[0] += step
                advance(1)
        return None, Updates, None

    monkeypatch.setattr(Work, "trained", trained)
    table = read(photos, TrainConfig().reading, threads=1, progress=Silent())

    def estimated(**options):
        given = {"backbone": "toy", "strategy": "full", "batch": 4, "interpolation": "bilinear", **options}
        config = TrainConfig.of(given)
        (backbone,) = locate_weights(config)
        parts = split(table, SplitConfig(), seed=0)
        return estimate.training_seconds(Work(table, parts, config, *backbone, 1, Silent()))

    return estimated


def test_epochs_cost_updates_and_a_look_at_the_validation_part_each(seconds):
    # Of the 8 pictures that were timed: opened in 6 s, and learnt from, 4 at a time, in 2 s an update once warm.
    opening, a_picture = 40 * 6.0 / 8, 2.0 / 4
    assert seconds(epochs=1) == pytest.approx(opening + a_picture * (32 + 8 / 3))
    assert seconds(epochs=10, time="1m", stop_at=0.99) == pytest.approx(opening + 10 * a_picture * (32 + 8 / 3))


def test_more_looks_and_a_second_training_take_longer(seconds):
    opening, a_picture = 40 * 6.0 / 8, 2.0 / 4
    assert seconds(epochs=10, every=2) == pytest.approx(opening + 10 * a_picture * (32 + 4 * 8 / 3))
    assert seconds(epochs=10, refit=True) == pytest.approx(opening + 10 * a_picture * (32 + 40 + 8 / 3))
