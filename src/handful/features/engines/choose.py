"""Which engine runs a network on this machine: tried once, compared with the network, remembered.

The engine decides the last bits of a feature, so it is part of what names features on disk. That is why it is chosen
once per machine and network, and why a quicker one must be clearly quicker.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from math import inf, isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from handful.backbones import BackboneSpec, Network, Tap, keep_memory
from handful.core.errors import ConfigError
from handful.core.machine import installed, open_threads, processor
from handful.core.parsed import MALFORMED
from handful.core.progress import Progress
from handful.core.remembered import memory_of, recall, remember
from handful.features.engines import ENGINES, Engine, Precision, find_engine
from handful.features.engines.parity import Parity, compare, drawn_pictures
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handful.features.engines.engine import Forward

MEMORY_FORMAT = 2

ACCELERATORS = ("cuda", "mps")
PYTORCH = ("fused", "eager")
OTHERS = ("openvino", "onnxruntime")
"""What `auto` tries on a processor: the first way of PyTorch that runs, and the other libraries that are installed.
`compile` is left out: opening it takes half a minute."""

GAIN = 1.15
"""How much quicker an engine has to be to take the place of the first; timings on a laptop vary by a tenth."""

SECONDS = 0.4
"""Of one measurement; each engine is measured `ROUNDS` times, in turns, and its best counts."""
ROUNDS = 3

FAILED = "it failed"

TYPICAL = 1000
"""Pictures on which engines are compared, the time to open them included: the size of set that handful is for."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An engine, and why it."""

    engine: Engine
    reason: str


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a trial of an engine showed.

    Attributes:
        name: of the engine.
        opening: seconds that opening it took.
        running: pictures per second once it is open; 0 where it was not timed.
        parity: how far its features are from the network's.
    """

    name: str
    opening: float
    running: float
    parity: Parity

    def rate(self, n_pictures: float) -> float:
        """Returns pictures per second of so many pictures, opening included; 0 where it was not timed."""
        return 1.0 / (self.opening / n_pictures + 1.0 / self.running) if self.running else 0.0


def choose_engine(
    spec: BackboneSpec,
    network: Callable[[], Network],
    *,
    wanted: str,
    precision: Precision,
    threads: int,
    progress: Progress,
    tap: Tap | None = None,
    pool: str = "max",
    weights: str = "trained",
    is_kept_open: bool = False,
) -> Chosen:
    """Returns the engine that runs a network here: the wanted one, or the quickest that computes the same.

    The first time on a machine this takes some seconds; afterwards it is remembered, for each network, precision and
    version of the libraries, how quick every engine was.

    Args:
        spec: the network's facts.
        network: loads it; called only where nothing is remembered.
        wanted: the name of an engine, or "auto".
        precision: of the multiplications.
        threads: that will run it.
        progress: told about the trial.
        tap: where features are taken; the network's own by default.
        pool: as in `FrozenTrunk`.
        weights: their hash, where they were not just trained.
        is_kept_open: whether it will be called again and again, with any number of pictures, so that the time to open
            it counts for nothing; otherwise it counts as for `TYPICAL` pictures.

    Raises:
        ConfigError: there is no such engine, it cannot run here, or it does not compute this network.
    """
    tap = tap or spec.default_tap
    memory = _memory(spec, wanted, precision=precision, tap=tap, pool=pool, weights=weights)
    tried = _recall(memory, precision)
    if not tried:
        for engines in _candidates(wanted, precision):
            if engines and not _usable(tried):
                tried += _try(engines, spec, network(), tap, threads=threads, progress=progress)
        if not _usable(tried):
            faults = "; ".join(f"{one.name}: {one.parity.fault}" for one in tried)
            raise ConfigError(f"no engine computes {spec.title} in {precision} on this machine ({faults}).")
        if not any(one.parity.fault.startswith(FAILED) for one in tried):  # a failure may be of the moment: tried again
            remember(memory, {"tried": [asdict(one) for one in tried]})
    n_pictures = inf if is_kept_open else TYPICAL
    able = [one for one in _usable(tried) if not is_kept_open or find_engine(one.name, precision).any_size]
    if not able:
        raise ConfigError(f"no engine for {spec.title} in {precision} takes any number of pictures on this machine.")
    first, best = able[0], max(able, key=lambda one: one.rate(n_pictures))
    winner = best if best.rate(n_pictures) > GAIN * first.rate(n_pictures) else first
    reason = _reason(wanted, winner, able, tried, first=first.name, n_pictures=n_pictures)
    return Chosen(find_engine(winner.name, precision), reason)


def check_engine(wanted: str, precision: Precision) -> None:
    """Raises ConfigError where what was asked for does not exist or is not installed; imports no PyTorch."""
    if wanted != "auto":
        engine = find_engine(wanted, precision)
        if wanted in OTHERS:
            _refuse(engine)
    elif not any(precision in ENGINES[name][1] for name in PYTORCH):
        faults = [find_engine(name, precision).fault() for name in OTHERS if precision in ENGINES[name][1]]
        if all(faults):
            raise ConfigError(f"precision is {precision!r}, but {'; '.join(faults)}")


@contextmanager
def lanes(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Opens threads in each of which PyTorch uses one core; the caller's own setting is left as it was."""
    import torch

    keep_memory()
    before = torch.get_num_threads()
    try:
        with open_threads(threads, each=partial(torch.set_num_threads, 1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def _candidates(wanted: str, precision: Precision) -> list[list[Engine]]:
    """Returns the engines that are in question, those to be compared side by side; the next ones where none works."""
    if wanted != "auto":
        return [[_refuse(find_engine(wanted, precision))]]
    fused, eager = PYTORCH
    tiers = (ACCELERATORS, (fused, *OTHERS), (eager,))
    able = [[find_engine(name, precision) for name in names if precision in ENGINES[name][1]] for names in tiers]
    return [[engine for engine in engines if not engine.fault()] for engines in able]


def _refuse(engine: Engine) -> Engine:
    """Returns an engine that can run here.

    Raises:
        ConfigError: it cannot.
    """
    fault = engine.fault()
    if fault:
        others = "" if engine.precision == "int8" else " --engine auto takes what runs here."
        raise ConfigError(f"engine is {engine.name!r}, but {fault}.{others}")
    return engine


def _usable(tried: Sequence[_Tried]) -> list[_Tried]:
    """Returns those that compute the network, in the order in which they are preferred."""
    return [one for one in tried if not one.parity.fault]


def _try(
    engines: Sequence[Engine], spec: BackboneSpec, network: Network, tap: Tap, *, threads: int, progress: Progress
) -> list[_Tried]:
    """Returns what each engine does with drawn pictures, measured in turns so that a slow moment hits all of them."""
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std)
    taps = [tap]
    parities: dict[str, Parity] = {}
    openings: dict[str, float] = {}
    opened: list[tuple[Engine, Forward]] = []
    with progress.stage(f"Trying engines for {spec.title}", len(engines)) as advance:
        for engine in engines:
            start = perf_counter()
            try:
                forward = engine.open(network, taps, preprocessing, threads)
                openings[engine.name] = perf_counter() - start
                parity = compare(forward, network, taps, preprocessing, batch=engine.batch, precision=engine.precision)
            except Exception as error:  # whatever a foreign library raises, the others can still be used
                parity = _failure(error)
            parities[engine.name] = parity
            if not parity.fault:
                opened.append((engine, forward))
            advance(1)
        rates = {engine.name: 0.0 for engine in engines}
        for _ in range(ROUNDS if len(opened) > 1 else 0):
            for engine, forward in opened:
                try:
                    rate = pictures_per_second(forward, engine.batch, size=spec.input_size, threads=threads)
                except Exception as error:
                    parities[engine.name] = _failure(error)
                else:
                    rates[engine.name] = max(rates[engine.name], rate)
    return [
        _Tried(engine.name, openings.get(engine.name, 0.0), rates[engine.name], parities[engine.name])
        for engine in engines
    ]


def _failure(error: Exception) -> Parity:
    return Parity(float("inf"), 0.0, f"{FAILED}: {type(error).__name__}: {str(error)[:200]}")


def pictures_per_second(forward: Forward, batch: int, *, size: int, threads: int, seconds: float = SECONDS) -> float:
    """Returns how many drawn pictures a forward pass takes in a second when so many threads call it."""
    pictures = drawn_pictures(batch, size)

    def run(until: float) -> int:
        n_passes = 0
        while not n_passes or perf_counter() < until:
            forward(pictures)
            n_passes += 1
        return n_passes

    with lanes(threads) as pool:
        list(pool.map(run, [0.0] * threads))
        start = perf_counter()
        n_passes = sum(pool.map(run, [start + seconds] * threads))
        return n_passes * batch / (perf_counter() - start)


def _reason(
    wanted: str, winner: _Tried, able: Sequence[_Tried], tried: Sequence[_Tried], *, first: str, n_pictures: float
) -> str:
    if wanted != "auto":
        return f"chosen by the user; differs from the network by {winner.parity.difference:.0e} of the largest feature"
    rates = ", ".join(f"{one.name} {one.rate(n_pictures):.0f}" for one in able if one.running)
    faults = "".join(f"; not {one.name}: {one.parity.fault}" for one in tried if one.parity.fault)
    if not rates:
        return f"the only one that runs here{faults}"
    rule = f"another than {first} has to be {GAIN - 1:.0%} quicker"
    number = f"of {n_pictures:,}" if isfinite(n_pictures) else "once it is open"
    return f"tried on this machine, pictures per second {number}: {rates}; {rule}{faults}"


def _memory(spec: BackboneSpec, wanted: str, *, precision: Precision, tap: Tap, pool: str, weights: str) -> Path:
    """Returns the file that remembers the trial of this network on this machine with the libraries it has."""
    libraries = [find_engine(name, precision).library for name, (_, has) in ENGINES.items() if precision in has]
    facts: dict[str, Any] = {
        "format": MEMORY_FORMAT,
        "machine": [sys.platform, processor()],
        "backbone": spec.name,
        "tap": asdict(tap),
        **({"library": spec.library} if spec.library else {}),
        "pool": pool,
        "weights": weights,
        "wanted": wanted,
        "precision": precision,
        "libraries": {name: installed(name) for name in sorted({"torch", "onnx", *filter(None, libraries)})},
        "accelerators": [os.environ.get("CUDA_VISIBLE_DEVICES"), Path("/dev/nvidiactl").exists()],
    }
    return memory_of(facts)


def _recall(memory: Path, precision: Precision) -> list[_Tried]:
    """Returns what is remembered; nothing where an engine that worked then cannot run now.

    PyTorch is imported for accelerators only, which can be gone.
    """
    try:
        found = [_Tried(**{**one, "parity": Parity(**one["parity"])}) for one in recall(memory).get("tried", [])]
        engines = [find_engine(one.name, precision) for one in _usable(found)]
    except (*MALFORMED, ConfigError):
        return []
    gone = any(engine.name in (*ACCELERATORS, *OTHERS) and engine.fault() for engine in engines)
    return [] if gone else found
