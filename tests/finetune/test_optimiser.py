import numpy as np
import pytest
import torch

from handful.core.config import FinetuneConfig
from handful.finetune import resolve
from handful.finetune.optimiser import Optimiser, ParameterGroup

START = np.array([[0.5, -1.5], [2.0, 0.25]])
GRADIENTS = np.random.default_rng(0).normal(size=(6, 2, 2))
RATES = (0.1, 0.1, 0.05, 0.2, 0.1, 0.01)


def run(*, factor=1.0, decays=True, **options):
    """Returns the weights after each step, float64 (6, 2, 2)."""
    theta = torch.tensor(START, requires_grad=True)
    config, _ = resolve(FinetuneConfig(**{"l2": 0.0, **options}))
    optimiser = Optimiser([ParameterGroup("x", (theta,), factor, decays)], config)
    steps = []
    for gradient, eta in zip(GRADIENTS, RATES, strict=True):
        theta.grad = None
        (theta * torch.tensor(gradient)).sum().backward()
        optimiser.update(eta)
        steps.append(theta.detach().numpy().copy())
    return np.array(steps)


def by_hand(step):
    """Returns the weights after each of the steps that `step(theta, gradient, eta, memory)` makes."""
    theta, memory, steps = START.copy(), {}, []
    for number, (gradient, eta) in enumerate(zip(GRADIENTS, RATES, strict=True), start=1):
        theta = step(theta, gradient, eta, memory, number)
        steps.append(theta)
    return np.array(steps)


def equal(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_common_momentum_by_hand():
    def step(theta, g, eta, memory, number):
        memory["v"] = 0.9 * memory.get("v", 0.0) + g
        return theta - eta * memory["v"]

    equal(run(optimizer="sgd", momentum=0.9), by_hand(step))


def test_paper_momentum_by_hand_weighs_the_new_gradient():
    def step(theta, g, eta, memory, number):
        memory["g"] = (1 - 0.3) * memory.get("g", 0.0) + 0.3 * g
        return theta - eta * memory["g"]

    equal(run(optimizer="sgd", momentum=0.3, momentum_form="paper"), by_hand(step))


def test_the_forms_differ_by_a_tenth_at_the_same_memory():
    moved = [run(optimizer="sgd", momentum=m, momentum_form=f) - START for m, f in ((0.9, "common"), (0.1, "paper"))]
    equal(moved[1], 0.1 * moved[0])


@pytest.mark.parametrize(("form", "times"), [("common", 1.0), ("paper", 2.0)])
def test_l2_by_hand_in_both_forms(form, times):
    def step(theta, g, eta, memory, number):
        memory["v"] = 0.9 * memory.get("v", 0.0) + g + times * 0.03 * theta
        return theta - eta * memory["v"]

    equal(run(optimizer="sgd", l2=0.03, l2_form=form), by_hand(step))


def test_l1_by_hand():
    def step(theta, g, eta, memory, number):
        memory["v"] = 0.9 * memory.get("v", 0.0) + g + 0.03 * np.sign(theta)
        return theta - eta * memory["v"]

    equal(run(optimizer="sgd", l1=0.03), by_hand(step))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_the_common_form_is_torchs_sgd(momentum, l2):
    theta = torch.tensor(START, requires_grad=True)
    other = torch.optim.SGD([theta], lr=0.1, momentum=momentum, weight_decay=l2)
    expected = []
    for gradient, eta in zip(GRADIENTS, RATES, strict=True):
        other.param_groups[0]["lr"] = eta
        theta.grad = torch.tensor(gradient)
        other.step()
        expected.append(theta.detach().numpy().copy())
    equal(run(optimizer="sgd", momentum=momentum, l2=l2), expected)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_adamw_is_torchs(l2):
    theta = torch.tensor(START, requires_grad=True)
    other = torch.optim.AdamW([theta], lr=0.1, betas=(0.8, 0.999), weight_decay=l2)
    expected = []
    for gradient, eta in zip(GRADIENTS, RATES, strict=True):
        other.param_groups[0]["lr"] = eta
        theta.grad = torch.tensor(gradient)
        other.step()
        expected.append(theta.detach().numpy().copy())
    equal(run(optimizer="adamw", momentum=0.8, l2=l2), expected)


def test_adamw_by_hand_with_the_papers_forms_and_l1():
    def step(theta, g, eta, memory, number):
        memory["m"] = (1 - 0.2) * memory.get("m", 0.0) + 0.2 * g
        memory["s"] = 0.999 * memory.get("s", 0.0) + 0.001 * g**2
        mean, square = memory["m"] / (1 - 0.8**number), memory["s"] / (1 - 0.999**number)
        decayed = theta * (1 - eta * 2 * 0.1) - eta * 0.05 * np.sign(theta)
        return decayed - eta * mean / (np.sqrt(square) + 1e-8)

    equal(run(optimizer="adamw", momentum=0.2, momentum_form="paper", l2=0.1, l2_form="paper", l1=0.05), by_hand(step))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_factor_multiplies_the_rate(optimizer, monkeypatch):
    expected = run(optimizer=optimizer, factor=3.0, l2=0.1, l1=0.01)
    monkeypatch.setitem(globals(), "RATES", tuple(3.0 * eta for eta in RATES))
    equal(run(optimizer=optimizer, l2=0.1, l1=0.01), expected)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_groups_without_decay_do_not_decay(optimizer):
    equal(run(optimizer=optimizer, l2=0.1, l1=0.1, decays=False), run(optimizer=optimizer))
    assert not np.allclose(run(optimizer=optimizer, l2=0.1), run(optimizer=optimizer))


def test_a_factor_of_zero_leaves_a_layer_as_it_is():
    equal(run(optimizer="sgd", factor=0.0, l2=0.1), np.array([START] * len(RATES)))


def test_an_unresolved_decay_is_refused():
    with pytest.raises(ValueError, match="resolve the configuration first"):
        Optimiser([], FinetuneConfig())
