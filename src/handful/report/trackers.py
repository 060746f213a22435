"""A finished run, told to an experiment tracker: MLflow, or Weights & Biases."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from textwrap import shorten
from time import time_ns
from typing import Any
from urllib.parse import urlsplit

from handful.core.config import RunConfig
from handful.core.errors import ConfigError, MissingExtraError
from handful.core.records import Run
from handful.core.training import Training
from handful.report.learning import trainings
from handful.report.result import seconds_by_stage
from handful.report.text import encodable

PROJECT = "handful"
"""MLflow's experiment and wandb's project, where the user names none."""

SETTINGS = {
    "mlflow": {
        "MLFLOW_DISABLE_TELEMETRY": "true",  # since 3.2: mlflow.org/docs/latest/community/usage-tracking
        "MLFLOW_ALLOW_FILE_STORE": "true",  # a plain folder, which takes no database library
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # of 7, which take minutes where no server answers
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # standard output is the command's own
    },
    "wandb": {  # docs.wandb.ai/models/track/environment-variables
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_X_DISABLE_STATS": "true",
        "WANDB_SILENT": "true",
    },
}
"""What each library is told by its environment variables, where the user has not set them: to send the run only."""

ADVICE = {
    "mlflow": "Check MLFLOW_TRACKING_URI; unset, the run goes into the folder mlruns.",
    "wandb": "Run `wandb login`, or set WANDB_MODE=offline and send it later by `wandb sync`.",
}

MOST_METRICS, MOST_PARAMS = 900, 90
"""Of one message to MLflow, which takes 1000 and 100."""

MOST_OF_A_FAULT = 300
"""Letters of what a library says went wrong."""


def check_tracker(config: RunConfig) -> None:
    """Raises where the tracker cannot be told of a run; opens no connection and imports nothing.

    Raises:
        MissingExtraError: its library is not installed.
        ConfigError: it is not on this machine, and the run is to stay offline.
    """
    if config.track == "none":
        return
    if find_spec(config.track) is None:
        raise MissingExtraError(f"track {config.track!r}", config.track)
    if not config.offline:
        return
    if config.track == "mlflow" and not _is_local(uri := _tracking_uri()):
        raise ConfigError(
            f"MLFLOW_TRACKING_URI is {_shown(uri)!r}, and offline forbids network connections. Name a folder, unset it "
            "(the run goes into the folder mlruns), or leave out one of track and offline."
        )
    if config.track == "wandb" and (mode := os.environ.get("WANDB_MODE", "")) not in ("offline", "disabled"):
        raise ConfigError(
            f"WANDB_MODE is {mode!r}, and offline forbids network connections. Set WANDB_MODE=offline, or leave out "
            "one of track and offline."
        )


def untracked(run: Run, folder: Path) -> str:
    """Tells the tracker that the run's options name of it; a run is never lost by what goes wrong there.

    The tracker gets the options, the figures with their intervals, seconds, each network's curves by epoch, and the
    report; no picture but those in the report.

    Args:
        run: the finished run.
        folder: where it stands.

    Returns:
        One sentence about what went wrong; empty where the tracker has the run, or none was asked for.
    """
    tracker = run.options["track"].value if "track" in run.options else "none"
    if tracker == "none":
        return ""
    try:
        with _environment(SETTINGS[tracker]):
            {"mlflow": _to_mlflow, "wandb": _to_wandb}[tracker](run, folder)
    except Exception as error:
        fault = shorten(str(error), MOST_OF_A_FAULT, placeholder=" ...").rstrip(".") or type(error).__name__
        return f"{tracker} has not got the run, which is whole in {folder}: {fault}. {ADVICE[tracker]}"
    return ""


def _to_mlflow(run: Run, folder: Path) -> None:
    """Writes the run through MLflow's client, which leaves a run that the user has open alone."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri=_tracking_uri())
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    run_id = client.create_run(experiment_id, run_name=encodable(folder.name)).info.run_id
    now, status = time_ns() // 1_000_000, "FAILED"
    metrics = [Metric(key, value, now, 0) for key, value in _figures(run).items()]
    for network, epochs in _curves(run).items():
        for epoch, figures in epochs.items():
            metrics += [Metric(f"{network}/{key}", value, now, epoch) for key, value in figures.items()]
    params = [Param(key, str(value)) for key, value in _options(run).items()]
    try:
        for start in range(0, len(params), MOST_PARAMS):
            client.log_batch(run_id, params=params[start : start + MOST_PARAMS])
        for start in range(0, len(metrics), MOST_METRICS):
            client.log_batch(run_id, metrics=metrics[start : start + MOST_METRICS])
        client.log_artifact(run_id, str(folder / "report.html"))
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)


