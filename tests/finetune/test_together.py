import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from handful.core.config import FinetuneConfig
from handful.finetune import parse_head, resolve
from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches
from handful.finetune.freeze import Pooling, Trainable
from handful.finetune.loop import fit, score
from handful.finetune.stack import build_head
from handful.finetune.together import MOST_TOGETHER, WEIGHTS_TOGETHER, Together, group_size

N_CLASSES, N_FEATURES, SEED = 3, 12, 4
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-5}

SPREAD = (
    {},
    {"schedule": "one-cycle", "momentum": 0.5, "epochs": 5},
    {"schedule": "paper", "tau": 4, "alpha": 0.7, "momentum": 0.2, "momentum_form": "paper"},
    {"schedule": "constant", "l2": 0.05, "l2_form": "paper", "init_scale": 0.3, "epochs": 2},
    {"l1": 0.01, "decay_biases": True, "weight_factor": "head=2", "bias_factor": "head=4,head.0=0", "epochs": 4},
    {"sparsity": 0.5, "l2": 0.0, "weight_factor": "", "bias_factor": ""},
    {"stop_at": 0.6, "epochs": 8, "schedule": "constant"},
)
"""Every option in which trainings of one group may differ."""


def recipe(**options):
    lr = 0.01 if options.get("optimizer") == "adamw" else 0.03
    return resolve(FinetuneConfig(**{"epochs": 3, "lr": lr, "optimizer": "sgd", "keep": "last", **options}))[0]


def spread(**options):
    return [recipe(**{**own, **options}) for own in SPREAD]


@pytest.fixture
def rows(preprocessing):
    """Features that say something about their labels, in some views of each picture."""

    def draw(seed, *, n=50, n_views=1, batch=16):
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % N_CLASSES
        centres = np.random.default_rng(99).normal(size=(N_CLASSES, N_FEATURES))
        values = rng.normal(size=(n, n_views, N_FEATURES)) + 0.7 * centres[labels][:, None]
        return ActivationBatches(Activations(values.astype(np.float32)), labels, batch)

    return draw


@pytest.fixture
def training(rows):
    return rows(0)


@pytest.fixture
def validation(rows):
    return rows(1, n=23)


def together(training, validation, recipes, *, head="C", dtype=torch.float64, seed=SEED):
    return Together(training, validation, recipes, layers=parse_head(head, N_CLASSES), seed=seed, dtype=dtype)


def finish(group):
    while group.running:
        group.advance()
    return group


def alone(training, validation, config, *, head="C", dtype=torch.float64, clock=None):
    stack = build_head(
        parse_head(head, N_CLASSES),
        N_FEATURES,
        nonlinearity=config.nonlinearity,
        init_scale=config.init_scale,
        seed=SEED,
    )
    model = Trainable([], Pooling("flatten"), stack, group_names=[]).to(dtype)
    config = replace(config, patience=None)
    timing = {"clock": clock} if clock else {}
    return model, fit(model, training, validation, config, seed=SEED, **timing)


def figures(curve):
    return [(c.loss, c.accuracy, c.validation_loss, c.validation_accuracy) for c in curve]


