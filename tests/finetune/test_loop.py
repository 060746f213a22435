import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from handful.core.config import FinetuneConfig
from handful.core.progress import Silent
from handful.finetune import parse_head, resolve
from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches, PictureBatches
from handful.finetune.freeze import Pooling, Trainable, split_network
from handful.finetune.loop import fit, score
from handful.finetune.stack import build_head
from tests.finetune.conftest import activations_at


def config(**options):
    return resolve(FinetuneConfig(**{"epochs": 3, "batch": 16, "lr": 0.01, **options}))[0]


def only_head(text="C", *, n_features=4, n_classes=2, nonlinearity="rectifier", init_scale=1.0, seed=0):
    head = build_head(
        parse_head(text, n_classes), n_features, nonlinearity=nonlinearity, init_scale=init_scale, seed=seed
    )
    return Trainable([], Pooling("flatten"), head, group_names=[])


def rows_of(values, labels, *, batch=16):
    values = np.asarray(values, dtype=np.float32)
    return ActivationBatches(Activations(values[:, None]), np.asarray(labels, dtype=np.int64), batch)


@pytest.fixture
def easy():
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 2
    return rows_of(rng.normal(size=(64, 4)) + 6.0 * labels[:, None], labels)


@pytest.fixture
def noise():
    """Features that say nothing about labels: what fits them overfits."""

    def draw(seed, n=24):
        rng = np.random.default_rng(seed)
        return rows_of(rng.normal(size=(n, 64)), rng.integers(0, 2, n))

    return draw


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("frozen", [1, 2, 3])
@pytest.mark.parametrize("mixup", [0.0, 0.3])
def test_the_quick_way_trains_to_the_same_weights_as_the_slow_way(
    network, shown, table, dtype, tolerance, frozen, mixup
):
    trained = []
    for quick in (True, False):
        cut = split_network(network, frozen)
        head = build_head(parse_head("8d0.3-C", 3), 16, nonlinearity="tanh", init_scale=1.0, seed=0)
        model = cut.with_head(head).to(dtype)
        cut.lower.to(dtype)
        if quick:
            cached = activations_at(cut.lower, shown, n_views=3)
            batches = ActivationBatches(cached, table.labels, 16)
        else:
            batches = PictureBatches(cut.lower, shown, table.labels, 16, n_views=3)
        fit(model, batches, None, config(optimizer="sgd", mixup=mixup, epochs=2), seed=1)
        trained.append(weights(model))
    torch.testing.assert_close(trained[0], trained[1], rtol=tolerance, atol=tolerance)


def test_the_first_update_is_the_gradients(easy):
    model = only_head()
    before = weights(model)
    values = torch.from_numpy(easy.activations.values[:, 0])
    loss = torch.nn.functional.cross_entropy(model(values), torch.from_numpy(easy.targets))
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
    options = {
        "optimizer": "sgd",
        "schedule": "constant",
        "l2": 0.0,
        "momentum": 0.0,
        "weight_factor": "",
        "bias_factor": "",
    }
    training = fit(model, replace(easy, batch=64), None, config(epochs=1, **options), seed=0)
    torch.testing.assert_close(weights(model), before - 0.01 * gradient, rtol=1e-5, atol=1e-6)
    assert training.iterations[0].loss == pytest.approx(float(loss.detach()), rel=1e-5)


def test_factors_reach_their_layers_and_kinds(easy):
    model = only_head("3-C")
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    fit(model, easy, None, config(weight_factor="head.0=0", bias_factor="head=0,head.1=1"), seed=0)
    moved = {name: not torch.equal(tensor, before[name]) for name, tensor in model.named_parameters()}
    assert moved == {
        "head.layers.0.weight": False,
        "head.layers.0.bias": False,
        "head.layers.1.weight": True,
        "head.layers.1.bias": True,
    }


@pytest.mark.parametrize("decay_biases", [False, True])
def test_biases_decay_only_when_told(easy, decay_biases):
    def biases(l2):
        model = only_head()
        with torch.no_grad():
            model.head.layers[0].bias.fill_(3.0)
        fit(model, easy, None, config(weight_factor="head=0", l2=l2, decay_biases=decay_biases), seed=0)
        return model.head.layers[0].bias.detach()

    assert torch.equal(biases(0.0), biases(0.5)) != decay_biases


def test_every_update_is_recorded(easy):
    told = []
    training = fit(only_head(), easy, easy, config(schedule="paper", tau=4, every=5), seed=0, watch=told.append)
    assert told == list(training.iterations)
    assert [iteration.step for iteration in told] == list(range(1, 13))
    assert [iteration.epoch for iteration in told] == [1] * 4 + [2] * 4 + [3] * 4
    assert [iteration.rate for iteration in told] == pytest.approx([0.01 * 4 / max(t, 4) for t in range(1, 13)])
    assert [i.step for i in told if i.validation_loss is not None] == [5, 10, 12]
    assert training.stopped == "all 3 epochs are done"
    assert training.failed_at is None


