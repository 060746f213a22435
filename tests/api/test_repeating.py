"""A run made again from its folder."""

import json
import shutil

import pytest

import handful
from handful.core.errors import BundleError, ConfigError, DataError
from handful.core.files import write_json
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, its pictures beside it; made once, and copied for each test."""
    root = tmp_path_factory.mktemp("made")
    draw_folder(root / "photos", per_class=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(root / "cache"))
        install_toy_backbone(patch, root / "packages")
        handful.train(root / "photos", root / "run", backbone="toy", engine="eager", threads=1, seed=3)
    return root


@pytest.fixture
def run(made, tmp_path):
    for name in ("photos", "run"):
        shutil.copytree(made / name, tmp_path / name)
    edit(tmp_path / "run", data={"root": str(tmp_path / "photos")})
    return tmp_path / "run"


def edit(run, **fields):
    path = run / "provenance.json"
    made = json.loads(path.read_text())
    write_json(
        path,
        {name: {**made[name], **new} if isinstance(new, dict) else new for name, new in fields.items()}
        | {name: value for name, value in made.items() if name not in fields},
    )


def test_a_run_agrees_with_itself_from_pictures_that_moved_and_with_nothing_kept(toy, run, tmp_path):
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    again = handful.rerun(run, data=tmp_path / "elsewhere")
    assert again.agrees
    assert again.comparison.reasons == ()
    assert str(again).startswith("It agrees: ")
    assert again.result.folder == tmp_path / "run-again"
    assert again.result.run.machine.endswith(" 1 thread used")
    assert again.result.run.options["engine"].value == "eager"
    assert again.result.run.seed == 3


def test_one_thread_more_changes_no_answer(toy, run, tmp_path):
    edit(run, options={"threads": 2})
    again = handful.rerun(run, tmp_path / "two")
    assert again.result.run.machine.endswith("2 threads used")
    assert again.comparison.n_other == 0
    assert 0.0 <= again.comparison.largest <= 1e-4
    assert [head.kind for head in again.result.run.heads] == [
        head["kind"] for head in json.loads((run / "result.json").read_text())["head"]
    ]


def test_options_that_mean_nothing_to_this_version_are_left_out_and_told(toy, run, tmp_path):
    edit(run, options={"colour": "red", "fit": "twist", "track": "mlflow"})
    again = handful.rerun(run, tmp_path / "other")
    assert again.agrees
    assert set(again.comparison.reasons) == {
        "there is no option colour any more, which was 'red'",
        "fit is 'auto' and was 'twist'",
        "track is 'none' and was 'mlflow'",
    }


def test_what_cannot_be_repeated_is_said_before_any_work(run, tmp_path):
    edit(run, options={"labels": ["gone.csv"]})
    with pytest.raises(ConfigError, match=r"labels names gone\.csv, which is not there; the run was made in "):
        handful.rerun(run)
    edit(run, options={"labels": []})
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"not in .*photos any more\. Say where they are now with --data"):
        handful.rerun(run)
    edit(run, in_memory=True)
    with pytest.raises(DataError, match=r"handful\.rerun\(RUN, data=\.\.\.\)"):
        handful.rerun(run)
    edit(run, format=2)
    with pytest.raises(BundleError, match="is of format 2; this version reads format 1"):
        handful.rerun(run)
    edit(run, format=1, in_memory=False, data={"root": 3})
    with pytest.raises(BundleError, match="does not say what it should: TypeError"):
        handful.rerun(run)
    (run / "pictures.csv").unlink()
    with pytest.raises(BundleError, match=r"pictures\.csv cannot be read"):
        handful.rerun(run)
    assert not (tmp_path / "run-again").exists()


def test_the_model_says_what_it_was_made_from_and_names_no_path(run, tmp_path):
    made = (run / "model" / "made.json").read_text()
    assert {"data_sha256", "code_sha256", "versions", "processor", "flags", "threads", "seed"} == set(json.loads(made))
    assert str(tmp_path) not in made
    assert json.loads(made)["data_sha256"] == json.loads((run / "provenance.json").read_text())["data"]["sha256"]
    (run / "model" / "made.json").write_text(made.replace('"seed": 3', '"seed": 4'))
    with pytest.raises(BundleError, match=r"made\.json changed since it was written"):
        handful.load(run)
