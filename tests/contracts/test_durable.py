"""Every durable file is written by `core.files`: on the source, and on what a run does on the disk."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import handful
from handful.testing.disk import Step, watched

PACKAGE = Path(handful.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

WRITERS = {
    "core/files.py": "the one writer",
    "core/folders.py": "who makes a folder: as good as its process, and made anew after a power cut",
    "api/unfinished.py": "an SQLite file, which has a journal (decision 26)",
    "export/packed.py": "a bundle unpacked for a moment, in a temporary folder",
    "images/sorting.py": "links, which hold nothing of their own",
    "features/shelf.py": "a file without a name, in place of memory",
    "images/sources.py": "opens to read, without following links",
}
"""The modules that may write otherwise, and what."""

METHODS = {
    *("write_text", "write_bytes", "mkdir", "touch", "hardlink_to", "symlink_to", "tofile", "to_csv", "to_parquet"),
}
FUNCTIONS = {
    *("os.open", "os.link", "os.symlink", "os.mkdir", "os.makedirs", "os.rename", "os.replace", "os.truncate"),
    *("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "shutil.move", "shutil.unpack_archive"),
    *("tempfile.mkstemp", "tempfile.mkdtemp", "tempfile.TemporaryFile", "tempfile.NamedTemporaryFile"),
    *("np.save", "np.savez", "np.savetxt", "torch.save", "save_file", "sqlite3.connect"),
}


def forbidden(call: ast.Call) -> str:
    """Returns what a call writes with, by a method's name or a function's; "" where it writes nothing."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if name in FUNCTIONS or ("." in name and last in METHODS):
        return name
    if "." in name and last in ("replace", "rename") and len(call.args) == 1 and not call.keywords:
        return name
    if last in ("open", "ZipFile"):
        modes = [*call.args[:2], *(each.value for each in call.keywords if each.arg == "mode")]
        texts = [each.value for each in modes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if last == "ZipFile" and ast.unparse(call.args[0]) == "file":  # one that `staged_file` opened
            return ""
        if any(set(text) <= set("rwxabt+") and set(text) & set("wxa+") for text in texts):
            return f"{name} to write"
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_else_writes_files(path):
    module = path.relative_to(PACKAGE).as_posix()
    tree = ast.parse(path.read_text())
    found = {forbidden(node) for node in ast.walk(tree) if isinstance(node, ast.Call)} - {""}
    if module in WRITERS:
        assert found, f"{module} writes nothing any more: take it off the list"
    elif not module.startswith("testing/"):
        assert not found


@pytest.mark.parametrize(
    "source",
    ["path.write_text('x')", "open(path, 'w')", "path.open('xb')", "temporary.replace(path)", "shutil.copy2(a, b)",
     "os.replace(a, b)", "io.open(path, mode='ab')", "zipfile.ZipFile(path, 'x')", "folder.mkdir()"],
)  # fmt: skip
def test_each_way_of_writing_is_known(source):
    assert forbidden(ast.parse(source).body[0].value)


@pytest.mark.parametrize(
    "source", ["text.replace('a', 'b')", "path.open('rb')", "open(path)", "write_bytes(path, data)", "replace(a, b=1)"]
)
def test_what_writes_nothing_is_not_taken_for_it(source):
    assert not forbidden(ast.parse(source).body[0].value)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the name of what is flushed")
def test_a_run_flushes_every_file_before_it_has_its_name_and_every_name_after(tmp_path, photos, toy, own_caches):
    steps: list[Step] = []
    with watched(steps.append):
        handful.train(photos, tmp_path / "new" / "run", backbone="toy", threads=1)
    unflushed: set[Path] = set()  # content, or a list of names, that a power cut could take
    named = set()
    for step in steps:
        match step.call:
            case "open" | "write":
                unflushed.add(step.path)
            case "fsync":
                unflushed.discard(step.path)
            case "mkdir":
                unflushed.add(step.path.parent)
            case "unlink" | "rmdir":
                unflushed.discard(step.path)
            case "replace":
                below = {path for path in unflushed if path.is_relative_to(step.path)}
                assert not below, f"{step.path} had its name before {below} was flushed"
                unflushed.add(step.to.parent)
                named.add(step.to)
    ours = {path for path in unflushed if any(path.is_relative_to(each) for each in (tmp_path, own_caches))}
    assert not ours
    run, staging = tmp_path / "new" / "run", tmp_path / "new" / ".run.partial"
    made = {staging / path.relative_to(run) for path in run.rglob("*") if path.is_file()}
    assert len(made) > 20
    assert made <= named
    assert run in named
    flushes = [step.path for step in steps if step.call == "fsync" and step.path.is_relative_to(tmp_path)]
    n_folders = sum(path.is_dir() for path in run.rglob("*"))
    assert len(flushes) <= 2 * len(made) + n_folders + 3  # each file and its name, each folder, the run's own name
