import numpy as np
import pytest
import torch

from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches, PictureBatches, draw_epoch
from handful.finetune.freeze import split_network
from tests.finetune.conftest import activations_at


def drawn(**options):
    options = {"n_views": 3, "batch": 8, "number": 1, "seed": 0, **options}
    return list(draw_epoch(50, **options))


def test_an_epoch_takes_every_picture_once_in_nearly_equal_batches():
    batches = drawn()
    assert sorted(np.concatenate([rows for rows, _ in batches])) == list(range(50))
    assert sorted(len(rows) for rows, _ in batches) == [7] * 6 + [8]


def test_order_and_views_change_with_epoch_and_seed_and_with_nothing_else():
    def flat(**options):
        return np.concatenate([np.stack(pair, axis=1) for pair in drawn(**options)])

    np.testing.assert_array_equal(flat(), flat())
    assert not np.array_equal(flat(), flat(number=2))
    assert not np.array_equal(flat(), flat(seed=1))
    assert set(flat()[:, 1]) == {0, 1, 2}


def test_every_view_comes_in_its_turn():
    views = np.zeros((50, 3))
    for number in range(60):
        for rows, chosen in drawn(number=number):
            views[rows, chosen] += 1
    assert views.min() >= 6  # 60 draws of 3: 20 expected, standard deviation 3.7
    assert views.sum(axis=1).tolist() == [60] * 50


def test_activations_come_with_the_targets_of_their_pictures(preprocessing):
    values = np.arange(40, dtype=np.float32).reshape(20, 2, 1)
    batches = ActivationBatches(Activations(values), np.arange(20), batch=6)
    assert (batches.n_pictures, batches.n_batches) == (20, 4)
    for inputs, targets in batches.epoch(1, seed=0):
        assert torch.equal((inputs[:, 0] // 2).long(), targets)
    plain = torch.cat([inputs for inputs, _ in batches.plain()])
    np.testing.assert_array_equal(plain[:, 0], np.arange(0, 40, 2))


@pytest.mark.parametrize("frozen", [1, 2, 3])
def test_the_quick_way_and_the_slow_way_give_the_same_batches(network, shown, table, frozen):
    lower = split_network(network, frozen).lower
    quick = ActivationBatches(activations_at(lower, shown, n_views=3), table.labels, batch=7)
    slow = PictureBatches(lower, shown, table.labels, batch=7, n_views=3)
    assert (quick.n_pictures, quick.n_batches) == (slow.n_pictures, slow.n_batches) == (30, 5)
    for one, other in ((quick.epoch(2, seed=5), slow.epoch(2, seed=5)), (quick.plain(), slow.plain())):
        for (inputs, targets), (other_inputs, other_targets) in zip(one, other, strict=True):
            torch.testing.assert_close(inputs, other_inputs, rtol=1e-5, atol=1e-5)
            assert torch.equal(targets, other_targets)


def test_the_slow_way_can_draw_new_views_in_every_epoch(network, shown, table):
    batches = PictureBatches(split_network(network, 0).lower, shown, table.labels, batch=30)
    epochs = [next(batches.epoch(number, seed=0)) for number in (1, 2)]
    places = [
        torch.argsort(torch.from_numpy(next(draw_epoch(30, n_views=1, batch=30, number=n, seed=0))[0])) for n in (1, 2)
    ]
    pictures = [inputs[place] for (inputs, _), place in zip(epochs, places, strict=True)]
    changed = [not torch.equal(one, other) for one, other in zip(*pictures, strict=True)]
    assert all(changed)
