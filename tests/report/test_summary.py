import dataclasses
import re

import pytest

from handful.core.records import Resolved, Skipped
from handful.report import summary
from tests.report.trained import decision, training, with_training


def test_the_first_line_says_it_all(make_run):
    run = make_run(n_test=125, skill=1.3, weights=(3, 1))
    first = summary(run).splitlines()[0]
    n_right = round(125 * run.evaluation.accuracy)
    assert first.startswith(f"{100 * n_right / 125:.1f} % of 125 test pictures right (95 % interval ")
    assert re.search(r"always answering 'cat' would give \d\d\.\d %\.$", first)


@pytest.mark.parametrize("options", [{}, {"n_test": 8}, {"skill": 0.1}, {"n_skipped": 0}, {"skill": 9.0}])
def test_it_has_three_to_six_plain_lines(make_run, options):
    lines = summary(make_run(**options)).splitlines()
    assert 3 <= len(lines) <= 6
    assert all(line.isprintable() for line in lines)


def test_warnings_and_skipped_files_are_not_kept_back(make_run):
    text = summary(make_run(n_test=8))
    assert "Warning: Only 8 pictures tested" in text
    assert "2 files skipped; skipped.csv says why." in text


def test_no_class_name_moves_the_cursor(make_run):
    run = make_run(classes=("\x1b[2J\ncat", "dog"), weights=(3, 1))
    table = dataclasses.replace(run.table, skipped=(Skipped("\x1b[1m", "\x1b[0m"),))
    text = summary(dataclasses.replace(run, table=table))
    assert "\x1b" not in text
    assert "'\\x1b[2J\\ncat'" in text


def test_a_training_has_a_line(make_run):
    lines = summary(with_training(make_run(), training())).splitlines()
    assert "Trained 12 epochs in 3 min 4 s; stopped: no better validation loss in 7 checks." in lines
    assert "2 classes, efficientnet-lite0, strategy freeze, 38 s." in lines
    assert len(lines) <= 6
    both = summary(with_training(make_run(), training(), training(n_epochs=1, stopped="all 1 epochs are done")))
    assert "Trained 12 + 1 epochs in 6 min 8 s; stopped: no better" in both


def test_how_the_way_was_chosen_has_a_line_of_its_own(make_run):
    run = with_training(make_run(n_test=8), training())
    why = Resolved("freeze", "tried features and full too: no gain that 80 validation pictures can show")
    lines = summary(dataclasses.replace(run, decision=decision(), strategy=why)).splitlines()
    assert "Strategy freeze: tried features and full too: no gain that 80 validation pictures can show." in lines
    assert [line for line in lines if line.startswith("Warning")] == [
        line for line in summary(run).splitlines() if line.startswith("Warning")
    ]
    assert not any(line.startswith("Strategy") for line in summary(run).splitlines())
