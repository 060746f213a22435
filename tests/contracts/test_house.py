"""The plan of the house, checked on its source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import handful

PACKAGE = Path(handful.__file__).parent
ORDER = [
    "core",
    "images",
    "backbones|split|evaluate",
    "features",
    "heads|finetune",
    "transfer",
    "report|export",
    "study",
    "api",
    "reproduce|serve",
    "cli",
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms.split("|")}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.AST) -> set[str]:
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        f"handful.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "handful"
        for alias in node.names
    }
    return {name.split(".")[1] for name in names if name.startswith("handful.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_point_down(path):
    room = room_of(path)
    if room in ("__init__", "__main__", "testing"):
        return
    allowed = {other for other in LEVEL if LEVEL[other] < LEVEL[room]} | {room}
    assert imported_rooms(ast.parse(path.read_text())) <= allowed


def test_only_tests_import_the_testing_room():
    importers = [path for path in FILES if "testing" in imported_rooms(ast.parse(path.read_text()))]
    assert all(room_of(path) == "testing" for path in importers)


@pytest.mark.parametrize(
    "module",
    [
        "handful",
        "handful.api",
        "handful.cli.main",
        "handful.images",
        "handful.backbones",
        "handful.finetune",
        "handful.report",
        "handful.serve",
    ],
)
def test_importing_a_room_does_not_import_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small_and_functions_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 80, node.name


@pytest.mark.parametrize("name", handful.__all__)
def test_public_names_exist_and_are_described(name):
    assert getattr(handful, name).__doc__


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'tran'"):
        _ = handful.tran
