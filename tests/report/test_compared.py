import dataclasses
import json
import shutil

import numpy as np
import pytest

from handful.core.errors import BundleError
from handful.core.provenance import Provenance
from handful.report import compare, write_run

MADE = Provenance(
    options={"seed": 0, "threads": 2, "time": None, "strategy": "features"},
    given=(),
    folder="/",
    in_memory=False,
    processor="a processor",
    flags=("avx2", "fma"),
    versions={"torch": "2.10.0", "handful": "0.1.0"},
    code_sha256="0" * 64,
)


@pytest.fixture
def write(make_run, tmp_path, monkeypatch):
    """Returns a function that writes one finished run into a folder, with some of its fields replaced."""
    monkeypatch.setattr("handful.report.run_folder.figures", lambda run: {})
    monkeypatch.setattr("handful.report.run_folder.render_page", lambda run, folder: "")
    run = dataclasses.replace(make_run(n_test=12), made=MADE)

    def written(name, **fields):
        write_run(dataclasses.replace(run, **fields), tmp_path / name)
        return tmp_path / name

    written.run = run
    return written


@pytest.fixture
def first(write):
    return write("first")


def made(**fields):
    return dataclasses.replace(MADE, **fields)


def test_the_same_run_agrees_whatever_the_time_and_the_place(write, first):
    run = write.run
    elsewhere = dataclasses.replace(run.table, root=run.table.root / "moved")
    compared = compare(first, write("second", table=elsewhere, stages=(), command="another", made=made(folder="/tmp")))
    assert compared.agrees
    assert compared.reasons == ()
    assert compared.sentence == (
        "It agrees: model, held-out predictions, test predictions and figures are the same to the last bit."
    )


def test_one_bit_of_one_probability_is_noticed(write, first):
    proba = write.run.test_proba.copy()
    proba[0, 0] = np.nextafter(proba[0, 0], 1.0)
    compared = compare(first, write("second", test_proba=proba))
    assert [name for name, (then, now) in compared.hashes.items() if then != now] == ["test predictions"]
    assert 0.0 < compared.largest < 1e-15
    assert "Nothing else that is recorded differs." in compared.sentence


def test_held_out_probabilities_are_compared(write, first):
    (head,) = write.run.heads
    other = dataclasses.replace(head, held_out_proba=head.held_out_proba[::-1])
    hashes = compare(first, write("second", heads=(other,))).hashes
    assert [name for name, (then, now) in hashes.items() if then != now] == ["held-out predictions"]


def test_the_weights_of_the_model_are_compared(first, tmp_path):
    (first / "model").mkdir()
    (first / "model" / "heads.safetensors").write_bytes(b"weights")
    shutil.copytree(first, tmp_path / "second")
    assert compare(first, tmp_path / "second").agrees
    (tmp_path / "second" / "model" / "heads.safetensors").write_bytes(b"Weights")
    assert compare(first, tmp_path / "second").sentence.startswith("It does not agree: model differ (no figure does).")


def test_it_says_by_how_much_the_figures_differ(write, first):
    run = write.run
    worse = dataclasses.replace(run.evaluation, accuracy=0.25)
    held_out = dataclasses.replace(run.held_out, accuracy=0.5)
    compared = compare(first, write("second", evaluation=worse, held_out=held_out, test_proba=run.test_proba[:, ::-1]))
    assert compared.gaps["accuracy"] == (run.evaluation.accuracy, 0.25)
    assert compared.n_other == 12
    assert compared.largest == pytest.approx(np.abs(run.test_proba[:, 0] - run.test_proba[:, 1]).max())
    for part in ("test accuracy 25.0 %, was ", "held-out accuracy 50.0 %, was ", "12 test pictures answered otherwise"):
        assert part in compared.sentence


def test_a_run_of_which_nothing_was_held_out_differs_from_one_of_which_something_was(write, first):
    compared = compare(first, write("second", held_out=None))
    assert compared.gaps["held_out.n"] == (write.run.held_out.n_test, 0)
    assert not compared.agrees
    assert "held-out accuracy" not in compared.sentence


