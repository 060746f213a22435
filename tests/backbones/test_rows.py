"""Networks of other libraries become rows of layer groups that compute the same, or stay in one piece."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from handful.backbones.rows import Anatomy, BorrowedBody, Transformer, examine
from handful.testing.lent import Lent


class NormAfterPooling(nn.Module):
    """As ConvNeXt: a row of stages, then pooling, then a normalisation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 4, stride=4)
        self.stages = nn.Sequential(nn.Sequential(nn.Conv2d(4, 6, 1)), nn.Sequential(nn.Conv2d(6, 8, 2, stride=2)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8))

    def forward(self, pixels):
        return self.head(self.stages(self.stem(pixels)))


class HiddenRectifier(nn.Module):
    """As torchvision's DenseNet: a step that is no child of the network."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1))

    def forward(self, pixels):
        return functional.relu(self.features(pixels)).mean(dim=(2, 3))


class ChannelsBehind(nn.Module):
    """As Swin: activations (N, H, W, channels), whose places must not be taken for channels."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 8, stride=8)
        self.layers = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 10))

    def forward(self, pixels):
        return self.layers(self.patch(pixels).permute(0, 2, 3, 1)).mean(dim=(1, 2))


class Long(nn.Module):
    """Twenty blocks in a row."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 4, stride=4)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Tanh()) for _ in range(20)))

    def forward(self, pixels):
        return self.blocks(self.stem(pixels)).mean(dim=(2, 3))


class Tokens(nn.Module):
    """A vision transformer with a class token and positions as parameters of its own."""

    def __init__(self, n_blocks=5):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.positions = nn.Parameter(torch.randn(1, 17, 8))
        self.patch = nn.Conv2d(3, 8, 8, stride=8)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(8)

    def embed(self, pixels):
        tokens = self.patch(pixels).flatten(2).transpose(1, 2)
        return torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1) + self.positions

    def forward(self, pixels):
        tokens = self.embed(pixels)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]


PIECES = Transformer(
    stem=lambda network, pixels: network.embed(pixels),
    row="blocks",
    blocks=lambda network: list(network.blocks),
    step=lambda network, block, tokens: block(tokens),
    head=lambda network, tokens: network.norm(tokens)[:, 0],
    head_parts=("norm",),
)


def features(network, pixels):
    return network(pixels)


@pytest.mark.parametrize(
    ("network", "anatomy", "arrangement", "groups", "widths"),
    [
        (Lent(8, 12), Anatomy(features), "average", ("stem", "stage1", "stage2"), [12, 8, 8]),
        (
            NormAfterPooling(), Anatomy(features), "flatten", ("stem", "stage1", "stage2", "head"), [8, 8, 6, 4],
        ),
        (HiddenRectifier(), Anatomy(features), "whole", ("network",), [8]),
        (ChannelsBehind(), Anatomy(features), "whole", ("network",), [10]),
        (Long(), Anatomy(features), "average", ("stem", "stage1", "stage2", "stage3", "stage4"), [4, 4, 4, 4, 4]),
        (
            Tokens(), Anatomy(features, PIECES), "flatten",
            ("stem", "stage1", "stage2", "stage3", "stage4", "head"), [8],
        ),
        (
            Tokens(2), Anatomy(lambda network, pixels: 2.0 * network(pixels), PIECES), "whole", ("network",), [8],
        ),
    ],
    ids=["residual", "norm-after-pooling", "hidden-step", "channels-behind", "long", "tokens", "wrong-pieces"],
)  # fmt: skip
def test_a_network_is_cut_where_the_pieces_compute_it_and_stays_whole_elsewhere(
    network, anatomy, arrangement, groups, widths
):
    found = examine(copy.deepcopy(network), anatomy, size=32)
    assert (found.arrangement, found.groups) == (arrangement, groups)
    assert [tap.n_features for tap in found.taps] == widths
    assert found.n_parameters == sum(parameter.numel() for parameter in network.parameters())
    body = BorrowedBody(network.eval(), anatomy, found.arrangement)
    grouped = [parameter for group in body.groups().values() for parameter in group.parameters()]
    assert {id(parameter) for parameter in grouped} == {id(parameter) for parameter in network.parameters()}
    assert len(grouped) == len({id(parameter) for parameter in grouped})


@pytest.mark.parametrize(
    ("network", "anatomy"), [(Lent(8, 12), Anatomy(features)), (Tokens(), Anatomy(features, PIECES))]
)
def test_a_copy_of_a_body_computes_with_its_own_weights(network, anatomy):
    body = BorrowedBody(network.eval(), anatomy, examine(copy.deepcopy(network), anatomy, size=32).arrangement)
    pixels = torch.randn(2, 3, 32, 32)

    def run(groups):
        values = pixels
        for group in groups.values():
            values = group(values)
        return values

    before = run(body.groups())
    for other in (copy.deepcopy(body).groups(), copy.deepcopy(body.groups())):
        with torch.no_grad():
            for group in other.values():
                for parameter in group.parameters():
                    parameter.mul_(2.0)
        assert not torch.allclose(run(other), before)
    torch.testing.assert_close(run(body.groups()), before, rtol=0, atol=0)


def test_a_network_that_gives_no_row_of_features_is_an_error():
    with pytest.raises(ValueError, match=r"values of shape \(2, 4, 32, 32\)"):
        examine(nn.Conv2d(3, 4, 3, padding=1), Anatomy(features), size=32)
