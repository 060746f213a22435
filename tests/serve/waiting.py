"""Waiting for what a page shows; Playwright's own way evaluates text in the page, which the page forbids."""

from __future__ import annotations

import pytest

TRIES, PAUSE = 400, 50.0


def wait_until(page, expression):
    """Returns when an expression is true on the page."""
    for _ in range(TRIES):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(PAUSE)
    pytest.fail(f"never came true: {expression}")
