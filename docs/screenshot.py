"""Makes docs/report.png, a report on drawn pictures, and docs/reproduction.png, two figures of a reproduction's page.

python docs/screenshot.py
python docs/screenshot.py serve           (docs/serve.png and docs/serve-phone.png: the page of `handful serve`)
python docs/screenshot.py ui              (docs/ui.png: the page of `handful ui`)
python docs/screenshot.py REPRODUCTION    (a folder that `handful reproduce` made)

Needs the extra `test`, and a Chromium: its path in $CHROMIUM, or /usr/bin/chromium.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import handful
from handful.testing.pictures import draw_folder

CLASSES = ("circle", "flower", "hexagon", "square", "star")
HERE = Path(__file__).resolve().parent


def shoot(page_file: Path, picture: Path, *, sections: tuple[str, str] | None = None) -> None:
    """Saves the first screen of a page, or what lies between two of its headings."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 1500})
        page.goto(page_file.resolve().as_uri())
        if sections is None:
            page.screenshot(path=picture)
        else:
            first, last = (page.get_by_role("heading", name=name).bounding_box() for name in sections)
            assert first, last
            height = last["y"] - first["y"] - 10
            page.screenshot(
                path=picture, full_page=True, clip={"x": 100, "y": first["y"] - 20, "width": 980, "height": height}
            )
        browser.close()


def report() -> None:
    """Trains on drawn pictures and takes a picture of the report."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        photos = draw_folder(Path("photos"), classes=CLASSES, per_class=60, size=40)
        shoot(handful.train(photos).report, HERE / "report.png")


def served() -> None:
    """Trains on drawn pictures, shows the server's page a new one, and takes a picture of it at two widths."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        photos = draw_folder(Path("photos"), classes=CLASSES, per_class=60, size=160)
        new = draw_folder(Path("new"), classes=CLASSES, per_class=4, size=320, seed=77)
        handful.train(photos, "shapes")
        command = [sys.executable, "-m", "handful", "serve", "shapes", "--port", "0"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,  # noqa: S603  our own command
            sync_playwright() as playwright,
        ):
            assert server.stdout
            address = server.stdout.readline().split(" at ")[1].split()[0]
            path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            for name, width, height in (("serve", 1180, 900), ("serve-phone", 390, 900)):
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto(address)
                page.get_by_text("test picture").wait_for()
                page.locator("#files").set_input_files(new / "hexagon" / "001.png")
                page.get_by_role("button", name="Where it looked").click()
                page.evaluate("scrollTo(0, 0)")
                page.mouse.move(0, 0)
                page.wait_for_timeout(500)
                page.screenshot(path=HERE / f"{name}.png", full_page=True)
            browser.close()
            server.terminate()


def trained_on_a_page() -> None:
    """Drops drawn pictures into classes on the page of `handful ui`, trains, and takes a picture of the whole page."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        photos = draw_folder(Path("drawn"), classes=CLASSES[:2], per_class=40, size=160)
        command = [sys.executable, "-m", "handful", "ui", "--no-browser", "--port", "0"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,  # noqa: S603  our own command
            sync_playwright() as playwright,
        ):
            assert server.stdout
            address = server.stdout.readline().split()[1]
            path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1180, "height": 900})
            page.goto(address)
            for name in CLASSES[:2]:
                page.get_by_label("New class").fill(name)
                page.keyboard.press("Enter")
                with page.expect_file_chooser() as chosen:
                    page.get_by_role("button", name=f"Choose pictures of {name}").click()
                chosen.value.set_files(sorted((photos / name).iterdir()))
                page.get_by_role("listitem", name=f"Class {name}").get_by_text("40 pictures", exact=True).wait_for()
            page.get_by_role("button", name="Train").click()
            page.get_by_role("heading", name="Result").wait_for(timeout=300_000)
            page.wait_for_timeout(500)
            page.screenshot(path=HERE / "ui.png", full_page=True)
            browser.close()
            server.terminate()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        served()
    elif sys.argv[1:] == ["ui"]:
        trained_on_a_page()
    elif len(sys.argv) > 1:
        page = Path(sys.argv[1]) / "index.html"
        shoot(page, HERE / "reproduction.png", sections=("Figure 6: Size of the training set", "Figure 7b"))
    else:
        report()
