"""Does an engine compute the network? Compared with the network itself, unfolded, in fp32, on drawn pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from handful.backbones import Network, Tap
from handful.core.records import FeatureArray, PixelArray
from handful.features.engines.engine import Forward, Precision
from handful.features.transforms import Preprocessing

LARGEST_DIFFERENCE: Mapping[Precision, float] = {"fp32": 1e-4, "bf16": 0.2, "int8": 0.2}
"""As a share of the largest feature. In fp32 another order of the same sums gives 1e-6 to 1e-5. In bf16 and int8
AlexNet and EfficientNet-Lite0 and 1 differ by 0.004 to 0.07, and a forgotten mean by 0.3 to 2.7."""

LEAST_COSINE: Mapping[Precision, float] = {"bf16": 0.99, "int8": 0.97}
"""Mean cosine on drawn pictures below which it is not the same network; what is asked on real ones is in
`handful.transfer.gate`."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an engine's features are from the network's.

    Attributes:
        difference: the largest, over the largest feature.
        cosine: the mean over pictures, of the tap where it is least.
        fault: why the engine must not be used; "" where it may.
    """

    difference: float
    cosine: float
    fault: str


def compare(
    forward: Forward,
    network: Network,
    taps: Sequence[Tap],
    preprocessing: Preprocessing,
    *,
    batch: int,
    precision: Precision,
) -> Parity:
    """Returns how far an engine's features are from the network's, on a batch of drawn pictures."""
    pictures = drawn_pictures(batch, preprocessing.size)
    references = reference_features(network, taps, preprocessing, pictures)
    found = forward(pictures)
    pairs = list(zip(found, references, strict=True))
    scale = [max(float(np.abs(reference).max()), 1e-30) for _, reference in pairs]
    difference = max(float(np.abs(one - other).max()) / size for (one, other), size in zip(pairs, scale, strict=True))
    cosine = min(float(cosines(one, other).mean()) for one, other in pairs)
    fault = ""
    if not difference <= LARGEST_DIFFERENCE[precision]:
        limit = LARGEST_DIFFERENCE[precision]
        fault = f"its features differ from the network's by {difference:.1g} of the largest, not {limit:g}"
    elif precision in LEAST_COSINE and not cosine >= LEAST_COSINE[precision]:
        fault = f"the mean cosine of its features to the network's is {cosine:.4f}, below {LEAST_COSINE[precision]}"
    return Parity(difference, cosine, fault)


def reference_features(
    network: Network, taps: Sequence[Tap], preprocessing: Preprocessing, pictures: PixelArray
) -> tuple[FeatureArray, ...]:
    """Returns float32 (B, D) at each tap: the network's own layers, and a normalisation written here once more."""
    import torch

    values = (pictures - np.array(preprocessing.mean, np.float32)) / np.array(preprocessing.std, np.float32)
    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
        return tuple(features.numpy() for features in network.activations(pixels, taps))


def cosines(one: FeatureArray, other: FeatureArray) -> FeatureArray:
    """Returns float32 (N,): the cosine of each row of one to the same row of the other, both (N, D)."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    result: FeatureArray = (one * other).sum(axis=1) / np.maximum(lengths, 1e-30)
    return result


def drawn_pictures(n_images: int, size: int) -> PixelArray:
    """Returns uint8 (N, S, S, 3): patches of colour under fine noise, always the same ones."""
    rng = np.random.default_rng(0)
    pictures = np.empty((n_images, size, size, 3), dtype=np.uint8)
    for picture in pictures:
        patches = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        smooth = np.asarray(patches.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64)
        picture[...] = np.clip(smooth + rng.normal(0.0, 12.0, smooth.shape), 0.0, 255.0)
    return pictures
