"""What more training pictures would bring: a learning curve through smaller subsets, carried on a little way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handful.core.records import FloatArray, IntArray
from handful.core.trust import ClassGain, Forecast, Growth, GrowthPoint

FACTORS = (1.5, 2.0, 3.0)
"""Times the pictures at hand; further out the curve says more about its formula than about the pictures."""

CLASS_FACTOR = 2.0

EXPONENTS = np.linspace(0.1, 1.0, 19)
"""Exponents c tried in a + b n^-c. Steeper than 1/n no output layer learns; below 0.1 the floor cannot be told."""

N_DRAWS = 400
"""Draws of the bootstrap."""

ENDS = (0.05, 0.95)


def forecast(
    sizes: IntArray,
    wrong: FloatArray,
    *,
    labels: IntArray,
    held_out_wrong: npt.NDArray[np.bool_],
    classes: Sequence[str],
    n_test: int,
    seed: int,
) -> Growth:
    """Returns how accuracy grows with the pictures, with intervals.

    A power law with a floor, a + b n^-c with a, b >= 0 (Cortes, Jackel, Solla, Vapnik and Denker 1993), is fitted to
    the error of the refits and gives the ratio of the errors then and now; the model's own held-out error times that
    ratio is the forecast. Four things make the interval: which pictures were judged (the curve is fitted again to
    bootstrap samples of them), what a few sizes cannot tell about the exponent (it is drawn by how well it fits), how
    well the error is known now (Jeffreys' interval), and the chance of a test part.

    Args:
        sizes: int64 (S,), ascending: training pictures that were learnt from.
        wrong: float64 (S, N), in [0, 1]: how often each training picture, set apart, was mistaken by refits on so many.
        labels: int64 (N,).
        held_out_wrong: bool (N,), the mistakes of the model itself on the same pictures, held out.
        classes: names.
        n_test: test pictures that the interval of an accuracy is for.
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    n_images = len(labels)
    ratios = _ratios(sizes, wrong, n_images, factors=FACTORS, rng=rng)
    now, nows = float(held_out_wrong.mean()), _errors_now(held_out_wrong, rng)
    forecasts = []
    for column, factor in enumerate(FACTORS):
        then = np.clip(nows * ratios[1:, column], 0.0, 1.0)
        measured = 1.0 - rng.binomial(n_test, then) / n_test
        forecasts.append(
            Forecast(
                factor=factor,
                n_images=round(factor * n_images),
                accuracy=1.0 - now * float(ratios[0, column]),
                interval=_between(measured),
                gain=_between(nows - then),
            )
        )
    gains = [
        _class_gain(sizes, wrong[:, own], held_out_wrong[own], n_images=n_images, name=name, rng=rng)
        for label, name in enumerate(classes)
        if (own := labels == label).any()
    ]
    errors = wrong.mean(axis=1)
    curve_now = float(_at(_fit(sizes, errors[None], rng), sizes, n_images)[0])
    return Growth(
        points=tuple(GrowthPoint(size, error) for size, error in zip(sizes.tolist(), errors.tolist(), strict=True)),
        level=now / curve_now if curve_now else 1.0,
        forecasts=tuple(forecasts),
        classes=tuple(sorted(gains, key=lambda gain: -gain.expected)),
    )


def _class_gain(
    sizes: IntArray,
    wrong: FloatArray,
    held_out_wrong: npt.NDArray[np.bool_],
    *,
    n_images: int,
    name: str,
    rng: np.random.Generator,
) -> ClassGain:
    ratios = _ratios(sizes, wrong, n_images, factors=(CLASS_FACTOR,), rng=rng)[:, 0]
    nows = _errors_now(held_out_wrong, rng)
    expected = float(held_out_wrong.mean() * (1.0 - ratios[0]))
    return ClassGain(name, len(held_out_wrong), expected, _between(nows * (1.0 - ratios[1:])))


def _ratios(
    sizes: IntArray, wrong: FloatArray, n_images: int, *, factors: Sequence[float], rng: np.random.Generator
) -> FloatArray:
    """Returns float64 (1 + N_DRAWS, F): error then / error now, of all pictures and of bootstrap samples of them."""
    n_judged = wrong.shape[1]
    shares = np.full((1 + N_DRAWS, n_judged), 1.0 / n_judged)
    shares[1:] = rng.multinomial(n_judged, shares[0], N_DRAWS) / n_judged
    curve = _fit(sizes, shares @ wrong.T, rng)
    now = _at(curve, sizes, n_images)
    then = np.stack([_at(curve, sizes, factor * n_images) for factor in factors], axis=1)
    return np.where(now[:, None] > 0.0, then / np.maximum(now, 1e-12)[:, None], 1.0)


def _fit(sizes: IntArray, errors: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Returns a, b, c, float64 (P,) each: a + b (n / largest n)^-c for each row of errors (P, S).

    The first row gets the least squares. In the others the exponent is drawn, in proportion to the likelihood under the
    noise that the rows show about their own means.
    """
    middle = errors.mean(axis=1, keepdims=True)
    noise = float(np.var(errors - middle, axis=0).mean())
    losses, floors, heights = [], [], []
    for exponent in EXPONENTS:
        shape = (sizes / sizes[-1]) ** -exponent
        centred = shape - shape.mean()
        height = np.maximum(errors @ centred / (centred @ centred), 0.0)
        floor = middle[:, 0] - height * shape.mean()
        height = np.where(floor < 0.0, errors @ shape / (shape @ shape), height)  # no floor below zero
        floors.append(np.maximum(floor, 0.0))
        heights.append(height)
        losses.append(np.square(errors - floors[-1][:, None] - height[:, None] * shape).sum(axis=1))
    luck = rng.gumbel(size=(len(EXPONENTS), len(errors)))  # the smallest loss less luck is a draw by likelihood
    luck[:, 0] = 0.0
    best = np.argmin(np.array(losses) - 2.0 * noise * luck, axis=0)
    row = np.arange(len(errors))
    return np.array(floors)[best, row], np.array(heights)[best, row], EXPONENTS[best]


def _at(curve: tuple[FloatArray, FloatArray, FloatArray], sizes: IntArray, n_images: float) -> FloatArray:
    floor, height, exponent = curve
    values: FloatArray = floor + height * (n_images / sizes[-1]) ** -exponent
    return values


def _errors_now(wrong: npt.NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Returns draws of the true error, given the mistakes that were counted (Jeffreys' prior)."""
    n_wrong = int(wrong.sum())
    return rng.beta(n_wrong + 0.5, len(wrong) - n_wrong + 0.5, N_DRAWS)


def _between(draws: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(draws, ENDS).tolist()
    return low, high