def figures_alone(fitted):
    """Returns the same of a training by `fit`."""
    curve = []
    for _, epoch in itertools.groupby(fitted.iterations, key=lambda iteration: iteration.epoch):
        updates = list(epoch)
        seen = updates[-1].validation_loss, updates[-1].validation_accuracy
        curve.append((np.mean([i.loss for i in updates]), np.mean([i.accuracy for i in updates]), *seen))
    return curve


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(
    ("head", "nonlinearity", "mixup", "n_views"),
    [
        ("C", "rectifier", 0.0, 1),
        ("C", "rectifier", 0.4, 3),
        ("9-C", "sigmoid", 0.0, 3),
        ("9d0.3-C", "hard-tanh", 0.0, 1),
        ("9d0.3-6d0.1-C", "tanh", 0.4, 3),
        ("9d0.3-6-C", "rectifier", 0.0, 3),
    ],
)
def test_trainings_together_give_what_they_give_one_by_one(
    rows, validation, dtype, optimizer, head, nonlinearity, mixup, n_views
):
    training = rows(0, n_views=n_views)
    recipes = spread(optimizer=optimizer, nonlinearity=nonlinearity, mixup=mixup, label_smoothing=mixup / 2.0)
    group = finish(together(training, validation, recipes, head=head, dtype=dtype))
    for config, outcome in zip(recipes, group.outcomes, strict=True):
        model, expected = alone(training, validation, config, head=head, dtype=dtype)
        tolerance = TOLERANCES[dtype]
        np.testing.assert_allclose(
            figures(outcome.curve), figures_alone(expected), rtol=tolerance, atol=tolerance, strict=True
        )
        assert (outcome.stopped, outcome.failed_at) == (expected.stopped, None)
        assert outcome.curve[-1].step == expected.iterations[-1].step
        last = score(model, validation)
        assert outcome.right == tuple(last.scores.argmax(1) == last.targets)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_weights_are_those_of_one_by_one(training, validation, dtype, optimizer):
    recipes = [replace(config, epochs=9, time="1h") for config in spread(optimizer=optimizer)]
    group = together(training, validation, recipes[:-1], head="9d0.3-C", dtype=dtype)
    for _ in range(3):
        group.advance()
    for place, config in enumerate(recipes[:-1]):
        # the clock, read at the start and twice for an update, stops it after three epochs, amid its schedule
        ticks = itertools.chain(itertools.repeat(0.0, 2 * 3 * training.n_batches), itertools.repeat(1e9))
        model, _ = alone(training, validation, config, head="9d0.3-C", dtype=dtype, clock=ticks.__next__)
        found = torch.cat([tensor[place].flatten() for tensor in group.stacks.tensors])
        expected = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        assert found.dtype == dtype
        torch.testing.assert_close(found, expected, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


def test_the_loss_of_every_update_is_that_of_one_by_one(rows, validation):
    training = rows(0, batch=64)  # one mini-batch in an epoch
    recipes = spread()[:6]
    group = finish(together(training, validation, recipes))
    for config, outcome in zip(recipes, group.outcomes, strict=True):
        losses = [iteration.loss for iteration in alone(training, validation, config)[1].iterations]
        assert [checkpoint.loss for checkpoint in outcome.curve] == pytest.approx(losses, rel=1e-12)


def test_an_epoch_returns_how_each_stands(training, validation):
    group = together(training, validation, spread()[:4])
    first, second, third = (group.advance() for _ in range(3))
    assert [set(first), set(second), set(third)] == [{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2}]
    assert (second[3].epoch, second[3].step) == (2, 2 * training.n_batches)
    assert group.running == (1,)
    assert group.outcomes[1].curve == (first[1], second[1], third[1])
    assert [outcome.stopped for outcome in group.outcomes] == [
        "all 3 epochs are done",
        "",
        "all 3 epochs are done",
        "all 2 epochs are done",
    ]
    finish(group)
    assert group.advance() == {}


def test_a_training_stops_at_its_training_accuracy_in_the_middle_of_an_epoch(rows, validation):
    training = rows(0, batch=4)
    goals = [recipe(stop_at=goal, lr=0.002, epochs=40, schedule="constant") for goal in (0.6, 0.8, 0.9)]
    group = finish(together(training, validation, [*goals, recipe(epochs=20)]))
    steps = [outcome.curve[-1].step for outcome in group.outcomes]
    assert [step % training.n_batches != 0 for step in steps] == [True, True, True, False], steps
    for config, outcome in zip(goals, group.outcomes, strict=False):
        _, expected = alone(training, validation, config)
        assert outcome.stopped == expected.stopped
        assert outcome.curve[-1].step == expected.iterations[-1].step
        np.testing.assert_allclose(figures(outcome.curve), figures_alone(expected), rtol=1e-9)


WILD = {
    "decay that overshoots": {"lr": 1e3, "l2": 10.0},
    "a huge rate": {"lr": 1e3, "weight_factor": "head=1e6"},
    "huge weights": {"init_scale": 100.0, "lr": 1e3, "weight_factor": "head=1e4", "bias_factor": ""},
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_same_trainings_fail_at_the_same_update(rows, validation, dtype):
    training = rows(0, batch=4)
    recipes = [recipe(), *(recipe(epochs=30, **options) for options in WILD.values()), recipe(epochs=4)]
    group = finish(together(training, validation, recipes, head="9-C", dtype=dtype))
    expected = [alone(training, validation, config, head="9-C", dtype=dtype)[1] for config in recipes]
    for outcome, fitted in zip(group.outcomes, expected, strict=True):
        assert (outcome.failed_at is None) == (fitted.failed_at is None)
        if outcome.failed_at is None:
            continue
        # what the end of an epoch shows is seen there; `fit` sees it at the update after
        epochs, rest = divmod(outcome.failed_at, training.n_batches)
        assert fitted.failed_at - outcome.failed_at in ((0,) if rest else (0, 1))
        assert fitted.failed_at > outcome.failed_at or outcome.stopped == fitted.stopped
        assert outcome.right == ()
        assert len(outcome.curve) == epochs - (rest == 0)
        assert np.isfinite(figures(outcome.curve)).all()
    failed = [outcome.failed_at for outcome in group.outcomes]
    assert [at is None for at in failed] == [True, False, False, False, True]
    assert any(at % training.n_batches for at in failed if at)


def test_a_training_that_fails_does_not_change_a_bit_of_the_others(training, validation):
    calm, wild = recipe(epochs=6), recipe(epochs=6, **WILD["a huge rate"])
    first = finish(together(training, validation, [calm, wild, calm], head="9-C", dtype=torch.float32))
    n_epochs = len(first.outcomes[1].curve) + 1
    second = together(training, validation, [calm, calm, calm], head="9-C", dtype=torch.float32)
    for _ in range(n_epochs):
        second.advance()
    second.drop(1)
    finish(second)
    assert n_epochs < 6
    assert first.outcomes[1].failed_at is not None
    assert [first.outcomes[place] for place in (0, 2)] == [second.outcomes[place] for place in (0, 2)]


def test_weights_that_explode_in_the_last_update_of_an_epoch_fail_there(rows, preprocessing, validation):
    plain = rows(0, batch=64)
    huge = replace(plain, activations=Activations(1e30 * plain.activations.values))
    wild = recipe(lr=1e3, epochs=1, weight_factor="head=1e6", init_scale=1e-4)
    group = together(huge, huge, [wild], dtype=torch.float32)
    assert group.advance() == {}
    _, expected = alone(huge, None, wild, dtype=torch.float32)
    assert expected.failed_at == 1
    assert (group.outcomes[0].failed_at, group.outcomes[0].stopped) == (1, expected.stopped)
    assert group.outcomes[0].curve == ()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_giving_up_a_training_changes_the_others_by_rounding_only(training, validation, dtype):
    recipes = spread(epochs=5)
    whole = finish(together(training, validation, recipes, head="9d0.3-C", dtype=dtype))
    part = together(training, validation, recipes, head="9d0.3-C", dtype=dtype)
    part.advance()
    part.drop(0)
    part.advance()
    part.drop(4)
    finish(part)
    for place in (1, 2, 3, 5):
        found, expected = (figures(group.outcomes[place].curve) for group in (part, whole))
        np.testing.assert_allclose(found, expected, rtol=1e3 * torch.finfo(dtype).eps)
    assert [len(part.outcomes[place].curve) for place in (0, 4)] == [1, 2]
    assert part.outcomes[4].stopped == "given up after epoch 2"
    np.testing.assert_allclose(figures(part.outcomes[4].curve), figures(whole.outcomes[4].curve[:2]), rtol=1e-4)


def test_a_training_that_ended_cannot_be_given_up(training, validation):
    group = finish(together(training, validation, [recipe(), recipe(epochs=4)]))
    with pytest.raises(ValueError, match="training 0 does not go on: all 3 epochs are done"):
        group.drop(0)


def test_groups_in_several_threads_give_the_same_bits_as_one_after_the_other(rows, validation):
    training = rows(0, n=200, n_views=3)
    jobs = [(spread(mixup=0.3, optimizer=optimizer), seed) for optimizer in ("sgd", "adamw") for seed in (0, 1, 2)]

    def run(job):
        group = together(training, validation, job[0], head="9d0.3-C", dtype=torch.float32, seed=job[1])
        return finish(group).outcomes

    state = torch.random.get_rng_state()
    one_by_one = [run(job) for job in jobs]
    with ThreadPoolExecutor(3, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        at_once = list(pool.map(run, jobs))
    assert at_once == one_by_one
    assert one_by_one[0] != one_by_one[1]
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    "option", [{"optimizer": "adamw"}, {"nonlinearity": "tanh"}, {"mixup": 0.2}, {"label_smoothing": 0.1}]
)
def test_trainings_that_cannot_share_a_step_are_refused(training, validation, option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} differs"):
        together(training, validation, [recipe(), recipe(**option)])


@pytest.mark.parametrize("option", [{"ema": 0.9}, {"start": "probe"}])
def test_averages_and_solved_beginnings_are_refused(training, validation, option):
    with pytest.raises(ValueError, match="start at random and keep no averages"):
        together(training, validation, [recipe(**option)])


def test_unresolved_recipes_are_refused(training, validation):
    with pytest.raises(ValueError, match="resolve the configurations first"):
        together(training, validation, [FinetuneConfig()])


def test_groups_hold_as_many_trainings_as_their_weights_allow():
    assert group_size(1) == MOST_TOGETHER
    assert group_size(WEIGHTS_TOGETHER // 10) == 10
    assert group_size(100 * WEIGHTS_TOGETHER) == 1
