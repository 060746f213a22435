"""Curves written for TensorBoard are the record, read back."""

from __future__ import annotations

import struct
import sys
from collections import defaultdict

import numpy as np
import pytest

from handful.core.errors import MissingExtraError
from handful.report.events import write_events
from tests.report.trained import training, with_training


def scalars(folder):
    """Returns every curve of an event file, by its tag: the steps and the values."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    data, start, found = path.read_bytes(), 0, defaultdict(list)
    while start < len(data):
        (length,) = struct.unpack_from("<Q", data, start)  # TFRecord: length, checksum, event, checksum
        event = Event.FromString(data[start + 12 : start + 12 + length])
        for value in event.summary.value:
            found[value.tag].append((event.step, value.simple_value))
        start += 12 + length + 4
    return found


@pytest.mark.parametrize("validated", [True, False])
def test_the_events_are_the_record(make_run, tmp_path, validated):
    pytest.importorskip("tensorboardX", reason="the extra 'tensorboard' is not installed")
    made = training(n_epochs=3, validated=validated, overfits=False)
    write_events(with_training(make_run(), made), tmp_path)
    curves = scalars(tmp_path / "efficientnet-lite0")
    checks = [each for each in made.iterations if each.validation_loss is not None]
    expected = {
        "loss/training": [(each.step, each.loss) for each in made.iterations],
        "accuracy/training": [(each.step, each.accuracy) for each in made.iterations],
        "rate": [(each.step, each.rate) for each in made.iterations],
        "loss/validation": [(each.step, each.validation_loss) for each in checks],
        "accuracy/validation": [(each.step, each.validation_accuracy) for each in checks],
    }
    assert curves.keys() == {tag for tag, points in expected.items() if points}
    for tag, points in curves.items():
        np.testing.assert_allclose(points, expected[tag], rtol=1e-6)  # events hold float32


def test_every_network_has_its_own_folder(make_run, tmp_path):
    pytest.importorskip("tensorboardX", reason="the extra 'tensorboard' is not installed")
    write_events(with_training(make_run(), training(n_epochs=1), training(n_epochs=2)), tmp_path)
    steps = {folder.name: len(scalars(folder)["rate"]) for folder in tmp_path.iterdir()}
    assert steps == {"efficientnet-lite0": 17, "efficientnet-lite1": 34}


def test_without_the_library_the_extra_is_named(make_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"handful\[tensorboard\]"):
        write_events(with_training(make_run(), training(n_epochs=1)), tmp_path)
