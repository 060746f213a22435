import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from handful.evaluate import evaluate
from handful.report.figures import draw_confusion, figures


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
