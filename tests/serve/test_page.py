"""The page in a real browser: a picture is dropped, answered and corrected."""

from __future__ import annotations

import base64

from tests.serve.waiting import wait_until

DROP = """([name, text]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type: "image/png"}));
    for (const kind of ["dragenter", "dragover", "drop"]) {
        document.getElementById("drop").dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: data}));
    }
}"""  # noqa: E501


def drop(page, path, name=None):
    page.evaluate(DROP, [name or path.name, base64.b64encode(path.read_bytes()).decode()])


def test_a_picture_is_dropped_answered_and_corrected(server, page, photos, tmp_path):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.address)
    page.get_by_text("test picture").wait_for()
    path = photos / "circle" / "000.png"
    expected = server("POST", "/predict", path.read_bytes())[2]
    drop(page, path)
    card = page.locator("#answers > li")
    card.locator(".said").wait_for()
    assert card.locator(".said").inner_text().startswith(expected["label"])
    assert expected["label"] in page.locator("#live").inner_text()
    card.locator(".alike img").first.wait_for()
    assert card.locator(".alike img").count() == 3
    look = card.get_by_role("button", name="Where it looked")
    look.click()
    assert card.locator(".frame img").first.get_attribute("alt").startswith("Where the model looked")

    right = next(name for name in ("square", "triangle") if name != expected["label"])
    keep = card.get_by_role("button", name="Keep the correction")
    assert keep.is_disabled()
    card.get_by_label("Wrong?").select_option(right)
    keep.click()
    card.get_by_text("Kept as").wait_for()
    assert "--add corrections/" in card.locator(".kept").inner_text()
    assert [kept.read_bytes() for kept in (tmp_path / "corrections" / right).iterdir()] == [path.read_bytes()]
    assert all(url.startswith((server.address, "data:", "blob:")) for url in asked)
    assert page.said == []


def test_what_is_no_picture_is_told_beside_it_and_aloud(server, page, tmp_path):
    (tmp_path / "odd.png").write_bytes(b"no picture")
    page.goto(server.address)
    drop(page, tmp_path / "odd.png")
    page.locator("#answers .failed").wait_for()
    assert "cannot be read" in page.locator("#answers .failed").inner_text()
    assert "cannot be read" in page.locator("#live").inner_text()


def test_names_are_text_and_never_run(server, page, photos):
    page.goto(server.address)
    drop(page, photos / "circle" / "000.png", "<img src=x onerror=document.title='run'>.png")
    page.locator("#answers .said").wait_for()
    assert "<img" in page.locator("#answers .path").inner_text()
    assert page.title() == "What is in this picture?"


def test_it_is_usable_with_the_keyboard_alone(server, page, photos):
    page.goto(server.address)
    page.get_by_text("test picture").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "choose"
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files([photos / "circle" / "000.png", photos / "square" / "001.png"])
    page.locator("#answers .said").nth(1).wait_for()
    page.get_by_role("button", name="Where it looked").nth(1).wait_for()
    page.keyboard.press("Tab")
    seen = []
    for _ in range(5):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.tagName + ' ' + document.activeElement.textContent.slice(0, 15)")
        )
    assert seen[0] == "BUTTON Where it looked"
    assert seen[1].startswith("SELECT Choose")
    named = page.evaluate("[...document.querySelectorAll('button, select')].every(e => e.textContent.trim())")
    assert named
    assert page.evaluate("[...document.querySelectorAll('select')].every(e => e.labels.length === 1)")


def test_the_camera_takes_a_picture(server, page):
    page.goto(server.address)
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").wait_for()
    wait_until(page, "document.getElementById('video').videoWidth > 0")
    page.keyboard.press("Enter")
    page.locator("#answers .said").wait_for()
    assert page.locator("#answers .path").inner_text() == "camera.jpg"
    assert not page.locator("#viewfinder").is_visible()
    assert page.evaluate("document.getElementById('video').srcObject === null")


def test_a_token_is_asked_for_once(serve_with, page, photos):
    with serve_with(token="0123456789abcdef") as client:
        page.goto(client.address)
        page.get_by_label("This server needs its token").fill("wrong-wrong-wrong")
        page.keyboard.press("Enter")
        page.locator("#denied").wait_for()
        page.get_by_label("This server needs its token").fill("0123456789abcdef")
        page.keyboard.press("Enter")
        page.get_by_text("test picture").wait_for()
        assert not page.locator("#token").is_visible()
        drop(page, photos / "circle" / "000.png")
        page.locator("#answers .said").wait_for()


def test_it_follows_the_colours_of_the_system(server, browser):
    found = []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(server.address)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        found.append(sum(int(part) for part in background.removeprefix("rgb(").rstrip(")").split(",")))
        page.close()
    assert found[0] > 600 > 200 > found[1]
