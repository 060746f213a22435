"""What serving costs: beside a bare loop over the same engine, and beside FastAPI with PyTorch as usually written.

python -m benchmarks.serve_speed [plain]    (plain: a model that looks at a picture once, not at its mirror image too)

Draws JPEG pictures of 500 x 375, trains on them, and starts `handful serve` and the usual server, each in a process of
its own, both idle while they are not asked. Three figures, each from rounds in which the sides take turns:

- pictures per second with 16 clients, as a share of a loop that decodes and answers the same files in batches on all
  cores, without a server;
- how much longer one request takes than one call of the same function, median;
- pictures per second beside the usual server's, where ours is asked by as many clients as keep its 99th percentile at
  or below that of the usual one.

The clients run on the same cores as the server, which speaks against every server and for every loop.
"""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import handful
from benchmarks.asking import Client, asked, handful_server
from benchmarks.engines import draw
from benchmarks.record import record
from handful import export
from handful.core.machine import count_threads, installed, limit_threads
from handful.core.progress import Silent
from handful.features.engines.choose import lanes
from handful.serve.opened import Opened, open_model

N_PICTURES, N_CLIENTS, N_ROUNDS, SECONDS, N_SINGLE = 200, 16, 5, 3.0, 40
CLIENTS = (1, 2, 3, 4, 6, 8, 12, 16)
LEAST_SHARE, MOST_OVERHEAD_MS, LEAST_TIMES = 0.9, 3.0, 3.0


def usual(run: str, port: str) -> None:
    """Serves the model of a run as tutorials do: eager, one picture at a time, PyTorch's own threads.

    The answers are those of the same model: where it looks at a picture and at its mirror image, so does this.
    """
    import io

    import torch
    import uvicorn
    from fastapi import FastAPI, File
    from PIL import Image

    from handful.features import VIEWS
    from handful.heads import predict_proba

    (member,) = export.load(Path(run)).members
    network, shown, n_views = member.trunk.network(), member.preprocessing, len(member.views)
    assert member.views in (VIEWS["plain"], VIEWS["mirror"]), member.views
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (shown.mean, shown.std))
    application = FastAPI()

    @application.post("/predict")
    def predict(file: bytes = File()) -> dict[str, list[float]]:
        picture = Image.open(io.BytesIO(file)).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side)).resize((shown.size, shown.size))
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float()
        views = torch.stack([pixels, pixels.flip(-1)][:n_views])
        with torch.inference_mode():
            (features,) = network.activations((views - mean) / std, [member.trunk.tap])
        return {"proba": predict_proba(member.head, features.numpy()[None])[0].tolist()}

    uvicorn.run(application, port=int(port), log_level="error")


def engine_of(run: Path) -> str:
    """Returns which engine a server answers by, with its library's version."""
    (member,) = export.load(run).members
    threads = count_threads(None)
    engine = member.trunk.quickest(member.preprocessing, threads=threads, progress=Silent()).engine
    return f"{engine} {installed(engine.library) if engine.library else ''}".strip()


