"""Pictures in object stores have the answers of the same files in a folder: here, and on a cluster that loses a node.

python -m benchmarks.ray_places [N]

The stores are servers on this machine, each with the library that fsspec has for it: s3 (moto's server; s3fs), az
(Azurite, the program `azurite-blob`; adlfs), gs (gcp-storage-emulator; gcsfs), http (Python's own; aiohttp). Those
whose server or library is not installed are left out, and the line says which were there. Every store has the N
pictures in folders and a Parquet table with their bytes; credentials are the environment's. Of the two nodes of the
cluster one is killed after a quarter. Beside it: what travels for a picture between driver and nodes.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pyarrow
import pyarrow.parquet
import pytest

import handful
from benchmarks.record import record
from handful import export
from handful.api.portions import Wanted, records_of
from handful.api.unfinished import Unfinished, open_unfinished
from handful.core.progress import Silent
from handful.images import open_place, path_or_address
from handful.testing.backbone import install_toy_backbone
from handful.testing.command import prepare
from handful.testing.pictures import draw_folder

NUMBER, SIZE = 2_000, 32
PORTION = 512
LOST = 0.25
NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's, for all


def main(number: int) -> None:
    """Predicts the same pictures from every place, twice, and compares the tables."""
    with tempfile.TemporaryDirectory(prefix="handful-", dir="/tmp") as name, ExitStack() as servers:
        root = Path(name)
        os.environ |= {"HANDFUL_CACHE": str(root / "cache"), "RAY_USAGE_STATS_ENABLED": "0"}
        (root / "packages").mkdir()
        install_toy_backbone(pytest.MonkeyPatch(), root / "packages")
        handful.train(draw_folder(root / "shapes", per_class=60, size=SIZE), root / "run", backbone="toy")
        draw_folder(root / "web" / "new", classes=("circle", "square/deep"), per_class=number // 2, size=SIZE)
        files = sorted((root / "web" / "new").rglob("*.png"))
        write_rows(files, root / "web" / "new.parquet")
        model = handful.load(root / "run")
        expected = table_of(model, str(root / "web"), root / "here.csv", None)
        addresses = {}
        for kind, (needed, serve) in STORES.items():
            if all(find_spec(module) or shutil.which(module) for module in needed):
                address = servers.enter_context(serve(root))
                if kind != "http":
                    fill(address, root / "web")
                addresses[kind] = address
        same, seconds = {}, {}
        for kind, address in addresses.items():
            for how, ray in ((kind, None), (f"{kind} ray", "auto")):
                begin = time.perf_counter()
                with cluster_that_loses_a_node(root, number) if ray else ExitStack():
                    found = table_of(model, address, root / f"{how}.csv", ray)
                same[how], seconds[how] = found == expected, round(time.perf_counter() - begin, 1)
        traffic = measured_traffic(model, root / "web" / "new", root)
    record(
        f"{number} pictures in object stores ({', '.join(addresses)}) have the answers of the same files in a folder: "
        "here, and on a cluster that loses a node",
        figures={"pictures": number, "tried": list(addresses), "same": same, "seconds": seconds, **traffic},
        holds=bool(addresses) and all(same.values()),
    )


def write_rows(files: Iterable[Path], out: Path) -> None:
    """Writes the bytes of files into a Parquet table, as Hugging Face does."""
    rows = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
    pyarrow.parquet.write_table(pyarrow.table({"image": rows}), out, row_group_size=100)


def table_of(model: handful.Classifier, place: str, out: Path, ray: str | None) -> str:
    """Returns the table of answers for the folder and the table at a place, which is left out of the names."""
    model.predict_into(out, [f"{place}/new", f"{place}/new.parquet"], ray=ray)
    return out.read_text().replace(place, "")


def fill(address: str, folder: Path) -> None:
    """Copies a folder into a store."""
    files, at = fsspec.url_to_fs(address)
    if not files.exists(at):
        files.mkdir(at)
    for path in sorted(folder.rglob("*.*")):
        files.pipe_file(f"{at}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@contextmanager
def cluster_that_loses_a_node(root: Path, number: int) -> Iterator[None]:
    """Opens two nodes of one core; one of them is killed when a quarter of files and rows is answered."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "temp_dir": str(root)})
    nodes, saved, save = [cluster.add_node(**NODE)], [0], Unfinished.save
    hook = {"worker_process_setup_hook": lambda: prepare(root / "packages")}
    ray.init(cluster.address, log_to_driver=False, logging_level="FATAL", runtime_env=hook)

    def watching(self: Unfinished, records: Iterable[tuple[int, str]]) -> None:
        records = list(records)
        save(self, records)
        saved[0] += len(records)
        if saved[0] >= LOST * 2 * number and nodes:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Unfinished, "save", watching)
        try:
            yield
            assert not nodes
        finally:
            ray.shutdown()
            cluster.shutdown()


