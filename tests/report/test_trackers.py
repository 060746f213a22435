"""Trackers get a finished run whole, and never cost it."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from handful.core.config import RunConfig
from handful.core.errors import ConfigError, MissingExtraError
from handful.core.records import Resolved
from handful.report import check_tracker, untracked
from handful.report.trackers import SETTINGS
from tests.report.trained import training, with_training


def module(monkeypatch, name, **members):
    """Puts a module of this name where the real one would be imported from."""
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None)
    vars(made).update(members)
    monkeypatch.setitem(sys.modules, name, made)
    return made


class Client:
    """MLflow's client as its documentation has it, with what it was told."""

    def __init__(self, tracking_uri=None, registry_uri=None):
        self.uri, self.batches, self.artifacts, self.status = tracking_uri, [], [], None
        self.telemetry = os.environ.get("MLFLOW_DISABLE_TELEMETRY")
        Client.last = self

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name, artifact_location=None, tags=None):
        self.experiment = name
        return "7"

    def create_run(self, experiment_id, start_time=None, tags=None, run_name=None):
        assert experiment_id == "7"
        self.name = run_name
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_batch(self, run_id, metrics=(), params=(), tags=(), synchronous=None):
        assert run_id == "r1"
        assert len(metrics) <= 1000
        assert len(params) <= 100
        self.batches.append((metrics, params))

    def log_artifact(self, run_id, local_path, artifact_path=None):
        self.artifacts.append(Path(local_path).read_text(encoding="utf-8"))

    def set_terminated(self, run_id, status=None, end_time=None):
        self.status = status


@pytest.fixture
def mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    module(monkeypatch, "mlflow", MlflowClient=Client)
    entities = {
        "Metric": lambda key, value, timestamp, step: (key, value, step),
        "Param": lambda key, value: (key, value),
    }
    module(monkeypatch, "mlflow.entities", **entities)
    return Client


class WandbRun:
    """A run of wandb, with what it was told."""

    def __init__(self):
        self.logged, self.summary, self.metrics, self.ended = [], {}, [], False

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.ended = True

    def define_metric(self, name, step_metric=None):
        self.metrics.append((name, step_metric))

    def log(self, data, step=None, commit=None):
        self.logged.append(data)


@pytest.fixture
def wandb(monkeypatch):
    run = WandbRun()

    def init(*, project=None, name=None, config=None, reinit=None):
        run.told = {"project": project, "name": name, "config": config, "reinit": reinit}
        run.environment = dict(os.environ)
        return run

    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    module(monkeypatch, "wandb", init=init, Html=lambda data, inject=True: (data.read(), inject))
    return run


@pytest.fixture
def finished(make_run, tmp_path):
    """Returns a function that makes a run to be told to a tracker, and its folder with a page."""
    folder = tmp_path / "run-2"
    folder.mkdir()
    (folder / "report.html").write_text("<p>the page</p>", encoding="utf-8")

    def make(tracker, *trained):
        run = with_training(make_run(), *trained) if trained else make_run()
        return dataclasses.replace(
            run, options={**run.options, "track": Resolved(tracker, "chosen by the user")}
        ), folder

    return make


def test_mlflow_gets_options_figures_curves_and_the_page(mlflow, finished):
    made = training(n_epochs=3, validated=True)
    run, folder = finished("mlflow", made)
    assert untracked(run, folder) == ""
    told = mlflow.last
    metrics = {(key, step): value for batch, _ in told.batches for key, value, step in batch}
    params = dict(param for _, batch in told.batches for param in batch)
    assert (told.uri, told.experiment, told.name, told.status) == ("mlruns", "handful", "run-2", "FINISHED")
    assert told.artifacts == ["<p>the page</p>"]
    assert params.keys() == run.options.keys()
    assert params["track"] == "mlflow"
    assert metrics["accuracy", 0] == run.evaluation.accuracy
    assert (metrics["accuracy_low", 0], metrics["accuracy_high", 0]) == run.evaluation.accuracy_interval
    assert metrics["log_loss", 0] == run.evaluation.log_loss
    assert metrics["seconds/total", 0] == sum(stage.seconds for stage in run.stages)
    for epoch in (1, 2, 3):
        updates = [each for each in made.iterations if each.epoch == epoch]
        assert metrics["efficientnet-lite0/loss", epoch] == pytest.approx(sum(u.loss for u in updates) / len(updates))
        seen = [each.validation_accuracy for each in updates if each.validation_accuracy is not None]
        assert metrics["efficientnet-lite0/validation_accuracy", epoch] == seen[-1]
    assert ("efficientnet-lite0/loss", 4) not in metrics


def test_many_figures_go_in_messages_that_mlflow_takes(mlflow, finished):
    run, folder = finished("mlflow", training(n_epochs=400, validated=True))
    run = dataclasses.replace(run, options={**run.options, **{f"o{i}": Resolved(i, "default") for i in range(150)}})
    assert untracked(run, folder) == ""  # the client checks the limits
    metrics = [metric for batch, _ in mlflow.last.batches for metric in batch]
    assert sum(key == "efficientnet-lite0/rate" for key, _, _ in metrics) == 400
    assert len([param for _, batch in mlflow.last.batches for param in batch]) == len(run.options)


