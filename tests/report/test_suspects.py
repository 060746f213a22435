import csv
import dataclasses
import io

import pytest

from handful.core.trust import Suspect
from handful.report import result_dict, summary
from handful.report.page import render_page
from handful.report.suspects import N_SHOWN, N_UNFOLDED, correction, doubts, suspicions
from handful.report.tables import suspects_csv
from tests.report.test_reliance import trusted


@pytest.fixture
def doubting(make_run):
    """Returns a function that makes a run in which some labels are doubtful."""

    def make(n_suspects, **options):
        run = trusted(make_run(**options))
        chosen = run.split.train[:n_suspects].tolist()
        pictures = run.table.pictures
        suspects = tuple(
            Suspect(index, 1 - pictures[index].label, 0.9 - 0.001 * place, 0.1 + 0.001 * place)
            for place, index in enumerate(chosen)
        )
        return dataclasses.replace(run, trust=dataclasses.replace(run.trust, suspects=suspects))

    return make


def section_of(page):
    return page[page.index('<section id="labels">') : page.index('<section id="confidence">')]


def test_the_table_has_every_suspect_in_order_with_the_label_it_has_now(doubting):
    run = doubting(70)
    rows = list(csv.DictReader(io.StringIO(suspects_csv(run))))
    assert list(rows[0]) == ["path", "label", "suggested", "probability", "rank"]
    assert [int(row["rank"]) for row in rows] == list(range(1, 71))
    pictures = run.table.pictures
    assert [row["path"] for row in rows] == [pictures[each.index].path for each in run.trust.suspects]
    assert [row["label"] for row in rows] == [
        run.table.classes[pictures[each.index].label] for each in run.trust.suspects
    ]
    assert float(rows[0]["probability"]) == run.trust.suspects[0].probability


def test_the_page_shows_the_first_and_counts_all(doubting, tmp_path):
    section = section_of(render_page(doubting(70), folder=tmp_path / "run"))
    assert section.count("<li>") == N_UNFOLDED
    assert section.split("<details>")[0].count("<li>") == N_SHOWN
    assert "70 labels of 302 training pictures are doubtful" in section
    assert f"--labels {tmp_path / 'run' / 'suspects.csv'}</pre>" in section


def test_a_card_says_the_label_the_suggestion_and_both_probabilities(doubting, tmp_path):
    run = doubting(1)
    section = section_of(render_page(run, folder=tmp_path)).replace("\N{NO-BREAK SPACE}", " ")
    each = doubts(run)[0]
    assert f"labelled <b>{each.label}</b> 10.0 %" in section
    assert f'<b class="said-wrong">{each.suggested}</b> 90.0 %' in section
    assert "<details>" not in section


def test_no_suspects_no_section_but_a_table(doubting, make_run, tmp_path):
    run = doubting(0)
    assert 'id="labels"' not in render_page(run, folder=tmp_path)
    assert suspicions(run, folder=tmp_path) is None
    assert suspects_csv(run).splitlines() == ["path,label,suggested,probability,rank"]
    assert result_dict(run)["suspects"] == {"n": 0, "of": 302, "file": "suspects.csv"}
    assert result_dict(make_run())["suspects"] is None


def test_the_terminal_says_how_many(doubting):
    assert "70 labels of 302 training pictures are doubtful; suspects.csv has them" in summary(doubting(70))
    assert "doubtful" not in summary(doubting(0))


def test_hostile_names_are_escaped(doubting, tmp_path):
    text = render_page(doubting(3, classes=("<script>", "=1+1")), folder=tmp_path)
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("command", "file", "expected"),
    [
        ("handful train p", "run/suspects.csv", "handful train p --labels run/suspects.csv"),
        ("handful train p --labels a.csv --seed 1", "b.csv", "handful train p --labels a.csv,b.csv --seed 1"),
        ("handful train p", "a, b/c.csv", "handful train p --labels '\"a, b/c.csv\"'"),
    ],
)
def test_the_command_takes_earlier_corrections_along(command, file, expected):
    assert correction(command, file) == expected
