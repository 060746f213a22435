"""What eight bits cost and gain with the default network: they pass the gate, and OpenVINO is quicker with them.

The gate is the one of `--precision int8`: mean cosine to the features in fp32 and held-out accuracy, on 400 pictures of
each archive that is given. How far the ranges are best widened is tried too, on 200 pictures of each, and how
often OpenVINO makes a wrong model of the right graph is counted. The rates are
those of `benchmarks.engines`, from files to features, medians of 5 runs in processes of their own, in turns.

python -m benchmarks.eight_bits ARCHIVE...    (archives or folders with one folder per class)
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.engines import N_RUNS, draw, features_of
from benchmarks.record import record
from handful.backbones import find, locate
from handful.core.config import ReadingConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.core.records import FeatureArray
from handful.features import Precision, Preprocessing, cosines, trunk_from_weights
from handful.features.engines import quantised
from handful.features.engines.intel import settings, silent_import
from handful.features.engines.onnx_runtime import exported
from handful.features.engines.parity import drawn_pictures, reference_features
from handful.images import read
from handful.testing.backbone import toy_network
from handful.transfer.gate import Gate, examine_precision

NETWORK = "efficientnet-lite0"
WAYS = (("fused", "fp32"), ("openvino", "fp32"), ("openvino", "int8"), ("onnxruntime", "int8"))
N_CLASSES = 5
WIDTHS = (1.0, 1.3, 1.7, 2.5)
PER_ARCHIVE = 200
N_COMPILED = 400


def examined(archive: Path) -> Gate:
    """Returns what eight bits cost on pictures of an archive's first classes."""
    spec, threads = find(NETWORK), count_threads(None)
    table = read(archive, ReadingConfig(), threads=threads)
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std)
    precisions: tuple[tuple[str, Precision], ...] = (("openvino", "int8"), ("fused", "fp32"))
    low, full = (
        trunk_from_weights(spec, locate(spec), threads=threads, progress=Silent(), engine=engine, precision=precision)
        for engine, precision in precisions
    )
    rows = np.flatnonzero(table.labels < N_CLASSES)
    return examine_precision((low, full), table, rows, preprocessing, seed=0, threads=threads, progress=Silent())


def widths(archive: Path) -> dict[str, float]:
    """Returns the mean cosine to fp32 on some of an archive's pictures, by how far ranges are widened."""
    spec, threads, before = find(NETWORK), count_threads(None), quantised.WIDER
    table = read(archive, ReadingConfig(), threads=threads)
    rows = np.random.default_rng(0).permutation(len(table.pictures))[:PER_ARCHIVE]
    table = replace(table, pictures=tuple(table.pictures[row] for row in rows))
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std)

    def features(engine: str, precision: Precision) -> FeatureArray:
        trunk = trunk_from_weights(
            spec, locate(spec), threads=threads, progress=Silent(), engine=engine, precision=precision
        )
        return features_of(trunk, table, preprocessing, use_cache=False).values[:, 0]

    full, found = features("fused", "fp32"), {}
    for width in WIDTHS:
        quantised.WIDER = width
        found[f"{width:g}"] = round(float(cosines(features("onnxruntime", "int8"), full).mean()), 4)
    quantised.WIDER = before
    return found


def wrong_models() -> int:
    """Returns how many of `N_COMPILED` models that OpenVINO makes of one graph of the toy network are wrong."""
    network = toy_network()
    spec, library = network.spec, silent_import()
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std)
    pictures = drawn_pictures(4, spec.input_size)
    core = library.Core()
    model = core.read_model(exported(network, [spec.default_tap], preprocessing, "int8"))
    model.reshape(list(pictures.shape))
    (full,) = reference_features(network, [spec.default_tap], preprocessing, pictures)
    n_wrong = 0
    for _ in range(N_COMPILED):
        request = core.compile_model(model, "CPU", settings("int8", 2)).create_infer_request()
        found = np.array(request.infer({0: pictures})[0])
        n_wrong += bool(np.abs(found - full).max() > 0.2 * np.abs(full).max())
    return n_wrong


def rates() -> dict[str, dict[str, list[float]]]:
    """Returns, for each way, pictures per second from files to features and seconds to open, of every run."""
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
        for _ in range(N_RUNS):
            for engine, precision in WAYS:
                command = [sys.executable, "-m", "benchmarks.engines", "--one", NETWORK, engine, precision, folder]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                for key, value in json.loads(done.stdout).items():
                    found.setdefault(f"{engine} {precision}", {}).setdefault(key, []).append(round(value, 2))
    return found


def main(archives: list[Path]) -> None:
    """Measures and records; ends with 1 where the gate is closed or eight bits are not quicker."""
    gates = {archive.stem: examined(archive) for archive in archives}
    for name, gate in gates.items():
        print(f"{name}: {gate}", flush=True)
    by_width = {archive.stem: widths(archive) for archive in archives}
    print(by_width, flush=True)
    runs = rates()
    medians = {
        way: {key: statistics.median(of_key) for key, of_key in of_way.items() if key != "memory_gib"}
        for way, of_way in runs.items()
    }
    holds = all(gate.passes for gate in gates.values())
    holds &= medians["openvino int8"]["trunk"] > medians["openvino fp32"]["trunk"]
    record(
        "int8 passes the gate of mean cosine 0.995 and 0.5 points, and OpenVINO is quicker with it than in fp32",
        figures={
            "network": NETWORK,
            "gates": {
                name: {"cosine": round(gate.cosine, 4), "lost": round(gate.lost, 4)} for name, gate in gates.items()
            },
            "cosine_by_width": by_width,
            "wrong_models": {"n": wrong_models(), "of": N_COMPILED},
            "medians": medians,
            "runs": runs,
        },
        holds=holds,
    )


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
