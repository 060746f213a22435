import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from handful.evaluate import evaluate
from handful.report.figures import BLUE, ORANGE, draw_confusion, draw_trainings, figures
from handful.report.learning import learnings
from tests.report.trained import training, with_training

pytestmark = pytest.mark.painted


def words_of(svg: bytes) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_every_figure_comes_as_png_and_as_svg_the_same_for_equal_runs(make_run):
    run = make_run(n_test=20)
    drawn = figures(run)
    assert drawn == figures(run)
    names = {"confusion", "classes", "reliability", "penalty"}
    assert set(drawn) == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    for name, data in drawn.items():
        if name.endswith(".png"):
            picture = Image.open(io.BytesIO(data))
            assert picture.format == "PNG"
            assert picture.width >= 400


@pytest.mark.parametrize(("n_classes", "n_numbers", "n_names"), [(20, 20, 20), (25, 0, 25), (70, 0, 0)])
def test_many_classes_are_drawn_without_unreadable_numbers_and_names(n_classes, n_numbers, n_names):
    labels = np.arange(n_classes)
    names = tuple(f"class {index:02d}" for index in range(n_classes))
    axes = Figure().add_subplot()
    draw_confusion(axes, evaluate(np.eye(n_classes), labels, classes=names, train_labels=labels))
    assert len(axes.texts) == n_numbers
    assert sum(label.get_text().startswith("class") for label in axes.get_yticklabels()) == n_names


def test_names_and_numbers_are_text_and_never_formulas_or_markup(make_run):
    names = ("$\\frac{1}{0", "<script>&", "猫", "_b")
    run = make_run(classes=names, n_test=8)
    drawn = figures(run)
    words = set(words_of(drawn["confusion.svg"]))
    assert set(names) <= words
    assert {str(count) for count in run.evaluation.confusion.ravel() if count} <= words
    assert "reliability.png" not in drawn  # 8 pictures are too few


def test_a_training_is_drawn_with_its_marks(make_run):
    run = with_training(make_run(n_test=8), training())
    drawn = figures(run)
    assert {"training.png", "training.svg"} <= set(drawn)
    assert not [name for name in drawn if name.startswith("penalty")]
    words = words_of(drawn["training.svg"])
    assert words.count("overfitting begins") == words.count("weights kept: update 85") == 2
    assert {"loss", "accuracy", "validation", "training, mean of an epoch"} <= set(words)


def test_several_trainings_have_a_row_each_in_the_same_colours(make_run):
    made = (training(validated=False, overfits=False), training(overfits=False))
    figure = draw_trainings(learnings(with_training(make_run(n_test=8), *made)))
    assert [axes.get_ylabel() for axes in figure.axes] == [
        f"{name}, efficientnet-lite{index}" for index in (0, 1) for name in ("loss", "accuracy")
    ]
    assert [line.get_color() for line in figure.axes[0].lines] == [ORANGE, ORANGE]
    assert [line.get_color() for line in figure.axes[2].lines] == [ORANGE, ORANGE, BLUE, "black"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training, mean of an epoch", "validation"]
