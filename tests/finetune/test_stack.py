import math

import numpy as np
import pytest
import torch

from handful.core.records import StackedHead
from handful.finetune import parse_head
from handful.finetune.stack import build_head, dropout_mask, head_arrays
from handful.heads import stacked_scores

NONLINEARITIES = ("rectifier", "sigmoid", "tanh", "hard-tanh")


def built(text="40d0.5-20-C", *, nonlinearity="rectifier", init_scale=1.0, seed=0, n_features=64):
    return build_head(parse_head(text, 5), n_features, nonlinearity=nonlinearity, init_scale=init_scale, seed=seed)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("text", ["C", "20-C", "40d0.5-20-C"])
def test_arrays_give_the_scores_of_the_module(nonlinearity, text):
    stack = built(text, nonlinearity=nonlinearity, init_scale=2.0).eval()
    with torch.no_grad():
        for layer in stack.layers:
            layer.bias.normal_(generator=torch.Generator().manual_seed(1))
    features = np.random.default_rng(0).normal(size=(30, 64)).astype(np.float32)
    with torch.no_grad():
        expected = stack(torch.from_numpy(features)).numpy()
    found = stacked_scores(head_arrays(stack), features)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("nonlinearity", "expected"),
    [
        ("rectifier", [0.0, 2.0]),
        ("sigmoid", [1 / (1 + math.exp(3)), 1 / (1 + math.exp(-2))]),
        ("tanh", [math.tanh(-3), math.tanh(2)]),
        ("hard-tanh", [-1.0, 1.0]),
    ],
)
def test_each_neuron_is_its_formula(nonlinearity, expected):
    identity = (np.eye(2), np.zeros(2))
    head = StackedHead((identity, identity), nonlinearity, temperature=1.0)
    np.testing.assert_allclose(stacked_scores(head, np.array([[-3.0, 2.0]])), [expected], rtol=1e-12)


def test_initial_weights_have_the_stated_spread():
    stack = built("1000-1000-C", init_scale=0.5, n_features=900)
    spreads = [float(layer.weight.detach().std()) for layer in stack.layers]
    expected = [0.5 * math.sqrt(2 / 900), 0.5 * math.sqrt(2 / 1000), 0.5 * math.sqrt(1 / 1000)]
    np.testing.assert_allclose(spreads[:2], expected[:2], rtol=0.01)
    np.testing.assert_allclose(spreads[2], expected[2], rtol=0.05)  # 5000 draws: standard error 1 %
    assert all(not layer.bias.any() for layer in stack.layers)


def test_the_seed_decides_the_weights():
    assert torch.equal(built(seed=3).layers[0].weight, built(seed=3).layers[0].weight)
    assert not torch.equal(built(seed=3).layers[0].weight, built(seed=4).layers[0].weight)


def test_dropout_works_in_training_only_and_only_where_it_was_asked_for():
    stack, features = built("400d0.5-C"), torch.ones(1, 64)
    assert not torch.equal(stack.train()(features), stack(features))
    assert torch.equal(stack.eval()(features), stack(features))
    plain = built("400-C").train()
    assert torch.equal(plain(features), plain(features))


def test_dropout_draws_from_a_generator_of_its_own():
    stack, features = built("400d0.5-C").train(), torch.ones(1, 64)
    state = torch.random.get_rng_state()
    stack.seed_dropout(7)
    first = stack(features)
    torch.manual_seed(99)
    stack.seed_dropout(7)
    assert torch.equal(stack(features), first)
    stack.seed_dropout(8)
    assert not torch.equal(stack(features), first)
    torch.random.set_rng_state(state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_dropout_mask_drops_its_share_and_keeps_the_mean(dtype):
    mask = dropout_mask((200, 100), 0.3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert mask.dtype == dtype
    np.testing.assert_allclose(np.unique(mask), [0.0, 1.0 / 0.7], rtol=torch.finfo(dtype).eps)
    assert float((mask == 0.0).double().mean()) == pytest.approx(0.3, abs=0.015)  # 20 000 draws: deviation 0.0032


def test_every_precision_drops_the_same_outputs():
    single, double = (
        dropout_mask((40, 30), 0.5, generator=torch.Generator().manual_seed(3), dtype=dtype)
        for dtype in (torch.float32, torch.float64)
    )
    assert torch.equal(single.double(), double)


def test_hidden_activations_are_those_of_every_layer_but_the_last():
    scores, hidden = built("40-20-C").scores_and_hidden(torch.ones(3, 64))
    assert [tuple(values.shape) for values in hidden] == [(3, 40), (3, 20)]
    assert scores.shape == (3, 5)
