"""How much a data set is like ImageNet, measured without a single picture of ImageNet.

Every batch normalisation of a pre-trained network carries the mean and the variance that each of its channels had on
ImageNet. On the user's pictures the channels have others; the divergence between the two is a distance from ImageNet as
the network sees it. Taken are the inputs of EfficientNet-Lite0's last third of batch normalisations, where channels
stand for parts and textures rather than edges, always in this network, so that figures can be compared.

    d = mean over layers of the median over channels of KL(N(m, v) || N(m0, v0))
    KL = (v / v0 - 1 - log(v / v0) + (m - m0)^2 / v0) / 2

with m, v from the user's pictures, over pictures and places, and m0, v0 stored in the network. docs/choosing.md tells
how it was calibrated and where its limits are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from handful.backbones import BackboneSpec, Network, find, keep_memory, load, locate
from handful.core.advice import Similarity
from handful.core.errors import DataError
from handful.core.machine import open_threads
from handful.core.progress import Advance, Progress
from handful.core.records import FloatArray, ImageTable, Picture, PixelArray
from handful.features import Preprocessing, prepare
from handful.images import pixels

if TYPE_CHECKING:
    from torch import Tensor, nn

JUDGE = "efficientnet-lite0"
"""The network whose statistics are compared: it is always installed."""

N_PICTURES = 96
"""Pictures that are measured: between draws of 96 the divergence varies by 1 to 4 % (standard deviation) outside of
ImageNet, of 24 by 2 to 10 %; CIFAR-10 and line art are 60 % and more away from the border. It takes some seconds."""

N_HALVES = 100
"""Random halves from which the spread is taken."""

BATCH = 16

DEAD = 1e-8
"""Stored variance below which a channel never fired on ImageNet, and says nothing: 2 to 12 of about 1000 in a layer."""

SMALLEST_RATIO = 1e-6
"""Floor of v / v0, for channels that are constant on the user's pictures; keeps the logarithm finite."""

BORDER = 0.18
"""Divergence at which similarity is 0.5: about the geometric mean of CIFAR-10's (0.11) and drawn line art's (0.31)."""


@dataclass(frozen=True, slots=True)
class Landmark:
    """A known set of pictures, to show where the user's lies among them."""

    name: str
    divergence: float


LANDMARKS = (
    Landmark("ImageNet photographs", 0.012),
    Landmark("cats and dogs", 0.075),
    Landmark("CIFAR-10, five classes", 0.111),
    Landmark("small grey faces", 0.195),
    Landmark("stained tissue", 0.214),
    Landmark("drawn line art", 0.308),
    Landmark("solar cells", 0.388),
    Landmark("brick, grass and gravel", 0.429),
    Landmark("deep sky", 0.575),
    Landmark("handwritten digits", 0.629),
    Landmark("printed text", 0.728),
    Landmark("noise", 1.333),
)
"""Measured with 96 pictures each by benchmarks/similarity.py, nearest to ImageNet first."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What one layer's channels did on N pictures.

    Attributes:
        mean: float64 (N, C), over the places of each picture.
        variance: float64 (N, C), likewise.
        stored_mean: float64 (C,), on ImageNet.
        stored_variance: float64 (C,), on ImageNet.
    """

    mean: FloatArray
    variance: FloatArray
    stored_mean: FloatArray
    stored_variance: FloatArray


def measure(
    table: ImageTable,
    pictures: Sequence[Picture],
    *,
    seed: int,
    threads: int,
    progress: Progress,
    n_pictures: int = N_PICTURES,
) -> Similarity:
    """Returns how much some pictures are like ImageNet.

    Args:
        table: where the pictures' bytes come from.
        pictures: of the training part; labels are not looked at.
        seed: draws the pictures that are measured, and the halves that give the spread.
        threads: for decoding and for the network.
        progress: told about every picture.
        n_pictures: how many are drawn, at most.

    Raises:
        DataError: fewer than two pictures.
        WeightsError: the judging network's weights are not on this machine.
    """
    if len(pictures) < 2:
        raise DataError(
            f"{len(pictures)} pictures to train with in {table.root}; similarity to ImageNet needs at least 2."
        )
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(pictures))[:n_pictures])
    layers = observe(table, [pictures[index] for index in chosen], threads=threads, progress=progress)
    return _summarised(layers, len(chosen), rng)


def observe(table: ImageTable, pictures: Sequence[Picture], *, threads: int, progress: Progress) -> list[Moments]:
    """Returns what the judging network's upper layers do on some pictures, from bottom to top; see `measure`."""
    spec = find(JUDGE)
    network = load(spec, locate(spec))
    squares = _squares(table, pictures, spec, threads=threads)
    with progress.stage("Similarity to ImageNet", len(pictures)) as advance:
        return _moments(network, squares, advance=advance, threads=threads)


def similarity_of(divergence: float) -> float:
    """Returns the similarity that a divergence stands for: 1 / (1 + d / BORDER), in (0, 1].

    Example:
        >>> similarity_of(0.0), similarity_of(BORDER)
        (1.0, 0.5)
    """
    return 1.0 / (1.0 + divergence / BORDER)