def test_every_kind_of_change_in_the_data_is_told_with_its_files(write, first):
    table = write.run.table
    pictures = list(table.pictures)
    gone, changed, relabelled, renamed = (pictures[index].path for index in range(4))
    pictures[1] = dataclasses.replace(pictures[1], file_sha256="f" * 64)
    pictures[2] = dataclasses.replace(pictures[2], label=1 - pictures[2].label)
    pictures[0] = dataclasses.replace(pictures[0], path="cat/new.jpg")
    compared = compare(first, write("second", table=dataclasses.replace(table, pictures=tuple(pictures))))
    assert compared.data.missing == (gone,)
    assert compared.data.added == ("cat/new.jpg",)
    assert compared.data.changed == (changed,)
    assert compared.data.relabelled == (relabelled,)
    assert compared.reasons[0] == f"1 picture is missing ({gone})"
    assert renamed not in " ".join(compared.reasons)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"versions": {"torch": "2.11.0", "handful": "0.1.0"}}, "torch is 2.11.0 and was 2.10.0"),
        ({"versions": {"torch": "2.10.0"}}, "handful is not used and was 0.1.0"),
        ({"code_sha256": "1" * 64}, "handful's code is not the same"),
        ({"processor": "another"}, "the processor is another and was a processor"),
        ({"flags": ("avx2", "amx")}, "the processor can do other things (less: fma; more: amx)"),
        ({"training_precision": "bfloat16"}, "layers were trained in bfloat16 and before in no precision"),
        ({"options": {**MADE.options, "threads": 1}}, "threads is 1 and was 2"),
        ({"options": {**MADE.options, "colour": "red"}}, "option colour is new, and is 'red'"),
        ({"options": {"seed": 0, "threads": 2, "time": None}}, "there is no option strategy any more, which was"),
        ({"options": {**MADE.options, "time": "1m"}}, "its training was bounded by a clock"),
        ({"options": {**MADE.options, "strategy": "auto"}}, "its training was bounded by a clock"),
    ],
)
def test_what_is_not_as_it_was_is_told(write, first, fields, reason):
    compared = compare(first, write("second", made=made(**fields)))
    assert any(each.startswith(reason) for each in compared.reasons), compared.reasons
    assert compared.sentence.startswith("It agrees:")
    assert f"although {compared.reasons[0]}" in compared.sentence


def test_other_pretrained_weights_are_told(write, first):
    used = dataclasses.replace(write.run.weights[0], sha256="e" * 64)
    (reason,) = compare(first, write("second", weights=(used,))).reasons
    assert reason.startswith(f"the pre-trained weights of {used.backbone} are eeeeeeeeeeee and were ")


def test_a_result_that_was_changed_by_hand_is_noticed(first, tmp_path):
    shutil.copytree(first, tmp_path / "second")
    result = json.loads((first / "result.json").read_text())
    (first / "result.json").write_text(json.dumps({**result, "accuracy": 0.999}))
    assert compare(first, tmp_path / "second").gaps == {"accuracy": (0.999, result["accuracy"])}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("provenance.json", None, r"provenance\.json cannot be read"),
        ("pictures.csv", None, r"pictures\.csv cannot be read"),
        ("result.json", "{", r"result\.json is not JSON"),
        ("result.json", "[]", r"result\.json holds no object"),
        ("result.json", "{}", "is no run that can be compared: KeyError"),
        ("result.json", '{"held_out": 3}', "is no run that can be compared: AttributeError"),
        ("provenance.json", "{}", "is no run that can be compared: KeyError"),
        ("pictures.csv", "name,class\na,b\n", "is no run that can be compared: KeyError"),
        ("predictions.csv", "path,predicted,p_a\nx,a,much\n", "is no run that can be compared: ValueError"),
        ("predictions.csv", "path,predicted,p_a\nx\n", "is no run that can be compared: AttributeError"),
    ],
)
def test_a_folder_that_is_no_whole_run_is_refused(first, name, text, message):
    (first / name).unlink() if text is None else (first / name).write_text(text)
    with pytest.raises(BundleError, match=message):
        compare(first, first)
