"""A toy network for tests, and the conformance kit that every network passes. Imported by tests only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from handful.backbones import catalog
from handful.backbones.inference import for_inference
from handful.backbones.loading import from_state, state_of
from handful.backbones.network import Network
from handful.backbones.spec import BackboneSpec, PackageOrigin, Paper, Tap, WeightsFile
from handful.core.files import sha256_file

if TYPE_CHECKING:
    from handful.backbones.grouped import Body

TOY_MODULE = "handful_toy_weights"
TOY_SIZE = 32

MAX_DRAWN = 1_000_003
"""Random numbers per tensor; larger tensors repeat them (a prime, so that no two rows are alike)."""


class Patcher(Protocol):
    """What is used of pytest's `monkeypatch`."""

    def setattr(self, target: object, name: str, value: object) -> None:
        """Changes an attribute until the test is over."""

    def syspath_prepend(self, path: str) -> None:
        """Adds an import folder until the test is over."""


def toy_spec(weights: tuple[WeightsFile, ...] = ()) -> BackboneSpec:
    """Returns the facts about a network with three convolutions, 16 features and 32 pixels."""
    groups = ("stem", "stage1", "head", "classifier")
    return BackboneSpec(
        name="toy",
        aliases=(),
        title="Toy",
        input_size=TOY_SIZE,
        min_size=TOY_SIZE,
        interpolation="bilinear",
        crop_fraction=1.0,
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        groups=groups,
        taps=(
            Tap("head", "head", "average", 16),
            Tap("stage1", "stage1", "average", 12),
            Tap("head-flat", "head", "flatten", 256),
            Tap("several", "head", "average", 28, beside=("stage1",)),
        ),
        weights=weights,
        n_parameters=18_344,
        imagenet_top1=0.001,
        licence="CC0-1.0",
        paper=Paper("nobody", 2026, "nowhere"),
        note="Random weights, for tests.",
        build=_build_toy,
    )


def toy_network(seed: int = 0) -> Network:
    """Returns the toy with random weights, and random but sane statistics in its normalisations."""
    return random_network(toy_spec(), seed=seed)


def random_network(spec: BackboneSpec, *, seed: int = 0) -> Network:
    """Returns any network with random weights of a scale at which signals neither vanish nor explode."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        expected = spec.build().state_dict()
    state = {}
    for name, tensor in expected.items():
        if tensor.ndim > 1:
            scale = (2.0 / tensor[0].numel()) ** 0.5
            drawn = scale * torch.randn(min(tensor.numel(), MAX_DRAWN), generator=generator)
            state[name] = drawn.repeat(-(-tensor.numel() // len(drawn)))[: tensor.numel()].reshape(tensor.shape)
        elif name.endswith(("running_var", "weight")):
            state[name] = 0.5 + torch.rand(tensor.shape, generator=generator)
        elif tensor.is_floating_point():
            state[name] = 0.1 * torch.randn(tensor.shape, generator=generator)
    return from_state(spec, state)


def install_toy_backbone(monkeypatch: Patcher, folder: Path) -> BackboneSpec:
    """Makes the toy a network like the others until the test is over: `find("toy")`, `locate`, `load`.

    Its weights lie in an installed package that raises when it is imported, so every test that uses the toy also
    checks that packages of weights are never run.

    Args:
        monkeypatch: pytest's fixture.
        folder: of the test's own: empty, or with the toy in it already.
    """
    package = folder / TOY_MODULE
    path = package / "toy.safetensors"
    if not path.exists():
        from safetensors.torch import save_file

        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('packages of weights are not imported')\n")
        save_file(toy_network().body.state_dict(), path)
    origin = PackageOrigin("handful-toy-weights", "1.0", TOY_MODULE, path.name)
    spec = toy_spec()
    file = WeightsFile(path.name, sha256_file(path), path.stat().st_size, origin, spec.groups, "safetensors")
    spec = toy_spec((file,))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(catalog, "SPECS", (*catalog.SPECS, spec))
    return spec


def check_backbone(network: Network, *, size: int | None = None) -> None:
    """Checks everything that `Network` promises.

    Args:
        network: a whole network, with its classifier where it has one.
        size: side of the pictures to check with; the spec's input size when None.

    Raises:
        AssertionError: a promise is broken.
    """
    import torch

    from handful.backbones.fused import can_fuse

    spec = network.spec
    side = size or spec.input_size
    pixels = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        _check_groups(network, pixels)
        _check_features(network, pixels)
        folded = for_inference(network)
        features = network.features(pixels)
        tolerance = 1e-4 * float(features.abs().max())
        torch.testing.assert_close(folded.features(pixels), features, rtol=1e-4, atol=tolerance)
        if can_fuse() and not spec.library:
            fused = for_inference(network, fuse=True).features(pixels.contiguous(memory_format=torch.channels_last))
            torch.testing.assert_close(fused, features, rtol=1e-4, atol=tolerance)
        is_folded = not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded.body.modules())
        assert is_folded or spec.library
        assert not any(parameter.requires_grad for parameter in folded.body.parameters())
        again = from_state(spec, state_of(network))
        torch.testing.assert_close(again.features(pixels), features, rtol=0, atol=0)


def _check_groups(network: Network, pixels: object) -> None:
    import torch

    from handful.backbones.grouped import pooled

    assert isinstance(pixels, torch.Tensor)
    spec = network.spec
    assert [name for name, _ in network.groups()] == list(spec.groups)
    assert sum(parameter.numel() for parameter in network.body.parameters()) == spec.n_parameters
    grouped = [parameter for _, group in network.groups() for parameter in group.parameters()]
    assert {id(parameter) for parameter in grouped} == {id(parameter) for parameter in network.body.parameters()}
    assert len({id(parameter) for parameter in grouped}) == len(grouped)
    assert all(list(group.parameters()) for _, group in network.groups())
    values = pixels
    for _, group in network.groups():
        values = group(values)
    if not spec.has_classifier:
        torch.testing.assert_close(pooled(values, spec.default_tap.pooling), network.features(pixels), rtol=0, atol=0)
        return
    logits = network(pixels)
    assert logits.shape == (len(pixels), 1000)
    torch.testing.assert_close(values, logits, rtol=0, atol=0)


def _check_features(network: Network, pixels: object) -> None:
    import torch

    assert isinstance(pixels, torch.Tensor)
    for tap in network.spec.taps:
        features = network.features(pixels, tap)
        assert features.shape == (len(pixels), tap.n_features)
        assert features.dtype == torch.float32
        assert bool(torch.isfinite(features).all())
        assert float(features.std(dim=0).max()) > 0, "different pictures have the same features"
        torch.testing.assert_close(network.features(pixels, tap), features, rtol=0, atol=0)
    together = network.activations(pixels, network.spec.taps)
    for tap, features in zip(network.spec.taps, together, strict=True):
        torch.testing.assert_close(features, network.features(pixels, tap), rtol=0, atol=0)
    features = network.features(pixels)
    alone = torch.cat([network.features(picture[None]) for picture in pixels])
    torch.testing.assert_close(alone, features, rtol=1e-4, atol=1e-4 * float(features.abs().max()))


def _build_toy() -> Body:
    from handful.testing.toy import Toy

    return Toy()
