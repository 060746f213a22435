"""AutoGluon's MultiModalPredictor on pictures, with its own time limit for training; everything else is its default.

Its networks are timm's, from a hub. handful's EfficientNet-Lite0 is timm's `tf_efficientnet_lite0` under other names,
whose tensors stand in the same order, so that it can be given as a folder, as AutoGluon keeps networks itself.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import timm
import torch
from autogluon.multimodal import MultiModalPredictor
from torch import nn

from benchmarks.peers.job import Job, read_job, write_answers
from benchmarks.peers.network import convolutions, normalisation
from handful.core.errors import ConfigError

ARCHITECTURES = {"efficientnet-lite0": "tf_efficientnet_lite0"}
SLACK = 2.0
"""Multiple of the time that the network alone takes, to be kept for pictures that are read too."""

N_SOUPS, HELD_OUT, FIXED = 3, 0.2, 8.0
"""After its limit AutoGluon answers for the fifth that it held out, once for each of its three best weights, to average
them; and the seconds that starting to answer takes."""

N_TIMED = 32


def checkpoint(job: Job, folder: Path) -> tuple[Path, float]:
    """Writes a network of handful's as timm's; returns the folder, and the seconds that it takes for a picture."""
    if job.backbone not in ARCHITECTURES:
        raise ConfigError(f"backbone is {job.backbone!r}; AutoGluon takes {', '.join(ARCHITECTURES)}, or own.")
    architecture = ARCHITECTURES[job.backbone]
    body, spec = convolutions(job.backbone)
    folder.mkdir()
    model = timm.create_model(architecture, pretrained=False)
    torch.save(renamed(body, model), folder / "pytorch_model.bin")
    means, deviations = normalisation(spec)
    side = spec.input_size
    facts = {"architecture": architecture, "num_features": model.num_features, "input_size": [3, side, side]}
    (folder / "config.json").write_text(json.dumps({**facts, "mean": means, "std": deviations}), encoding="utf-8")
    body.eval()
    with torch.no_grad():
        body(torch.zeros(8, 3, side, side))
        started = time.perf_counter()
        body(torch.zeros(N_TIMED, 3, side, side))
    return folder, (time.perf_counter() - started) / N_TIMED


def renamed(body: nn.Module, model: nn.Module) -> dict[str, Any]:
    """Returns the body's tensors by the names of timm's model, in which they stand in the same order."""
    theirs = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("classifier")}
    state = dict(zip(theirs, body.state_dict().values(), strict=True))
    for name, tensor in state.items():
        if theirs[name].shape != tensor.shape:
            raise ConfigError(
                f"{name} has shape {tuple(theirs[name].shape)} in timm's network, {tuple(tensor.shape)} here."
            )
    return state


def main() -> None:
    """Trains and answers within the budget."""
    job = read_job()
    torch.set_num_threads(job.threads)
    trainings, tests = sorted(job.train.glob("*/*")), job.test_pictures
    options: dict[str, Any] = {"env.num_gpus": 0, "env.num_workers": job.threads, "model.names": ["timm_image"]}
    reserve = 0.25 * job.clock.budget
    if job.backbone != "own":
        folder, seconds = checkpoint(job, job.out.with_name("network"))
        options["model.timm_image.checkpoint_name"] = str(folder)
        reserve = FIXED + SLACK * seconds * (len(tests) + N_SOUPS * HELD_OUT * len(trainings))
    table = pd.DataFrame(
        {"image": [str(path) for path in trainings], "label": [path.parent.name for path in trainings]}
    )
    predictor = MultiModalPredictor(label="label", path=str(job.out.with_name("predictor")), verbosity=0)
    limit = max(1, int(job.clock.left() - reserve))
    predictor.fit(table, time_limit=limit, hyperparameters=options, seed=job.seed)
    answers = predictor.predict(pd.DataFrame({"image": [str(path) for path in tests]}), as_pandas=False)
    write_answers(job, [path.name for path in tests], [str(answer) for answer in answers], {"time_limit": limit})


if __name__ == "__main__":
    main()
