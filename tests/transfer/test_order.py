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


def asked(side, **options):
    ways = further_probes(LITES, side=side, **{"are_few": False, "is_size_given": False, **options})
    return [(spec.name[-5:], options.get("size", options.get("views"))) for (spec, _), options in ways]


def test_many_pictures_are_shown_to_the_other_networks_whose_squares_they_fill():
    assert asked(300.0) == [("lite1", "mirror"), ("lite2", "mirror")]
    assert asked(259.0) == [("lite1", "mirror")]
    assert asked(32.0) == []


def test_few_pictures_are_shown_smaller_too():
    smaller = [("lite0", 160), ("lite1", 160), ("lite2", 160), ("lite0", 128), ("lite1", 128), ("lite2", 128)]
    others = [("lite1", None), ("lite2", None)]
    assert asked(32.0, are_few=True) == [*others, *smaller]
    assert asked(32.0, are_few=True, is_size_given=True) == others
