import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.evaluate import doubt_labels


def by_hand(proba, labels):
    """The confident joint as Northcutt, Jiang and Chuang write it (2021, equations 1 and 2), picture by picture."""
    n_classes = proba.shape[1]
    thresholds = [proba[labels == j, j].mean() if (labels == j).any() else np.inf for j in range(n_classes)]
    joint = np.zeros((n_classes, n_classes), dtype=int)
    off = []
    for row, label in enumerate(labels):
        reached = [j for j in range(n_classes) if proba[row, j] >= thresholds[j] - 1e-12]
        if reached:
            best = max(reached, key=lambda j: proba[row, j])
            joint[label, best] += 1
            if best != label:
                off.append((row, best))
    return joint, off


def made(seed, n_rows=60, n_classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_rows)
    proba = rng.dirichlet(np.ones(n_classes), n_rows)
    proba[np.arange(n_rows), labels] += rng.random(n_rows)
    return proba / proba.sum(axis=1, keepdims=True), labels


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 5]))
def test_the_flagged_are_off_the_diagonal_of_the_confident_joint(seed, n_classes):
    proba, labels = made(seed, n_classes=n_classes)
    joint, off = by_hand(proba, labels)
    doubts = doubt_labels(proba, labels)
    flagged = doubts.order[: doubts.n_flagged].tolist()
    assert doubts.n_flagged == joint.sum() - np.trace(joint)
    assert sorted(flagged) == [row for row, _ in off]
    assert {row: doubts.suggested[row] for row in flagged} == dict(off)


def test_every_picture_is_ranked_once_the_flagged_first_each_lot_by_self_confidence():
    proba, labels = made(3)
    doubts = doubt_labels(proba, labels)
    assert sorted(doubts.order.tolist()) == list(range(60))
    confidence = proba[np.arange(60), labels][doubts.order]
    assert 0 < doubts.n_flagged < 60
    for lot in (confidence[: doubts.n_flagged], confidence[doubts.n_flagged :]):
        assert (np.diff(lot) >= 0.0).all()


def test_a_class_that_is_never_sure_is_not_flagged_wholesale():
    labels = np.repeat([0, 1], 50)
    proba = np.where(labels[:, None] == 0, [0.95, 0.05], [0.6, 0.4])
    assert (proba.argmax(axis=1) != labels).sum() == 50
    assert doubt_labels(proba, labels).n_flagged == 0


def test_flipped_labels_lead_the_ranking():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    proba = rng.dirichlet(np.ones(3), 300)
    proba[np.arange(300), truth] += 3.0
    proba /= proba.sum(axis=1, keepdims=True)
    labels = truth.copy()
    flipped = rng.permutation(300)[:15]
    labels[flipped] = (labels[flipped] + 1) % 3
    doubts = doubt_labels(proba, labels)
    assert set(flipped.tolist()) == set(doubts.order[:15].tolist())
    assert (doubts.suggested[flipped] == truth[flipped]).all()


def test_a_class_without_pictures_is_never_suggested():
    proba = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    doubts = doubt_labels(proba, np.array([0, 0, 1]))
    assert 2 not in doubts.suggested[doubts.order[: doubts.n_flagged]]


def test_a_class_of_one_picture_can_be_what_another_is_taken_for():
    proba = np.array([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    doubts = doubt_labels(proba, np.array([0, 0, 0, 1]))
    assert (doubts.n_flagged, doubts.order[0], doubts.suggested[0]) == (1, 0, 1)
