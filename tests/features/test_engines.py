"""Engines: that they compute the network, that a wrong one is found out, and how one is chosen."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

import handful
from handful.backbones import locate
from handful.cli.demo import solar_cells
from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError
from handful.core.files import cache_folder
from handful.core.progress import Silent
from handful.features import FrozenTrunk, Preprocessing, extract, prepare, trunk_from_weights
from handful.features.engines import ENGINES, choose, find_engine, parity
from handful.features.engines.pytorch import exactly
from handful.features.extract import _portions
from handful.images import pixels, read
from handful.testing.backbone import toy_network
from handful.transfer.gate import LEAST_COSINE

RUNNABLE = [
    (name, precision)
    for name, (_, precisions) in ENGINES.items()
    for precision in precisions
    if name not in ("cuda", "mps", "compile")
]
EIGHT_BITS = [name for name, precision in RUNNABLE if precision == "int8"]


def shown(spec, **changes):
    return replace(Preprocessing(spec.input_size, "crop", "bilinear", spec.mean, spec.std), **changes)


def opened(name, precision="fp32", *, taps=None, preprocessing=None):
    network = toy_network()
    taps = taps or [network.spec.default_tap]
    engine = find_engine(name, precision)
    if engine.fault():
        pytest.skip(engine.fault())
    return engine.open(network, taps, preprocessing or shown(network.spec), 2), network, taps, engine


@pytest.mark.parametrize(("name", "precision"), RUNNABLE)
def test_every_engine_computes_the_network_at_several_taps(name, precision):
    network = toy_network()
    forward, network, taps, engine = opened(name, precision, taps=network.spec.taps)
    found = parity.compare(forward, network, taps, shown(network.spec), batch=engine.batch, precision=precision)
    assert not found.fault
    assert found.difference < (1e-5 if precision == "fp32" else 0.1)


@pytest.mark.parametrize("name", [name for name, precision in RUNNABLE if precision == "fp32"])
@pytest.mark.parametrize("wrong", [{"mean": (126.0, 127.0, 127.0)}, {"std": (128.0, 128.0, 127.0)}])
def test_a_wrong_mean_or_deviation_is_found_out(name, wrong):
    spec = toy_network().spec
    forward, network, taps, engine = opened(name, preprocessing=shown(spec, **wrong))
    found = parity.compare(forward, network, taps, shown(spec), batch=engine.batch, precision="fp32")
    assert "differ from the network's" in found.fault


def test_low_precision_of_another_network_is_found_out():
    forward, network, taps, engine = opened("eager", "bf16")
    other = toy_network(seed=1)
    found = parity.compare(forward, other, taps, shown(network.spec), batch=engine.batch, precision="bf16")
    assert "differ from the network's" in found.fault


def test_low_precision_that_turns_features_a_little_is_found_out_by_their_cosine():
    forward, network, taps, engine = opened("eager", "fp32")
    rng = np.random.default_rng(0)

    def noisy(batch):
        (values,) = forward(batch)
        return (values + rng.uniform(-0.15, 0.15, values.shape).astype(np.float32) * np.abs(values).max(),)

    found = parity.compare(noisy, network, taps, shown(network.spec), batch=engine.batch, precision="bf16")
    assert "the mean cosine of its features to the network's is" in found.fault


def test_features_that_are_no_numbers_are_found_out():
    network = toy_network()
    taps = [network.spec.default_tap]
    nothing = np.full((4, 16), np.nan, dtype=np.float32)
    found = parity.compare(lambda _: (nothing,), network, taps, shown(network.spec), batch=4, precision="fp32")
    assert found.fault


@pytest.mark.parametrize("name", EIGHT_BITS)
def test_eight_bits_move_features_a_little_and_the_same_way_each_time(name):
    forward, network, taps, engine = opened(name, "int8")
    pictures = parity.drawn_pictures(engine.batch, network.spec.input_size)
    (full,) = parity.reference_features(network, taps, shown(network.spec), pictures)
    (found,) = forward(pictures)
    assert parity.cosines(found, full).min() > 0.99
    assert np.abs(found - full).max() > 1e-3 * np.abs(full).max()  # it is not fp32 under another name
    again, *_ = opened(name, "int8")
    np.testing.assert_array_equal(again(pictures)[0], found)


def test_a_model_that_openvino_compiles_wrongly_is_compiled_again(monkeypatch):
    intel = pytest.importorskip("handful.features.engines.intel")
    verdicts = [parity.Parity(4.9, 0.1, "it computes something else")] * 2 + [parity.Parity(0.01, 0.99, "")]
    asked = []
    monkeypatch.setattr(intel, "compare", lambda *_, **__: asked.append(1) or verdicts[len(asked) - 1])
    opened("openvino", "int8")
    assert len(asked) == 3
    monkeypatch.setattr(intel, "compare", lambda *_, **__: verdicts[0])
    with pytest.raises(RuntimeError, match="compiled 5 times, and it computes something else"):
        opened("openvino", "int8")


@pytest.mark.parametrize("name", EIGHT_BITS)
def test_eight_bits_are_named_after_the_version_of_what_made_them(name):
    assert find_engine(name, "int8").facts["versions"]["onnxruntime"] == version("onnxruntime")


@pytest.mark.parametrize("name", EIGHT_BITS)
def test_a_forgotten_normalisation_is_found_out_in_eight_bits_too(name):
    spec = toy_network().spec
    forward, network, taps, engine = opened(name, "int8", preprocessing=shown(spec, mean=(0.0, 0.0, 0.0)))
    found = parity.compare(forward, network, taps, shown(spec), batch=engine.batch, precision="int8")
    assert "differ from the network's" in found.fault


@pytest.mark.parametrize(("name", "precision"), RUNNABLE)
def test_a_row_depends_neither_on_its_place_nor_on_its_neighbours(name, precision):
    forward, network, _, engine = opened(name, precision)
    pictures = parity.drawn_pictures(engine.batch, network.spec.input_size)
    (rows,), (turned,) = forward(pictures), forward(pictures[::-1].copy())
    np.testing.assert_array_equal(rows, turned[::-1])
    alone = np.zeros_like(pictures)
    alone[0] = pictures[2]
    np.testing.assert_array_equal(forward(alone)[0][0], rows[2])


@pytest.mark.real  # slow rather than real: compiling takes up to half a minute
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's, about parts of PyTorch
def test_what_the_compiler_makes_is_the_network_whatever_stands_beside_a_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # nothing of an earlier run is taken
    forward, network, taps, engine = opened("compile")
    found = parity.compare(forward, network, taps, shown(network.spec), batch=engine.batch, precision="fp32")
    assert not found.fault
    assert found.difference < 1e-5
    pictures = parity.drawn_pictures(engine.batch, network.spec.input_size)
    np.testing.assert_array_equal(forward(pictures)[0], forward(pictures[::-1].copy())[0][::-1])


@pytest.fixture
def tf32():
    """Allows PyTorch TF32 in products and convolutions, as a caller's script may have."""
    import torch

    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.fp32_precision
    products.fp32_precision = "tf32"
    with convolutions.flags(enabled=True, allow_tf32=True):
        yield products, convolutions
    products.fp32_precision = before


