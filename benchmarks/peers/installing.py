"""A virtual environment for each peer, made once and made again when its requirements change."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "environments"
ROOT = Path(__file__).parents[2]

LIST = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
TOLD = (
    "handful",
    "torch",
    "torchvision",
    "fastai",
    "vyntri",
    "scikit-learn",
    "autogluon.multimodal",
    "numpy",
    "pillow",
)
"""Packages whose version is written down, where an environment has them."""


def install(name: str, folder: Path) -> Path:
    """Returns the Python of an environment, which is made where it is missing or its requirements changed.

    Args:
        name: of its file of requirements.
        folder: where environments go, each in a folder of its name.

    Raises:
        subprocess.CalledProcessError: pip could not install something; its own message stands above.
    """
    place = folder / name
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    installed = place / f"{name}.installed"
    if not installed.is_file() or installed.read_text(encoding="utf-8") != wanted:
        print(f"installing the environment {name} into {place}", flush=True)
        if not python.exists():
            venv.create(place, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(REQUIREMENTS / f"{name}.txt")], check=True, cwd=ROOT)
        installed.write_text(wanted, encoding="utf-8")
    return python


def versions_of(python: Path) -> dict[str, str]:
    """Returns the versions of what can change a number in an environment."""
    done = subprocess.run([str(python), "-c", LIST], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return {name: found[name] for name in TOLD if name in found}