class Listener(Silent):
    """Remembers what it is told."""

    def __init__(self):
        self.said, self.notes = [], []

    def stage(self, label, total):
        return nullcontext(lambda n_done, note="": self.notes.append(note))

    def say(self, message):
        self.said.append(message)


def test_whoever_watches_is_told_how_training_stands_at_every_update_and_once_at_the_end(easy):
    listener = Listener()
    training = fit(only_head(), easy, easy, config(every=4), seed=0, progress=listener)
    last = training.iterations[-4:]
    assert len(listener.notes) == len(training.iterations) == 12
    assert listener.notes[2].startswith("Epoch 1 of 3: training loss")
    assert "validation" not in listener.notes[2]
    assert "validation loss" in listener.notes[3]
    assert f"training loss {np.mean([i.loss for i in last]):.3f}," in listener.notes[-1]
    assert f"validation loss {last[-1].validation_loss:.3f}, accuracy" in listener.notes[-1]
    assert listener.said == [listener.notes[-1].replace("\n", "; ")]


def test_the_same_seed_gives_the_same_weights(noise):
    def trained(seed):
        model = only_head("16d0.5-C", n_features=64)
        fit(model, noise(0), None, config(), seed=seed)
        return weights(model)

    assert torch.equal(trained(0), trained(0))
    assert not torch.equal(trained(0), trained(1))


