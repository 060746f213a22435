"""Where trained models look, through `train`."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import handful
from handful.core.progress import Silent
from handful.features import extract
from handful.transfer import find_looks, looks
from handful.transfer.looks import ONE_PLACE, confident_mistakes, typical_answers

QUICK = {"backbone": "toy", "head": "ridge", "views": "plain", "test": 1.0}


@pytest.fixture
def trained(toy, photos, tmp_path):
    return lambda **options: handful.train(photos, tmp_path / "run", **{**QUICK, **options})


def features(member, table, rows):
    pictures = [table.pictures[index] for index in rows]
    return (
        extract(
            member.trunk,
            table,
            pictures,
            preprocessing=member.preprocessing,
            views=member.views,
            threads=1,
            progress=Silent(),
        )
        .values.mean(axis=1)
        .astype(float)
    )


def test_mistakes_come_the_most_confident_first():
    proba = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    assert confident_mistakes(proba, np.array([1, 1, 1, 0])) == [0, 3, 1]
    assert confident_mistakes(proba, np.array([1, 1, 1, 0]), limit=1) == [0]
    assert confident_mistakes(proba, np.array([0, 0, 1, 1])) == []


def test_typical_answers_are_right_and_confident_class_by_class():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    proba = rng.dirichlet(np.ones(3), 90)
    rows = typical_answers(proba, labels)
    assert [labels[row] for row in rows] == [0] * 3 + [1] * 3 + [2] * 3
    for label in range(3):
        right = [row for row in range(90) if labels[row] == label == proba[row].argmax()]
        assert rows[3 * label : 3 * label + 3] == sorted(right, key=lambda row: -proba[row, label])[:3]


def test_of_many_classes_the_least_recognised_are_shown():
    labels = np.repeat(np.arange(20), 4)
    proba = np.eye(20)[labels]
    proba[labels < 12] = np.eye(20)[19]  # never right
    proba[np.arange(0, 4 * 12, 4)] = np.eye(20)[np.arange(12)]  # once each
    rows = typical_answers(proba, labels)
    assert labels[rows].tolist() == list(range(12))


def test_maps_sum_to_the_scores_of_the_answers_less_their_bias(trained):
    result = trained()
    run, (member,) = result.run, result.classifier.model.members
    assert run.looks.mistakes
    assert run.looks.typical
    for look in (*run.looks.mistakes, *run.looks.typical):
        (row,) = np.flatnonzero(run.split.test == look.index)
        assert look.answer == run.test_proba[row].argmax()
        score = features(member, run.table, [look.index])[0] @ member.head.weight[:, look.answer]
        assert look.places.sum() == pytest.approx(score, rel=1e-4, abs=1e-5)
    labels = run.table.labels
    assert all(labels[look.index] != look.answer for look in run.looks.mistakes)
    assert all(labels[look.index] == look.answer for look in run.looks.typical)


def test_the_most_alike_training_pictures_are_those_of_the_largest_cosine(trained):
    result = trained()
    run, (member,) = result.run, result.classifier.model.members
    known = features(member, run.table, run.split.train)
    for look in run.looks.mistakes:
        own = features(member, run.table, [look.index])[0]
        cosines = known @ own / np.linalg.norm(known, axis=1) / np.linalg.norm(own)
        nearest = sorted(range(len(known)), key=lambda row: -cosines[row])[:3]
        assert [each.index for each in look.alike] == [int(run.split.train[row]) for row in nearest]
        np.testing.assert_allclose([each.cosine for each in look.alike], cosines[nearest], rtol=1e-6)
    assert run.looks.n_compared == len(run.split.train)
    assert {look.alike for look in run.looks.typical} == {()}


@pytest.mark.parametrize("options", [{"head": "kernel"}, {"head": "75-C", "epochs": 1}], ids=["kernel", "layers"])
def test_other_output_layers_are_looked_through_too(trained, options):
    looks = trained(**options).run.looks
    assert looks.left_out == ""
    assert {look.places.shape for look in (*looks.mistakes, *looks.typical)} == {(4, 4)}


def test_trained_layers_are_asked_and_not_those_they_began_as(trained, monkeypatch):
    monkeypatch.setattr(looks, "MOST_COMPARED", 10)
    result = trained(strategy="freeze", freeze="1", head="auto", epochs=2, lr=0.01)
    run, (member,) = result.run, result.classifier.model.members
    assert run.looks.n_compared == 10
    weight, _ = member.head.layers[-1]
    for look in run.looks.mistakes:
        score = features(member, run.table, [look.index])[0] @ weight[:, look.answer]
        assert look.places.sum() == pytest.approx(score, rel=1e-3, abs=1e-4)


def test_of_several_networks_the_first_is_asked_and_that_is_said(toy, photos, tmp_path, monkeypatch):
    from handful.backbones import catalog

    shallow = dataclasses.replace(toy, name="toy-shallow", title="Shallow", taps=(toy.taps[1],))
    monkeypatch.setattr(catalog, "SPECS", (toy, shallow))
    result = handful.train(photos, tmp_path / "run", **{**QUICK, "backbone": "toy-shallow+toy"})
    assert (result.run.looks.backbone, result.run.looks.n_networks) == ("toy-shallow", 2)
    assert {look.places.shape for look in result.run.looks.typical} == {(8, 8)}
    assert "Of the 2 networks that are averaged, the first, toy-shallow, was asked" in result.report.read_text("utf-8")


def test_one_place_is_no_map_and_the_reason_is_given(trained, photos, monkeypatch):
    made = looks.place_maps
    monkeypatch.setattr(looks, "place_maps", lambda *a, **k: made(*a, **k).sum(axis=(1, 2), keepdims=True))
    result = trained()
    assert result.run.looks.left_out == ONE_PLACE
    page = result.report.read_text("utf-8")
    assert "as one place" in page
    assert "where the network looked" not in page
    assert result.run.looks.mistakes[0].alike


def test_pictures_that_changed_do_not_stop_a_run(trained):
    result = trained()
    run = result.run

    class Gone:
        def names(self):
            return iter(())

        def read(self, name):
            raise OSError(f"{name} is gone")

    table = dataclasses.replace(run.table, source=Gone())
    model = result.classifier.model
    head = model.members[0].head
    other = dataclasses.replace(head, weight=-head.weight)  # whose maps are not known from the run
    member = dataclasses.replace(model.members[0], head=other)
    found = find_looks(
        dataclasses.replace(model, members=(member,)),
        table,
        run.split,
        run.test_proba,
        seed=0,
        threads=1,
        progress=Silent(),
    )
    assert "gone" in found.left_out or "changed while it was in use" in found.left_out
    assert found.mistakes == found.typical == ()


def test_the_result_names_the_neighbours_and_holds_the_maps(trained, tmp_path):
    run = trained().run
    written = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))["looks"]
    assert written["backbone"] == "toy"
    assert len(written["mistakes"]) == len(run.looks.mistakes)
    first, look = written["mistakes"][0], run.looks.mistakes[0]
    assert first["path"] == run.table.pictures[look.index].path
    assert [each["path"] for each in first["alike"]] == [run.table.pictures[each.index].path for each in look.alike]
    np.testing.assert_allclose(first["map"], look.places, atol=1e-5)


def test_a_run_that_is_repeated_looks_the_same_and_opens_no_network(trained, photos, tmp_path, monkeypatch):
    first = trained().run
    monkeypatch.setattr("handful.features.places.maps_of_squares", None)
    again = handful.train(photos, tmp_path / "again", **QUICK).run
    assert [look.index for look in again.looks.mistakes] == [look.index for look in first.looks.mistakes]
    np.testing.assert_array_equal(again.looks.mistakes[0].places, first.looks.mistakes[0].places)
