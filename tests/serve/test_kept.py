"""A wrong answer becomes a training picture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import handful
from handful.serve.kept import count_kept, keep_picture
from handful.serve.refused import RefusedError


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_corrected_picture_lies_in_its_class_under_a_name_of_its_own(server, photos, tmp_path):
    data = (photos / "circle" / "000.png").read_bytes()
    status, _, answer = server("POST", "/corrections?label=square", data)
    assert (status, answer["label"], answer["corrections"]) == (201, "square", 1)
    (kept,) = below(tmp_path / "corrections")
    assert kept == answer["saved"]
    assert (tmp_path / "corrections" / kept).read_bytes() == data
    assert server("POST", "/corrections?label=triangle", data)[2]["corrections"] == 1
    (moved,) = below(tmp_path / "corrections")
    assert moved == kept.replace("square", "triangle")


def test_what_a_sender_calls_a_picture_is_never_a_path(server, photos, tmp_path):
    data = (photos / "circle" / "000.png").read_bytes()
    name = "../../../../escaped.png"
    head = f'--e\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    kind = "multipart/form-data; boundary=e"
    status, _, answer = server("POST", "/corrections?label=square", head + data + b"\r\n--e--\r\n", content_type=kind)
    assert status == 201
    assert "escaped" not in answer["saved"]
    assert not list(tmp_path.parent.rglob("escaped*"))


@pytest.mark.parametrize("label", ["cat", "..", "", "../circle", "circle/../square"])
def test_a_class_that_the_model_does_not_have_is_refused(server, photos, tmp_path, label):
    status, _, answer = server("POST", f"/corrections?label={label}", (photos / "circle" / "000.png").read_bytes())
    assert status == 422
    assert "there is no class" in answer["error"]
    assert not (tmp_path / "corrections").exists()


def test_a_correction_needs_a_class_and_a_picture(server, tmp_path):
    assert "lacks ?label" in server("POST", "/corrections", b"x")[2]["error"]
    assert server("POST", "/corrections?label=circle", b"no picture")[0] == 422
    assert not (tmp_path / "corrections").exists()


@pytest.mark.parametrize(
    "label", ["..", "a/../b", "/etc", ".hidden", "a\\b", "c:", "NUL", "con.txt", " a", "a.", "a\n"]
)
def test_a_class_that_no_folder_can_be_named_after_is_refused(photos, tmp_path, label):
    with pytest.raises(RefusedError, match="cannot be a folder's name"):
        keep_picture((photos / "circle" / "000.png").read_bytes(), label, folder=tmp_path, max_pixels=1e6)
    assert below(tmp_path) == []


def test_a_corrected_dicom_file_is_kept_like_any_other(tmp_path):
    from tests.images.test_dicom import RAMP, dicom

    saved = keep_picture(dicom(RAMP), "square", folder=tmp_path, max_pixels=1e6)
    assert below(tmp_path) == [saved]
    assert saved.endswith(".dcm")
    assert count_kept(tmp_path) == 1


def test_corrections_of_one_picture_at_the_same_time_leave_it_in_one_class(photos, tmp_path):
    data, classes = (photos / "circle" / "000.png").read_bytes(), [f"class-{number}" for number in range(8)]
    for _ in range(10):
        with ThreadPoolExecutor(len(classes)) as pool:
            list(pool.map(lambda label: keep_picture(data, label, folder=tmp_path, max_pixels=1e6), classes))
        assert len(below(tmp_path)) == 1


def test_corrections_are_learnt_from_beside_the_old_pictures(server, photos, toy, tmp_path):
    assert count_kept(tmp_path / "corrections") == 0
    from PIL import Image

    for number in range(3):
        Image.effect_noise((64, 64), 40.0 + number).convert("RGB").save(tmp_path / "new.png")
        assert server("POST", "/corrections?label=square", (tmp_path / "new.png").read_bytes())[0] == 201
    plain = handful.train(photos, tmp_path / "plain", backbone="toy", threads=1).run
    more = handful.train(photos, tmp_path / "more", backbone="toy", threads=1, add=(str(tmp_path / "corrections"),)).run
    assert len(more.split.train) == len(plain.split.train) + 3

    def tested(run):
        return [run.table.pictures[index].path for index in run.split.test]

    assert tested(more) == tested(plain)
