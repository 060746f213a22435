import csv
import io

import pytest

from handful.core.study import Axis
from handful.study.curves import learned
from handful.study.effects import effects, pair_table
from handful.study.tables import curves_csv, effect_csv, history_csv, pairs_csv, settings_csv, trials_csv
from tests.study.made import one_axis, result, search_study, setting, study, two_axes


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_trial_is_a_row_with_its_exact_numbers():
    made = search_study()
    rows = rows_of(trials_csv(made))
    assert len(rows) == 60
    for row, each in zip(rows, made.settings, strict=True):
        (one,) = each.results
        assert (float(row["lr"]), int(row["batch"]), row["nonlinearity"]) == tuple(
            each.options[name] for name in ("lr", "batch", "nonlinearity")
        )
        assert (row["status"], int(row["epochs"]), row["stopped"]) == (one.status, len(one.curve), one.stopped)
        if one.status == "done":
            last = one.curve[-1]
            assert float(row["validation_accuracy"]) == last.validation_accuracy
            assert float(row["gap"]) == last.accuracy - last.validation_accuracy
        else:
            assert row["validation_accuracy"] == row["gap"] == ""
        assert row["failed_at"] == ("87" if one.status == "failed" else "")


def test_a_word_that_a_spreadsheet_would_run_is_defused():
    made = study([setting({"head": "=1+1"}, [result()])], [Axis("head", ("=1+1",))], seeds=(0,))
    assert rows_of(trials_csv(made))[0]["head"] == "'=1+1"


def test_options_that_are_off_are_written_by_name():
    made = study([setting({"stop_at": None}, [result()])], [Axis("stop_at", (None, 0.995))], seeds=(0,))
    assert rows_of(settings_csv(made))[0] == {"stop_at": "None", "accuracy": "1.0", "spread": ""}


def test_an_effect_holds_what_its_drawing_shows():
    effect = effects(two_axes())[0]
    rows = rows_of(effect_csv(effect))
    assert [row["l2_value"] for row in rows] == ["0", "5e-5", "0.0005", "0.0025", "0.05"]
    assert [float(row["accuracy"]) for row in rows] == [point.accuracy for point in effect.points]
    assert [float(row["at_the_best"]) for row in rows] == [point.best for point in effect.points]


def test_the_table_of_two_options_has_a_row_per_value_of_the_first():
    rows = rows_of(pairs_csv(pair_table(two_axes())))
    assert [row["l2 \\ batch"] for row in rows] == ["0", "5e-5", "0.0005", "0.0025", "0.05"]
    assert rows[4]["8"] == ""
    assert 0.6 < float(rows[4]["32"]) < 0.75


def test_curves_have_a_row_per_epoch():
    rows = rows_of(curves_csv(learned(one_axis())))
    best = [row for row in rows if row["setting"] == "lr 0.001" and row["figure"] == "loss"]
    assert [row["part"] for row in best] == ["training"] * 20 + ["validation"] * 20
    assert [int(row["epoch"]) for row in best[:20]] == list(range(1, 21))


def test_the_history_keeps_the_best_so_far():
    made = search_study()
    rows = rows_of(history_csv(made))
    best = [float(row["best_so_far"]) for row in rows if row["best_so_far"]]
    assert best == sorted(best)
    assert best[-1] == pytest.approx(made.settings[made.best].accuracy)
    assert sum(row["accuracy"] == "" for row in rows) == sum(each.accuracy is None for each in made.settings)
