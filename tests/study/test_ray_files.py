"""The files of docs/scale, with which a cluster is begun: they can be read, and their commands understood."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from handful.cli.main import app
from handful.cli.options import completed

FILES = Path(__file__).parents[2] / "docs" / "scale"


def understood(command):
    """Returns what the command line makes of a command of `handful study`."""
    name, study, *words = shlex.split(command)
    assert (name, study) == ("handful", "study")
    study = typer.main.get_command(app).commands["study"]
    return study.make_context("study", completed(words)).params


def test_the_cluster_is_one_that_ray_would_begin(caplog):
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(yaml.safe_load((FILES / "cluster.yaml").read_text()))
    validate_config(config)
    assert config["available_node_types"][config["head_node_type"]]["resources"] == {"CPU": 0}
    assert all("RAY_USAGE_STATS_ENABLED=0" in config[f"{kind}_start_ray_commands"][1] for kind in ("head", "worker"))


def test_the_job_for_kubernetes_has_a_command_that_is_understood():
    job = yaml.safe_load((FILES / "rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    asked = understood(job["spec"]["entrypoint"])
    assert (asked["ray"], asked["resume"], asked["threads"]) == ("auto", True, 4)
    groups = [job["spec"]["rayClusterSpec"]["headGroupSpec"], *job["spec"]["rayClusterSpec"]["workerGroupSpecs"]]
    images = {each["image"] for group in groups for each in group["template"]["spec"]["containers"]}
    assert len(images) == 1  # the same versions everywhere


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_slurm_is_one_and_its_command_is_understood():
    script = (FILES / "slurm.sh").read_text()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    given = script.splitlines()[1].removeprefix("# sbatch docs/scale/slurm.sh ")
    command = script.splitlines()[-1].replace('"$@"', given).replace("$address", "10.0.0.1:6379")
    asked = understood(command)
    assert (asked["ray"], asked["resume"], asked["vary"]) == ("10.0.0.1:6379", True, ["lr=1e-5..1e-1:log20"])


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["study", "photos", "--ray"], ["study", "photos", "--ray", "local"]),
        (["study", "--ray", "--vary", "lr=1,2"], ["study", "--ray", "local", "--vary", "lr=1,2"]),
        (["study", "photos", "--ray", "auto"], ["study", "photos", "--ray", "auto"]),
        (["study", "photos", "--ray=h:1"], ["study", "photos", "--ray=h:1"]),
        ([], []),
    ],
)
def test_ray_without_an_address_is_this_machine(words, meant):
    assert completed(words) == meant
