"""The four cases at their edges, and plans that can be applied."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from handful import backbones
from handful.core.advice import Similarity
from handful.core.config import SplitConfig, TrainConfig
from handful.core.progress import Silent
from handful.split import split
from handful.testing.tables import table_of
from handful.transfer.choose import (
    FEWEST_EPOCHS,
    LARGE_DIFFERENT,
    LARGE_SIMILAR,
    MOST_EPOCHS,
    choose,
    count_frozen_groups,
    decide,
)


def decided(similarity=0.7, n_images=500, n_classes=5, n_groups=9, interval=None):
    measured = Similarity(similarity, interval or (similarity - 0.02, similarity + 0.02), 0.1, 96)
    return choose(measured, n_images=n_images, n_classes=n_classes, backbone="toy", n_groups=n_groups)


@pytest.mark.parametrize(
    ("similarity", "n_images", "case", "strategy"),
    [(0.7, 2_000, 1, "features"), (0.3, 2_600, 2, "freeze"), (0.3, 60_000, 3, "scratch"), (0.7, 60_000, 4, "full")],
)
def test_each_case_of_the_papers_figure_has_its_way(similarity, n_images, case, strategy):
    decision = decided(similarity, n_images)
    assert (decision.case, decision.plan.strategy) == (case, strategy)


def test_the_border_of_similarity_belongs_to_similar():
    assert [decided(value).case for value in (0.5, 0.5 - 1e-9)] == [1, 2]


@pytest.mark.parametrize(
    ("similarity", "small", "large", "size"), [(0.7, 1, 4, LARGE_SIMILAR), (0.2, 2, 3, LARGE_DIFFERENT)]
)
def test_a_set_is_large_when_both_figures_are_reached(similarity, small, large, size):
    many_classes = size.in_all // size.per_class + 1

    def case(n_images, n_classes):
        return decided(similarity, n_images, n_classes).case

    assert [case(size.in_all - 1, 2), case(size.in_all, 2)] == [small, large]
    enough = many_classes * size.per_class
    assert enough > size.in_all
    assert [case(enough - 1, many_classes), case(enough, many_classes)] == [small, large]


def test_the_papers_own_set_is_case_1():
    for n_images in (1_600, 3_200):
        assert decided(0.63, n_images, 5).case == 1


def test_the_less_alike_the_lower_the_cut():
    cuts = [count_frozen_groups(similarity, 9) for similarity in np.linspace(0, 1, 50)]
    assert cuts == sorted(cuts)
    assert (cuts[0], cuts[-1]) == (1, 8)
    assert count_frozen_groups(0.33, 9) == 3
    assert count_frozen_groups(0.33, 5) == 2


@pytest.mark.parametrize("n_groups", [2, 5, 9])
def test_something_stays_and_something_moves(n_groups):
    for similarity in (0.0, 0.5, 1.0):
        assert 1 <= count_frozen_groups(similarity, n_groups) <= n_groups - 1


@pytest.mark.parametrize("similarity", [0.2, 0.8])
@pytest.mark.parametrize("n_images", [10, 700, 100_000])
def test_every_plan_can_be_applied(similarity, n_images):
    decision = decided(similarity, n_images)
    for plan in (decision.plan, *(other.plan for other in decision.alternatives)):
        config = TrainConfig.of(plan.options)
        assert config.transfer.strategy == plan.strategy
        assert config.features.backbone == "toy"
        assert config.transfer.freeze == ("" if plan.freeze is None else str(plan.freeze))
        if plan.strategy != "features":
            assert config.finetune.lr == plan.lr
            assert FEWEST_EPOCHS <= config.finetune.epochs <= MOST_EPOCHS


def test_reasons_name_options_that_exist():
    for similarity in (0.2, 0.8):
        for n_images in (100, 100_000):
            decision = decided(similarity, n_images)
            assert decision.reasons.keys() <= decision.plan.options.keys()
            assert "strategy" in decision.reasons


def test_fewer_pictures_are_seen_more_often():
    epochs = [decided(0.3, n_images).plan.epochs for n_images in (100, 2_000, 10_000)]
    assert epochs == [60, 24, 10]


def test_from_scratch_the_first_alternative_is_fine_tuning_and_that_is_said():
    first = decided(0.2, 100_000).alternatives[0]
    assert first.plan.strategy == "full"
    assert "usually wins" in first.reason


def test_an_alternative_is_never_the_plan_itself():
    for similarity in (0.2, 0.8):
        for n_images in (100, 100_000):
            decision = decided(similarity, n_images)
            ways = [decision.plan.strategy, *(other.plan.strategy for other in decision.alternatives)]
            assert len(set(ways)) == len(ways) == 3


def test_a_spread_across_the_border_is_said():
    def spread(interval):
        return next(piece for piece in decided(0.52, interval=interval).evidence if "spread" in piece.name).meaning

    assert "not certain" in spread((0.48, 0.56))
    assert "does not hang on the draw" in spread((0.51, 0.53))


def test_few_pictures_lower_what_can_be_known():
    assert "only roughly" in decided(n_images=50).expects
    assert "only roughly" not in decided(n_images=5_000).expects


@pytest.mark.parametrize("given", [False, True])
def test_only_training_pictures_are_measured_and_the_size_counts_what_was_given_to_learn_from(
    tmp_path, monkeypatch, given
):
    labels = [0, 1] * 12
    parts = ["test" if index >= 18 else "train" for index in range(24)] if given else None
    table = table_of(labels, tmp_path, parts=parts)
    drawn = split(table, SplitConfig(), seed=3)
    seen = []

    def fake(table, pictures, **options):
        seen.extend(pictures)
        return Similarity(0.8, (0.7, 0.9), 0.05, len(pictures))

    monkeypatch.setattr(sys.modules[decide.__module__], "measure", fake)
    specs = (backbones.find("lite0"), backbones.find("alexnet"))
    decision = decide(table, drawn, TrainConfig(), specs=specs, threads=1, progress=Silent())
    assert seen == [table.pictures[index] for index in drawn.train]
    assert decision.n_images == (18 if given else 24)
    assert decision.n_per_class == decision.n_images / 2
    assert decision.plan.backbone == "efficientnet-lite0+alexnet"
    assert decision.alternatives[0].plan.freeze == 4  # of AlexNet's five, the smaller number
