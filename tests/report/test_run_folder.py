import dataclasses
import importlib.util
import json

import pytest

from handful.core.errors import HandfulError
from handful.core.records import Resolved
from handful.report import result_dict, write_run
from handful.report.result import config_dict
from tests.report.trained import training, with_training


def test_the_folder_holds_everything(make_run, tmp_path):
    run = make_run(n_test=20)
    write_run(run, tmp_path / "run")
    files = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    figures = {
        f"figures/{name}.{kind}"
        for name in ("confusion", "classes", "reliability", "penalty")
        for kind in ("csv", "png", "svg")
    }
    assert (
        files
        == {
            "config.json",
            "model-card.json",
            "model-card.md",
            "result.json",
            "manifest.json",
            "skipped.csv",
            "predictions.csv",
            "report.html",
        }
        | figures
    )
    assert json.loads((tmp_path / "run/result.json").read_text("utf-8")) == result_dict(run)
    config = json.loads((tmp_path / "run/config.json").read_text("utf-8"))
    assert config["size"] == {"value": 224, "reason": "the network's own"}
    assert list(config) == list(config_dict(run))


@pytest.fixture
def no_figures(monkeypatch):
    """Drawing takes most of the time, and some tests are about other files."""
    monkeypatch.setattr("handful.report.run_folder.figures", lambda run: {})


@pytest.mark.usefixtures("no_figures")
def test_the_page_names_the_folder_that_it_will_be_in(make_run, tmp_path):
    write_run(make_run(n_test=8), tmp_path / "staging", final=tmp_path / "final")
    page = (tmp_path / "staging/report.html").read_text("utf-8")
    assert f"handful predict {tmp_path / 'final'} pictures/" in page
    assert "staging" not in page


@pytest.mark.usefixtures("no_figures")
def test_result_json_is_there_only_when_all_else_is(make_run, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise HandfulError("no space left")

    monkeypatch.setattr("handful.report.run_folder.render_page", fails)
    with pytest.raises(HandfulError, match="no space left"):
        write_run(make_run(n_test=8), tmp_path / "run")
    assert not (tmp_path / "run/result.json").exists()


def test_hostile_names_do_not_stop_the_writing(make_run, tmp_path):
    write_run(make_run(classes=("bad\udcff", "$\\x", "=1+1", "\x1b[0m"), n_test=12), tmp_path / "run")
    assert "bad\\udcff" in (tmp_path / "run/predictions.csv").read_text("utf-8")


@pytest.mark.usefixtures("no_figures")
def test_a_training_leaves_its_updates(make_run, tmp_path):
    write_run(with_training(make_run(n_test=8), training(n_epochs=2)), tmp_path / "run")
    assert len((tmp_path / "run/figures/training.csv").read_text("utf-8").splitlines()) == 1 + 2 * 17


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("wanted", [True, False])
def test_events_are_written_where_they_are_asked_for(make_run, tmp_path, wanted):
    if importlib.util.find_spec("tensorboardX") is None:
        pytest.skip("the extra 'tensorboard' is not installed")
    run = with_training(make_run(n_test=8), training(n_epochs=2))
    run = dataclasses.replace(run, options={**run.options, "tensorboard": Resolved(wanted, "chosen by the user")})
    write_run(run, tmp_path / "run")
    assert len(list(tmp_path.glob("run/tensorboard/efficientnet-lite0/events.*"))) == wanted
