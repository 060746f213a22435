"""What is installed is pinned: constraints.txt names every package that handful or its tests bring."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
}
OF_A_PLATFORM = re.compile(r"nvidia-.*|cuda-.*|triton|setuptools|pip")
"""What torch brings on some platforms, and what every environment has."""


def declared():
    """Yields every requirement of the project, its extras' among them, but those on itself."""
    extras = PROJECT["optional-dependencies"].values()
    for line in [*PROJECT["dependencies"], *(line for lines in extras for line in lines)]:
        requirement = Requirement(line)
        if requirement.name != "handful":
            yield requirement


def brought(requirements):
    """Returns the names of all installed packages that some requirements lead to."""
    found, waiting = set(), [(requirement, "") for requirement in requirements]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        for each in ("", *requirement.extras):
            if (name, each) not in seen:
                seen.add((name, each))
                waiting += [(Requirement(line), each) for line in lines]
    return {name for name in found if not OF_A_PLATFORM.fullmatch(name)}


def test_every_installed_requirement_is_pinned():
    assert sorted(brought(declared()) - PINS.keys()) == []


def test_every_requirement_of_the_test_extra_is_pinned_whether_it_is_installed_or_not():
    extras = PROJECT["optional-dependencies"]
    (own,) = [Requirement(line) for line in extras["test"] if line.startswith("handful[")]
    lines = [*PROJECT["dependencies"], *extras["test"], *(line for extra in own.extras for line in extras[extra])]
    names = {canonicalize_name(Requirement(line).name) for line in lines} - {"handful"}
    assert sorted(names - PINS.keys()) == []


def test_every_pin_is_one_version_and_satisfies_what_is_declared():
    for requirement in declared():
        pin = PINS.get(canonicalize_name(requirement.name))
        assert pin is None or requirement.specifier.contains(pin, prereleases=True), requirement


@pytest.mark.parametrize(
    ("name", "least"),
    [("pillow", "12.3"), ("torch", "2.10"), ("onnx", "1.21"), ("starlette", "1.3.1"), ("python-multipart", "0.0.27")],
)
def test_versions_with_known_holes_are_not_accepted(name, least):
    assert PINS[name] >= Version(least)
    (requirement,) = [each for each in declared() if canonicalize_name(each.name) == name]
    assert {specifier.version for specifier in requirement.specifier if specifier.operator == ">="} == {least}
