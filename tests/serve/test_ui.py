"""A model is trained through the page's paths: pictures into classes, training, result, trying."""

from __future__ import annotations

import http.client
import io
import multiprocessing
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from handful.serve import training
from handful.serve.apart import Order
from tests.serve import toy_apart


def fill(studio, photos, *, classes=("circle", "square"), per_class=16):
    """Adds classes and puts pictures into them."""
    for name in classes:
        assert studio("POST", f"/classes?name={name}")[0] == 200
        for path in sorted((photos / name).iterdir())[:per_class]:
            assert studio("POST", f"/pictures?label={name}", path.read_bytes())[0] == 201


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pictures_are_dropped_into_classes_learnt_from_and_the_model_answers(studio, photos, toy):
    fill(studio, photos)
    listed = studio("GET", "/classes")[2]
    assert [(each["name"], len(each["pictures"])) for each in listed] == [("circle", 16), ("square", 16)]
    assert studio("GET", "/report")[0] == studio("GET", "/try/model")[0] == 404
    status, _, facts = studio("POST", "/train?effort=quick")
    assert (status, facts["state"]) == (202, "running")
    facts = studio.until("done", "failed", "stopped")
    assert facts["state"] == "done", facts
    assert "test pictures right (95 % interval" in facts["told"]
    assert facts["run"] == str(Path.cwd() / "run")
    labels = [bar["label"] for bar in facts["bars"]]
    assert "Checking pictures" in labels
    assert "Features of Toy" in labels
    assert labels[-1] == "Report"
    checked = facts["bars"][labels.index("Checking pictures")]
    assert (checked["done"], checked["total"], checked["open"]) == (32, 32, False)

    status, headers, report = studio("GET", "/report")
    assert (status, "square" in report) == (200, True)
    assert "default-src 'none'" in headers["content-security-policy"]
    data = (photos / "circle" / "003.png").read_bytes()
    status, _, answer = studio("POST", "/try/predict", data)
    assert (status, set(answer["probabilities"])) == (200, {"circle", "square"})
    assert "The next training learns from them" in studio("GET", "/try/")[2]
    assert studio("POST", "/try/corrections?label=square", data)[0] == 201

    assert studio("POST", "/train?effort=quick")[0] == 202
    assert studio.until("done", "failed")["run"] == str(Path.cwd() / "run-2")
    assert "--add" in (Path.cwd() / "run-2" / "report.html").read_text()
    assert studio("GET", "/try/model")[2]["model"] == "run-2"


def test_a_folder_of_this_machine_is_learnt_from(studio, photos, tmp_path):
    assert studio("POST", f"/train?effort=quick&folder={photos}")[0] == 422
    shutil.copytree(photos, tmp_path / "home" / "shapes")
    assert studio("POST", "/train?effort=quick&folder=~/shapes")[0] == 202
    facts = studio.until("done", "failed")
    assert (facts["state"], facts["data"]) == ("done", str(tmp_path / "home" / "shapes"))


def test_a_training_is_stopped_and_leaves_nothing(studio, photos, monkeypatch, tmp_path):
    fill(studio, photos)
    monkeypatch.setenv(toy_apart.WAIT, "1.0")
    studio("POST", "/train?effort=quick")
    while not studio("GET", "/training")[2]["bars"]:
        pass
    assert (tmp_path / "home" / ".run.partial").exists()
    assert studio("POST", "/train?effort=quick")[0] == 409
    assert studio("POST", "/stop")[2]["state"] == "stopping"
    assert studio.until("done", "failed", "stopped")["state"] == "stopped"
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["handful-photos"]
    monkeypatch.setenv(toy_apart.WAIT, "0")
    assert studio("POST", "/train?effort=quick")[0] == 202
    assert studio.until("done", "failed", "stopped")["state"] == "done"


def test_no_training_outlives_the_server(studio, photos, monkeypatch, tmp_path):
    monkeypatch.setenv(toy_apart.WAIT, "1.0")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=toy_apart.learn_with_toy, args=(Order(str(photos)), theirs))
    process.start()
    theirs.close()
    assert ours.poll(60)
    ours.close()  # as when the server is killed
    process.join(30)
    assert process.exitcode == 0
    assert list((tmp_path / "home").iterdir()) == []


def test_a_process_that_dies_is_told(studio, photos, monkeypatch):
    fill(studio, photos)
    monkeypatch.setattr(training, "learn", toy_apart.die)
    studio("POST", "/train?effort=quick")
    facts = studio.until("failed")
    assert "exit code 9" in facts["told"]


def test_why_a_training_cannot_be_is_told_in_the_words_of_the_command_line(studio, photos):
    assert "two classes at least" in studio("POST", "/train?effort=quick")[2]["error"]
    assert studio("POST", "/train?effort=forever")[0] == 422
    fill(studio, photos, per_class=1)
    studio("POST", "/train?effort=quick")
    assert "fewer than 2 images to learn from" in studio.until("failed")["told"]


def test_classes_are_renamed_and_removed_with_their_pictures(studio, photos, tmp_path):
    root = tmp_path / "home" / "handful-photos"
    fill(studio, photos, per_class=2)
    assert [each["name"] for each in studio("POST", "/classes/rename?name=circle&to=Ring")[2]] == ["Ring", "square"]
    name = studio("GET", "/classes")[2][0]["pictures"][0]
    assert studio("POST", f"/pictures/remove?label=Ring&name={name}")[0] == 200
    assert len(below(root / "Ring")) == 1
    (root / "square" / "notes.txt").write_text("mine")
    status, _, answer = studio("POST", "/classes/remove?name=square")
    assert (status, "could not be removed whole" in answer["error"]) == (409, True)
    assert below(root / "square") == ["notes.txt"]
    assert [each["name"] for each in studio("POST", "/classes/remove?name=Ring")[2]] == ["square"]
    assert not (root / "Ring").exists()


