"""Which places of a picture speak for a score: the network's last activations, weighted by the score's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy

from handful.core.errors import ConfigError
from handful.core.files import sha256_bytes
from handful.core.progress import Progress
from handful.core.records import FeatureArray, FloatArray, ImageTable, Picture, PixelArray
from handful.features import cache
from handful.features.transforms import Preprocessing, prepare
from handful.features.trunk import FrozenTrunk
from handful.images import READING_VERSION, pixels

if TYPE_CHECKING:
    from torch import Tensor

    from handful.backbones import Network, Tap

AT_ONCE = 8
"""Pictures per pass: a few at a time, so that memory stays small."""


def place_maps(
    trunk: FrozenTrunk,
    table: ImageTable,
    pictures: Sequence[Picture],
    gradients: FloatArray,
    *,
    preprocessing: Preprocessing,
    threads: int,
    progress: Progress,
    use_cache: bool = True,
) -> FeatureArray:
    """Returns float32 (N, h, w): how much each place of some pictures adds to a score.

    The places are those of the last layer group below the tap that still has places. With A its activations (C, h, w),
    f the features made of them and g the gradient of the score with respect to f, the map is

        M = sum over channels of dA * A,   dA = g . df / dA.

    A network whose groups have no places, such as a vision transformer, has no map.

    Where f is the average of A over places, dA is g / (h w) everywhere, and M is the class activation map (Zhou et al.
    2016, eq. 2), which is also Grad-CAM (Selvaraju et al. 2017, eq. 2) before its rectifier. Where f keeps the places
    (AlexNet's pool5), M is HiResCAM (Draelos and Carin 2020); Grad-CAM would average dA over the places first and
    forget which place spoke for the class. In both cases M sums to g . f: with a linear layer that is the score less
    its bias.

    Args:
        trunk: the network; opened only for maps that are not known yet.
        table: where the pictures' bytes come from.
        pictures: N of the table's pictures; they are looked at as they are, without other views.
        gradients: float64 (N, D), g for each.
        preprocessing: from picture to square.
        threads: for the network.
        progress: told about every map computed.
        use_cache: look up and remember maps on disk, by picture and gradient.

    Raises:
        ConfigError: the network's layers have no places.
    """
    rows = np.ascontiguousarray(gradients, dtype=np.float32)
    facts = {
        **trunk.facts(trunk.tap),
        "maps": 1,
        "preprocessing": asdict(preprocessing),
        "reading": READING_VERSION,
        "full_scale": table.full_scale,
    }
    space = cache.space_key(facts)
    keys = [
        sha256_bytes(bytes.fromhex(picture.file_sha256) + row.tobytes())
        for picture, row in zip(pictures, rows, strict=True)
    ]
    found: dict[str, FeatureArray] = {}
    if use_cache:
        found = {key: values for data in cache.kept(space) for key, values in safetensors.numpy.load(data).items()}
    missing = [index for index, key in enumerate(keys) if key not in found]
    if missing:
        with progress.stage("Where it looks", len(missing)) as advance:
            for start in range(0, len(missing), AT_ONCE):
                chosen = missing[start : start + AT_ONCE]
                squares = [
                    prepare(pixels(table, pictures[index], shortest=preprocessing.size), preprocessing)
                    for index in chosen
                ]
                maps = maps_of_squares(trunk, np.stack(squares), rows[chosen], preprocessing, threads=threads)
                found |= {keys[index]: values for index, values in zip(chosen, maps, strict=True)}
                advance(len(chosen))
        if use_cache:
            fresh = {keys[index]: np.ascontiguousarray(found[keys[index]]) for index in missing}
            cache.keep(space, safetensors.numpy.save(fresh), facts=facts)
    return np.stack([found[key] for key in keys])


def maps_of_squares(
    trunk: FrozenTrunk, squares: PixelArray, gradients: FeatureArray, preprocessing: Preprocessing, *, threads: int
) -> FeatureArray:
    """Returns float32 (N, h, w), the maps of `place_maps`, of squares that were prepared already.

    Args:
        trunk: the network.
        squares: uint8 (N, S, S, 3).
        gradients: float32 (N, D).
        preprocessing: that the squares were made with.
        threads: for the network.

    Raises:
        ConfigError: the network's layers have no places.
    """
    import torch

    torch.set_num_threads(threads)
    network = trunk.network()
    mean = torch.tensor(preprocessing.mean, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, dtype=torch.float32).view(1, 3, 1, 1)
    with torch.no_grad():
        x = (torch.from_numpy(squares).permute(0, 3, 1, 2).to(torch.float32) - mean) / std
        places, n_groups = _last_places(network, trunk.tap, x)
    if n_groups == 0:
        raise ConfigError(f"{trunk.spec.title} keeps no map of places between its layers, so there is none to show.")
    with torch.enable_grad():
        places = places.detach().requires_grad_()
        features = _features_of(network, trunk.tap, places, n_groups)
        score = (features * torch.from_numpy(gradients)[:, -features.shape[1] :]).sum()
        (slope,) = torch.autograd.grad(score, places)
    maps: FeatureArray = (slope * places).sum(dim=1).detach().numpy()
    return maps


def _last_places(network: Network, tap: Tap, x: Tensor) -> tuple[Tensor, int]:
    """Returns the last activations up to a tap that have places, (N, C, h, w), and how many groups made them."""
    places, n_groups, values = x, 0, x
    for index, (name, group) in enumerate(network.groups(), start=1):
        values = group(values)
        if values.ndim == 4:
            places, n_groups = values, index
        if name == tap.group:
            break
    return places, n_groups


def _features_of(network: Network, tap: Tap, places: Tensor, n_groups: int) -> Tensor:
    """Returns the features (N, D) that the groups above some activations make of them."""
    from handful.backbones.grouped import TINY

    values = places
    if tap.group != network.groups()[n_groups - 1][0]:
        for name, group in network.groups()[n_groups:]:
            values = group(values)
            if name == tap.group:
                break
    if values.ndim == 4 and tap.pooling == "average":
        values = values.mean(dim=(2, 3))
    features = values.flatten(1)
    return features / (features.detach().norm(dim=1, keepdim=True) + TINY) if tap.beside else features
