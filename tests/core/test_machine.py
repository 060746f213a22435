import os
import platform
from pathlib import Path

import pytest

from handful.core import machine
from handful.core.machine import (
    code_sha256,
    count_threads,
    describe_machine,
    limit_threads,
    processor,
    processor_flags,
    versions,
)


def test_threads_are_what_was_asked_for_or_the_cores():
    assert count_threads(3) == 3
    assert count_threads(None) >= 1


def test_the_description_names_the_threads():
    assert describe_machine(2).endswith("2 threads used")


def test_the_limit_reaches_the_linear_algebra_library():
    import numpy as np
    from threadpoolctl import threadpool_info

    with limit_threads(1):
        np.ones((4, 4)) @ np.ones((4, 4))
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {1}


def test_versions_name_the_libraries_that_decide_numbers():
    assert {"python", "handful", "torch", "pillow"} <= set(versions())


@pytest.mark.parametrize(("cores", "threads"), [(3, 3), (None, 1)])
def test_where_the_system_does_not_say_which_cores_may_be_used_all_are(monkeypatch, cores, threads):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert count_threads(None) == threads


CPU_INFO = (
    "processor\t: 0\nmodel name\t: A fast one\nvmx flags\t: ept\nflags\t\t: sse2 avx2 fma\n\nmodel name\t: Another\n"
)


def test_the_first_processor_is_described_by_its_name_and_what_it_can_do(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self, **_: CPU_INFO)
    assert processor() == "A fast one"
    assert processor_flags() == ("avx2", "fma", "sse2")
    monkeypatch.setattr(Path, "read_text", lambda self, **_: "Features\t: neon asimd\n")
    assert processor_flags() == ("asimd", "neon")


def test_a_processor_that_nobody_describes_is_unknown(monkeypatch):
    def fails(self, **_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", fails)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert (processor(), processor_flags()) == ("unknown processor", ())


def test_the_hash_of_the_code_is_of_names_and_content(monkeypatch, tmp_path):
    (tmp_path / "core").mkdir()
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "core" / "machine.py"))
    (tmp_path / "core" / "machine.py").write_text("a = 1")
    hashes = [code_sha256()]
    (tmp_path / "b.py").write_text("")
    hashes.append(code_sha256())
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    hashes.append(code_sha256())
    (tmp_path / "core" / "machine.py").write_text("a = 2")
    (tmp_path / "notes.txt").write_text("not code")
    hashes.append(code_sha256())
    assert len(set(hashes)) == 4
    (tmp_path / "core" / "machine.py").write_text("a = 1")
    (tmp_path / "c.py").rename(tmp_path / "b.py")
    assert code_sha256() == hashes[1]