def test_on_an_nvidia_card_fp32_is_fp32_even_where_the_caller_allowed_less(tf32):
    products, convolutions = tf32
    with exactly("cuda"):
        assert (products.fp32_precision, convolutions.allow_tf32) == ("ieee", False)
        assert (convolutions.deterministic, convolutions.benchmark) == (True, False)
    assert (products.fp32_precision, convolutions.allow_tf32) == ("tf32", True)
    with exactly("cpu"):
        assert products.fp32_precision == "tf32"


def chosen(toy, wanted="auto", **options):
    return trunk_from_weights(toy, locate(toy), threads=1, progress=Silent(), engine=wanted, **options)


def memories():
    return sorted(cache_folder("engines").glob("*.json"))


def fake(monkeypatch, name, *, opening=0.0, rate=100.0, broken=""):
    """Puts an engine in the place of another: as quick as is said, and perhaps wrong."""
    make, precisions = ENGINES[name]
    runs = find_engine("eager", "fp32").open
    monkeypatch.setitem(ENGINES, name, (lambda _: replace(make("fp32"), fault=lambda: "", open=runs), precisions))
    return {"name": name, "opening": opening, "running": rate, "parity": parity.Parity(0.0, 1.0, broken)}


@pytest.fixture
def trials(monkeypatch):
    """Lets `auto` choose between fused and openvino, whose trials are made up."""
    monkeypatch.setattr(choose, "OTHERS", ("openvino",))
    made = []

    def with_results(*results):
        engines = [fake(monkeypatch, "fused", **results[0]), fake(monkeypatch, "openvino", **results[1])]

        def tried(*_, **__):
            made.append(1)
            return [choose._Tried(**engine) for engine in engines]

        monkeypatch.setattr(choose, "_try", tried)
        return made

    return with_results