def free_port() -> int:
    """Returns a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def requests(files: Sequence[bytes], *, form: bool) -> list[bytes]:
    """Returns requests with the files, as forms where the server takes nothing else."""
    if not form:
        return [asked("POST", "/predict", data) for data in files]
    head = b'--e\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    kind = "multipart/form-data; boundary=e"
    return [asked("POST", "/predict", head + data + b"\r\n--e--\r\n", kind=kind) for data in files]


def answered(client: Client, request: bytes) -> None:
    """Asks for an answer, and takes no other status."""
    status, body = client(request)
    assert status == 200, body[:300]


def loaded(port: int, given: Sequence[bytes], n_clients: int) -> tuple[float, float]:
    """Returns pictures per second and the 99th percentile of the times, of clients that ask one after the other."""
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    def ask(number: int) -> None:
        client = Client(port)
        while (start := time.perf_counter()) < end:
            answered(client, given[number % len(given)])
            times.append(time.perf_counter() - start)
            number += 7

    start = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / (time.perf_counter() - start), float(np.percentile(times, 99))


def bare(opened: Opened, files: Sequence[bytes], n_threads: int) -> float:
    """Returns pictures per second of a loop without a server: the same engine in whole batches on all cores."""
    end = time.perf_counter() + SECONDS

    def run(number: int) -> int:
        n_done = 0
        while time.perf_counter() < end:
            rows = [(number + n_done + each) % len(files) for each in range(opened.batch)]
            opened.answers([files[row] for row in rows], max_pixels=64e6)
            n_done += opened.batch
        return n_done

    with lanes(n_threads) as pool:
        start = time.perf_counter()
        n_pictures = sum(pool.map(run, [0, len(files) // 2][:n_threads]))
        return n_pictures / (time.perf_counter() - start)


def overhead(opened: Opened, port: int, given: Sequence[bytes], files: Sequence[bytes]) -> float:
    """Returns by how many milliseconds a request takes longer than a call, medians of calls that take turns."""
    client, called, requested = Client(port), [], []

    def timed(function: Callable[[], object]) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    with lanes(1) as pool:
        for number in range(N_SINGLE):
            data = files[number % len(files)]
            call = pool.submit(timed, partial(opened.answers, [data], max_pixels=64e6))
            called.append(call.result())
            requested.append(timed(partial(answered, client, given[number % len(given)])))
    return 1000.0 * (statistics.median(requested[3:]) - statistics.median(called[3:]))


def wait_for(port: int) -> None:
    """Waits until a server answers at all."""
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/nothing")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing answers at {port}")


def main(views: str) -> None:
    """Measures, and writes the result down."""
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "photos"
        draw(photos, n_images=N_PICTURES)
        run = handful.train(photos, Path(place) / "run", views=views).folder
        files = [path.read_bytes() for path in sorted(photos.rglob("*.jpg"))]
        theirs = free_port()
        command = [sys.executable, "-m", "benchmarks.serve_speed", "usual", str(run), str(theirs)]
        with handful_server(run) as ours, subprocess.Popen(command) as usual_server:
            try:
                wait_for(theirs)
                figures = {"views": views, "engine": engine_of(run), **measured(run, files, ours.port, theirs)}
            finally:
                usual_server.terminate()
    holds = (
        figures["share_of_bare"] >= LEAST_SHARE
        and figures["overhead_ms"] <= MOST_OVERHEAD_MS
        and figures["times_usual"] >= LEAST_TIMES
    )
    claim = (
        f"serve: at least {LEAST_SHARE:.0%} of a bare loop's pictures per second, a request at most "
        f"{MOST_OVERHEAD_MS:g} ms longer than a call, {LEAST_TIMES:g} times FastAPI with eager PyTorch at equal p99"
    )
    record(claim, figures=figures, holds=holds)


def measured(run: Path, files: Sequence[bytes], ours: int, theirs: int) -> dict[str, object]:
    """Returns the figures, each from rounds in which the sides take turns."""
    n_threads = count_threads(None)
    plain, form = requests(files, form=False), requests(files, form=True)
    shares, rates, overheads = [], [], []
    with limit_threads(1):
        opened = open_model(run, threads=n_threads, progress=Silent())
        loaded(ours, plain, N_CLIENTS)
        for _ in range(N_ROUNDS):
            loop, (served, _) = bare(opened, files, n_threads), loaded(ours, plain, N_CLIENTS)
            rates.append((loop, served))
            shares.append(served / loop)
            overheads.append(overhead(opened, ours, plain, files))
    loaded(theirs, form, 2)
    usual_best: tuple[float, float] = max(loaded(theirs, form, n_clients) for n_clients in CLIENTS)
    times = []
    for _ in range(N_ROUNDS):
        usual_rate, limit = max(loaded(theirs, form, n_clients) for n_clients in CLIENTS[:4])
        within = [found for n_clients in CLIENTS if (found := loaded(ours, plain, n_clients))[1] <= limit]
        rate = max(within, default=(0.0, 0.0))[0]
        times.append((rate / usual_rate, rate, usual_rate, limit))
    ratio, rate, usual_rate, limit = sorted(times)[len(times) // 2]
    return {
        "share_of_bare": round(statistics.median(shares), 3),
        "bare_per_second": round(statistics.median(loop for loop, _ in rates), 1),
        "served_per_second": round(statistics.median(served for _, served in rates), 1),
        "overhead_ms": round(statistics.median(overheads), 2),
        "times_usual": round(ratio, 2),
        "per_second_at_equal_p99": round(rate, 1),
        "usual_per_second": round(usual_rate, 1),
        "usual_best_per_second": round(usual_best[0], 1),
        "usual_p99_ms": round(1000.0 * limit, 1),
        "n_clients": N_CLIENTS,
        "rounds": N_ROUNDS,
        "niceness": os.nice(0),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["usual"]:
        usual(*sys.argv[2:])
    else:
        main(*sys.argv[1:] or ["mirror"])
