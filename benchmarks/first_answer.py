"""How long the page of `handful serve` takes from a dropped picture to its answer, in a real browser (Chromium).

python -m benchmarks.first_answer [PICTURES.zip]

Trains on photographs (drawn ones without an archive of class folders), starts the server, and drops one photograph on a
page that was just opened, several times. The clock runs in the page, from the drop to the answer in its card; the very
first time counts like the others.
"""

from __future__ import annotations

import base64
import shutil
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import handful
from benchmarks.asking import handful_server
from benchmarks.engines import draw
from benchmarks.record import record

N_TIMES, PER_CLASS, MOST_SECONDS = 10, 100, 1.0

DROPPED = """([text]) => new Promise((answered) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "new.jpg", {type: "image/jpeg"}));
    const start = performance.now();
    new MutationObserver(() => {
        const said = document.querySelector("#answers .said");
        if (said && said.innerText) answered(performance.now() - start);
    }).observe(document.getElementById("answers"), {childList: true, subtree: true, characterData: true});
    for (const kind of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: data});
        document.getElementById("drop").dispatchEvent(event);
    }
})"""


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Writes some photographs of each class of an archive into folders; returns others, to be dropped."""
    left = []
    with zipfile.ZipFile(archive) as stored:
        classes: dict[str, list[str]] = {}
        for name in sorted(stored.namelist()):
            if name.endswith(".jpg"):
                classes.setdefault(Path(name).parent.name, []).append(name)
        for label, names in classes.items():
            for place, name in enumerate(names[: PER_CLASS + N_TIMES]):
                target = folder / ("photos" if place < PER_CLASS else "new") / label / Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(stored.read(name))
                left += [target] * (place >= PER_CLASS)
    return left[:N_TIMES]


def main() -> None:
    """Measures, and writes the result down."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if sys.argv[1:]:
            dropped = unpack(Path(sys.argv[1]), folder)
        else:
            draw(folder / "photos", n_images=2 * PER_CLASS)
            dropped = sorted((folder / "photos").rglob("*.jpg"))[:N_TIMES]
        run = handful.train(folder / "photos", folder / "run").folder
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        seconds = []
        with handful_server(run) as server, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for path in dropped:
                page = browser.new_page()
                page.goto(f"http://127.0.0.1:{server.port}/")
                text = base64.b64encode(path.read_bytes()).decode()
                seconds.append(page.evaluate(DROPPED, [text]) / 1000.0)
                page.close()
            browser.close()
    record(
        f"the page's answer is there within {MOST_SECONDS:g} s of dropping a picture",
        figures={
            "pictures": Path(sys.argv[1]).name if sys.argv[1:] else "drawn",
            "first_s": round(seconds[0], 3),
            "median_s": round(statistics.median(seconds), 3),
            "longest_s": round(max(seconds), 3),
            "n": len(seconds),
        },
        holds=max(seconds) <= MOST_SECONDS,
    )


if __name__ == "__main__":
    main()