def test_another_library_has_to_be_clearly_quicker(toy, trials, own_caches):
    trials({"rate": 100.0}, {"rate": 110.0})
    assert chosen(toy).engine.name == "fused"


def test_a_clearly_quicker_one_takes_the_place(toy, trials):
    trials({"rate": 100.0}, {"rate": 130.0})
    trunk = chosen(toy)
    assert trunk.engine.name == "openvino"
    assert "openvino 130" in trunk.engine_reason


def test_the_time_to_open_an_engine_counts(toy, trials):
    trials({"rate": 100.0}, {"rate": 130.0, "opening": 3.0})
    assert chosen(toy).engine.name == "fused"


class Told(Silent):
    """Remembers what it was told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def kept_open(trunk):
    told = Told()
    return trunk.quickest(shown(trunk.spec), threads=1, progress=told), told.lines


def test_who_keeps_an_engine_open_takes_the_quickest_once_it_is_open(toy, trials):
    made = trials({"rate": 100.0}, {"rate": 130.0, "opening": 3.0})
    trunk = chosen(toy)
    for _ in range(2):  # the second time it is remembered
        other, (line,) = kept_open(trunk)
        assert (trunk.engine.name, other.engine.name) == ("fused", "openvino")
        assert "runs Toy: tried on this machine, pictures per second once it is open: fused 100, openvino 130" in line
    assert made == [1, 1]


def test_who_keeps_an_engine_open_takes_none_that_is_called_with_a_whole_batch_only(toy, trials, monkeypatch):
    trials({"rate": 100.0}, {"rate": 500.0})
    whole = replace(find_engine("openvino", "fp32"), any_size=False)
    monkeypatch.setitem(ENGINES, "openvino", (lambda _: whole, ("fp32",)))
    assert chosen(toy).engine.name == "openvino"
    assert kept_open(chosen(toy))[0].engine.name == "fused"


def test_below_fp32_who_keeps_an_engine_open_keeps_the_one_of_the_training(toy, trials):
    trunk = chosen(toy, "eager", precision="bf16")
    trials({"rate": 100.0}, {"rate": 500.0})
    assert kept_open(trunk) == (trunk, [])


def fails(*_):
    raise OSError("no such instruction")


def turned(*_):
    return lambda batch: (np.ones((len(batch), 16), dtype=np.float32),)


@pytest.mark.parametrize(
    ("open_", "reason"), [(fails, "no such instruction"), (turned, "its features differ from the network's")]
)
def test_where_the_quickest_engine_fails_or_computes_other_weights_the_own_one_stays(
    toy, trials, own_caches, monkeypatch, open_, reason
):
    trials({"rate": 100.0}, {"rate": 130.0, "opening": 3.0})
    trunk = chosen(toy)
    bad = replace(find_engine("openvino", "fp32"), open=open_)
    monkeypatch.setitem(ENGINES, "openvino", (lambda _: bad, ("fp32",)))
    other, (line,) = kept_open(trunk)
    assert other.engine.name == "fused"
    assert line.startswith("Engine fused runs Toy as in training: ")
    assert reason in line


@pytest.mark.parametrize(("name", "precision"), RUNNABLE)
def test_what_takes_any_number_of_pictures_gives_the_same_rows(name, precision):
    forward, network, _, engine = opened(name, precision)
    if not engine.any_size:
        return
    pictures = parity.drawn_pictures(engine.batch, network.spec.input_size)
    (whole,) = forward(pictures)
    for n_pictures in (1, 2):
        (rows,) = forward(np.ascontiguousarray(pictures[:n_pictures]))
        np.testing.assert_allclose(rows, whole[:n_pictures], atol=(1e-5 if precision == "fp32" else 0.02) * whole.max())


def test_a_quick_engine_that_computes_something_else_is_not_used(toy, trials):
    trials({"rate": 100.0}, {"rate": 500.0, "broken": "its features differ"})
    trunk = chosen(toy)
    assert trunk.engine.name == "fused"
    assert "not openvino: its features differ" in trunk.engine_reason


def test_where_no_engine_computes_the_network_nothing_runs(toy, trials):
    trials({"broken": "wrong"}, {"broken": "wrong too"})
    with pytest.raises(ConfigError, match="no engine computes Toy in fp32 on this machine"):
        chosen(toy)


def test_a_choice_is_made_once_and_kept(toy, trials):
    made = trials({"rate": 100.0}, {"rate": 130.0})
    assert [chosen(toy).engine.name for _ in range(3)] == ["openvino"] * 3
    assert made == [1]


@pytest.mark.parametrize("content", ["", "{}", '{"engine": "gpu", "reason": ""}', "[1]"])
def test_a_memory_that_cannot_be_understood_is_made_anew(toy, trials, content):
    made = trials({"rate": 100.0}, {"rate": 130.0})
    chosen(toy)
    memories()[0].write_text(content)
    assert chosen(toy).engine.name == "openvino"
    assert len(made) == 2


def test_a_real_trial_times_and_compares(toy, monkeypatch):
    monkeypatch.setattr(choose, "SECONDS", 0.01)
    monkeypatch.setattr(choose, "OTHERS", ("onnxruntime",))
    trunk = chosen(toy)
    (memory,) = memories()
    tried = json.loads(memory.read_text())["tried"]
    assert trunk.engine.name in [one["name"] for one in tried]
    assert all(one["parity"]["difference"] < 1e-5 for one in tried if not one["parity"]["fault"])


def test_an_engine_that_is_not_installed_says_how_to_get_it(toy, monkeypatch):
    monkeypatch.setattr("handful.features.engines.intel.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'handful\[openvino\]'"):
        chosen(toy, "openvino")


def test_eight_bits_without_a_library_for_them_say_what_to_install(toy, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "OTHERS", ("openvino", "onnxruntime"))
    for library in ("intel", "onnx_runtime"):
        monkeypatch.setattr(f"handful.features.engines.{library}.find_spec", lambda name: None)
    message = r"precision is 'int8', but .*pip install 'handful\[openvino\]'.*pip install 'handful\[onnx\]'"
    with pytest.raises(ConfigError, match=message):
        handful.train(photos, tmp_path / "run", backbone="toy", precision="int8")
    assert not (tmp_path / "run").exists()


def test_a_precision_that_an_engine_does_not_have_names_those_that_do(toy):
    with pytest.raises(ConfigError, match="With bf16: fused, eager, openvino"):
        chosen(toy, "onnxruntime", precision="bf16")


def test_a_model_from_a_machine_with_another_engine_runs_and_says_so(toy):
    class Listener(Silent):
        said = ""

        def say(self, message):
            Listener.said += message

    trunk = chosen(toy)
    elsewhere = replace(trunk.engine, name="cuda", fault=lambda: "PyTorch finds no cuda device here")
    moved = FrozenTrunk(trunk.spec, trunk.tap, trunk.weights_sha256, trunk.network, trunk.state, elsewhere)
    with pytest.raises(ConfigError, match="Try --engine eager"):  # never under the other's name on disk
        moved.open(shown(toy), taps=[toy.default_tap], threads=1, progress=Silent())
    forward, batch = moved.open(shown(toy), taps=[toy.default_tap], threads=1, progress=Listener(), by_another=True)
    pictures = parity.drawn_pictures(batch, toy.input_size)
    (expected,) = parity.reference_features(trunk.network(), [toy.default_tap], shown(toy), pictures)
    np.testing.assert_allclose(forward(pictures)[0], expected, atol=1e-5)
    assert "engine eager runs it instead" in Listener.said


def test_a_model_whose_library_is_not_installed_here_answers_all_the_same(toy, photos, monkeypatch):
    table = read(photos, ReadingConfig(), threads=1)
    trunk = chosen(toy)
    lacking = replace(trunk.engine, name="gone", library="handful-no-such-library", fault=lambda: "it is not installed")
    options = {"preprocessing": shown(toy), "views": ("plain",), "threads": 1, "progress": Silent()}
    expected = extract(trunk, table, table.pictures, **options, use_cache=False)
    found = extract(replace(trunk, engine=lacking, opened={}), table, table.pictures, **options, use_cache=False)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)


def test_where_fused_convolutions_differ_pytorch_runs_as_it_is(toy, monkeypatch):
    make, precisions = ENGINES["fused"]

    def wrong(precision):
        engine = make(precision)

        def open_(*args):
            forward = engine.open(*args)
            return lambda batch: tuple(values + 1.0 for values in forward(batch))

        return replace(engine, open=open_)

    monkeypatch.setitem(ENGINES, "fused", (wrong, precisions))
    trunk = chosen(toy)
    assert trunk.engine.name == "eager"
    assert "not fused: its features differ" in trunk.engine_reason


@pytest.fixture
def wrong_above_32(monkeypatch):
    """Makes the quick engine compute something else than the network with pictures that are not 32 pixels wide."""
    make, precisions = ENGINES["fused"]
    opened = []

    def changed(precision):
        engine = make(precision)

        def open_(network, taps, preprocessing, threads):
            forward = engine.open(network, taps, preprocessing, threads)
            opened.append((preprocessing.size, len(taps)))
            if preprocessing.size == 32:
                return forward
            return lambda batch: tuple(values + 1.0 for values in forward(batch))

        return replace(engine, open=open_)

    monkeypatch.setitem(ENGINES, "fused", (changed, precisions))
    return opened


def test_an_engine_that_computes_something_else_at_another_size_is_found_out_there_once(toy, wrong_above_32):
    trunk = chosen(toy)
    where = {"taps": [toy.default_tap], "threads": 1, "progress": Silent()}
    assert trunk.proven(shown(toy), **where) is trunk
    assert wrong_above_32 == [(32, 1)]
    for _ in range(2):  # the second time it is remembered
        other = trunk.proven(shown(toy, size=48), **where)
        assert (trunk.engine.name, other.engine.name) == ("fused", "eager")
        assert "not fused fp32 with 48 pixels at head: its features differ" in other.engine_reason
    assert wrong_above_32 == [(32, 1), (48, 1)]


def test_an_engine_is_compared_at_other_taps_too(toy, wrong_above_32):
    trunk = chosen(toy)
    for _ in range(2):
        same = trunk.proven(shown(toy), taps=toy.taps, threads=1, progress=Silent())
        assert same is trunk
    assert wrong_above_32 == [(32, 1), (32, len(toy.taps))]


def test_features_at_another_size_are_those_of_the_network_and_named_after_what_computed_them(
    toy, photos, wrong_above_32
):
    table, trunk = read(photos, ReadingConfig(), threads=1), chosen(toy)
    options = {"preprocessing": shown(toy, size=48), "views": ("plain",), "threads": 1, "progress": Silent()}
    found = extract(trunk, table, table.pictures[:4], **options)
    eager = chosen(toy, "eager")
    expected = extract(eager, table, table.pictures[:4], **options)
    assert expected.n_computed == 0  # they lie in the cache under its name
    assert found.space == expected.space
    squares = np.stack([prepare(pixels(table, one), shown(toy, size=48)) for one in table.pictures[:4]])
    (network,) = parity.reference_features(trunk.network(), [toy.default_tap], shown(toy, size=48), squares)
    np.testing.assert_allclose(found.values[:, 0], network, atol=1e-5)


def test_a_run_records_the_engine_that_ran_at_its_picture_size(toy, photos, tmp_path, wrong_above_32):
    handful.train(photos, tmp_path / "run", backbone="toy", size=48)
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())["engine"]
    assert recorded["value"] == "eager"
    assert "not fused fp32 with 48 pixels" in recorded["reason"]


def test_an_engine_that_fails_is_left_out_and_tried_again_another_day(toy, monkeypatch):
    make, precisions = ENGINES["fused"]

    def failing(*_):
        raise MemoryError("no room")

    monkeypatch.setitem(ENGINES, "fused", (lambda precision: replace(make(precision), open=failing), precisions))
    trunk = chosen(toy)
    assert trunk.engine.name == "eager"
    assert "not fused: it failed: MemoryError: no room" in trunk.engine_reason
    assert not memories()


def test_many_views_are_taken_a_few_at_a_time(toy):
    portions = list(_portions(np.ones((2, 101), dtype=bool), batch=64))
    assert max(map(len, portions)) <= 4 * 64
    assert sorted(square for portion in portions for square in portion) == [
        (r, v) for r in range(2) for v in range(101)
    ]
    assert [len(portion) for portion in _portions(np.ones((5, 3), dtype=bool), batch=4)] == [12, 3]


def test_openvino_starts_no_process_and_reports_nothing():
    version("openvino-telemetry")  # what must not be heard is there
    code = """
