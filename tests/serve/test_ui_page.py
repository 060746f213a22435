"""The page to train on, in a real browser: pictures into classes, training, result, trying."""

from __future__ import annotations

import base64
import json
import shutil

import pytest

from tests.serve import toy_apart
from tests.serve.waiting import wait_until

DROP = """([label, files]) => {
    const data = new DataTransfer();
    for (const [name, text] of files) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], name, {type: "image/png"}));
    }
    const place = document.querySelector(`[aria-label="Class ${label}"]`);
    for (const kind of ["dragenter", "dragover", "drop"]) {
        place.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: data}));
    }
}"""


def drop(page, label, paths):
    files = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths]
    page.evaluate(DROP, [label, files])


def add_class(page, name):
    page.get_by_label("New class").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("listitem", name=f"Class {name}", exact=True).wait_for()
    wait_until(page, f"document.activeElement.ariaLabel === {json.dumps(f'Choose pictures of {name}')}")


def test_a_model_is_trained_and_tried_by_someone_who_only_sees_the_page(studio, page, photos, tmp_path, toy):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(studio.entrance)
    assert page.url == studio.address
    page.get_by_text("It needs pictures of two classes").wait_for()
    train = page.get_by_role("button", name="Train")
    assert train.is_disabled()
    add_class(page, "circle")
    drop(page, "circle", sorted((photos / "circle").iterdir()))
    page.get_by_text("16 pictures", exact=True).wait_for()
    add_class(page, "box")
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")  # the focus waits on the new class's own button
    chosen.value.set_files(sorted((photos / "square").iterdir()))
    page.get_by_text("2 classes, 32 pictures").wait_for()

    name = page.get_by_role("listitem", name="Class box").get_by_label("Name of the class")
    name.fill("square")
    name.press("Enter")
    square = page.get_by_role("listitem", name="Class square")
    square.wait_for()
    assert len(list((tmp_path / "home" / "handful-photos" / "square").iterdir())) == 16
    wait_until(page, "document.querySelector('.thumbs img').naturalWidth === 160")
    square.get_by_role("button", name="Remove picture 1 of square").focus()
    page.keyboard.press("Enter")
    page.get_by_text("2 classes, 31 pictures").wait_for()

    train.click()
    page.get_by_role("heading", name="Result").wait_for()
    assert "test pictures right" in page.locator("#sentence").inner_text()
    assert page.locator("#live").inner_text().startswith("Done:")
    assert page.evaluate("document.activeElement.id") == "result"
    bars = page.get_by_role("progressbar")
    assert {bar.get_attribute("aria-valuenow") for bar in bars.all()} == {"100"}
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Read the report").click()
    opened.value.get_by_text("test picture").first.wait_for()
    opened.value.close()

    page.get_by_role("link", name="Try it on new pictures").click()
    page.get_by_role("heading", name="What is in this picture?").wait_for()
    page.get_by_text("test picture").wait_for()
    page.locator("#files").set_input_files(photos / "circle" / "001.png")
    page.locator("#answers .said").wait_for()
    page.get_by_role("link", name="Pictures and training").click()
    page.get_by_role("heading", name="Result").wait_for()
    assert all(url.startswith((studio.address, "data:", "blob:")) for url in asked)
    assert page.said == []


def test_a_folder_is_chosen_and_a_training_is_stopped(studio, page, photos, tmp_path, monkeypatch):
    shutil.copytree(photos, tmp_path / "home" / "pets" / "shapes")
    page.goto(studio.entrance)
    page.get_by_text("Use a folder").click()
    page.get_by_role("button", name="pets").click()
    page.get_by_role("button", name="shapes").click()
    page.get_by_text("3 folders with pictures in it").wait_for()
    assert page.get_by_label("Folder that holds").input_value() == str(tmp_path / "home" / "pets" / "shapes")
    monkeypatch.setenv(toy_apart.WAIT, "1.0")
    page.get_by_role("button", name="Train").click()
    page.get_by_role("progressbar").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped", exact=True).first.wait_for()
    assert page.get_by_role("button", name="Train").is_enabled()
    assert sorted(each.name for each in (tmp_path / "home").iterdir()) == ["pets"]
    page.get_by_label("Folder that holds").fill("/")
    page.keyboard.press("Enter")
    page.get_by_text("lies outside of").wait_for()
    assert [each for each in page.said if "422" not in each] == []


def test_names_of_classes_are_text_and_never_run(studio, page, photos):
    odd = "it's & #1 100%25"
    page.goto(studio.entrance)
    add_class(page, odd)
    page.locator("#files").evaluate("element => element.click = () => {}")
    page.get_by_role("button", name=f"Choose pictures of {odd}").click()
    page.locator("#files").set_input_files(photos / "circle" / "000.png")
    page.get_by_text("1 picture", exact=True).wait_for()
    wait_until(page, "document.querySelector('.thumbs img').naturalWidth === 160")
    assert page.said == []


def test_an_answer_that_was_overtaken_takes_no_class_away(studio, page):
    held = []

    def hold(route):
        if route.request.method == "GET" and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route(f"{studio.address}classes*", hold)
    page.goto(studio.entrance)
    while not held:
        page.wait_for_timeout(20)
    add_class(page, "ring")
    ((route, response),) = held
    with page.expect_response("**/training"):
        route.fulfill(response=response)
    assert page.get_by_role("listitem", name="Class ring", exact=True).is_visible()


def test_the_camera_fills_a_class(studio, page):
    page.goto(studio.entrance)
    add_class(page, "desk")
    page.get_by_role("button", name="Take pictures of desk with the camera").click()
    wait_until(page, "document.getElementById('video').videoWidth > 0")
    shoot = page.get_by_role("button", name="Take the picture")
    for taken in ("1", "2"):
        shoot.click()
        page.get_by_role("button", name=f"Done ({taken})").wait_for()
    page.get_by_role("button", name="Done").click()
    page.locator(".class .count").get_by_text("picture").wait_for()
    assert not page.locator("#viewfinder").is_visible()
    assert page.evaluate("document.getElementById('video').srcObject === null")


@pytest.mark.parametrize("page", [1280], indirect=True)
def test_without_its_key_the_page_says_where_to_find_it(studio, page):
    page.goto(studio.address)
    page.get_by_text("Open the address that the terminal printed").wait_for()
