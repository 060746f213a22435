"""Who takes part: a script and an environment for each peer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from handful.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Peer:
    """One way of training a classifier.

    Attributes:
        name: how it is asked for and written down; `:BACKBONE` behind it is the pre-trained network.
        title: its name in the figure.
        module: the script, below `benchmarks.peers`.
        environment: the file of requirements, in `environments/`.
        backbone: by handful's name; "own" leaves it to the peer, which then needs its hub (handful: its own choice).
        layers: which layers are trained, where the script can do both.
    """

    name: str
    title: str
    module: str
    environment: str
    backbone: str = "efficientnet-lite0"
    layers: str = "all"


PEERS = (
    Peer("handful", "handful", "with_handful", "handful", backbone="own"),
    Peer("fastai", "fastai, fine_tune", "with_fastai", "fastai"),
    Peer("vyntri", "vyntri", "with_vyntri", "vyntri"),
    Peer("sklearn", "scikit-learn on handful's features", "with_sklearn", "sklearn"),
    Peer("tutorial-head", "PyTorch's tutorial, last layer", "with_tutorial", "tutorial", layers="head"),
    Peer("tutorial-all", "PyTorch's tutorial, all layers", "with_tutorial", "tutorial"),
    Peer("autogluon", "AutoGluon", "with_autogluon", "autogluon"),
)


def find_peer(name: str) -> Peer:
    """Returns the peer of a name such as `fastai`, `fastai:alexnet` or `fastai:own`.

    Raises:
        ConfigError: there is no such peer.
    """
    base, _, backbone = name.partition(":")
    for peer in PEERS:
        if peer.name == base:
            if not backbone:
                return peer
            return replace(peer, name=name, title=f"{peer.title}, {backbone} weights", backbone=backbone)
    known = ", ".join(peer.name for peer in PEERS)
    raise ConfigError(f"there is no peer {base!r}. Expected one or several of {known}, each perhaps with :BACKBONE.")