import subprocess, sys
started = []
sys.addaudithook(lambda event, args: started.append(event) if event in ("subprocess.Popen", "os.posix_spawn", "os.fork",
    "socket.connect", "socket.getaddrinfo") else None)
from handful.features.engines.intel import silent_import
silent_import().Core()
assert sys.modules["openvino_telemetry"] is None
sys.exit(f"it did: {started}" if started else 0)
"""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.real
@pytest.mark.parametrize("name", ["fused", "eager", "openvino", "onnxruntime"])
def test_the_default_network_is_computed_by_every_engine_whatever_stands_beside_a_picture(name):
    from handful.backbones import find, load

    spec = find("lite0")
    network, engine = load(spec, locate(spec)), find_engine(name, "fp32")
    if engine.fault():
        pytest.skip(engine.fault())
    taps = [spec.default_tap, *spec.taps[3:5]]
    forward = engine.open(network, taps, shown(spec), 2)
    found = parity.compare(forward, network, taps, shown(spec), batch=engine.batch, precision="fp32")
    assert not found.fault
    assert found.difference < 1e-5
    pictures = parity.drawn_pictures(engine.batch, spec.input_size)
    for one, other in zip(forward(pictures), forward(pictures[::-1].copy()), strict=True):
        np.testing.assert_array_equal(one, other[::-1])


@pytest.mark.real
@pytest.mark.parametrize("name", EIGHT_BITS)
def test_eight_bits_pass_the_gate_on_solar_cells(name):
    from handful.backbones import find, load

    pytest.importorskip("elpv_dataset", reason="the extra `demo` is not installed")
    spec = find("lite0")
    network, engine = load(spec, locate(spec)), find_engine(name, "int8")
    if engine.fault():
        pytest.skip(engine.fault())
    cells = [Image.open(path).convert("RGB") for path, _ in solar_cells()[::26]]  # 101 of them
    squares = np.stack([prepare(np.asarray(cell), shown(spec)) for cell in cells[:100]])
    batches = squares.reshape(-1, engine.batch, *squares.shape[1:])
    rows = []
    for runs in (engine, find_engine("eager", "fp32")):
        forward = runs.open(network, [spec.default_tap], shown(spec), 2)
        rows.append(np.concatenate([forward(batch)[0] for batch in batches]))
        turned = forward(batches[0][::-1].copy())[0][::-1]
        np.testing.assert_array_equal(turned, rows[-1][: engine.batch])
    assert LEAST_COSINE <= parity.cosines(*rows).mean() < 0.9999
