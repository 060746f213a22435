"""Calls of handful as text: what a report says that one may type, for data with a path and for data without one.

Data with a path are named on a command line. Data that a program held have no name outside it, so that their runs are
told as Python.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Mapping
from typing import Any

CALL = "handful.train("


def python_call(options: Mapping[str, Any]) -> str:
    """Returns the Python that trains on `data`.

    Example:
        >>> python_call({"backbone": "lite1", "seed": 1})
        "handful.train(data, backbone='lite1', seed=1)"
    """
    return CALL + ", ".join(["data", *(f"{name}={value!r}" for name, value in options.items())]) + ")"


def is_python(command: str) -> bool:
    """Returns whether a run's command is Python, rather than a command line."""
    return command.startswith(CALL)


def extended(command: str, options: Mapping[str, Any]) -> str:
    """Returns a run's command with further options; one that it has already is replaced in Python, and wins if last.

    Example:
        >>> extended("handful train photos --seed 1", {"folds": 5})
        'handful train photos --seed 1 --folds 5'
        >>> extended("handful.train(data, seed=1)", {"folds": 5})
        'handful.train(data, seed=1, folds=5)'
    """
    if is_python(command):
        return python_call({**python_options(command), **options})
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return shlex.join([*shlex.split(command), *words])


def python_options(command: str) -> dict[str, Any]:
    """Returns the options of a call that `python_call` wrote."""
    call = ast.parse(command, mode="eval").body
    assert isinstance(call, ast.Call)
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
