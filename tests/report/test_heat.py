import dataclasses

import numpy as np
import pytest
from PIL import Image

from handful.core.looks import Alike, Look, Looks
from handful.report.heat import as_grey, colours_of, heat_of, heated
from handful.report.page import render_page
from handful.transfer.looks import N_MISTAKES, confident_mistakes, typical_answers

PLACES = np.array([[4.0, -1.0], [2.0, 0.0]], dtype=np.float32)


def look(places=PLACES, seen=(0.0, 0.0, 1.0, 1.0)):
    return Look(0, 0, places, seen)


def test_the_place_that_says_most_is_one_and_what_speaks_against_is_nothing():
    heat, seen = heat_of(look(), width=40, height=40)
    assert seen.all()
    assert heat[0, 0] == 1.0
    assert heat[0, -1] == 0.0
    assert heat[-1, 0] == pytest.approx(0.5)


def test_a_map_that_never_speaks_for_the_answer_is_cold_everywhere():
    assert heat_of(look(-np.abs(PLACES)), width=8, height=8)[0].max() == 0.0


def test_what_was_cut_off_is_not_seen_and_a_border_is_left_out():
    _, seen = heat_of(look(seen=(0.25, 0.0, 0.75, 1.0)), width=40, height=20)
    assert seen[:, 10:30].all()
    assert not seen[:, :10].any()
    assert not seen[:, 30:].any()
    heat, seen = heat_of(look(seen=(0.0, -0.5, 1.0, 1.5)), width=40, height=20)
    assert seen.all()
    # The square is 40 x 40 about the picture, which shows its middle half: no pure corner is left of the map.
    assert 0.5 < heat[0, 0] < 1.0


def test_the_colours_get_lighter_at_every_step_for_every_eye():
    lightness = as_grey(colours_of(np.linspace(0.0, 1.0, 200)))
    assert (np.diff(lightness) > 0).all()
    assert lightness[-1] - lightness[0] > 150


def test_heat_is_lighter_on_one_and_the_same_grey():
    drawn = np.asarray(heated(Image.new("RGB", (40, 40), (90, 90, 90)), look()), dtype=float)
    assert as_grey(drawn[0, 0]) > as_grey(drawn[-1, 0]) > as_grey(drawn[0, -1])


def with_looks(run, **options):
    """Returns the run with made-up maps and neighbours for what is shown."""
    labels = run.table.labels[run.split.test]
    made = {
        name: tuple(
            Look(int(run.split.test[row]), int(run.test_proba[row].argmax()), PLACES, (0.0, 0.0, 1.0, 1.0), alike)
            for row in rows
        )
        for name, rows, alike in (
            ("mistakes", confident_mistakes(run.test_proba, labels), (Alike(int(run.split.test[0]), 0.91),) * 3),
            ("typical", typical_answers(run.test_proba, labels), ()),
        )
    }
    return dataclasses.replace(run, looks=Looks("lite0", 1, n_compared=len(run.split.train), **{**made, **options}))


def section(page):
    start = page.index('<section id="pictures">')
    return " ".join(page[start : page.index("</section>", start)].replace("\N{NO-BREAK SPACE}", " ").split())


def test_every_mistake_stands_beside_its_map_and_its_neighbours(make_run, tmp_path):
    run = with_looks(make_run(drawn=True, skill=0.6))
    text = section(render_page(run, folder=tmp_path))
    mistakes = text[: text.index("Where it looks when it is right")]
    assert mistakes.count('alt="where the network looked for') == len(run.looks.mistakes) == N_MISTAKES
    assert mistakes.count('<ul class="alike"') == N_MISTAKES
    assert mistakes.count("</b> 0.91") == 3 * N_MISTAKES
    assert text.count('alt="where the network looked for') == N_MISTAKES + len(run.looks.typical)
    assert "tells 2 by 2 places apart" in text
    assert "was asked" not in text


def test_the_page_stays_small_with_all_that_it_shows(make_run, tmp_path):
    page = render_page(with_looks(make_run(drawn=True, skill=0.6)), folder=tmp_path)
    assert len(page) < 1_500_000


def test_where_nothing_is_known_the_page_says_why(make_run, tmp_path):
    run = dataclasses.replace(make_run(drawn=True), looks=Looks("lite0", 1, left_out="cat/1.jpg changed"))
    text = section(render_page(run, folder=tmp_path))
    assert "Where it looks is not shown: cat/1.jpg changed" in text
    assert "where the network looked" not in text