def test_a_picture_lies_in_the_class_that_it_was_put_into_last(studio, photos, tmp_path):
    fill(studio, photos, per_class=2)
    data = (photos / "circle" / "000.png").read_bytes()
    assert studio("POST", "/pictures?label=square", data)[0] == 201
    listed = {each["name"]: len(each["pictures"]) for each in studio("GET", "/classes")[2]}
    assert listed == {"circle": 1, "square": 3}


@pytest.mark.parametrize("name", ["..", "a/b", "/etc", ".hidden", "a\\b", "NUL", "test", "a\n", " a"])
def test_a_name_that_no_folder_can_have_makes_no_class(studio, name, tmp_path):
    assert studio("POST", f"/classes?name={quote(name, safe='')}")[0] == 422
    assert not (tmp_path / "home" / "handful-photos").exists()
    studio("POST", "/classes?name=cat")
    assert studio("POST", f"/classes/rename?name=cat&to={quote(name, safe='')}")[0] == 422
    assert [each["name"] for each in studio("GET", "/classes")[2]] == ["cat"]


def test_a_class_is_not_made_twice(studio):
    studio("POST", "/classes?name=cat")
    assert studio("POST", "/classes?name=Cat")[0] == 409
    assert studio("POST", "/classes/rename?name=cat&to=Cat")[0] == 200


@pytest.mark.parametrize("name", ["../../secret.png", "..%2F..%2Fsecret.png", "/etc/passwd", "", "."])
def test_names_are_looked_up_and_never_paths(studio, photos, tmp_path, name):
    (tmp_path / "secret.png").write_bytes((photos / "circle" / "000.png").read_bytes())
    studio("POST", "/classes?name=cat")
    for label in ("cat", "..", "../.."):
        assert studio("GET", f"/picture?label={label}&name={name}")[0] == 404
        assert studio("POST", f"/pictures/remove?label={label}&name={name}")[0] == 404
        if label != "cat":
            assert studio("POST", f"/pictures?label={label}", b"x")[0] == 404
            assert studio("POST", f"/classes/remove?name={label}")[0] == 404
    assert (tmp_path / "secret.png").exists()


def test_what_is_no_picture_is_refused(studio, tmp_path):
    studio("POST", "/classes?name=cat")
    assert studio("POST", "/pictures?label=cat", b"no picture")[0] == 422
    assert studio("POST", "/pictures?label=cat", b"x" * 10_000_001)[0] == 413
    assert below(tmp_path / "home") == []


def test_small_copies_are_squares(studio, photos):
    fill(studio, photos, classes=("circle",), per_class=1)
    name = studio("GET", "/classes")[2][0]["pictures"][0]
    connection = http.client.HTTPConnection(studio.host, studio.port)
    connection.request(
        "GET", f"/picture?label=circle&name={name}", headers={"cookie": f"handful-{studio.port}={studio.token}"}
    )
    response = connection.getresponse()
    assert Image.open(io.BytesIO(response.read())).size == (160, 160)
    connection.close()


def test_folders_are_shown_below_the_home_folder_only(studio, photos, tmp_path):
    home = tmp_path / "home"
    (home / "pets" / "cat").mkdir(parents=True)
    (home / "pets" / ".git").mkdir()
    (home / "pets" / "cat" / "1.jpg").write_bytes(b"")
    (home / "out").symlink_to(tmp_path, target_is_directory=True)
    found = studio("GET", "/folders")[2]
    assert (found["path"], found["above"]) == (str(home), "")
    pets = studio("GET", "/folders?path=~/pets")[2]
    assert pets["folders"] == [{"name": "cat", "path": str(home / "pets" / "cat"), "n_pictures": 1}]
    assert pets["above"] == str(home)
    for path in (str(tmp_path), "/", "~/..", "~/pets/../..", "~/out", f"{home}-other"):
        status, _, answer = studio("GET", f"/folders?path={path}")
        assert (status, "lies outside of" in answer["error"]) == (422, True), path
    assert studio("GET", "/folders?path=~/gone")[0] == 404
    assert studio("GET", "/folders?path=~/pets/cat/1.jpg")[0] == 422
    assert studio("GET", "/folders?path=%00")[0] == 422


def test_only_who_has_the_address_gets_in(studio, photos):
    everything = [
        ("GET", "/classes"), ("GET", "/folders"), ("POST", "/train?effort=quick"), ("GET", "/try/model"),
        ("GET", "/report"), ("POST", "/classes?name=cat"), ("GET", "/places"), ("GET", "/picture?label=a&name=b"),
    ]  # fmt: skip
    for method, path in everything:
        for cookie in (
            "",
            f"handful-{studio.port}=",
            f"handful-{studio.port}={studio.token}x",
            f"other={studio.token}",
        ):
            assert studio(method, path, cookie=cookie)[0] == 401, (path, cookie)
    assert studio("GET", "/classes")[2] == []
    status, headers, _ = studio("GET", f"/?token={studio.token}", cookie="")
    assert (status, headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))
    assert "set-cookie" not in studio("GET", "/?token=wrong", cookie="")[1]


def test_other_pages_and_other_host_names_are_turned_away(studio):
    assert studio("POST", "/classes?name=cat", origin="https://evil.example")[0] == 403
    assert studio("POST", "/stop", origin="null")[0] == 403
    assert studio("GET", "/classes", host="evil.example")[0] == 421
    assert studio("GET", "/classes")[2] == []
    policy = studio("GET", "/")[1]["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
