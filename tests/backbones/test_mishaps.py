"""Downloads gone wrong, once in each way, and offline; the long form is benchmarks/soak/downloads.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MISHAPS = "import json; from benchmarks.soak.downloads import KINDS, attack; print(json.dumps(attack(len(KINDS))))"

OFFLINE = """
import json, os, sys, time
from pathlib import Path
import pytest
import handful
from handful.backbones import get
from handful.core.errors import HandfulError
from handful.features.engines import choose
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder

tried = []
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        tried.append(f"{event} {arguments[1:]}")
sys.addaudithook(note)
os.environ["HTTP_PROXY"] = os.environ["HTTPS_PROXY"] = "http://127.0.0.1:9"
choose.OTHERS = ()
folder = Path(sys.argv[1])
os.environ["HANDFUL_CACHE"] = str(folder / "cache")
with pytest.MonkeyPatch.context() as patch:
    install_toy_backbone(patch, folder / "packages")
    photos = draw_folder(folder / "photos", per_class=8, size=32)
    handful.train(photos, backbone="toy", offline=True, out=folder / "run")
    answers = handful.load(folder / "run").predict(photos)
    refused = {}
    for name in ("vgg16", "caffe-alexnet"):
        start = time.process_time()
        try:
            get(name, offline=True, full=True)
        except HandfulError as error:
            refused[name] = [str(error), time.process_time() - start]
print(json.dumps({"tried": tried, "answers": len(answers), "refused": refused}))
"""


def found_by(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked and killed")
def test_downloads_that_go_wrong_leave_the_whole_file_or_none_and_the_next_try_is_whole():
    figures = found_by(MISHAPS)
    assert figures["bad"] == 0
    assert figures["whole_when_tried_again"] == figures["runs"]
    assert figures["outcomes"]["left over by others"] == 0
    assert {name for name in figures["outcomes"] if name.endswith("whole")} >= {"good: whole", "cut: whole"}
    assert {name for name in figures["outcomes"] if name.endswith("nothing")} >= {"one bit: nothing", "short: nothing"}


def test_offline_trains_and_predicts_without_one_attempt_to_connect_and_says_at_once_what_is_missing(tmp_path):
    found = found_by(OFFLINE, tmp_path)
    assert found["tried"] == []
    assert found["answers"] == 24
    assert set(found["refused"]) == {"vgg16", "caffe-alexnet"}
    for message, seconds in found["refused"].values():
        assert "on this machine" in message or "--weights" in message
        assert seconds < 1
