import dataclasses

from handful.report import result_dict
from handful.report.leaks import N_PAIRS, leaked_pairs
from handful.report.page import render_page
from handful.report.remarks import remarks


def test_the_page_shows_the_pairs_and_the_accuracy_with_and_without(leaking, tmp_path):
    page = render_page(leaking, folder=tmp_path)
    section = page[page.index('<section id="leaks">') : page.index('<section id="confusions">')]
    assert section.count("<li>") == 2 * N_PAIRS
    assert section.count("data:image/jpeg") == N_PAIRS  # only the test pictures are drawn in this run
    assert section.count("cannot be read") == N_PAIRS
    text = " ".join(section.replace("\N{NO-BREAK SPACE}", " ").split())
    assert "8 test pictures have a copy" in text
    assert "Without them <b>50.0 %</b> of 52 test pictures are right" in text
    assert f"with them {100 * leaking.evaluation.accuracy:.1f} % of 60" in text
    assert "And 2 more, all in result.json" in text
    assert '<a href="#leaks">' in page


def test_a_run_without_leaks_has_no_such_section(make_run, tmp_path):
    page = render_page(make_run(), folder=tmp_path)
    assert 'id="leaks"' not in page
    assert 'href="#leaks"' not in page
    assert leaked_pairs(make_run()) == ()
    assert result_dict(make_run())["leaks"] is None


def test_where_every_test_picture_leaked_there_is_no_other_figure(leaking, tmp_path):
    run = dataclasses.replace(leaking, unleaked=None)
    assert "No other test picture is left to measure with" in render_page(run, folder=tmp_path)
    assert result_dict(run)["leaks"]["accuracy_without"] is None
    assert len(remarks(run)) == len(remarks(leaking)) - 1


def test_the_result_holds_every_pair_and_the_figure_without(leaking):
    leaks = result_dict(leaking)["leaks"]
    paths = [picture.path for picture in leaking.table.pictures]
    assert leaks["pairs"] == [[paths[test], paths[copy]] for test, copy in leaking.split.leaks]
    assert (leaks["n"], leaks["accuracy_without"], leaks["n_test_without"]) == (8, 0.5, 52)
    assert leaks["accuracy_without_interval"] == [0.37, 0.63]


def test_the_figure_without_is_a_warning_beside_the_leak(leaking):
    first, second = remarks(leaking)[:2]
    assert (first.level, second.level) == ("warning", "warning")
    assert first.text.startswith("LEAK: 8")
    assert second.text.startswith("Without the copies 50.0 % of 52 test pictures are right (37.0 to 63.0 %), with them")
