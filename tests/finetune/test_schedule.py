import pytest
import torch

from handful.finetune import rate

N_STEPS = 50


def rates(schedule, *, base=0.1, tau=10, alpha=1.0, n_steps=N_STEPS):
    return [
        rate(step, base=base, schedule=schedule, tau=tau, alpha=alpha, n_steps=n_steps)
        for step in range(1, n_steps + 1)
    ]


def of_torch(make):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimiser)
    found = []
    for _ in range(N_STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_equation_2_is_constant_for_tau_updates_and_then_falls(alpha):
    found = rates("paper", alpha=alpha)
    assert found[:10] == [0.1] * 10
    assert found[39] == pytest.approx(0.1 * (10 / 40) ** alpha, rel=1e-12)
    assert found[19] == pytest.approx(0.1 * 0.5**alpha, rel=1e-12)


def test_equation_2_with_a_large_tau_or_without_an_exponent_is_constant():
    assert rates("paper", tau=10**9) == rates("constant") == rates("paper", alpha=0.0) == [0.1] * N_STEPS


def test_cosine_is_that_of_torch():
    expected = of_torch(lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, N_STEPS))
    assert rates("cosine") == pytest.approx(expected, rel=1e-9)


def test_one_cycle_is_that_of_torch():
    expected = of_torch(
        lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=0.1, total_steps=N_STEPS, cycle_momentum=False
        )
    )
    assert rates("one-cycle")[: N_STEPS - 1] == pytest.approx(expected[: N_STEPS - 1], rel=1e-9)
    assert max(rates("one-cycle")) == pytest.approx(0.1)


@pytest.mark.parametrize("schedule", ["constant", "paper", "cosine", "one-cycle"])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 4])
def test_short_trainings_have_positive_rates_up_to_the_base(schedule, n_steps):
    assert all(0.0 < value <= 0.1 + 1e-12 for value in rates(schedule, n_steps=n_steps))
