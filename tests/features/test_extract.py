import sys
from dataclasses import replace

import numpy as np
import pytest

from handful.backbones import Tap, load, locate
from handful.core.config import ReadingConfig
from handful.core.progress import Silent
from handful.features import Preprocessing, extract, extract_at, extract_unchecked, prepare, trunk_from_weights
from handful.images import Found, open_place, pixels, read
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


@pytest.mark.parametrize("threads", [1, 3])
def test_unchecked_files_have_the_features_of_checked_ones_and_the_others_a_reason(trunk, table, photos, threads):
    files = list(open_place(photos).find())
    broken = Found("broken", files[0].source, "gone.png")
    values, faults = extract_unchecked(
        trunk,
        [broken, *files, broken],
        reading=ReadingConfig(),
        full_scale=table.full_scale,
        preprocessing=shown(trunk.spec),
        views=("plain", "mirror"),
        threads=threads,
        progress=Silent(),
    )
    expected = run(trunk, table, views=("plain", "mirror"), use_cache=False).values
    assert [each.inner for each in files] == [picture.path for picture in table.pictures]
    np.testing.assert_array_equal(values[1:-1], expected)
    assert faults == dict.fromkeys((0, len(files) + 1), "there is no such file")


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


@pytest.mark.parametrize("shard_rows", [32, 1024])
def test_work_done_before_an_interruption_is_kept(trunk, toy, tmp_path, monkeypatch, shard_rows):
    monkeypatch.setattr(sys.modules["handful.features.shelf"], "SHARD_ROWS", shard_rows)
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


def at(taps, trunk, table, **options):
    options = {"preprocessing": shown(trunk.spec), "views": ("plain",), "threads": 2, "progress": Silent(), **options}
    return extract_at(taps, trunk, table, table.pictures, **options)


@pytest.fixture
def passes(trunk, monkeypatch):
    """What the network was opened for, and how often it ran, once its engine was compared at every tap."""
    for taps in (trunk.spec.taps, trunk.spec.taps[:3], *([tap] for tap in trunk.spec.taps)):
        trunk.proven(shown(trunk.spec), taps=taps, threads=2, progress=Silent())
    trunk.opened.clear()
    opened = type(trunk).open
    seen = {"taps": [], "passes": 0}

    def counted(self, *args, taps, **options):
        forward, size = opened(self, *args, taps=taps, **options)
        seen["taps"].append([tap.name for tap in taps])

        def step(batch):
            seen["passes"] += 1
            return forward(batch)

        return step, size

    monkeypatch.setattr(type(trunk), "open", counted)
    return seen


def test_several_taps_and_views_come_from_one_pass_and_are_those_of_passes_of_their_own(trunk, table, passes):
    together = at(trunk.spec.taps, trunk, table, views=("plain", "mirror"), use_cache=False)
    assert passes["passes"] == 2 * len(table.pictures) // 4  # four squares at a time
    for tap, found in zip(trunk.spec.taps, together, strict=True):
        alone = run(replace(trunk, tap=tap), table, views=("plain", "mirror"), use_cache=False)
        np.testing.assert_array_equal(found.values, alone.values)


def test_a_tap_that_is_known_is_not_computed_with_the_others(trunk, table, passes):
    first, second, third, _ = trunk.spec.taps
    (known,) = at([first], trunk, table)
    found = at([third, first, second], trunk, table)
    assert passes["taps"] == [[first.name], [third.name, second.name]]
    np.testing.assert_array_equal(found[1].values, known.values)
    at([first, second, third], trunk, table)
    assert len(passes["taps"]) == 2


def test_places_are_kept_in_half_precision_place_by_place(trunk, table, toy):
    import torch

    tap = Tap("stage1-places", "stage1", "places", 8 * 8 * 12)
    (found,) = at([tap], trunk, table)
    assert found.values.dtype == np.float16
    square = prepare(pixels(table, table.pictures[5]), shown(toy))
    x = torch.tensor((square.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.inference_mode():
        for _, group in load(toy, locate(toy)).groups()[:2]:
            x = group(x)
    expected = x[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found.values[5, 0].reshape(8, 8, 12), expected, rtol=1e-3, atol=1e-4)
    (again,) = at([tap], trunk, table)
    assert again.n_computed == 0
    np.testing.assert_array_equal(again.values, found.values)


def test_a_picture_is_decoded_once_for_all_its_views(trunk, table, monkeypatch):
    decoded = []
    original = sys.modules["handful.features.extract"].pixels

    def counted(*args, **options):
        decoded.append(1)
        return original(*args, **options)

    monkeypatch.setattr(sys.modules["handful.features.extract"], "pixels", counted)
    run(trunk, table, views=("plain", "mirror", "top-left"), use_cache=False)
    assert len(decoded) == len(table.pictures)
