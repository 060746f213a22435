"""Every number that the page tells can be found in the run's files."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from handful.report.page import render_page
from handful.report.result import config_dict, result_dict
from handful.report.tables import confusion_csv, predictions_csv, suspects_csv
from tests.report.test_folds import crossed
from tests.report.test_reliance import trusted

FIXED = {"2003", "2021", "256", "100", "80", "8", "95", "90"}
"""Years, a hash's name, and what an interval or an example is called; they say nothing of the run."""

NUMBER = re.compile(r"(?<![\w.#])\d[\d,]*(?:\.\d+)?")


class Told(HTMLParser):
    """The sentences of a page, without drawings, code, paths and styles."""

    SKIPPED = frozenset({"style", "script", "pre", "code", "svg", "title", "footer"})
    VOID = frozenset({"meta", "link", "br", "wbr", "img", "i"})

    def __init__(self, page):
        super().__init__()
        self.open, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.words.append("" if tag in ("wbr", "b", "em", "a") else "\n")
        if tag not in self.VOID:
            self.open.append((tag, "path" in (dict(attrs).get("class") or "").split()))

    def handle_endtag(self, tag):
        self.open = self.open if tag in self.VOID else self.open[:-1]
        self.words.append("" if tag in ("b", "em", "a") else "\n")

    def handle_data(self, data):
        if not any(tag in self.SKIPPED or is_path for tag, is_path in self.open):
            self.words.append(data)

    @property
    def numbers(self):
        text = "".join(self.words).replace("\N{NO-BREAK SPACE}", " ")
        return {found.rstrip(",") for found in NUMBER.findall(text)}


def leaves(value):
    """Every number in plain values, those inside texts too, and how long every list is."""
    if isinstance(value, dict):
        yield from (leaf for each in value.values() for leaf in leaves(each))
    elif isinstance(value, list | tuple):
        yield len(value)
        yield from (leaf for each in value for leaf in leaves(each))
    elif isinstance(value, str):
        yield from (found.rstrip(",") for found in NUMBER.findall(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def spellings(value):
    """How a number may be told: as it is, rounded, as a share of a hundred, or what is left of one."""
    if isinstance(value, str):
        return {value}
    shares = (abs(100 * value), abs(100 * (1 - value)))
    rounded = {form.format(each) for each in shares for form in ("{:.0f}", "{:.1f}")}
    return (
        {f"{abs(value):,}"} | rounded | {f"{abs(value):{form}}" for form in (".0f", ".1f", ".2f", ".3f", ".4f", ".3g")}
    )


def known(run):
    """Every spelling of every number in result.json, config.json and the tables of pictures and of confusions."""
    found = [*leaves(result_dict(run)), *leaves(config_dict(run))]
    tables = (predictions_csv(run), confusion_csv(run.evaluation), suspects_csv(run) if run.trust else "")
    for table in tables:
        for row in csv.reader(io.StringIO(table)):
            found += [float(cell) for cell in row if re.fullmatch(r"[\d.]+(e-\d+)?", cell)]
    return FIXED.union(*map(spellings, found))


def told(run, tmp_path):
    return Told(render_page(run, folder=tmp_path / "run")).numbers


@pytest.mark.parametrize("options", [{}, {"n_test": 8}, {"skill": 1.0, "weights": (6.0, 1.0)}, {"n_test": 400}])
def test_every_number_of_the_page_is_in_the_files(make_run, tmp_path, options):
    run = make_run(**options)
    assert told(run, tmp_path) - known(run) == set()
    if run.evaluation.n_test > 8:
        trusting = trusted(run)
        assert told(trusting, tmp_path) - known(trusting) == set()


def test_so_it_is_with_folds_and_leaks(make_run, leaking, tmp_path):
    for run in (crossed(make_run()), leaking):
        assert told(run, tmp_path) - known(run) == set()


def test_a_number_from_elsewhere_is_noticed(make_run, tmp_path):
    other = told(trusted(make_run(n_test=90, seed=4, skill=1.5)), tmp_path)
    assert len(other - known(trusted(make_run(n_test=70, seed=1)))) > 10
