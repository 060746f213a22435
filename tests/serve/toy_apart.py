"""The training process as tests want it: with the toy network, and at a pace that they choose."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from handful.features.engines import choose
from handful.serve import apart
from handful.testing.backbone import install_toy_backbone

WEIGHTS, WAIT = "HANDFUL_TEST_WEIGHTS", "HANDFUL_TEST_WAIT"


def learn_with_toy(order, line):
    """Does what `apart.learn` does; where a test says so, its first stage takes that many seconds."""
    with pytest.MonkeyPatch.context() as patch:
        install_toy_backbone(patch, Path(os.environ[WEIGHTS]) / str(os.getpid()))
        patch.setattr(choose, "OTHERS", ())
        if seconds := float(os.environ.get(WAIT, "0")):
            patch.setattr(apart.Told, "stage", slowed(apart.Told.stage, seconds))
        apart.learn(replace(order, options={"backbone": "toy", "threads": 1, **order.options}), line)


def slowed(stage, seconds):
    """Returns `Told.stage` that sleeps before it opens one."""

    def slow(self, label, total):
        time.sleep(seconds)
        return stage(self, label, total)

    return slow
