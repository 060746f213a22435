"""Plans and what the user gave, put together."""

from __future__ import annotations

import pytest

from handful.core.advice import Similarity
from handful.core.config import TrainConfig
from handful.transfer import choose, fill, idle_options

FREEZE = choose(Similarity(0.3, (0.28, 0.32), 0.4, 96), n_images=300, n_classes=3, backbone="toy", n_groups=9)
PLANS = (FREEZE.plan, *(other.plan for other in FREEZE.alternatives))


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.strategy)
def test_what_the_user_gave_is_kept_in_every_plan(plan):
    given = TrainConfig.of({"strategy": "auto", "epochs": 20, "lr": 0.5, "head": "75-C", "seed": 4})
    filled = fill(given, plan)
    assert filled.transfer.strategy == plan.strategy
    assert (filled.finetune.epochs, filled.finetune.lr, filled.heads.head, filled.run.seed) == (20, 0.5, "75-C", 4)
    assert filled.given == given.given | plan.options.keys()


def test_the_plan_fills_the_rest():
    filled = fill(TrainConfig.of({"strategy": "auto"}), FREEZE.plan)
    assert {name: value for name, value in FREEZE.plan.options.items() if name in filled.given} == FREEZE.plan.options
    assert (filled.transfer.freeze, filled.finetune.lr, filled.finetune.epochs) == ("3", 3e-4, 60)


def test_values_that_were_set_without_being_given_are_kept_too():
    config = TrainConfig(run=TrainConfig.of({"seed": 7}).run)
    assert fill(config, FREEZE.plan).run.seed == 7


def test_options_of_training_are_idle_where_nothing_is_trained():
    given = {"epochs": 5, "freeze": "2", "pool": "max", "seed": 1}
    assert idle_options(TrainConfig.of({**given, "strategy": "features"})) == {"epochs", "freeze"}
    assert idle_options(TrainConfig.of({**given, "strategy": "features", "head": "C"})) == set()
    assert idle_options(TrainConfig.of({**given, "strategy": "full"})) == set()
