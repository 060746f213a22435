import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from handful.core.errors import ExportError, HandfulError
from handful.core.progress import Silent
from handful.core.sealed import write_manifest
from handful.export import golden, load, onnx_folder, save, write_onnx
from handful.export.golden import golden_pictures
from handful.images.decode import decode
from tests.images.test_decode import tiff

ALONE = (
    "import sys; sys.modules['handful'] = sys.modules['torch'] = None; import runpy; "
    "path, *sys.argv[1:] = sys.argv[1:]; sys.argv[0] = path; runpy.run_path(path, run_name='__main__')"
)
"""Runs a script in an interpreter that cannot import handful or PyTorch."""


def run_alone(script, *arguments):
    command = [sys.executable, "-c", ALONE, str(script), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def folder(make_model, tmp_path):
    write_onnx(make_model(full_scale=4095), tmp_path / "exported", threads=1, progress=Silent())
    return tmp_path / "exported"


def test_the_golden_pictures_are_of_every_kind():
    found = [Image.open(io.BytesIO(data)) for _, data in golden_pictures()]
    assert {image.format for image in found} == {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"}
    assert {"RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"} <= {image.mode for image in found}
    assert {image.getexif().get(0x0112, 1) for image in found} == set(range(1, 9))
    assert any(image.height > 3 * image.width for image in found)


def test_the_script_checks_the_golden_answers_with_nothing_of_ours(folder):
    done = run_alone(folder / "predict.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("25 golden pictures, largest difference in a probability ")


def test_the_script_says_so_when_an_answer_is_another(folder):
    answers = json.loads((folder / "golden.json").read_text())
    first = next(iter(answers))
    answers[first][0] += 2e-4
    (folder / "golden.json").write_text(json.dumps(answers))
    (folder / "manifest.json").unlink()
    write_manifest(folder)
    done = run_alone(folder / "predict.py")
    assert done.returncode == 1
    assert "difference in a probability 0.0002" in done.stdout


def test_the_script_names_the_class_of_files_and_reads_them_as_we_do(folder, make_model, tmp_path):
    path = tmp_path / "new.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(path)
    done = run_alone(folder / "predict.py", path)
    exported = onnx_folder.open_exported(folder / "model.onnx")
    answer = exported.answer(exported.decode(path.read_bytes(), max_pixels=1e6))
    assert done.stdout == f"{path} {answer.label} {100 * answer.proba.max():.1f} %\n"


def test_the_script_turns_a_deep_tiff_in_which_0_is_white_round_as_we_do(folder, tmp_path):
    ramp = np.tile(np.linspace(61440, 65535, 64).astype(np.uint16), (48, 1))
    path = tmp_path / "negative.tif"
    path.write_bytes(tiff(ramp, photometric=0))
    done = run_alone(folder / "predict.py", path)
    exported = onnx_folder.open_exported(folder / "model.onnx")
    answer = exported.answer(exported.decode(path.read_bytes(), max_pixels=1e6))
    assert done.stdout == f"{path} {answer.label} {100 * answer.proba.max():.1f} %\n"
    path.write_bytes(tiff(np.zeros((2, 2), dtype=np.float32), photometric=0, sample_format=3))
    assert "0 is white" in run_alone(folder / "predict.py", path).stderr


def test_the_script_refuses_what_it_cannot_read_as_we_do(folder, tmp_path):
    path = tmp_path / "deep.png"
    path.write_bytes(rgb_16_bit_png())
    assert decode(path.read_bytes(), max_pixels=1e6).values.dtype == np.uint16
    done = run_alone(folder / "predict.py", path)
    assert done.returncode == 1
    assert "16 bits for each colour" in done.stderr


def rgb_16_bit_png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + np.full((4, 3), 300, ">u2").tobytes() for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_saved_model_exports_as_the_one_in_memory(make_model, folder, tmp_path):
    save(make_model(full_scale=4095), tmp_path / "model")
    write_onnx(load(tmp_path / "model"), tmp_path / "again", threads=1, progress=Silent())
    first, again = (json.loads((where / "golden.json").read_text()) for where in (folder, tmp_path / "again"))
    assert first.keys() == again.keys()
    np.testing.assert_allclose(list(first.values()), list(again.values()), atol=1e-7)


def test_a_file_that_answers_otherwise_is_not_written(make_model, monkeypatch, tmp_path):
    def shifted(opened, table, *, progress):
        proba = answers(opened, table, progress=progress)
        proba[3] += [2e-4, -2e-4, 0.0]
        return proba

    answers = golden.answers
    monkeypatch.setattr(golden, "answers", shifted)
    with pytest.raises(ExportError, match=r"differs by 0\.0002 on the golden picture .*Nothing was written"):
        write_onnx(make_model(), tmp_path / "exported", threads=1, progress=Silent())
    assert not (tmp_path / "exported").exists()


def test_nothing_is_overwritten(make_model, folder):
    with pytest.raises(HandfulError, match="exists already"):
        write_onnx(make_model(), folder, threads=1, progress=Silent())
