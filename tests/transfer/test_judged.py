"""Which of what a search made is averaged, from figures made by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from handful.core.records import FittedHead, StackedHead
from handful.core.search import Attempt, Search
from handful.heads import choose_temperature, softmax
from handful.transfer.judged import Judged, alike, answers, choose
from handful.transfer.model import Member, Model
from handful.transfer.probe import Trained

LABELS = np.array([0, 1, 0, 1, 0, 1])


def proba_of(*of_label, rows):
    """Probabilities of two classes that give each picture's own class these."""
    own = np.array(of_label)
    return np.where(np.arange(2) == LABELS[rows][:, None], own[:, None], 1.0 - own[:, None])


def judged(backbone, rows, *of_label, temperature=1.0):
    rows = np.array(rows)
    layer = StackedHead(((np.eye(2), np.zeros(2)),), "rectifier", temperature)
    given = proba_of(*of_label, rows=rows)
    head = FittedHead("layers", layer, 0.0, given, np.ones(len(given), dtype=bool), 0.0)
    member = Member(SimpleNamespace(), None, ("plain",), layer)
    trained = Trained(Model(("a", "b"), (member,), 255, None), (head,), rows, given, {}, ())
    record = Attempt("fine-tuning", backbone, 128, len(rows), 0.0, 0.0, 0.0, 0.0, False, 1.0, 1.0)
    return Judged(trained, record, 0.0)


PROBE = judged("probe", range(6), 0.7, 0.7, 0.7, 0.7, 0.7, 0.7)


def test_trained_networks_answer_alone_where_the_probe_only_blunts_them():
    one, two = judged("x", [0, 1], 0.95, 0.95), judged("x", [2, 3], 0.9, 0.9)
    assert choose([PROBE], [one, two], LABELS) == (one, two)


def test_the_probe_answers_alone_where_training_did_worse():
    worse = judged("x", [0, 1, 2], 0.9, 0.9, 0.1)  # right on two of three, and sure of the third
    assert choose([PROBE], [worse], LABELS) == (PROBE,)
    assert choose([PROBE], [], LABELS) == (PROBE,)


def test_both_answer_where_their_average_has_the_lowest_loss():
    torn = judged("x", [0, 1, 2], 0.99, 0.99, 0.38)  # mean log loss 0.329; the probe's is 0.357, of both 0.318
    assert choose([PROBE], [torn], LABELS) == (PROBE, torn)


def test_probes_are_averaged_where_that_is_better_than_the_first_of_them():
    sure = judged("sure", range(6), 0.9, 0.9, 0.9, 0.9, 0.2, 0.9)
    other = judged("other", range(6), 0.6, 0.6, 0.6, 0.6, 0.9, 0.6)  # right where the first is wrong
    bad = judged("bad", range(6), 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)
    assert choose([other, sure], [], LABELS) == (other, sure)
    assert choose([bad, sure], [], LABELS) == (bad, sure)
    assert choose([sure, bad], [], LABELS) == (sure,)


def test_training_that_only_helps_the_probes_is_averaged_with_them():
    worse = judged("x", [0, 1], 0.95, 0.5)  # alone 0.372 against 0.357 of the probe, with it 0.341
    assert choose([PROBE], [worse], LABELS) == (PROBE, worse)


def test_each_picture_is_answered_by_those_that_did_not_see_it_weighed_as_in_the_model():
    two, one = judged("x", [0, 1], 0.9, 0.8), judged("x", [1, 2], 0.6, 0.5)
    rows, proba = answers([two, one])
    np.testing.assert_array_equal(rows, [0, 1, 2])
    np.testing.assert_allclose(proba, proba_of(0.9, 0.7, 0.5, rows=rows))


def test_a_network_that_does_worse_is_left_out_and_another_stays():
    good, bad = judged("good", [0, 1], 0.95, 0.95), judged("bad", [2, 3], 0.6, 0.5)
    assert choose([PROBE], [good, bad], LABELS) == (good,)


def test_trained_networks_get_one_temperature_from_all_their_answers():
    first, second = judged("x", [0, 1, 2], 0.99, 0.2, 0.9, temperature=2.0), judged("y", [3, 4], 0.9, 0.6)
    scores = [np.log(first.proba) * 2.0, np.log(second.proba)]
    temperature, _ = choose_temperature(np.concatenate(scores), LABELS[:5])
    found = alike([first, second], LABELS)
    for each, own in zip(found, scores, strict=True):
        np.testing.assert_allclose(each.proba, softmax(own, temperature=temperature))
        assert each.trained.heads[0].layer.temperature == temperature
        assert each.trained.model.members[0].head.temperature == temperature
    assert alike([], LABELS) == []


def test_the_gain_of_a_search_is_that_of_all_held_out_pictures():
    def attempt(n, difference, standard_error):
        return Attempt("fine-tuning", "x", 128, n, 0.9, 0.3, difference, standard_error, True, 1.0, 1.0)

    probe = Attempt("probe", "x", 224, 300, 0.8, 0.5, None, None, False, 1.0, 1.0)
    search = Search(60.0, (probe, attempt(100, 0.05, 0.02), attempt(200, 0.02, 0.01)), "", n_judged=300)
    gain, standard_error = search.gain
    assert gain == pytest.approx((100 * 0.05 + 200 * 0.02) / 300)
    assert standard_error == pytest.approx(np.hypot(100 * 0.02, 200 * 0.01) / 300)
    assert Search(None, (probe,), "", n_judged=0).gain is None
    again = replace(search, n_judged=150)  # every picture was judged twice
    assert again.gain[1] == pytest.approx(standard_error * np.sqrt(2.0))
