"""Counts and times of a server, as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the times that are told apart, seconds."""

PATHS = ("/", "/predict", "/explain", "/corrections", "/model", "/health", "/metrics", "/reload", "/openapi.json")
"""Paths that are counted by name; all others together, so that nobody can fill the memory with names."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Metrics:
    """What happened since the server began; written in the event loop only.

    Attributes:
        requests: by path and status.
        times: answered requests for a prediction by time, one more count than `BOUNDS`.
        seconds: their times together.
        reloads: by how they ended, "ok" or "failed".
    """

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    times: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    reloads: Counter[str] = field(default_factory=Counter)

    def count(self, path: str, status: int, seconds: float) -> None:
        """Counts a request that has ended."""
        self.requests[path if path in PATHS else "other", status] += 1
        if path == "/predict" and status == 200:
            self.times[bisect_left(BOUNDS, seconds)] += 1
            self.seconds += seconds

    def text(self, *, batches: Mapping[int, int], gauges: Mapping[str, float], model: str, key: str) -> str:
        """Returns everything as text.

        Args:
            batches: how many batches of each size were answered.
            gauges: what is so now, by name.
            model: its name.
            key: what tells it from another of the same name.
        """
        return "\n".join(self._lines(batches, gauges, model, key)) + "\n"

    def _lines(self, batches: Mapping[int, int], gauges: Mapping[str, float], model: str, key: str) -> Iterator[str]:
        yield "# HELP handful_requests_total Requests by path and status."
        yield "# TYPE handful_requests_total counter"
        for (path, status), number in sorted(self.requests.items()):
            yield f'handful_requests_total{{path="{path}",status="{status}"}} {number}'
        yield "# HELP handful_predict_seconds Time from a request's headers to its answer."
        yield "# TYPE handful_predict_seconds histogram"
        total = 0
        for bound, number in zip((*map(str, BOUNDS), "+Inf"), self.times, strict=True):
            total += number
            yield f'handful_predict_seconds_bucket{{le="{bound}"}} {total}'
        yield f"handful_predict_seconds_sum {self.seconds:.6f}"
        yield f"handful_predict_seconds_count {total}"
        yield "# HELP handful_batches_total Batches by the number of pictures that were answered together."
        yield "# TYPE handful_batches_total counter"
        for size, number in sorted(batches.items()):
            yield f'handful_batches_total{{pictures="{size}"}} {number}'
        yield "# HELP handful_reloads_total Times that the model was read again, by how that ended."
        yield "# TYPE handful_reloads_total counter"
        for outcome in ("failed", "ok"):
            yield f'handful_reloads_total{{outcome="{outcome}"}} {self.reloads[outcome]}'
        for name, value in gauges.items():
            yield f"# TYPE handful_{name} gauge"
            yield f"handful_{name} {value:g}"
        yield "# TYPE handful_model_info gauge"
        yield f'handful_model_info{{model="{_escaped(model)}",id="{key}"}} 1'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
