import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from handful.core.study import Axis
from handful.report.figures import BLUE, ORANGE
from handful.study.curves import learned
from handful.study.effects import effects, pair_table
from handful.study.figures import draw_curves, draw_effect, draw_gap, draw_pairs
from handful.study.importance import CHANCE, Importance
from handful.study.plots import panel_svg, plot_files, plots
from handful.study.search_figures import UNFINISHED, draw_history, draw_importance, draw_parallel
from tests.study.made import FAILS, grid_study, one_axis, search_study, two_axes

pytestmark = pytest.mark.painted


def words_of(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def line(axes, label):
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return found


def axes_of(draw, *args, **options):
    axes = Figure().add_subplot()
    draw(axes, *args, **options)
    return axes


def names(study):
    return [plot.name for plot in plots(study)]


def test_each_kind_of_study_has_its_plots():
    assert names(one_axis(n_seeds=1)) == ["effect-lr", "learning"]
    assert names(two_axes(n_seeds=1)) == ["effect-l2", "effect-batch", "table", "learning"]
    varied = ["effect-lr", "effect-momentum", "effect-batch", "effect-nonlinearity"]
    assert names(search_study(n_trials=10)) == [*varied, "parallel", "history", "learning"]
    assert names(grid_study([Axis("lr", (0.1, 1.0))], lambda options: FAILS, n_seeds=1)) == ["learning"]


def test_a_plot_comes_as_png_svg_and_csv_the_same_every_time():
    plot = plots(one_axis())[0]
    files = plot_files(plot)
    assert files == plot_files(plots(one_axis())[0])
    assert set(files) == {"effect-lr.png", "effect-lr.svg", "effect-lr.csv"}
    picture = Image.open(io.BytesIO(files["effect-lr.png"]))
    assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert picture.width == 2 * 3.6 * 200
    assert {"learning rate", "validation accuracy, %", "gap at the end, points"} <= set(
        words_of(files["effect-lr.svg"])
    )


@pytest.mark.parametrize("make", [two_axes, lambda: search_study(n_trials=10)], ids=["grid", "search"])
def test_no_letters_are_smaller_than_eight_points(make):
    sizes = {
        float(size)
        for plot in plots(make())
        for row in plot.rows
        for size in re.findall(r"font-size: ([\d.]+)px", panel_svg(plot, row[0]).decode())
    }
    assert 8 <= min(sizes) <= 9


def test_a_panel_alone_has_its_own_legend():
    plot = plots(one_axis())[0]
    accuracy, gap = plot.rows[0]
    assert "mean \N{PLUS-MINUS SIGN} deviation of 3 seeds" in words_of(panel_svg(plot, accuracy))
    assert "training minus validation" in words_of(panel_svg(plot, gap))


def test_an_effect_is_drawn_with_every_trial_and_every_failure():
    (effect,) = effects(one_axis())
    axes = axes_of(draw_effect, effect, chance=0.2, n_seeds=3)
    mean = line(axes, "mean \N{PLUS-MINUS SIGN} deviation of 3 seeds")
    np.testing.assert_allclose(mean.get_xdata(), [-5, -4, -3, -2], atol=1e-9)
    np.testing.assert_allclose(mean.get_ydata(), [100 * point.accuracy for point in effect.points])
    assert len(line(axes, "one training").get_xdata()) == 12
    assert list(line(axes, "failed").get_xdata()) == [-1, -1, -1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1e-5", "0.0001", "0.001", "0.01", "0.1"]


def test_guessing_is_a_line_where_it_is_near_and_words_where_it_is_not():
    near, far = effects(one_axis())[0], effects(two_axes())[0]
    axes = axes_of(draw_effect, near, chance=0.2, n_seeds=3)
    assert axes.get_ylim()[0] < 20
    assert [text.get_text() for text in axes.texts] == ["guessing 20 %"]
    axes = axes_of(draw_effect, near, chance=0.99, n_seeds=3)  # everything is worse
    assert axes.get_ylim()[1] > 99
    axes = axes_of(draw_effect, far, chance=0.2, n_seeds=3)
    assert axes.get_ylim()[0] > 50
    assert [text.get_text() for text in axes.texts] == ["guessing 20 % is below"]


def test_the_slice_through_the_best_is_a_line_of_its_own():
    effect = effects(two_axes())[0]
    axes = axes_of(draw_effect, effect, chance=0.2, n_seeds=3)
    known = [100 * point.best for point in effect.points if point.best is not None]
    np.testing.assert_allclose(line(axes, "others as in the best").get_ydata(), known)


def test_values_without_an_order_are_dots_and_not_a_line():
    effect = effects(search_study())[3]
    axes = axes_of(draw_effect, effect, chance=0.2, n_seeds=1)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["rectifier", "tanh", "sigmoid"]
    assert all(each.get_linestyle() == "None" for each in axes.lines if len(each.get_xdata()) == 3)


def test_the_gap_is_drawn_in_points():
    (effect,) = effects(one_axis())
    axes = axes_of(draw_gap, effect)
    gaps = line(axes, "training minus validation").get_ydata()
    np.testing.assert_allclose(gaps, [100 * point.gap for point in effect.points])


def test_the_table_has_a_number_in_every_cell_and_an_outline_around_the_best():
    table = pair_table(two_axes())
    axes = axes_of(draw_pairs, table)
    written = [text.get_text() for text in axes.texts]
    assert len(written) == 15
    assert written.count("failed") == 1
    assert f"{100 * np.nanmax(table.accuracy):.1f}" in written
    outline = axes.patches[-1]
    assert (outline.get_y() + 0.5, outline.get_x() + 0.5) == table.best
    assert to_hex(outline.get_edgecolor()).upper() == ORANGE


def test_curves_are_told_apart_without_colour():
    best = next(each for each in learned(one_axis()) if each.best)
    axes = axes_of(draw_curves, best, figure="accuracy", limits=(20, 2.0))
    training, validation = line(axes, "training"), line(axes, "validation")
    assert (training.get_linestyle(), validation.get_linestyle()) == ("--", "-")
    assert (training.get_color(), validation.get_color()) == (ORANGE, BLUE)
    assert axes.get_title(loc="left") == "lr\N{NO-BREAK SPACE}0.001 (best)"


def test_epochs_are_counted_in_whole_numbers():
    best = next(each for each in learned(one_axis()) if each.best)
    axes = axes_of(draw_curves, best, figure="loss", limits=(2, 2.0))
    assert all(place == int(place) for place in axes.get_xticks())


def test_every_setting_of_a_search_has_a_line_and_the_best_is_on_top():
    made = search_study()
    axes = axes_of(draw_parallel, made)
    assert len(axes.patches) == 60
    assert to_hex(axes.patches[-1].get_edgecolor()).upper() == ORANGE
    ends = [patch.get_path().vertices[-1, 1] for patch in axes.patches]
    assert ends[-1] == 1.0
    assert ends.count(UNFINISHED) == sum(each.accuracy is None for each in made.settings)
    shades = [sum(patch.get_edgecolor()[:3]) for patch in axes.patches if patch.get_path().vertices[-1, 1] >= 0][:-1]
    assert shades == sorted(shades, reverse=True)  # lighter is worse, in grey too


def test_the_best_so_far_never_falls():
    made = search_study()
    axes = axes_of(draw_history, made)
    best = line(axes, "best so far").get_ydata()
    assert list(best) == sorted(best)
    assert best[-1] == pytest.approx(100 * made.settings[made.best].accuracy)
    assert len(line(axes, "failed").get_xdata()) + len(line(axes, "given up early").get_xdata()) == 4


def test_importance_is_drawn_beside_chance():
    axes = axes_of(draw_importance, Importance({"lr": 0.8, CHANCE: 0.15, "batch": 0.05}, 40))
    assert [patch.get_width() for patch in axes.patches] == pytest.approx([80, 15, 5])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["learning rate", CHANCE, "mini-batch"]
    assert axes.get_title(loc="right") == "fANOVA, 40 settings"
    shades = [to_hex(patch.get_facecolor()).upper() for patch in axes.patches]
    assert shades[0] == shades[2] == BLUE != shades[1]