def neighbours(divergence: float) -> tuple[Landmark | None, Landmark | None]:
    """Returns the landmarks just nearer to ImageNet and just further than a divergence; None past either end."""
    nearer = [landmark for landmark in LANDMARKS if landmark.divergence <= divergence]
    further = [landmark for landmark in LANDMARKS if landmark.divergence > divergence]
    return (nearer[-1] if nearer else None), (further[0] if further else None)


def divergence(layers: Sequence[Moments]) -> float:
    """Returns the mean over layers of the median over channels of the Gaussian divergence from what is stored.

    The variance over N pictures and their places is the mean variance inside a picture plus the unbiased variance
    between pictures; the squared shift of the mean is less what N pictures shift by chance. So a few pictures give, on
    the average, nearly the figure that many give.
    """
    everything = np.ones((1, len(layers[0].mean)))
    return float(_divergences(layers, everything)[0])


def _divergences(layers: Sequence[Moments], subsets: FloatArray) -> FloatArray:
    """Returns float64 (B,): the divergence of B subsets of the pictures, float64 (B, N) of zeros and ones."""
    medians = [np.median(_channel_divergences(layer, subsets), axis=1) for layer in layers]
    average: FloatArray = np.mean(medians, axis=0)
    return average


def _channel_divergences(layer: Moments, subsets: FloatArray) -> FloatArray:
    """Returns float64 (B, C'): a figure for each channel that ever fired on ImageNet; 0 or more but for chance."""
    alive = layer.stored_variance > DEAD
    stored = layer.stored_variance[alive]
    means = (layer.mean[:, alive] - layer.stored_mean[alive]) / np.sqrt(stored)
    n = subsets.sum(axis=1, keepdims=True)
    shift = subsets @ means / n
    between = np.maximum(subsets @ means**2 - n * shift**2, 0.0) / (n - 1.0)
    ratio = np.maximum(subsets @ (layer.variance[:, alive] / stored) / n + between, SMALLEST_RATIO)
    result: FloatArray = 0.5 * (ratio - 1.0 - np.log(ratio) + shift**2 - between / n)
    return result


def _summarised(layers: Sequence[Moments], n_pictures: int, rng: np.random.Generator) -> Similarity:
    """Returns the figure with its spread.

    The standard deviation between random halves, drawn without putting back, is the standard error of the whole
    (Shao and Wu 1989: the delete-d jackknife with d = N / 2); it is taken of log d, where it is about constant.
    """
    whole = max(divergence(layers), 0.0)
    value = similarity_of(whole)
    if n_pictures < 4 or whole == 0.0:
        return Similarity(value, (0.0, 1.0), whole, n_pictures)
    halves = np.zeros((N_HALVES, n_pictures))
    for half in halves:
        half[rng.permutation(n_pictures)[: n_pictures // 2]] = 1.0
    spread = np.std(np.log(np.maximum(_divergences(layers, halves), SMALLEST_RATIO)), ddof=1)
    factor = float(np.exp(1.96 * spread))
    return Similarity(value, (similarity_of(whole * factor), similarity_of(whole / factor)), whole, n_pictures)


def _squares(
    table: ImageTable, pictures: Sequence[Picture], spec: BackboneSpec, *, threads: int
) -> Iterator[PixelArray]:
    """Yields batches, uint8 (n, S, S, 3): the central squares, as the network saw ImageNet's when it was evaluated."""
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, mean=spec.mean, std=spec.std)

    def read(picture: Picture) -> PixelArray:
        return prepare(pixels(table, picture, shortest=preprocessing.size), preprocessing)

    with open_threads(threads) as pool:
        for start in range(0, len(pictures), BATCH):
            yield np.stack(list(pool.map(read, pictures[start : start + BATCH])))


def _moments(network: Network, batches: Iterator[PixelArray], *, advance: Advance, threads: int) -> list[Moments]:
    """Returns the moments of the last third of the network's batch normalisations, from bottom to top."""
    import torch

    keep_memory()
    torch.set_num_threads(threads)
    norms = [layer for layer in network.body.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    norms = norms[-(len(norms) // 3) :]
    seen: list[tuple[list[FloatArray], list[FloatArray]]] = [([], []) for _ in norms]

    def watch(index: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0], dim=(2, 3), correction=0)
            seen[index][0].append(mean.double().numpy())
            seen[index][1].append(variance.double().numpy())

        return before

    hooks = [norm.register_forward_pre_hook(watch(index)) for index, norm in enumerate(norms)]
    mean = torch.tensor(network.spec.mean, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.tensor(network.spec.std, dtype=torch.float32).view(1, 3, 1, 1)
    with torch.inference_mode():
        for batch in batches:
            values = torch.from_numpy(batch).permute(0, 3, 1, 2)
            network.features(values.to(torch.float32, memory_format=torch.channels_last).sub_(mean).div_(std))
            advance(len(batch))
    for hook in hooks:
        hook.remove()
    return [
        Moments(np.concatenate(means), np.concatenate(variances), _stored(norm.running_mean), _stored(norm.running_var))
        for norm, (means, variances) in zip(norms, seen, strict=True)
    ]


def _stored(statistic: Tensor | None) -> FloatArray:
    if statistic is None:
        raise TypeError("a batch normalisation of a pre-trained network keeps its statistics")
    array: FloatArray = statistic.double().numpy()
    return array