def measured_traffic(model: handful.Classifier, folder: Path, root: Path) -> dict[str, float]:
    """Returns the bytes that travel for a picture, to a node and back, as Ray writes them down."""
    from ray import cloudpickle

    place = open_place(path_or_address(str(folder)))
    with open_unfinished(root / "list.partial") as unfinished:
        unfinished.begin({}, [place])
        portion = next(unfinished.missing(PORTION))
    sizes = {"to_a_node": len(cloudpickle.dumps(portion))}
    for name, wanted in (("back", Wanted()), ("back_with_features", Wanted(features=True))):
        answered = records_of(model.model, portion, [place], wanted=wanted, threads=1, progress=Silent())
        sizes[name] = len(cloudpickle.dumps(answered))
    whole = sum(map(len, export.pack(model.model).values()))
    n_features = sum(member.trunk.tap.n_features for member in model.model.members)
    per_picture = {f"bytes_{name}": round(size / len(portion), 1) for name, size in sizes.items()}
    return {**per_picture, "n_features": n_features, "model_bytes_for_a_node": whole}


@contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    """Runs a server while the context is open."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with socket.socket() as tried:
                    if not tried.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def free_port() -> int:
    """Returns a port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def s3(root: Path) -> Iterator[str]:
    """Serves S3."""
    port = free_port()
    secret = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {**secret, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    with running(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), port=port):
        yield "s3://bucket"


@contextmanager
def az(root: Path) -> Iterator[str]:
    """Serves Azure's blobs."""
    port = free_port()
    os.environ["AZURE_STORAGE_CONNECTION_STRING"] = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
    settings = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(root / "azurite"))
    with running("azurite-blob", *settings, "--skipApiVersionCheck", "--silent", port=port):
        yield "az://bucket"


@contextmanager
def gs(root: Path) -> Iterator[str]:
    """Serves Google's storage."""
    port = free_port()
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"
    settings = ("start", "--host", "127.0.0.1", "--port", str(port), "--in-memory")
    with running("gcp-storage-emulator", *settings, port=port):
        yield "gs://bucket"


@contextmanager
def web(root: Path) -> Iterator[str]:
    """Serves pages of links, files and parts of them."""
    handler = functools.partial(Pages, directory=str(root / "web"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Pages(http.server.SimpleHTTPRequestHandler):
    """Python's server, which also answers with a part of a file."""

    def do_GET(self) -> None:
        """Answers with a page, a file, or the part of it that was asked for."""
        asked, path = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")), self.translate_path(self.path)
        if not asked or not Path(path).is_file():
            super().do_GET()
            return
        data = Path(path).read_bytes()
        first, end = int(asked[1]), min(int(asked[2] or len(data)) + 1, len(data))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        self.wfile.write(data[first:end])

    def log_message(self, *given: object) -> None:
        """Says nothing."""


STORES: dict[str, tuple[tuple[str, ...], Callable[[Path], object]]] = {
    "s3": (("s3fs", "moto"), s3),
    "az": (("adlfs", "azurite-blob"), az),
    "gs": (("gcsfs", "gcp-storage-emulator"), gs),
    "http": (("aiohttp",), web),
}
"""What each kind of address needs, as modules and programs, and how it is served."""


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else NUMBER)
