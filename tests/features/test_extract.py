import sys

import numpy as np
import pytest

from handful.backbones import load, locate
from handful.core.config import ReadingConfig
from handful.core.progress import Silent
from handful.features import Preprocessing, extract, prepare, trunk_from_weights
from handful.images import pixels, read
from handful.testing.pictures import draw_folder


@pytest.fixture
def table(photos):
    return read(photos, ReadingConfig(), threads=1)


@pytest.fixture
def trunk(toy):
    return trunk_from_weights(toy, locate(toy), threads=1, progress=Silent())


def shown(toy):
    return Preprocessing(toy.input_size, "crop", "bilinear", toy.mean, toy.std)


def run(trunk, table, pictures=None, *, views=("plain",), threads=1, use_cache=True, progress=None):
    return extract(
        trunk,
        table,
        table.pictures if pictures is None else pictures,
        preprocessing=shown(trunk.spec),
        views=views,
        threads=threads,
        progress=progress or Silent(),
        use_cache=use_cache,
    )


def test_features_are_those_of_the_network(trunk, table, toy):
    import torch

    found = run(trunk, table, views=("plain", "mirror"))
    network = load(toy, locate(toy))
    for row in (0, 17):
        for view, name in enumerate(("plain", "mirror")):
            square = prepare(pixels(table, table.pictures[row]), shown(toy), name)
            x = torch.tensor((square.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
            with torch.inference_mode():
                expected = network.features(x)[0].numpy()
            np.testing.assert_allclose(found.values[row, view], expected, rtol=1e-4, atol=1e-5)


def test_a_second_run_computes_nothing_and_opens_no_network(trunk, table, monkeypatch):
    first = run(trunk, table)
    monkeypatch.setattr(type(trunk), "open", lambda *a, **k: pytest.fail("the network was opened"))
    again = run(trunk, table)
    assert (first.n_computed, again.n_computed) == (len(table.pictures), 0)
    np.testing.assert_array_equal(first.values, again.values)
    assert first.space == again.space


def test_adding_pictures_computes_only_those_and_changes_no_bit_of_the_others(trunk, table):
    few = run(trunk, table, table.pictures[:7])
    more = run(trunk, table)
    fresh = run(trunk, table, use_cache=False)
    assert more.n_computed == len(table.pictures) - 7
    np.testing.assert_array_equal(more.values[:7], few.values)
    np.testing.assert_array_equal(more.values, fresh.values)


def test_another_view_computes_only_that_view(trunk, table):
    run(trunk, table)
    assert run(trunk, table, views=("plain", "mirror")).n_computed == len(table.pictures)


def test_no_bit_depends_on_the_number_of_threads(trunk, table):
    one, four = (run(trunk, table, threads=threads, use_cache=False) for threads in (1, 4))
    np.testing.assert_array_equal(one.values, four.values)


def test_a_damaged_shard_is_computed_again(trunk, table, own_caches):
    first = run(trunk, table)
    for shard in own_caches.rglob("features/*/*.safetensors"):
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(bytes(data))
    again = run(trunk, table)
    assert again.n_computed == len(table.pictures)
    np.testing.assert_array_equal(first.values, again.values)


def test_other_preprocessing_is_another_space(trunk, table, toy):
    first = run(trunk, table)
    other = extract(
        trunk,
        table,
        table.pictures,
        preprocessing=Preprocessing(toy.input_size, "crop", "bicubic", toy.mean, toy.std),
        views=("plain",),
        threads=1,
        progress=Silent(),
    )
    assert other.space != first.space
    assert other.n_computed == len(table.pictures)


def test_work_done_before_an_interruption_is_kept(trunk, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["handful.features.shelf"], "SHARD_ROWS", 32)
    table = read(draw_folder(tmp_path / "many", per_class=24, size=32), ReadingConfig(), threads=1)
    opened = type(trunk).open

    def interrupted(self, *args, **options):
        (forward, size), calls = opened(self, *args, **options), []

        def step(batch):
            calls.append(1)
            if len(calls) == 17:
                raise KeyboardInterrupt
            return forward(batch)

        return step, size

    with monkeypatch.context() as patch:
        patch.setattr(type(trunk), "open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(trunk, table)
    assert run(trunk, table).n_computed == len(table.pictures) - 64


def test_progress_is_told_about_every_row(trunk, table):
    class Counter(Silent):
        done = 0

        def stage(self, label, total):
            from contextlib import nullcontext

            assert total == len(table.pictures)

            def advance(n_done):
                Counter.done += n_done

            return nullcontext(advance)

    run(trunk, table, progress=Counter())
    assert Counter.done == len(table.pictures)
