"""Skips tests of a library that does not work here: its adapter is the same everywhere, the library need not be."""

from __future__ import annotations

from importlib import import_module

import pytest


def library(name):
    """Returns a library, or skips the module's tests with the reason."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"{name} cannot be imported here: {error}", allow_module_level=True)
