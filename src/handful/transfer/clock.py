"""How long a run may take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from handful.core.config import TrainConfig
from handful.core.notation import read_duration
from handful.finetune import work_seconds

RESERVE = 10.0
"""Seconds for what comes after the search but the answers for the test part: heat maps, the model, the report."""

SLOWER = 1.1
"""How much longer answers may take than was measured: without it two of five runs with 600 seconds took 602 and 610."""


@dataclass(frozen=True, slots=True)
class Time:
    """How long a run may take, and how long it has taken; seconds.

    What trainings had taken counts, where a run goes on with them that was stopped before.

    Attributes:
        limit: None where there is none.
        start: when the run began, by `clock`.
        clock: goes forward only.
    """

    limit: float | None
    start: float
    clock: Callable[[], float] = work_seconds

    @classmethod
    def given(cls, config: TrainConfig) -> Time:
        """Returns the time of a run that begins now, by the option `time`."""
        text = config.finetune.time
        return cls(read_duration(text, option="time") if text else None, work_seconds())

    @property
    def spent(self) -> float:
        """Since the run began."""
        return self.clock() - self.start

    @property
    def left(self) -> float:
        """Until the limit; infinity where there is none."""
        return math.inf if self.limit is None else self.limit - self.spent
