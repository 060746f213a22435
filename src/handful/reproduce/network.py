"""As much of the paper's network as can be had."""

from __future__ import annotations

from handful.backbones import find, get
from handful.core.errors import WeightsError
from handful.core.progress import Progress

WHOLE = "alexnet:fc7"
CONVOLUTIONS = "alexnet"


def choose_network(wanted: str | None, *, offline: bool, progress: Progress) -> tuple[str, str]:
    """Returns the name of the network, its weights at hand, and one sentence about it.

    AlexNet with its two fully connected layers is the paper's. Where only its convolutions can be had, the new layers
    take their place.

    Args:
        wanted: another network; None for AlexNet.
        offline: never open a network connection.
        progress: told about a download.

    Raises:
        ConfigError: there is no such network.
        WeightsError: not even the convolutions can be had.
    """
    if wanted not in (None, WHOLE, CONVOLUTIONS):
        spec = find(str(wanted))
        get(str(wanted), offline=offline, progress=progress)
        return str(wanted), f"{spec.title}, features at {spec.default_tap.name}: not the paper's network."
    reason = "."
    if wanted != CONVOLUTIONS:
        try:
            get(WHOLE, offline=offline, progress=progress)
        except WeightsError:
            if wanted == WHOLE:
                raise
            reason = ": their weights could not be had here (handful backbones --get alexnet --full)."
        else:
            return WHOLE, (
                "AlexNet up to fc7, with the new layers in place of the last three, as in the paper; the single-column "
                "weights of torchvision, as none of the paper's own form were published for PyTorch."
            )
    get(CONVOLUTIONS, offline=offline, progress=progress)
    n_features = find(CONVOLUTIONS).default_tap.n_features
    return CONVOLUTIONS, (
        f"AlexNet's convolutions, with the new layers on pool5 ({n_features:,} features), without the fully connected "
        f"layers fc6 and fc7 that the paper keeps{reason}"
    )
