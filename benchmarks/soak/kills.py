"""500 kills at random moments of train, study, predict and export, each followed by the same command again.

Every command runs in a fork of this process, which has the libraries loaded already, so that a kill meets it at its
work. Trainings write a checkpoint after every epoch. Then 100 stops by Ctrl+C and SIGTERM, in the same way.

python -m benchmarks.soak.kills [KILLS STOPS]
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from io import StringIO
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.record import record
from handful.cli.main import main as command_line
from handful.core.files import sha256_file
from handful.finetune.course import Course
from handful.finetune.kept import Place
from handful.report import figures
from handful.testing.command import ForGood, prepare
from handful.testing.pictures import draw_folder

KILLS, STOPS = 500, 100
AGAIN = 0.7
"""Chance that the command that follows a kill is to be killed too."""

SOON = 5.0
"""Seconds within which a stop is over."""

STOPPING = (signal.SIGINT, signal.SIGTERM)
OUR_FAULT, NOT_BEGUN = 1, 99
"""Exit codes of a fork, beside the command's own."""

PLOT = b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'></svg>"

CHECKPOINT = "*/[0-9]*.safetensors"
TOY = ("--backbone", "toy", "--threads", "1")
STUDY = ("--head", "C", "--epochs", "4", "--vary", "lr=1e-3,1e-2", "--vary", "batch=8,16", "--seeds", "2")


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, what it makes, and what of that must be the same however often it was killed."""

    name: str
    arguments: tuple[str, ...]
    out: str
    same: tuple[str, ...]


RUN = ("model/*", "predictions.csv", "figures/training.csv")
COMMANDS = (
    Command(
        "train, new layers",
        ("train", "photos", *TOY, "--head", "8d0.2-C", "--epochs", "12", "--batch", "8", "--out", "run"),
        "run",
        RUN,
    ),
    Command(
        "train, upper layers",
        ("train", "photos", *TOY, "--strategy", "freeze", "--epochs", "12", "--mixup", "0.2", "--out", "run"),
        "run",
        RUN,
    ),
    Command(
        "study",
        ("study", "photos", *TOY, *STUDY, "--out", "study", "--resume"),
        "study",
        ("trials/*",),
    ),
    Command("predict", ("predict", "model", "photos", "--threads", "1", "--out", "a.csv"), "a.csv", ("",)),
    Command("export", ("export", "model", "--onnx", "--threads", "1", "--out", "onnx"), "onnx", ("*.onnx", "golden*")),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        code: negative where a signal ended it.
        seconds: until then, from the signal if one was sent.
        said: on standard error.
    """

    code: int
    seconds: float
    said: str


