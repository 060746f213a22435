"""How quickly pictures become features here, by network and engine, beside what this machine could do at best.

python -m benchmarks.engines [network ...]      (make bench)

Draws 200 JPEG pictures of 500 x 375 and measures, each time in a process of its own and in random order, medians of 5:
the frozen network alone, and the whole way from files to features. Beside them stand the machine's ceilings: a matrix
product, a copy, and decoding with resizing. "plain" is the usual script: the network as published, 32 pictures at a
time on all cores; "plain tuned" has the allocator told to keep its memory.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import record
from handful.backbones import Network, find, get, keep_memory, load, locate
from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.core.records import FeatureSet, ImageTable
from handful.features import FrozenTrunk, Preprocessing, extract, prepare, trunk_from_weights
from handful.features.engines.choose import pictures_per_second
from handful.images import pixels, read

N_PICTURES, N_RUNS = 200, 5
WIDTH, HEIGHT = 500, 375
PLAIN_BATCH = 32
WAYS = (
    ("plain", "fp32"),
    ("plain tuned", "fp32"),
    ("eager", "fp32"),
    ("fused", "fp32"),
    ("openvino", "fp32"),
    ("onnxruntime", "fp32"),
    ("fused", "bf16"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
    ("onnxruntime", "int8"),
)
WANTED = {  # end to end, pictures per second, and times the plain way with a tuned allocator
    ("efficientnet-lite0", "fp32"): (110, None),
    ("efficientnet-lite0", "bf16"): (150, 2.5),
    ("alexnet", "bf16"): (185, 2.2),
}


def draw(folder: Path, *, n_images: int = N_PICTURES, size: tuple[int, int] = (WIDTH, HEIGHT), grain: int = 6) -> None:
    """Draws JPEG photographs' like: smooth colours under grain, about 70 kB at 500 x 375, in two classes."""
    rng = np.random.default_rng(0)
    for number in range(n_images):
        patches = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(patches.resize(size, Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = smooth + rng.normal(0.0, grain, smooth.shape).astype(np.int16)
        path = folder / f"class{number % 2}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)


def ceilings(folder: Path) -> dict[str, float]:
    """Returns what this machine does at best: GFLOP/s of matrix products, GB/s of a copy, pictures/s of decoding."""
    import torch

    threads = count_threads(None)
    torch.set_num_threads(threads)
    keep_memory()
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        one = torch.randn(2048, 2048).to(dtype)
        seconds = best(lambda one=one: one @ one, n=8)
        found[f"gemm_{name}_gflops"] = 2 * 2048**3 / seconds / 1e9
    eight = torch.randint(-127, 128, (2048, 2048), dtype=torch.int8)
    found["gemm_int8_gflops"] = 2 * 2048**3 / best(lambda: torch._int_mm(eight, eight), n=8) / 1e9
    block = torch.zeros(1 << 26)
    found["copy_gb_per_s"] = 2 * block.nbytes / best(block.clone, n=5) / 1e9
    table = read(folder, ReadingConfig(), threads=threads)
    preprocessing = Preprocessing(224, "crop", "bicubic", (127.0,) * 3, (128.0,) * 3)
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(lambda one: prepare(pixels(table, one, shortest=224), preprocessing), table.pictures))
        found["decode_per_s"] = len(table.pictures) / (time.perf_counter() - start)
    return found


def best(work: Any, *, n: int) -> float:
    """Returns the shortest time of some calls, seconds."""
    times = []
    for _ in range(n + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def flops(network: Network, size: int) -> float:
    """Returns the multiplications and additions of one picture's pass, twice the products."""
    import torch

    counted = [0]

    def count(layer: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        per_output = layer.weight[0].numel()
        counted[0] += 2 * per_output * output[0].numel()

    hooks = [
        layer.register_forward_hook(count)
        for layer in network.body.modules()
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)
    ]
    with torch.inference_mode():
        network.features(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return float(counted[0])


def plain(network: Network, preprocessing: Preprocessing, folder: Path, *, tuned: bool) -> dict[str, float]:
    """Returns the rates of the usual script: pictures decoded by threads, 32 at a time through the whole network."""
    import torch

    threads = count_threads(None)
    torch.set_num_threads(threads)
    if tuned:
        keep_memory()
    table = read(folder, ReadingConfig(), threads=threads)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std))

    def forward(squares: list[np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float()
            return network.features((batch - mean) / std).numpy()

    def square(one: Any) -> np.ndarray:
        return prepare(pixels(table, one, shortest=preprocessing.size), preprocessing)

    some = [square(one) for one in table.pictures[:PLAIN_BATCH]]
    forward(some)
    seconds = best(lambda: forward(some), n=3)
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        squares = pool.map(square, table.pictures)
        batch: list[np.ndarray] = []
        for one in squares:
            batch.append(one)
            if len(batch) == PLAIN_BATCH:
                forward(batch)
                batch = []
        if batch:
            forward(batch)
    return {"trunk": PLAIN_BATCH / seconds, "whole": len(table.pictures) / (time.perf_counter() - start)}


def one_run(name: str, way: str, precision: str, folder: Path) -> dict[str, float]:
    """Returns the rates of one way in this process: the network alone, and from files to features; and memory."""
    spec, threads = find(name), count_threads(None)
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std)
    if way.startswith("plain"):
        rates = plain(load(spec, locate(spec)), preprocessing, folder, tuned=way == "plain tuned")
    else:
        trunk = trunk_from_weights(
            spec, locate(spec), threads=threads, progress=Silent(), engine=way, precision=precision
        )
        table = read(folder, ReadingConfig(), threads=threads)
        start = time.perf_counter()
        forward, batch = trunk.open(preprocessing, taps=[trunk.tap], threads=threads, progress=Silent())
        opening = time.perf_counter() - start
        alone = pictures_per_second(forward, batch, size=spec.input_size, threads=threads, seconds=1.5)
        start = time.perf_counter()
        features_of(trunk, table, preprocessing, use_cache=False)
        whole = len(table.pictures) / (time.perf_counter() - start)
        rates = {"trunk": alone, "whole": whole, "opening_s": opening}
    return {**rates, "memory_gib": peak_memory() / 1024**3}


def features_of(
    trunk: FrozenTrunk, table: ImageTable, preprocessing: Preprocessing, *, use_cache: bool = True
) -> FeatureSet:
    """Returns the features of all pictures as they are, with all cores."""
    return extract(
        trunk,
        table,
        table.pictures,
        preprocessing=preprocessing,
        views=("plain",),
        threads=count_threads(None),
        progress=Silent(),
        use_cache=use_cache,
    )


def peak_memory() -> int:
    """Returns the most memory that this process had, bytes; Linux counts its parent's otherwise."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return 1024 * next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def measure(networks: list[str], folder: Path) -> dict[str, dict[str, list[float]]]:
    """Returns, for every network and way that runs here, what each of its runs measured."""
    runs = [(name, way, precision) for name in networks for way, precision in WAYS] * N_RUNS
    random.Random(0).shuffle(runs)
    found: dict[str, dict[str, list[float]]] = {}
    for number, (name, way, precision) in enumerate(runs, 1):
        command = [sys.executable, "-m", "benchmarks.engines", "--one", name, way, precision, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {name} {way} {precision} left out: {done.stderr.strip().splitlines()[-1]}")
            continue
        rates = json.loads(done.stdout)
        for key, value in rates.items():
            found.setdefault(f"{name} {way} {precision}", {}).setdefault(key, []).append(round(value, 2))
        print(f"  {number}/{len(runs)} {name} {way} {precision}: {rates['whole']:.0f} pictures/s", file=sys.stderr)
    return found


def tell(found: dict[str, dict[str, list[float]]], best_here: dict[str, float], work: dict[str, float]) -> None:
    """Prints the table: medians, and their share of what the machine could do at best."""
    print(", ".join(f"{name} {value:.0f}" for name, value in best_here.items()))
    print(f"{'':42}{'network':>9}{'of gemm':>9}{'whole':>9}{'of limit':>9}{'GiB':>6}")
    for label in sorted(found):
        name, precision = label.split()[0], label.split()[-1]
        alone, whole, memory = (statistics.median(found[label][key]) for key in ("trunk", "whole", "memory_gib"))
        limit = best_here[f"gemm_{precision}_gflops"] * 1e9 / work[name]
        together = 1 / (1 / limit + 1 / best_here["decode_per_s"])
        print(f"{label:42}{alone:9.0f}{alone / limit:9.0%}{whole:9.0f}{whole / together:9.0%}{memory:6.2f}")


def main(networks: list[str]) -> None:
    """Measures, prints, records; ends with 1 where a rate that was asked for is not reached."""
    for name in networks:
        get(name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw(folder)
        best_here = ceilings(folder)
        found = measure(networks, folder)
    work = {name: flops(load(find(name), locate(find(name))), find(name).input_size) for name in networks}
    tell(found, best_here, work)
    reached, holds = {}, True
    for (name, precision), (rate, times) in WANTED.items():
        if name not in networks:
            continue
        candidates = [label for label in found if label.split()[0] == name and label.split()[-1] == precision]
        candidates = [label for label in candidates if "plain" not in label]
        best_label = max(candidates, key=lambda label: statistics.median(found[label]["whole"]))
        whole = statistics.median(found[best_label]["whole"])
        usual = {kind: statistics.median(found[f"{name} {kind} fp32"]["whole"]) for kind in ("plain", "plain tuned")}
        gain = {kind: round(whole / rate_of, 2) for kind, rate_of in usual.items()}
        reached[f"{name} {precision}"] = {"by": best_label, "whole": whole, "asked": rate, "times": gain}
        holds &= whole >= rate and (times is None or gain["plain tuned"] >= times)
    record(
        "files to features: Lite0 110 pictures/s in fp32, 150 in bf16, 2.5 times plain; AlexNet 185 in bf16, 2.2 times",
        figures={
            "ceilings": {name: round(value, 1) for name, value in best_here.items()},
            "gflop_per_picture": {name: round(value / 1e9, 3) for name, value in work.items()},
            "reached": reached,
            "runs": found,
        },
        holds=holds,
    )


if __name__ == "__main__":
    if "--one" in sys.argv:
        _, _, network, way, precision, folder = sys.argv
        try:
            print(json.dumps(one_run(network, way, precision, Path(folder))))
        except ConfigError as error:
            sys.exit(str(error))
    else:
        main([find(name).name for name in sys.argv[1:] or ["lite0", "alexnet"]])
