"""Would the tests notice? Small faults are put into copies of the source, one at a time; 80 % have to be found.

Of each room a random sample of all possible faults is drawn: another comparison, operation, condition, number or word,
nothing returned, an argument left out. Docstrings, annotations, decorators and the sentences of messages stay as they
are. A fault is found when one of the room's own tests fails (or runs ten times as long); they run in a process that is
forked when everything but handful has been imported. mutmut 3.8 was tried first, and does not work with pytest 9.2.

python -m benchmarks.soak.mutants [--room NAME] [--sample 60] [--seed 0] [--jobs 1]
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.record import record

ROOT = Path(__file__).parents[2]
SOURCE = Path("src/handful")
FEWEST = 0.8

READING = "archives channels check cifar decode dicom layout listing pixels read sources survey"
"""Of the room images: what stands between a file of somebody else's and a table of pictures."""

ROOMS: dict[str, dict[str, tuple[str, ...]]] = {
    **{room: {f"{room}/*.py": (f"tests/{room}",)} for room in ("core", "split", "evaluate", "heads")},
    "loaders": {
        "features/shards.py": ("tests/features/test_cache.py", "tests/features/test_upkeep.py"),
        "features/cache.py": ("tests/features/test_cache.py", "tests/features/test_upkeep.py"),
        "export/bundle.py": ("tests/export/test_bundle.py",),
        "backbones/store.py": ("tests/backbones/test_store.py", "tests/backbones/test_fetch.py"),
        **{f"images/{name}.py": ("tests/images",) for name in READING.split()},
    },
}
"""Files of each room, and the tests that have to notice."""

EQUIVALENT = {
    "split/stratified.py:188 constant: 0 -> 1": "a class of one picture can spare none for the test",
    "split/stratified.py:198 constant: 1 -> 2": "of one picture or none nothing is tested, whatever the divisor",
    "split/stratified.py:202 constant: 0 -> 1": "a class of one picture can spare none, whatever it is asked for",
    "split/leaks.py:43 constant: 'pixels' -> 'XXpixels'": "a name that only has to differ from the other one",
    "evaluate/familiar.py:52 argument: np.searchsorted(familiar.distances, found, side='left') -> "
    "np.searchsorted(familiar.distances, found)": "left is NumPy's default",
    "evaluate/forecast.py:107 constant: 0 -> 1": "all rows are alike until this line has run",
    "heads/logistic.py:124 argument: np.where(unsolved, -_two_loop(gradient, inverse, history), 0.0).astype(dtype) -> "
    "np.where(unsolved, -_two_loop(gradient, inverse, history), 0.0).astype(None)": "the same in double precision",
    "heads/logistic.py:134 argument: np.where(usable, 1.0 / np.where(usable, curvature, 1.0), 0.0).astype(dtype) -> "
    "np.where(usable, 1.0 / np.where(usable, curvature, 1.0), 0.0).astype(None)": "the same in double precision",
    "heads/logistic.py:246 constant: 1.0 -> 2.0": "a divisor where nothing is taken of the quotient",
    "heads/kernel.py:102 argument: np.maximum(distances, 0.0, out=distances) -> np.maximum(distances, 0.0)": "the same "
    "numbers in memory of their own",
}
"""Faults that no test can notice, and why."""

IMPORTED = ("numpy", "scipy.linalg", "scipy.optimize", "scipy.special", "scipy.stats", "torch", "PIL.Image", "sklearn")

SWAPPED: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: in which file, at which node of its tree and which of the node's faults; and how it reads."""

    path: str
    node: int
    choice: int
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.kind}: {self.text}"

    @property
    def why_not(self) -> str:
        """Why no test can notice it; "" where one could."""
        return EQUIVALENT.get(str(self), "")


