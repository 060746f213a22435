import dataclasses
import json

from handful.core.files import dump_json
from handful.core.ranking import Ranked, Ranking, Unranked
from handful.report import result_dict, summary
from handful.report.page import render_page


def ranking() -> Ranking:
    """Returns a comparison of three networks, the last of which is told apart."""
    first = Ranked("lite2", "Lite2", 0.86, (0.83, 0.88), 0.41, 31.0, 29.0, 500, 24_666_229, "Apache-2.0")
    level = dataclasses.replace(
        first, backbone="lite1", title="Lite1", loss=0.43, n_computed=0, difference=0.01, standard_error=0.02,
        is_worse=False, sentence="no difference that these data can show between it and Lite2: +1.0 points",
    )  # fmt: skip
    worse = dataclasses.replace(
        level, backbone="alexnet", title="AlexNet", is_worse=True, sentence="-7.0 points: fewer right than with Lite1"
    )
    others = (Unranked("vgg16", "VGG-16", "handful backbones --get vgg16"),)
    return Ranking((first, level, worse), others, 500, "the lowest held-out log loss")


def section(page):
    start = page.index('<section id="network">')
    return " ".join(page[start : page.index("</section>", start)].replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_page_shows_the_networks_in_order_with_what_can_be_told(make_run, tmp_path):
    page = render_page(dataclasses.replace(make_run(), ranking=ranking()), folder=tmp_path)
    text = section(page)
    assert text.index("Lite2") < text.index(">Lite1") < text.index(">AlexNet")
    assert "3 networks at hand, compared on the same 500 training pictures" in text
    assert "No difference that these data can show between it and Lite2" in text
    assert text.count("features known") == 2
    assert "24.7 MB" in text
    assert "handful backbones --get vgg16" in text
    assert '<a href="#network">' in page


def test_a_run_that_ranked_nothing_has_no_such_section(make_run, tmp_path):
    assert 'id="network"' not in render_page(make_run(), folder=tmp_path)
    assert result_dict(make_run())["ranking"] is None


def test_the_result_and_the_terminal_have_the_ranking_too(make_run):
    run = dataclasses.replace(make_run(), ranking=ranking())
    result = json.loads(dump_json(result_dict(run)))["ranking"]
    assert result["best"] == "lite2"
    assert [each["backbone"] for each in result["networks"]] == ["lite2", "lite1", "alexnet"]
    assert result["others"][0]["reason"] == "handful backbones --get vgg16"
    assert "Network lite2: the lowest held-out log loss." in summary(run)
