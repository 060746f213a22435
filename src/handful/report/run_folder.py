"""The run folder: which files a run leaves behind."""

from __future__ import annotations

from pathlib import Path

from handful.core.files import write_bytes, write_json, write_text
from handful.core.records import Run
from handful.core.sealed import write_manifest
from handful.report.events import write_events
from handful.report.figures import figures
from handful.report.model_card import card_dict, card_markdown
from handful.report.numbers import reliability, searches
from handful.report.page import render_page
from handful.report.provenance import FILE as PROVENANCE
from handful.report.provenance import PICTURES, pictures_csv, provenance_dict
from handful.report.references import FILE as REFERENCES
from handful.report.references import references_dict
from handful.report.reliance_figures import reliance_figures
from handful.report.result import config_dict, result_dict
from handful.report.suspects import FILE as SUSPECTS
from handful.report.tables import (
    classes_csv,
    confusion_csv,
    predictions_csv,
    reliability_csv,
    reliance_tables,
    search_csv,
    skipped_csv,
    suspects_csv,
    training_csv,
)


def write_run(run: Run, folder: Path, *, final: Path | None = None) -> None:
    """Writes what a run found out: numbers, figures and one page; the model itself is the export room's.

    | file | holds |
    |---|---|
    | config.json | every option: its value and the reason |
    | pictures.csv | every picture that was read: its class, its part and its hash |
    | provenance.json | what the run was made from: data, options, versions, processor, threads |
    | skipped.csv | the files that were not used, and why |
    | predictions.csv | the probabilities of every test picture |
    | suspects.csv | the held-out pictures whose labels are doubtful |
    | figures/*.csv, *.png, *.svg | each figure and its numbers |
    | tensorboard/* | how layers were trained, for TensorBoard, where the option asks for it |
    | model-card.json, model-card.md | what the model is for, how good it is, and what it cannot do |
    | references.json | the training pictures that new ones are compared with, by name |
    | report.html | the page, self-contained |
    | result.json | the result |
    | manifest.json | the SHA-256 of every file; written last, so that a folder that has it is complete |

    Cells of the tables that a spreadsheet would take for a formula begin with an apostrophe; drop one leading
    apostrophe to have the text (`handful.report.tables.plain`).

    Args:
        run: the finished run.
        folder: is made if need be; files of an earlier run are replaced.
        final: what the page calls the folder in its commands, where it will be renamed after this; itself by default.

    Raises:
        HandfulError: a file cannot be written.
    """
    write_json(folder / "config.json", config_dict(run))
    write_text(folder / PICTURES, pictures_csv(run))
    if run.made is not None:
        write_json(folder / PROVENANCE, provenance_dict(run, run.made))
    write_text(folder / "skipped.csv", skipped_csv(run))
    write_text(folder / "predictions.csv", predictions_csv(run))
    if run.trust:
        write_text(folder / SUSPECTS, suspects_csv(run))
    for name, text in _figure_tables(run).items():
        write_text(folder / "figures" / name, text)
    for name, data in {**figures(run), **reliance_figures(run)}.items():
        write_bytes(folder / "figures" / name, data)
    if "tensorboard" in run.options and run.options["tensorboard"].value:
        write_events(run, folder / "tensorboard")
    if (references := references_dict(run)) is not None:
        write_json(folder / REFERENCES, references)
    write_json(folder / "model-card.json", card_dict(run))
    write_text(folder / "model-card.md", card_markdown(run))
    write_text(folder / "report.html", render_page(run, folder=final or folder))
    write_json(folder / "result.json", result_dict(run))
    write_manifest(folder)


def _figure_tables(run: Run) -> dict[str, str]:
    tables = {"confusion.csv": confusion_csv(run.evaluation), "classes.csv": classes_csv(run.evaluation)}
    points, curves = reliability(run), searches(run)
    if points:
        tables["reliability.csv"] = reliability_csv(points)
    if curves:
        tables["penalty.csv"] = search_csv(curves)
    if run.training:
        tables["training.csv"] = training_csv(run)
    return {**tables, **reliance_tables(run)}