def test_training_leaves_torchs_generator_alone(noise):
    state = torch.random.get_rng_state()
    fit(only_head("16d0.5-C", n_features=64), noise(0), None, config(), seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_best_weights_by_validation_are_kept_and_overfitting_is_marked(noise):
    model, validation = only_head("64-C", n_features=64), noise(1)
    training = fit(model, noise(0), validation, config(epochs=30, every=1), seed=0)
    losses = {i.step: i.validation_loss for i in training.iterations}
    assert training.best_step == min(losses, key=losses.get) < training.iterations[-1].step
    assert score(model, validation).loss == pytest.approx(losses[training.best_step], rel=1e-6)
    assert training.overfits_from == training.best_step
    assert not model.training


def test_without_a_validation_part_the_last_weights_are_kept(easy):
    training = fit(only_head(), easy, None, config(), seed=0)
    assert training.best_step == 12
    assert all(iteration.validation_loss is None for iteration in training.iterations)


def test_training_stops_when_validation_has_not_improved_for_long_enough(noise):
    training = fit(
        only_head("64-C", n_features=64), noise(0), noise(1), config(epochs=200, every=2, patience=4), seed=0
    )
    assert training.stopped == "no better validation loss in 4 checks"
    assert training.iterations[-1].step == training.best_step + 8


def test_training_stops_at_a_training_accuracy_of_a_whole_pass(easy):
    training = fit(only_head(init_scale=0.01), easy, None, config(epochs=200, stop_at=0.995), seed=0)
    last = [iteration.accuracy for iteration in training.iterations[-easy.n_batches :]]
    assert np.mean(last) >= 0.995
    assert training.stopped == "the training accuracy of a whole pass reached 1.0000"
    assert easy.n_batches <= len(training.iterations) < 800
    earlier = [iteration.accuracy for iteration in training.iterations[-easy.n_batches - 1 : -1]]
    assert len(earlier) < easy.n_batches or np.mean(earlier) < 0.995


class Clock:
    """Ten seconds pass with every update that it watches."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def tick(self, _):
        self.now += 10.0


def test_training_stops_when_its_time_is_up(easy):
    clock = Clock()
    training = fit(only_head(), easy, easy, config(epochs=100, time="45s"), seed=0, clock=clock, watch=clock.tick)
    assert training.stopped == "the time of 45s was up"
    assert len(training.iterations) == 6
    assert training.iterations[-1].validation_loss is not None


def test_the_rate_falls_with_the_time_where_there_is_less_of_it_than_steps(easy):
    clock = Clock()
    options = config(epochs=100, time="80s", schedule="cosine", lr=1.0)
    training = fit(only_head(), easy, None, options, seed=0, clock=clock, watch=clock.tick)
    expected = [(1.0 + np.cos(np.pi * share)) / 2.0 for share in np.arange(9) / 8.0]
    n_steps = 100 * easy.n_batches
    assert [iteration.rate for iteration in training.iterations] == pytest.approx(expected, abs=4.0 / n_steps)


def test_label_smoothing_gives_the_loss_of_smoothed_targets(easy):
    model, plain = only_head(), only_head()
    smoothed = fit(model, easy, None, config(epochs=1, label_smoothing=0.3), seed=0).iterations[0].loss
    inputs, labels = next(iter(easy.epoch(1, seed=0)))
    logs = torch.log_softmax(plain(inputs), dim=1)
    targets = 0.7 * torch.nn.functional.one_hot(labels, logs.shape[1]) + 0.3 / logs.shape[1]
    assert smoothed == pytest.approx(float(-(targets * logs).sum(1).mean().detach()), rel=1e-6)


def test_the_averages_of_weights_are_kept_and_validated(easy):
    decay, weights = 0.5, []
    model = only_head()
    layer = model.head.layers[0]

    def look(_):
        weights.append(layer.weight.detach().clone())

    first = layer.weight.detach().clone()
    options = config(epochs=1, ema=decay, keep="last", lr=0.1)
    training = fit(model, easy, easy, options, seed=0, watch=look)
    average = first
    for step, each in enumerate(weights, start=1):
        past = min(decay, (1 + step) / (10 + step))
        average = past * average + (1 - past) * each
    torch.testing.assert_close(layer.weight.detach(), average)
    assert not torch.allclose(layer.weight, weights[-1])
    assert training.iterations[-1].validation_loss == pytest.approx(score(model, easy).loss, rel=1e-6)


@pytest.mark.parametrize("validated", [False, True])
def test_a_loss_that_is_no_number_fails_with_its_step_and_chooses_nothing(easy, validated):
    values = easy.activations.values[:, 0].copy()
    values[40] = np.nan
    batches = rows_of(values, easy.targets)
    training = fit(only_head(), batches, easy if validated else None, config(every=1), seed=0)
    assert training.failed_at == training.iterations[-1].step
    assert math.isnan(training.iterations[-1].loss)
    assert "failed: the loss was nan" in training.stopped
    assert (training.best_step, training.overfits_from) == (0, None)


def test_weights_that_explode_in_the_last_update_fail_too(easy):
    huge = rows_of(1e30 * easy.activations.values[:, 0], easy.targets, batch=64)
    wild = config(optimizer="sgd", lr=1e3, epochs=1, weight_factor="head=1e6")
    training = fit(only_head(init_scale=1e-4), huge, None, wild, seed=0)
    assert math.isfinite(training.iterations[0].loss)
    assert (training.failed_at, training.best_step) == (1, 0)
    assert "no longer finite" in training.stopped


def test_a_sparsity_penalty_makes_hidden_layers_quieter(easy):
    def activity(sparsity):
        model = only_head("32-C", nonlinearity="rectifier")
        fit(model, easy, None, config(epochs=20, sparsity=sparsity), seed=0)
        hidden = model.scores_and_hidden(torch.from_numpy(easy.activations.values[:, 0]))[1][0]
        return float(hidden.detach().abs().mean())

    assert activity(1.0) < 0.5 * activity(0.0)


def test_mixup_has_the_loss_of_its_mixture(easy):
    model = only_head()
    values, labels = torch.from_numpy(easy.activations.values[:, 0]), torch.from_numpy(easy.targets)
    training = fit(model, replace(easy, batch=64), None, config(optimizer="sgd", lr=1e-12, mixup=0.4, epochs=1), seed=3)
    rng = np.random.default_rng((3, 0))
    share, partners = rng.beta(0.4, 0.4), rng.permutation(64)
    order = np.random.default_rng((3, 1)).permutation(64)
    values, labels = values[order], labels[order]
    mixed = share * values + (1 - share) * values[partners]
    hot = torch.nn.functional.one_hot(labels, 2).float()
    target = share * hot + (1 - share) * hot[partners]
    expected = float(torch.nn.functional.cross_entropy(model(mixed), target).detach())
    assert training.iterations[0].loss == pytest.approx(expected, rel=1e-5)


def test_bfloat16_trains_to_nearly_the_same(easy):
    exact, rough = (only_head("8-C") for _ in range(2))
    first = fit(exact, easy, None, config(), seed=0)
    second = fit(rough, easy, None, config(), seed=0, precision="bfloat16")
    assert all(parameter.dtype == torch.float32 for parameter in rough.parameters())
    assert second.iterations[0].loss != first.iterations[0].loss
    assert second.iterations[0].loss == pytest.approx(first.iterations[0].loss, rel=0.02)


def test_an_unresolved_configuration_is_refused(easy):
    with pytest.raises(ValueError, match="resolve the configuration first"):
        fit(only_head(), easy, None, FinetuneConfig(), seed=0)


def test_scores_are_in_order_and_leave_the_mode(easy):
    model = only_head().train()
    found = score(model, easy)
    assert model.training
    with torch.no_grad():
        np.testing.assert_allclose(found.scores, model(torch.from_numpy(easy.activations.values[:, 0])), rtol=1e-5)
    np.testing.assert_array_equal(found.targets, easy.targets)
    assert found.accuracy == np.mean(found.scores.argmax(1) == easy.targets)
