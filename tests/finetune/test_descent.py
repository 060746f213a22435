import numpy as np
import pytest
import torch
from torch.nn import functional

from handful.core.config import FinetuneConfig
from handful.core.errors import ConfigError
from handful.finetune import parse_head, resolve
from handful.finetune.descent import Descent
from handful.finetune.freeze import Pooling, Trainable
from handful.finetune.optimiser import Optimiser
from handful.finetune.parameters import parameter_groups
from handful.finetune.stack import build_head
from handful.finetune.stacks import Stacks

RATES = (0.1, 0.1, 0.05, 0.2, 0.1, 0.01)
SPREAD = (
    {},
    {"momentum": 0.0},
    {"momentum": 0.2, "momentum_form": "paper", "l2": 0.1, "l2_form": "paper"},
    {"l2": 0.1, "decay_biases": True},
    {"l1": 0.05, "l2": 0.0},
    {"l1": 0.05, "decay_biases": True, "momentum": 0.5},
    {"weight_factor": "head=2,head.1=0.5", "bias_factor": "head=4,conv=3"},
    {"weight_factor": "head.0=0", "bias_factor": "", "l2": 0.3},
    {"sparsity": 0.5},
)
FEATURES = torch.randn(6, 8, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


def new_stack():
    return build_head(parse_head("6-C", 3), 10, nonlinearity="tanh", init_scale=1.0, seed=0).double()


def recipes(optimizer):
    return [resolve(FinetuneConfig(optimizer=optimizer, **options))[0] for options in SPREAD]


def step(descent, features, rates):
    passed = descent.stacks.apply(features)
    errors = (passed.scores.softmax(1) - functional.one_hot(LABELS, 3).T) / len(LABELS)
    descent.update(passed, errors, rates)


def alone(recipe, *, times):
    """Returns the weights after every step of the optimiser for one training, each (weights,)."""
    model = Trainable([], Pooling("flatten"), new_stack(), group_names=["conv"])
    optimiser = Optimiser(parameter_groups(model, recipe), recipe)
    for features, eta in zip(FEATURES, RATES, strict=True):
        model.zero_grad()
        scores, hidden = model.scores_and_hidden(features)
        (functional.cross_entropy(scores, LABELS) + recipe.sparsity * hidden[0].abs().mean()).backward()
        optimiser.update(times * eta)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def weights(stacks, place):
    return torch.cat([tensor[place].flatten() for tensor in stacks.tensors])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_every_training_is_updated_as_by_the_optimiser_of_one(optimizer):
    spread = recipes(optimizer)
    times = np.linspace(0.5, 1.5, len(spread))
    descent = Descent(Stacks([new_stack() for _ in spread], dtype=torch.float64), spread, group_names=["conv"])
    for features, eta in zip(FEATURES, RATES, strict=True):
        step(descent, features, times * eta)
    found = [weights(descent.stacks, place) for place in range(len(spread))]
    for place, recipe in enumerate(spread):
        torch.testing.assert_close(found[place], alone(recipe, times=times[place]), rtol=1e-10, atol=1e-12)
    assert len({round(float(values.sum()), 9) for values in found}) == len(spread)  # every option does something


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_those_that_are_kept_go_on_with_their_own_numbers(optimizer):
    spread, kept = recipes(optimizer), np.array([1, 2, 6, 8])
    stacks = Stacks([new_stack() for _ in spread], dtype=torch.float64)
    descent = Descent(stacks, spread, group_names=["conv"])
    for number, (features, eta) in enumerate(zip(FEATURES, RATES, strict=True)):
        if number == 3:
            descent.keep(kept)
        step(descent, features, np.full(len(stacks.tensors[0]), eta))
    for place, member in enumerate(kept):
        torch.testing.assert_close(weights(stacks, place), alone(spread[member], times=1.0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_rate_of_zero_leaves_a_training_as_it_is(optimizer):
    spread = recipes(optimizer)[:2]
    descent = Descent(Stacks([new_stack(), new_stack()], dtype=torch.float64), spread, group_names=["conv"])
    before = weights(descent.stacks, 0)
    step(descent, FEATURES[0], np.array([0.0, 0.1]))
    assert torch.equal(weights(descent.stacks, 0), before)
    assert not torch.equal(weights(descent.stacks, 1), before)


def test_a_factor_for_a_layer_that_does_not_exist_is_refused():
    wrong = [resolve(FinetuneConfig(weight_factor="conv9=2"))[0]]
    with pytest.raises(ConfigError, match="'conv9', which does not exist"):
        Descent(Stacks([new_stack()], dtype=torch.float64), wrong, group_names=["conv"])