def _to_wandb(run: Run, folder: Path) -> None:
    """Writes the run as one of wandb's own, beside any that the user has open."""
    import wandb

    project = os.environ.get("WANDB_PROJECT") or PROJECT
    with wandb.init(project=project, name=encodable(folder.name), config=_options(run), reinit="create_new") as written:
        for network, epochs in _curves(run).items():
            written.define_metric(f"{network}/*", step_metric=f"{network}/epoch")
            for epoch, figures in epochs.items():
                written.log({f"{network}/{key}": value for key, value in {"epoch": epoch, **figures}.items()})
        with (folder / "report.html").open(encoding="utf-8") as report:
            written.log({"report": wandb.Html(report, inject=False)})
        written.summary.update(_figures(run))


def _options(run: Run) -> dict[str, Any]:
    """Returns every option as it was resolved; what is no plain value, as its text."""
    plain = (bool, int, float, str, type(None))
    values = {name: option.value for name, option in run.options.items()}
    return {
        name: encodable(value) if isinstance(value, str) else value if isinstance(value, plain) else str(value)
        for name, value in values.items()
    }


def _figures(run: Run) -> dict[str, float]:
    """Returns the figures on the test pictures and on held-out pictures, and the seconds by stage."""
    figures: dict[str, float] = {}
    for prefix, each in (("", run.evaluation), *([("held_out/", run.held_out)] if run.held_out else [])):
        low, high = each.accuracy_interval
        named = {
            "accuracy": each.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "balanced_accuracy": each.balanced_accuracy,
            "macro_f1": each.macro_f1,
            "log_loss": each.log_loss,
            "calibration_error": each.calibration_error,
            "n": each.n_test,
        }
        figures |= {prefix + name: float(value) for name, value in named.items()}
    return {**figures, **{f"seconds/{stage}": spent for stage, spent in seconds_by_stage(run).items()}}


def _curves(run: Run) -> dict[str, dict[int, dict[str, float]]]:
    """Returns each network's figures by epoch, under names that MLflow takes."""
    names = {network: re.sub(r"[^\w.-]+", "-", network).strip("-") for network in trainings(run)}
    return {names[network]: _by_epoch(training) for network, training in trainings(run).items()}


def _by_epoch(training: Training) -> dict[int, dict[str, float]]:
    """Returns the means of an epoch's mini-batches, and the last look at the validation part in it."""
    epochs: dict[int, dict[str, float]] = {}
    for epoch, updates in groupby(training.iterations, key=lambda each: each.epoch):
        done = list(updates)
        figures = {
            "loss": sum(each.loss for each in done) / len(done),
            "accuracy": sum(each.accuracy for each in done) / len(done),
            "rate": done[-1].rate,
        }
        for each in done:
            if each.validation_loss is not None and each.validation_accuracy is not None:
                figures |= {"validation_loss": each.validation_loss, "validation_accuracy": each.validation_accuracy}
        epochs[epoch] = figures
    return epochs


def _tracking_uri() -> str:
    """Returns where MLflow is to write: `mlflow.set_tracking_uri` sets this variable too."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "mlruns"


def _is_local(uri: str) -> bool:
    """Returns whether MLflow writes on this machine; a scheme of one letter is a drive."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return parts.netloc in ("", "localhost")
    return uri != "databricks" and (len(parts.scheme) < 2 or parts.scheme == "sqlite")


def _shown(uri: str) -> str:
    """Returns an address without the password in it."""
    return uri.rsplit("@", 1)[-1]


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables that the user has not set, and takes them away again."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
