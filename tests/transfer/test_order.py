"""What a search tries, and in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from handful.backbones import find
from handful.core.records import Split
from handful.transfer.order import candidates, further_probes, turns

LITES = [(find(f"efficientnet-lite{number}"), None) for number in (0, 1, 2)]


def test_networks_worse_than_the_default_on_imagenet_are_not_tried():
    names = ("alexnet", "efficientnet-lite1", "efficientnet-lite0", "vgg16", "efficientnet-lite2")
    found = candidates([(find(name), None) for name in names])
    assert [spec.name for spec, _ in found] == ["efficientnet-lite0", "efficientnet-lite2", "efficientnet-lite1"]
    assert [spec.name for spec, _ in candidates([(find("vgg16"), None)])] == ["vgg16"]


def test_networks_of_which_nobody_says_how_good_they_are_come_last():
    unlabelled = replace(find("alexnet"), name="unlabelled", imagenet_top1=None)
    found = candidates([(spec, None) for spec in (unlabelled, find("lite1"), find("lite0"), find("lite2"))])
    assert [spec.name for spec, _ in found][-2:] == ["efficientnet-lite1", "unlabelled"]


def test_networks_take_turns_and_parts_are_left_out_in_order():
    none = np.array([], dtype=np.int64)
    parts = Split(np.arange(3), none, np.arange(3, 5), given=False)
    first = [("a", 0, 0), ("b", 1, 0), ("a", 2, 0), ("b", 3, 0), ("a", 4, 0)]
    assert list(turns(["a", "b"], parts, n_laps=1)) == first
    assert list(turns(["a", "b"], parts, n_laps=2))[5:7] == [("b", 0, 1), ("a", 1, 1)]
    judged_by_the_user = replace(parts, validation=parts.test)
    assert list(turns(["a", "b"], judged_by_the_user, n_laps=2)) == [("a", 0, 0), ("b", 1, 0), ("a", 0, 1), ("b", 1, 1)]


def test_many_pictures_with_detail_are_shown_larger_to_all_networks():
    def asked(side, **options):
        ways = further_probes(LITES, side=side, **{"are_few": False, "is_size_given": False, **options})
        return [(spec.name, options.get("size")) for (spec, _), options in ways]

    names = [spec.name for spec, _ in LITES]
    assert asked(300.0) == [(name, 288) for name in names]
    assert asked(4000.0) == list(zip(names, (288, 288, 320), strict=True))
    assert asked(260.0) == [(names[0], 256), (names[1], 256)]
    assert asked(223.0) == []
    assert asked(300.0, is_size_given=True) == []
    assert asked(300.0, are_few=True)[:2] == [(names[1], None), (names[2], None)]
    assert all(size is None or size <= 224 for _, size in asked(300.0, are_few=True))


def test_a_network_of_one_size_is_never_shown_larger_squares():
    rigid = replace(find("efficientnet-lite0"), min_size=224)
    assert further_probes([(rigid, None)], are_few=False, side=4000.0, is_size_given=False) == []
