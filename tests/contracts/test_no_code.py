"""Nothing in a file is ever executed: the source holds no call that could, but the few that are named here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import handful

PACKAGE = Path(handful.__file__).parent
FILES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.py.txt")])

LOADERS = {
    "pickle", "_pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve", "jsonpickle", "yaml", "runpy", "code",
    "subprocess", "multiprocessing",
}  # fmt: skip
"""Modules that run what they are given."""

CALLS = {"eval", "exec", "compile", "__import__", "breakpoint", "globals", "locals", "vars"}
NAMES = {
    "import_module", "exec_module", "load_module", "spec_from_file_location", "run_path", "run_module", "extractall",
    "extract", "unpack_archive", "popen", "startfile", "read_pickle", "unsafe_load", "full_load",
    "load_state_dict_from_url", "enable_load_extension", "load_extension", "register_custom_ops_library", "from_string",
    "spawnv", "execv", "execve",
}  # fmt: skip
"""What runs code, imports by a name, or writes files under names from an archive, whoever has it."""

DOTTED = {"os.system", "os.fork", "torch.hub"}
MODULES = {"api", "estimators", "builtins", "sys", "importlib", "torch", "models", "timm", "transformers"}
"""Of which nothing may be taken by a name that is only known when the program runs."""

SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}
"""Functions that are safe with this word alone, which has to be there."""

EXCEPTIONS = {
    ("core/unpickle.py", "pickle"): "its unpickler finds stand-ins alone; tests/core/test_malicious.py attacks it",
    ("backbones/package_index.py", "subprocess"): "asks pip for its settings; no word of the command is from a file",
    ("serve/apart.py", "multiprocessing"): "a pipe to a training that the page began; both ends are ours",
    ("serve/training.py", "multiprocessing"): "the other end of that pipe",
    ("__init__.py", "getattr"): "the public names, from a list in the source, when first used",
}
"""Where a file needs what others must not have, and why that is safe."""


def found_in(source: str, *, file: str = "") -> Iterator[str]:
    """Yields what in a source could run what a file says."""
    for node in ast.walk(ast.parse(source)):
        for word in _words(node):
            if (file, word) not in EXCEPTIONS:
                yield word


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from LOADERS & {alias.name.partition(".")[0] for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith("handful"):
        names = {alias.name for alias in node.names}
        yield from LOADERS & {str(node.module).partition(".")[0]}
        yield from (name for name in names if name in NAMES or f"{node.module}.{name}" in DOTTED)
    elif isinstance(node, ast.Attribute) and (node.attr in NAMES or ast.unparse(node) in DOTTED):
        yield node.attr
    elif isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle", "trust_remote_code"):
        if ast.unparse(node.value) != "False":
            yield node.arg
    elif isinstance(node, ast.Call):
        yield from _called(node)


def _called(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    if name in CALLS:
        yield name
    if name in SAFE:
        word, value = SAFE[name]
        if not any(k.arg == word and ast.unparse(k.value) == str(value) for k in call.keywords):
            yield name
    if name == "getattr" and ast.unparse(call.args[0]) in MODULES and not isinstance(call.args[1], ast.Constant):
        yield name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_in_a_file_can_be_executed(path):
    name = path.relative_to(PACKAGE).as_posix()
    assert list(found_in(path.read_text(), file=name)) == []


@pytest.mark.parametrize(("file", "word"), EXCEPTIONS)
def test_every_exception_is_still_needed(file, word):
    assert word in set(found_in((PACKAGE / file).read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "from marshal import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.lib.npyio.load(path, allow_pickle=flag)",
        "import yaml",
        "from yaml import load",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
        "importlib.import_module(name)",
        "from importlib import import_module",
        "importlib.util.spec_from_file_location('x', path)",
        "getattr(torch, name)",
        "globals()[name]()",
        "torch.hub.load(repository, name)",
        "from torch import hub",
        "archive.extractall(folder)",
        "archive.extract(member)",
        "shutil.unpack_archive(path)",
        "subprocess.run(command, shell=True)",
        "import subprocess",
        "os.system(command)",
        "os.popen(command)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "jinja2.Environment().from_string(text)",
        "pandas.read_pickle(path)",
    ],
)
def test_the_search_finds(source):
    assert list(found_in(source))