class Ground:
    """Where the commands run: a folder with pictures and a trained model, made anew for every trial of a command.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.work = root, root / "work"
        root.mkdir(parents=True)
        prepare(root / "toy")
        draw_folder(root / "photos", per_class=12, size=48)
        self.log = os.open(root / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        ForGood().setattr(Course, "save", _logged(Course.save, self.log))
        ForGood().setattr(figures, "_saved", lambda *figure: PLOT)  # drawing is half of a run's time
        self.clear()
        for command in COMMANDS:  # in this process, which loads what the forks need
            self.clear()
            with redirect_stdout(StringIO()):
                assert self._typed(command) == 0, command.name
            if not (root / "model").exists():
                shutil.copytree(self.work / command.out, root / "model")

    def clear(self) -> None:
        """Removes what commands made, the cache too."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        os.ftruncate(self.log, 0)
        for name in ("photos", "model"):
            (self.work / name).symlink_to(self.root / name)

    def run(self, command: Command, *, sent: tuple[signal.Signals, float] | None = None) -> Ended:
        """Runs a command, and sends it a signal after some seconds if it is still there then."""
        start = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        if not (child := os.fork()):
            self._be(command)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        code = None
        if sent is not None:
            code = _waited(child, sent[1])
            start = time.monotonic()
            if code is None:
                os.kill(child, sent[0])
        if code is None:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Ended(code, time.monotonic() - start, (self.root / "said").read_text())

    def is_complete(self, command: Command) -> bool:
        """Returns whether a command that makes something in one step has made it."""
        return command.name != "study" and (self.work / command.out).exists()

    def reached(self) -> dict[str, int]:
        """Returns the last epoch that each training has done."""
        lines = (line.split() for line in (self.root / "log").read_text().splitlines())
        return {name: int(epoch) for name, epoch in lines}

    def kept(self) -> tuple[dict[str, int], int]:
        """Returns the epoch that each training can go on from, and how many checkpoints are not what they should be."""
        found: dict[str, int] = {}
        n_damaged = 0
        for path in (self.work / "cache" / "trainings").glob(CHECKPOINT):
            n_damaged += sha256_file(path) != path.stem[7:]
            found[path.parent.name] = max(found.get(path.parent.name, 0), int(path.name[:6]))
        return found, n_damaged

    def made(self, command: Command) -> dict[str, str]:
        """Returns the hashes of what must be the same."""
        out = self.work / command.out
        files = [path for pattern in command.same for path in ([out] if not pattern else out.glob(pattern))]
        return {str(path.relative_to(self.work)): sha256_file(path) for path in files if path.is_file()}

    def left_over(self, command: Command) -> list[str]:
        """Returns the files that lie where nobody looks for them."""
        known = {"photos", "model", "cache", command.out}
        return sorted(path.name for path in self.work.iterdir() if path.name not in known)

    def _be(self, command: Command) -> None:
        """Is the command, until its end; what is stopped before it is one has not begun."""
        code = OUR_FAULT
        try:
            for number in STOPPING:
                signal.signal(number, lambda *_: os._exit(NOT_BEGUN))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(self.root / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            code = self._typed(command)
        finally:
            os._exit(code)

    def _typed(self, command: Command) -> int:
        """Returns the exit code of a command in this process."""
        os.environ["HANDFUL_CACHE"] = str(self.work / "cache")
        own, sys.argv = sys.argv, ["handful", *command.arguments]
        try:
            with chdir(self.work):
                command_line()
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
        finally:
            sys.argv = own
        return 0


@dataclass(slots=True)
class Found:
    """What came of the interruptions.

    Attributes:
        by_command: how many there were.
        unreadable: checkpoints that are not what their names say.
        most_epochs_lost: by a training.
        went_back: trainings that had less after an interruption than after the one before.
        longest_stop_s: until a command was gone that was asked to stop.
        not_one_line: stops that said something else than one line.
        failed: what commands said that did not go on.
        finished: commands that came to their end.
        different: of these, how many made something else than without interruptions.
        left_over: files that nobody looks for.
    """

    by_command: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    most_epochs_lost: int = 0
    went_back: int = 0
    longest_stop_s: float = 0.0
    not_one_line: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    finished: int = 0
    different: int = 0
    left_over: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything is as promised."""
        counts = self.unreadable, self.went_back, self.different
        clean = not (any(counts) or self.not_one_line or self.failed or self.left_over)
        return clean and self.most_epochs_lost <= 1 and self.longest_stop_s <= SOON

    @property
    def figures(self) -> dict[str, Any]:
        """What is written down."""
        return {**asdict(replace(self, by_command=Counter())), "by_command": dict(self.by_command)}


def soak(root: Path, *, n_interruptions: int, numbers: Sequence[signal.Signals], seed: int) -> Found:
    """Interrupts the commands in turn, so often in all, and returns what was found.

    Args:
        root: an empty folder.
        n_interruptions: at least; the last command is brought to its end.
        numbers: of the signals, in turn.
        seed: decides the moments.
    """
    ground, found, draws, signals = Ground(root), Found(), random.Random(seed), cycle(numbers)
    alone = {}
    for command in COMMANDS:
        ground.clear()
        ended = ground.run(command)
        assert ended.code == 0, ended.said
        alone[command.name] = ended.seconds, ground.made(command)
        assert ground.made(command), command.name
    for command in cycle(COMMANDS):
        if found.by_command.total() >= n_interruptions:
            break
        seconds, whole = alone[command.name]
        ground.clear()
        if _interrupted(ground, command, found, signals, seconds, draws):
            found.finished += 1
            found.different += ground.made(command) != whole
            found.left_over += ground.left_over(command)
        print(found, flush=True)
    return found


def _interrupted(
    ground: Ground,
    command: Command,
    found: Found,
    signals: Iterator[signal.Signals],
    seconds: float,
    draws: random.Random,
) -> bool:
    """Interrupts a command, which takes some seconds alone, until it comes to its end; returns whether it did."""
    before: dict[str, int] = {}
    is_hit = True
    while True:
        ended = ground.run(command, sent=(next(signals), draws.uniform(0.0, seconds)) if is_hit else None)
        if ended.code == 0 or (ground.is_complete(command) and "exists already" in ended.said):
            return True
        if ended.code == NOT_BEGUN:
            continue
        if ended.code not in (-signal.SIGKILL, 130, 143):
            found.failed.append(f"{command.name}: {ended.code}: {ended.said}")
            return False
        found.by_command[command.name] += 1
        if ended.code > 0:
            found.longest_stop_s = max(found.longest_stop_s, ended.seconds)
            if ended.said.count("\n") != 1:
                found.not_one_line.append(f"{command.name}: {ended.said}")
        kept, n_damaged = ground.kept()
        found.unreadable += n_damaged
        if not ground.is_complete(command):
            lost = [epoch - kept.get(name, 0) for name, epoch in ground.reached().items()]
            found.most_epochs_lost = max(found.most_epochs_lost, *lost, 0)
            found.went_back += sum(kept.get(name, 0) < epoch for name, epoch in before.items())
        before, is_hit = kept, draws.random() < AGAIN


def _waited(child: int, seconds: float) -> int | None:
    """Returns how a process ended within some seconds; None where it goes on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    return None


def _logged(save: Callable[..., None], log: int) -> Callable[..., None]:
    """Returns what saves a training, and says before which epoch that is."""

    def wrapper(course: Course, place: Place, **options: Any) -> None:
        os.write(log, f"{place.folder.name} {course.n_epochs}\n".encode())
        save(course, place, **options)

    return wrapper


def main() -> None:
    """Kills and stops, and writes down what was found."""
    n_kills, n_stops = (int(text) for text in sys.argv[1:]) if len(sys.argv) > 1 else (KILLS, STOPS)
    with tempfile.TemporaryDirectory() as name:
        killed = soak(Path(name) / "kills", n_interruptions=n_kills, numbers=[signal.SIGKILL], seed=0)
        stopped = soak(Path(name) / "stops", n_interruptions=n_stops, numbers=STOPPING, seed=1)
    record(
        "a command that is killed or stopped at any moment goes on when it is repeated, to the same bits",
        figures={"killed": killed.figures, "stopped": stopped.figures},
        holds=killed.holds and stopped.holds,
    )


if __name__ == "__main__":
    main()
