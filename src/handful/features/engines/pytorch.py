"""Engines that are PyTorch itself: as it is, with fused convolutions, compiled, or on an accelerator.

On a processor every thread runs batches of its own on one core. That beats one batch on all cores: nobody waits for
the others at every layer, four pictures' activations stay in the caches where 32 pictures' do not, and a row's bits do
not depend on the number of threads. `benchmarks/engines.py` has the figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Literal

from handful.backbones import Network, Tap, for_inference
from handful.core.records import FeatureArray, PixelArray
from handful.features.engines.engine import Engine, Forward, Precision
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

Device = Literal["cpu", "cuda", "mps"]

BATCH = 4
"""Pictures per pass and core. On two cores, pictures/s of EfficientNet-Lite0: 205 with 2, 213 with 4, 176 with 8, 130
with 32; of AlexNet: 202 with 4, 180 with 8 and 32."""

DEVICE_BATCH = 64
"""Pictures per pass of an accelerator, which has thousands of cores to fill."""

COMPILERS = ("c++", "g++", "clang++", "cl")


def eager(precision: Precision) -> Engine:
    """Returns PyTorch as it is, with batch normalisation folded: it runs everywhere."""
    return Engine("eager", precision, BATCH, "", lambda: "", partial(_opened, precision=precision), any_size=True)


def fused(precision: Precision) -> Engine:
    """Returns PyTorch with activations done inside the convolutions, by the oneDNN that it carries."""

    def fault() -> str:
        from handful.backbones.fused import can_fuse

        return "" if can_fuse() else "this build of PyTorch has no fused convolutions of oneDNN"

    return Engine("fused", precision, BATCH, "", fault, partial(_opened, precision=precision, fuse=True), any_size=True)


def compiled(precision: Precision) -> Engine:
    """Returns what `torch.compile` makes of a network; that takes about half a minute, each time it is opened."""

    def fault() -> str:
        return "" if any(map(shutil.which, COMPILERS)) else f"torch.compile needs a C++ compiler ({COMPILERS[1]})"

    return Engine("compile", precision, BATCH, "", fault, partial(_opened, precision=precision, compiles=True))


def on_device(device: Device, precision: Precision) -> Engine:
    """Returns PyTorch on an accelerator: one batch at a time, while threads decode the next ones."""

    def fault() -> str:
        import torch

        at_hand = torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
        return "" if at_hand else f"PyTorch finds no {device} device here"

    open_ = partial(_opened, precision=precision, device=device)
    return Engine(device, precision, DEVICE_BATCH, "", fault, open_, any_size=True)


def _opened(
    network: Network,
    taps: Sequence[Tap],
    preprocessing: Preprocessing,
    threads: int,
    *,
    precision: Precision,
    device: Device = "cpu",
    fuse: bool = False,
    compiles: bool = False,
) -> Forward:
    """Returns the forward pass; the first call of each picture size, made here, prepares the weights."""
    import torch

    before = torch.get_num_threads()
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    layout = torch.contiguous_format if device == "mps" else torch.channels_last
    fast = for_inference(network, fuse=fuse)
    for _, group in fast.groups():
        group.to(device=device, dtype=dtype)
    mean, std = (_channels(values).to(device) for values in (preprocessing.mean, preprocessing.std))
    scale = 1.0 / std

    def run(pixels: Tensor) -> tuple[Tensor, ...]:
        return fast.activations(pixels, taps)

    if compiles:
        run = torch.compile(run, options={"freezing": True})
    one_at_a_time: AbstractContextManager[object] = nullcontext() if device == "cpu" else Lock()

    def forward(batch: PixelArray) -> tuple[FeatureArray, ...]:
        with torch.inference_mode(), one_at_a_time, exactly(device):
            pixels = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2)
            pixels = pixels.to(torch.float32, memory_format=layout).sub_(mean).mul_(scale).to(dtype)
            return tuple(values.float().cpu().numpy() for values in run(pixels))

    shape = (BATCH if device == "cpu" else DEVICE_BATCH, preprocessing.size, preprocessing.size, 3)
    torch.set_num_threads(1 if compiles else threads)  # the compiler makes code for as many threads as there are now
    try:
        forward(torch.zeros(shape, dtype=torch.uint8).numpy())
    finally:
        torch.set_num_threads(before)
    return forward


def _channels(values: Sequence[float]) -> Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)


@contextmanager
def exactly(device: str) -> Iterator[None]:
    """Opens a context in which an NVIDIA card's fp32 is fp32, in convolutions and in products, the same at every run.

    It can be the caller who allowed TF32, which keeps 10 bits of 23; what was allowed before is allowed again after.
    """
    import torch

    if device != "cuda":
        yield
        return
    products = torch.backends.cuda.matmul
    before = products.fp32_precision
    products.fp32_precision = "ieee"
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        products.fp32_precision = before
