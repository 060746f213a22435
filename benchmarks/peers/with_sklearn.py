"""scikit-learn on features that handful extracts: standardised, then logistic regression with its own cross-validation.

The search for the penalty is the usual one (10 values, 5 folds); where the first fit shows that it would take longer
than is left, that first fit, at the default penalty, answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peers.job import Job, read_job, write_answers
from handful.backbones import find, locate
from handful.core.config import ReadingConfig
from handful.core.progress import Silent
from handful.core.records import FloatArray
from handful.features import Preprocessing, extract_unchecked, trunk_from_weights
from handful.images import open_place
from handful.images.channels import DEFAULT_FULL_SCALE

PENALTIES, FOLDS, MOST_ITERATIONS = 10, 5, 1000
MARGIN = 0.9


def features_of(job: Job, paths: Sequence[Path]) -> FloatArray:
    """Returns the features of some pictures, float64 (N, D)."""
    spec = find(job.backbone)
    trunk = trunk_from_weights(spec, locate(spec), threads=job.threads, progress=Silent())
    files = [found for path in paths for found in open_place(path).find()]
    values, unreadable = extract_unchecked(
        trunk,
        files,
        reading=ReadingConfig(),
        full_scale=DEFAULT_FULL_SCALE,
        preprocessing=Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std),
        views=("plain",),
        threads=job.threads,
        progress=Silent(),
    )
    assert not unreadable
    return np.asarray(values[:, 0], dtype=np.float64)


def main() -> None:
    """Fits and answers within the budget."""
    job = read_job()
    trainings, tests = sorted(job.train.glob("*/*")), job.test_pictures
    rows = features_of(job, [*trainings, *tests])
    labels = [path.parent.name for path in trainings]
    train, test = rows[: len(trainings)], rows[len(trainings) :]
    started = time.perf_counter()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MOST_ITERATIONS)).fit(train, labels)
    one_fit = time.perf_counter() - started
    searched = one_fit * PENALTIES * FOLDS < MARGIN * job.clock.left()
    if searched:
        search = LogisticRegressionCV(Cs=PENALTIES, cv=FOLDS, max_iter=MOST_ITERATIONS, n_jobs=job.threads)
        model = make_pipeline(StandardScaler(), search).fit(train, labels)
    write_answers(job, [path.name for path in tests], model.predict(test).tolist(), {"searched": searched})


if __name__ == "__main__":
    main()