def faults(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """Returns the faults that can be put in place of a node: their kinds, and the node with them."""
    found: list[tuple[str, ast.AST]] = []

    def put(kind: str, **changed: Any) -> None:
        other = copy.copy(node)
        for name, value in changed.items():
            setattr(other, name, value)
        found.append((kind, other))

    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            put("comparison", ops=[*node.ops[:place], SWAPPED[type(op)](), *node.ops[place + 1 :]])
    elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED:
        put("arithmetic" if isinstance(node, ast.BinOp) else "boolean", op=SWAPPED[type(node.op)]())
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        put("boolean", test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            put("constant", value=not value)
        elif isinstance(value, int | float):
            put("constant", value=value + 1)
        elif isinstance(value, str) and value and " " not in value:
            put("constant", value=f"XX{value}")
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        put("return", value=ast.Constant(None))
    elif isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            put("argument", keywords=[*node.keywords[:place], *node.keywords[place + 1 :]])
        if node.args and not isinstance(node.args[0], ast.Starred | ast.Constant):
            put("argument", args=[ast.Constant(None), *node.args[1:]])
    return found


def mutable(tree: ast.Module) -> list[ast.AST]:
    """Returns the nodes of a module that decide what it does, in reading order."""
    skipped: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        skipped.update(id(each) for each in ast.walk(node)) if node is not None else None

    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                skip(decorator)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("cast", "TypeVar"):
            skip(node.args[0])
        elif _is_for_readers(node):
            skip(node)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            skip(annotation if isinstance(annotation, ast.AST) else None)
    return [node for node in ast.walk(tree) if id(node) not in skipped]


def mutants(room: str) -> list[Mutant]:
    """Returns all faults that can be put into a room, in a fixed order."""
    found = []
    for pattern in ROOMS[room]:
        for path in sorted((ROOT / SOURCE).glob(pattern)):
            name = path.relative_to(ROOT / SOURCE).as_posix()
            for number, node in enumerate(mutable(ast.parse(path.read_text(encoding="utf-8")))):
                for choice, (kind, other) in enumerate(faults(node)):
                    text = f"{_line(node)} -> {_line(other)}"
                    found.append(Mutant(name, number, choice, getattr(node, "lineno", 0), kind, text))
    return found


def mutated(mutant: Mutant) -> str:
    """Returns the source of a module with a fault in it."""
    tree = ast.parse((ROOT / SOURCE / mutant.path).read_text(encoding="utf-8"))
    node = mutable(tree)[mutant.node]
    _, other = faults(node)[mutant.choice]
    for name in node._fields:
        setattr(node, name, getattr(other, name))
    return ast.unparse(ast.fix_missing_locations(tree))


def tests_for(room: str, path: str) -> list[str]:
    """Returns the tests of a module, those named after it first."""
    (tests,) = (tests for pattern, tests in ROOMS[room].items() if Path(path).match(pattern))
    own = Path("tests") / Path(path).parent / f"test_{Path(path).name}"
    return [*([str(own)] if (ROOT / own).exists() else []), *tests]


def run_tests(tree: Path, tests: Sequence[str], *, seconds: float) -> str:
    """Returns "passed", "failed" or "too long" for some tests in a copy of the repository, in a forked process."""
    child = os.fork()
    if child == 0:
        _be_tested(tree, tests)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "passed" if os.waitstatus_to_exitcode(status) == 0 else "failed"
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "too long"


def _be_tested(tree: Path, tests: Sequence[str]) -> None:
    """Runs tests and ends the process; a fault may do anything, so that nothing may come back from here."""
    code = 70
    try:
        os.setsid()
        os.chdir(tree)
        sys.path[:0] = [str(tree / "src"), str(tree)]
        os.environ |= {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        for name in [name for name in sys.modules if name.split(".")[0] in ("handful", "benchmarks", "tests")]:
            del sys.modules[name]
        for stream in (1, 2):
            os.dup2(os.open(tree / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        import hypothesis
        import pytest

        hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
        hypothesis.settings.load_profile("mutants")
        base = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"--basetemp={tree / 'temporary'}"]
        base += [
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            "-k",
            "not within_two_seconds",
        ]  # a busy machine fails those
        code = int(pytest.main([*base, *dict.fromkeys(tests)]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def try_all(room: str, chosen: Sequence[Mutant], *, jobs: int, folder: Path) -> Iterator[tuple[Mutant, str]]:
    """Yields what the tests say to each fault."""
    trees: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        tree = folder / f"{room}-{number}"
        for name in ("src", "tests", "benchmarks", "docs"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "mkdocs.yml"):
            shutil.copy(ROOT / name, tree / name)
        trees.put(tree)

    def tried(mutant: Mutant) -> tuple[Mutant, str]:
        tree = trees.get()
        path = tree / SOURCE / mutant.path
        whole = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutated(mutant), encoding="utf-8")
            return mutant, run_tests(tree, tests_for(room, mutant.path), seconds=limits[mutant.path])
        finally:
            path.write_text(whole, encoding="utf-8")
            trees.put(tree)

    first, limits, seconds = folder / f"{room}-0", dict[str, float](), dict[tuple[str, ...], float]()
    for path in sorted({mutant.path for mutant in chosen}):
        tests = tuple(tests_for(room, path)[-1:])
        if tests not in seconds:
            start = time.monotonic()
            if run_tests(first, tests_for(room, path), seconds=3600.0) != "passed":
                told = (first / "output.txt").read_text(encoding="utf-8", errors="replace")
                sys.exit(f"the tests of {room} fail without any fault:\n{told[-4000:]}")
            seconds[tests] = time.monotonic() - start
            print(f"{room}: {' '.join(tests)} take {seconds[tests]:.1f} s", flush=True)
        limits[path] = 60.0 + 10.0 * seconds[tests]
    with ThreadPoolExecutor(jobs) as workers:
        yield from workers.map(tried, chosen)


def main() -> None:
    """Tries a sample of faults in each room, and says which of them no test noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", action="append", choices=ROOMS)
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # small arrays; threads would wait for threads
    for module in IMPORTED:
        __import__(module)
    figures: dict[str, Any] = {"sample": asked.sample, "seed": asked.seed, "rooms": {}}
    with tempfile.TemporaryDirectory() as folder:
        for room in asked.room or ROOMS:
            possible = mutants(room)
            drawn = random.Random(asked.seed).sample(possible, min(asked.sample, len(possible)))
            survivors: list[Mutant] = []
            for number, (mutant, outcome) in enumerate(
                try_all(room, drawn, jobs=asked.jobs, folder=Path(folder)), start=1
            ):
                print(f"{room} {number}/{len(drawn)} {outcome}: {mutant}", flush=True)
                survivors += [mutant] if outcome == "passed" else []
            figures["rooms"][room] = {
                "possible": len(possible),
                "tried": len(drawn),
                "found": len(drawn) - len(survivors),
                "not_found": [str(each) for each in survivors if not each.why_not],
                "equivalent": {str(each): each.why_not for each in survivors if each.why_not},
            }
    shares = [each["found"] / each["tried"] for each in figures["rooms"].values()]
    record("at least 80 % of small faults are found, room by room", figures=figures, holds=min(shares) >= FEWEST)


def _line(node: ast.AST) -> str:
    """Returns how a node reads, on one line, of a statement its head only."""
    if isinstance(node, ast.If | ast.While):
        return f"if {ast.unparse(node.test)}"
    text = " ".join(itertools.chain.from_iterable(line.split() for line in ast.unparse(node).splitlines()))
    return text if len(text) <= 100 else f"{text[:97]}..."


def _is_for_readers(node: ast.AST) -> bool:
    """Returns whether a node only says something: a docstring, a message, an alias of types, an import."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        names = {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)}
        return ast.unparse(node.targets[0]) == "__all__" or bool(names & {"Literal", "Callable", "npt"})
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom)


if __name__ == "__main__":
    main()
