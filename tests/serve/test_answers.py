"""What is asked over HTTP, against what the library says itself."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import handful
from handful.core.progress import Silent
from handful.features import FrozenTrunk
from handful.serve import Settings, trying
from handful.serve.opened import open_model


@pytest.fixture
def files(photos):
    return sorted(photos.glob("*/*.png"))


def form(data, name="x.png"):
    head = (
        f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    )
    return head.encode() + data + b"\r\n--edge--\r\n"


def test_a_picture_gets_the_answer_that_the_library_gives(run, server, files):
    for path, expected in zip(files[::7], handful.load(run).predict(files[::7]), strict=True):
        status, _, answer = server("POST", "/predict", path.read_bytes())
        assert status == 200
        assert (answer["label"], answer["named"]) == (expected.label, list(expected.named))
        assert (answer["unsure"], answer["unlike"]) == (expected.unsure, expected.unlike)
        assert list(answer["probabilities"]) == ["circle", "square", "triangle"]
        np.testing.assert_allclose(list(answer["probabilities"].values()), expected.proba, atol=1e-5)
        assert answer["confidence"] == max(answer["probabilities"].values())
        assert answer["model"] == "shapes"
        assert 0 < answer["milliseconds"] < 30_000


def test_a_form_says_the_same_as_a_plain_body(server, files):
    data = files[0].read_bytes()
    plain = server("POST", "/predict", data)[2]
    status, _, answer = server("POST", "/predict", form(data), content_type="multipart/form-data; boundary=edge")
    assert status == 200
    assert answer["probabilities"] == plain["probabilities"]


def test_pictures_that_arrive_together_are_answered_together_and_alike(server, files):
    data = [path.read_bytes() for path in files]
    alone = [server("POST", "/predict", each)[2] for each in data]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda each: server("POST", "/predict", each), data * 4))
    assert [status for status, _, _ in together] == [200] * len(together)
    for one, (_, _, other) in zip(alone * 4, together, strict=True):
        assert one["label"] == other["label"]
        np.testing.assert_allclose(
            list(one["probabilities"].values()), list(other["probabilities"].values()), atol=1e-5
        )
    text = server("GET", "/metrics")[2]
    assert f'handful_requests_total{{path="/predict",status="200"}} {5 * len(data)}' in text
    assert f"handful_predict_seconds_count {5 * len(data)}" in text
    batches = [line.split('"')[1] for line in text.splitlines() if line.startswith("handful_batches_total")]
    assert max(map(int, batches)) > 1


def test_the_map_and_the_most_similar_training_pictures_are_told(run, server, photos, files):
    status, _, reasons = server("POST", "/explain", files[0].read_bytes())
    assert status == 200
    assert reasons["heat"].startswith("data:image/jpeg;base64,")
    assert len(reasons["alike"]) == 3
    nearest = [each["likeness"] for each in reasons["alike"]]
    assert nearest == sorted(nearest, reverse=True)
    assert nearest[0] == pytest.approx(1.0, abs=1e-3)  # the picture itself, or one like it
    assert all(each["picture"].startswith("data:image/jpeg") for each in reasons["alike"])


def test_a_training_picture_that_was_changed_is_not_shown(run, serve_with, files):
    text = (run / "references.json").read_text()
    first = text.index('"sha256": "') + 11
    changed = text.replace(text[first : first + 64], "0" * 64)
    (run / "references.json").write_text(changed)
    (run / "manifest.json").unlink()  # as in a run of an earlier version: else the list itself would be refused
    with serve_with() as client:
        shown = [client("POST", "/explain", path.read_bytes())[2]["alike"] for path in files]
    pictures = [each["picture"] for alike in shown for each in alike]
    assert "" in pictures
    assert any(pictures)


def test_without_the_list_of_training_pictures_the_map_remains(run, serve_with, files):
    (run / "references.json").unlink()
    with serve_with() as client:
        _, _, reasons = client("POST", "/explain", files[0].read_bytes())
    assert reasons["alike"] == []
    assert "no training pictures" in reasons["alike_note"]
    assert reasons["heat"]


def test_the_model_tells_its_classes_and_its_figures(server):
    _, _, told = server("GET", "/model")
    assert told["classes"] == ["circle", "square", "triangle"]
    assert 0 <= told["interval"][0] <= told["accuracy"] <= told["interval"][1] <= 1
    assert server("GET", "/health")[2] == {"status": "ok", "model_id": told["model_id"], "reload_failed": False}


def test_the_document_of_the_interface_names_every_path_and_the_limits(server):
    _, _, document = server("GET", "/openapi.json")
    assert set(document["paths"]) == {
        "/predict", "/explain", "/corrections", "/model", "/health", "/metrics", "/reload"
    }  # fmt: skip
    assert "10 MB and 64 million pixels" in document["info"]["description"]
    assert "multipart/form-data" in document["paths"]["/predict"]["post"]["requestBody"]["content"]


def encoded(picture, name):
    stream = io.BytesIO()
    picture.save(stream, format=name)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "headers", "status", "sentence"),
    [
        (b"", {}, 400, "holds no picture"),
        (b"hello", {}, 422, "not a picture"),
        (b"%PDF-1.7", {}, 422, "a PDF"),
        (encoded(Image.new("RGB", (64, 64)), "PNG")[:60], {}, 422, "cannot be read"),
        (b"{}", {"content_type": "application/json"}, 415, "application/json"),
        (b"nothing", {"content_type": "multipart/form-data; boundary=edge"}, 400, "form"),
        (form(b""), {"content_type": "multipart/form-data; boundary=edge"}, 400, "holds no picture"),
        (b"x" * 10_000_001, {}, 413, "larger than 10 MB"),
        (encoded(Image.new("1", (8001, 8000)), "PNG"), {}, 413, "million"),
    ],
    ids=["empty", "text", "pdf", "cut", "json", "no-form", "empty-file", "bytes", "pixels"],
)
def test_what_is_no_picture_gets_a_status_and_a_sentence(server, body, headers, status, sentence):
    found, _, answer = server("POST", "/predict", body, **headers)
    assert found == status
    assert sentence in answer["error"]
    assert set(answer) == {"error"}


def test_one_bad_picture_spoils_no_other(server, files):
    good = files[0].read_bytes()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda data: server("POST", "/predict", data)[0], [good, b"bad"] * 30))
    assert found == [200, 422] * 30


def test_random_bytes_never_make_a_fault(server, files):
    rng = np.random.default_rng(0)
    good = np.frombuffer(files[0].read_bytes(), dtype=np.uint8)
    for _ in range(100):
        spoilt = good.copy()
        spoilt[rng.integers(0, len(good), 12)] = rng.integers(0, 256, 12)
        assert server("POST", "/predict", spoilt[: rng.integers(1, len(good))].tobytes())[0] in (200, 413, 422)


def test_unknown_paths_and_methods_are_told(server):
    assert server("GET", "/nothing")[::2] == (404, {"error": "there is no '/nothing' here."})
    assert server("GET", "/predict")[::2] == (405, {"error": "GET is not for this path."})


def test_a_server_looks_for_the_quickest_engine_and_opens_a_model_with_its_own_where_that_has_to_be_at_once(
    run, monkeypatch
):
    asked, real = [], FrozenTrunk.quickest

    def watched(self, *shown, **options):
        asked.append(self.engine.name)
        return real(self, *shown, **options)

    monkeypatch.setattr(FrozenTrunk, "quickest", watched)
    opened = [open_model(run, threads=1, progress=Silent(), own_engine=own) for own in (False, True)]
    assert len(asked) == 1
    blank = np.zeros((40, 40, 3), dtype=np.uint8)
    first, second = (each.answering([[blank]]).proba for each in opened)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_the_page_to_train_on_opens_a_model_at_once(run, tmp_path, monkeypatch):
    seen, real = [], trying.open_run

    def watched(run, settings, *, progress):
        seen.append(settings.own_engine)
        return real(run, settings, progress=progress)

    monkeypatch.setattr(trying, "open_run", watched)
    page = trying.Trying(Settings(corrections=tmp_path), Silent(), run=run)
    sent = []

    async def ask():
        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/health", "headers": [(b"host", b"127.0.0.1")]}
        await page({**scope, "query_string": b"", "root_path": ""}, None, send)
        await page.close()

    asyncio.run(ask())
    assert sent[0]["status"] == 200
    assert seen == [True]
