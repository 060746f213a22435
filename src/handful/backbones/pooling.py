"""L2 pooling in place of max pooling (Petrovska et al. 2018, section 3.1); imports PyTorch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from torch import nn

from handful.backbones.grouped import GroupedNetwork
from handful.core.errors import ConfigError

if TYPE_CHECKING:
    from handful.backbones.grouped import Body
    from handful.backbones.network import Network


class L2Pooled(GroupedNetwork):
    """A copy of a network whose max pooling is replaced by L2 pooling."""

    def __init__(self, network: Network) -> None:
        own = copy.deepcopy(network)
        super().__init__(own.spec, cast("Body", own.body), len(own.groups()))
        self._groups = own.groups()  # kept: some bodies make their groups anew at every call
        if not sum(replace_pooling(group) for _, group in self._groups):
            raise ConfigError(f"pool is 'l2', but {network.spec.title} has no max pooling. Use --pool max.")
        self.eval()

    def groups(self) -> list[tuple[str, nn.Module]]:
        """Returns the layer groups from bottom to top."""
        return list(self._groups)


def replace_pooling(group: nn.Module) -> int:
    """Replaces the max pooling in a group by L2 pooling and returns how many there were."""
    n_replaced = 0
    for parent in list(group.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                if child.padding != 0 or child.dilation != 1:
                    raise ConfigError(f"pool is 'l2', but {child} has padding or dilation. Use --pool max.")
                setattr(parent, name, nn.LPPool2d(2.0, child.kernel_size, child.stride, child.ceil_mode))
                n_replaced += 1
    return n_replaced
