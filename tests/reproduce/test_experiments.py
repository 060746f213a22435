"""The paper's figures as data: the digest's values, and options that the trainer knows."""

from __future__ import annotations

import pytest

from handful.core.config import TrainConfig
from handful.reproduce.experiments import DEFAULT, FIGURES, distinct, experiments


def every(mode="finetune", **changes):
    return experiments(**{"backbone": "alexnet", "mode": mode, "n_train": 2000, "n_classes": 5, **changes})


def varied(name, option):
    return [point.options[option] for point in every()[name].points]


def test_every_figure_of_the_paper_is_there_in_its_order():
    assert tuple(every())[:11] == FIGURES


@pytest.mark.parametrize("mode", ["features", "finetune"])
def test_every_setting_is_one_that_the_trainer_takes(mode):
    for experiment in every(mode).values():
        for point in experiment.points:
            config = TrainConfig.of({**point.options})
            assert config.features.backbone == point.options["backbone"]


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("7a", "lr", [0.1, 0.01, 0.001, 0.0001, 0.00001]),
        ("7b", "lr", [0.1, 0.01, 0.001, 0.0001, 0.00001]),
        ("8a", "l2", [5e-5, 1e-4, 5e-4, 2.5e-3, 5e-3]),
        ("8b", "l2", [5e-5, 1e-4, 5e-4, 2.5e-3, 5e-3]),
        ("8b", "batch", [32] * 5),
        ("9a", "batch", [16]),
        ("9b", "batch", [8, 16, 32, 64, 128]),
        ("10", "epochs", [40]),
        ("11", "weight_factor", [f"head.0={factor}" for factor in (1, 2, 5, 10, 20, 50)]),
        ("11", "bias_factor", [f"head.0={factor}" for factor in (2, 4, 10, 20, 40, 100)]),
        ("12a", "head", ["C", "75-C", "500d0.5-75-C"]),
        ("12a", "weight_factor", ["head.0=10", "head.1=10", "head.2=10"]),
        ("12a", "bias_factor", ["head.0=20", "head.1=20", "head.2=20"]),
        ("12b", "weight_factor", ["head.0=1", "head.1=1", "head.2=1"]),
        ("12b", "bias_factor", ["head.0=1", "head.1=1", "head.2=1"]),
    ],
)
def test_the_values_are_those_of_the_paper_and_of_its_digest(name, option, values):
    assert varied(name, option) == values


def test_the_default_is_matlabs_momentum_a_constant_rate_and_the_papers_batch():
    wanted = {
        "optimizer": "sgd", "momentum": 0.9, "momentum_form": "common", "schedule": "constant", "lr": 1e-4, "l2": 1e-4,
        "l2_form": "common", "decay_biases": False, "batch": 128, "epochs": 20, "augmentation": "none", "head": "C",
    }  # fmt: skip
    assert wanted.items() <= DEFAULT.items()


def test_a_figure_changes_nothing_but_what_it_varies():
    base = {**DEFAULT, "backbone": "alexnet", "strategy": "full"}
    allowed = {"6": {"images"}, "7a": {"lr"}, "8a": {"l2"}, "8b": {"l2", "batch"}, "9b": {"batch", "stop_at"}}
    for name, options in allowed.items():
        for point in every()[name].points:
            assert {key for key in point.options if point.options[key] != base.get(key)} <= options


def test_the_threshold_is_on_where_the_paper_tells_of_it():
    stopping = {name for name, one in every().items() if any("stop_at" in point.options for point in one.points)}
    assert stopping == {"9a", "9b"}


def test_figure_six_scales_with_the_pictures_that_there_are_and_ends_with_all():
    assert [point.label for point in every()["6"].points] == ["100", "250", "500", "1,000", "1,500", "2,000"]
    assert "images" not in every()["6"].points[-1].options
    assert [point.label for point in every(n_train=80, n_classes=5)["6"].points] == ["10", "20", "40", "60", "80"]


def test_training_from_scratch_is_part_of_finetune_only():
    assert "scratch" in every("finetune")
    assert "scratch" not in every("features")
    assert {point.options["strategy"] for point in every("finetune")["scratch"].points} == {"scratch"}


def test_equal_settings_are_trained_once():
    chosen = every("features")
    points = distinct(list(chosen.values()))
    assert len(points) < sum(len(one.points) for one in chosen.values())
    assert all(point.options in [other.options for other in points] for one in chosen.values() for point in one.points)


def test_another_network_is_not_compared_with_itself():
    assert "networks" not in every(backbone="efficientnet-lite0")