def test_a_network_trained_twice_has_two_names_that_mlflow_takes(mlflow, finished):
    run, folder = finished("mlflow", training(n_epochs=1), training(n_epochs=2))
    first = run.weights[0]
    run = dataclasses.replace(run, weights=(first, first))
    assert untracked(run, folder) == ""
    keys = {key for batch, _ in mlflow.last.batches for key, _, step in batch if step}
    assert {key.split("/")[0] for key in keys} == {"efficientnet-lite0", "efficientnet-lite0-2"}


def test_wandb_gets_options_figures_curves_and_the_page(wandb, finished):
    run, folder = finished("wandb", training(n_epochs=2, validated=True))
    assert untracked(run, folder) == ""
    assert wandb.told.pop("config").keys() == run.options.keys()
    assert wandb.told == {"project": "handful", "name": "run-2", "reinit": "create_new"}
    assert wandb.metrics == [("efficientnet-lite0/*", "efficientnet-lite0/epoch")]
    *epochs, page = wandb.logged
    assert [each["efficientnet-lite0/epoch"] for each in epochs] == [1, 2]
    assert page == {"report": ("<p>the page</p>", False)}
    assert wandb.summary["accuracy"] == run.evaluation.accuracy
    assert wandb.ended


def test_the_libraries_send_nothing_of_their_own_unless_the_user_says_so(mlflow, wandb, finished, monkeypatch):
    for name in (*SETTINGS["wandb"], *SETTINGS["mlflow"]):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_CONSOLE", "wrap")
    before = dict(os.environ)
    assert untracked(*finished("wandb")) == ""
    assert wandb.environment["WANDB_ERROR_REPORTING"] == "false"
    assert wandb.environment["WANDB_CONSOLE"] == "wrap"
    run, folder = finished("wandb")
    untracked(dataclasses.replace(run, options={"track": Resolved("mlflow", "")}), folder)
    assert mlflow.last.telemetry == "true"
    assert dict(os.environ) == before


def test_a_tracker_that_fails_says_so_in_one_line_and_ends_its_own_run(mlflow, finished, monkeypatch):
    def refuse(self, run_id, local_path, artifact_path=None):
        raise OSError("no room\nleft.")

    monkeypatch.setattr(mlflow, "log_artifact", refuse)
    said = untracked(*finished("mlflow"))
    assert "no room left. Check MLFLOW_TRACKING_URI" in said
    assert "\n" not in said
    assert mlflow.last.status == "FAILED"


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_without_the_library_the_extra_is_named(monkeypatch, tracker):
    monkeypatch.setitem(sys.modules, tracker, None)
    with pytest.raises(MissingExtraError, match=rf"handful\[{tracker}\]"):
        check_tracker(RunConfig(track=tracker))


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        (None, True),
        ("", True),
        ("runs/here", True),
        ("/srv/runs", True),
        ("C:\\runs", True),
        ("file:///srv/runs", True),
        ("sqlite:///mlflow.db", True),
        ("file://other-machine/runs", False),
        ("databricks", False),
        ("databricks://profile", False),
        ("http://127.0.0.1:5000", False),
        ("https://tracker.example", False),
        ("postgresql://user:secret@host/runs", False),
    ],
)
def test_offline_forbids_mlflow_elsewhere(mlflow, monkeypatch, uri, local):
    if uri is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_tracker(RunConfig(track="mlflow"))
    if local:
        check_tracker(RunConfig(track="mlflow", offline=True))
        return
    with pytest.raises(ConfigError, match="offline forbids") as caught:
        check_tracker(RunConfig(track="mlflow", offline=True))
    assert "secret" not in str(caught.value)


def test_offline_forbids_wandb_unless_it_is_offline_too(wandb, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(ConfigError, match="WANDB_MODE=offline"):
        check_tracker(RunConfig(track="wandb", offline=True))
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_tracker(RunConfig(track="wandb", offline=True))


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="the extra 'mlflow' is not installed")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_itself_gives_back_from_a_folder_what_it_was_told(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run, folder = finished("mlflow", training(n_epochs=3, validated=True))
    assert untracked(run, folder) == ""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri="mlruns")
    (found,) = client.search_runs([client.get_experiment_by_name("handful").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.metrics["accuracy"] == run.evaluation.accuracy
    assert found.data.params.keys() == run.options.keys()
    history = client.get_metric_history(found.info.run_id, "efficientnet-lite0/loss")
    assert [each.step for each in history] == [1, 2, 3]
    assert [each.path for each in client.list_artifacts(found.info.run_id)] == ["report.html"]


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the extra 'wandb' is not installed")
@pytest.mark.filterwarnings("ignore")
def test_wandb_itself_writes_a_run_offline(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert untracked(*finished("wandb", training(n_epochs=2, validated=True))) == ""
    (page,) = tmp_path.glob("wandb/offline-run-*/files/media/html/*.html")
    assert page.read_text(encoding="utf-8") == "<p>the page</p>"
