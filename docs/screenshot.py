"""Makes docs/report.png: a report on drawn pictures, as a browser shows it.

python docs/screenshot.py   (needs the extra `test`, and a Chromium: its path in $CHROMIUM, or /usr/bin/chromium)
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import handful
from handful.testing.pictures import draw_folder

CLASSES = ("circle", "flower", "hexagon", "square", "star")
HERE = Path(__file__).parent

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        photos = draw_folder(Path("photos"), classes=CLASSES, per_class=60, size=40)
        report = handful.train(photos).report.resolve()
        with sync_playwright() as playwright:
            path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1180, "height": 1500})
            page.goto(report.as_uri())
            page.screenshot(path=HERE / "report.png")
            browser.close()
