import numpy as np
import pytest
import torch
from torch.nn import functional

from handful.finetune import parse_head
from handful.finetune.stack import build_head
from handful.finetune.stacks import Stacks, add_gradient

SCALES = (0.5, 1.0, 2.0)
FEATURES = torch.randn(7, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0])


def built(text, nonlinearity="rectifier"):
    """Returns three stacks with different weights and biases."""
    stacks = [
        build_head(parse_head(text, 3), 10, nonlinearity=nonlinearity, init_scale=scale, seed=seed).double()
        for seed, scale in enumerate(SCALES)
    ]
    for stack in stacks:
        for layer in stack.layers:
            torch.nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(5))
    return stacks


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("nonlinearity", ["rectifier", "sigmoid", "tanh", "hard-tanh"])
@pytest.mark.parametrize("text", ["C", "6-C", "6d0.5-4d0.2-C"])
@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_scores_and_gradients_are_those_of_each_stack_alone(nonlinearity, text, sparsity):
    alone = built(text, nonlinearity)
    together = Stacks(alone, dtype=torch.float64)
    passed = together.apply(FEATURES, generator=seeded(1))
    errors = (passed.scores.softmax(1) - functional.one_hot(LABELS, 3).T) / len(LABELS)
    signals = together.signals(passed, errors, sparsity=torch.full((3, 1, 1), sparsity, dtype=torch.float64))
    found = [torch.zeros_like(tensor) for tensor in together.tensors]
    for layer, signal in enumerate(signals):
        add_gradient(found[2 * layer], signal, passed.below[layer])
        add_gradient(found[2 * layer + 1], signal, None)
    for place, stack in enumerate(alone):
        stack.train().seed_dropout(1)
        scores, hidden = stack.scores_and_hidden(FEATURES)
        torch.testing.assert_close(passed.scores[place].T, scores, rtol=1e-12, atol=1e-12)
        loss = functional.cross_entropy(scores, LABELS) + sparsity * sum(values.abs().mean() for values in hidden)
        for tensor, expected in zip(found, torch.autograd.grad(loss, list(stack.parameters())), strict=True):
            torch.testing.assert_close(tensor[place].view_as(expected), expected, rtol=1e-10, atol=1e-12)


def test_without_a_generator_nothing_is_dropped():
    alone = built("6d0.5-C")
    scores = Stacks(alone, dtype=torch.float64).apply(FEATURES).scores
    for place, stack in enumerate(alone):
        torch.testing.assert_close(scores[place].T, stack.eval()(FEATURES), rtol=1e-12, atol=1e-12)


def test_gradients_are_added_to_what_is_there():
    signal, total = torch.ones(2, 3, 7, dtype=torch.float64), torch.ones(2, 3, 10, dtype=torch.float64)
    add_gradient(total, signal, FEATURES)
    torch.testing.assert_close(total, 1.0 + FEATURES.sum(0).expand(2, 3, 10))


def test_those_that_are_kept_stay_as_they_were():
    together = Stacks(built("6-C"), dtype=torch.float64)
    scores = together.apply(FEATURES).scores
    together.keep(torch.tensor([0, 2]))
    torch.testing.assert_close(together.apply(FEATURES).scores, scores[[0, 2]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tensor", range(4))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_found_in_its_stack(tensor, value):
    together = Stacks(built("6-C"), dtype=torch.float64)
    assert together.are_finite().tolist() == [True, True, True]
    together.tensors[tensor][1, 2, 0] = value
    assert together.are_finite().tolist() == [True, False, True]
