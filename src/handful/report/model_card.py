"""The model card: what a model is, what it is for, how good it is, and what it cannot do.

Its parts are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, section 4; every statement is
taken from the run. JSON for machines and Markdown for people hold the same.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from handful.core.records import Run
from handful.report.remarks import majority_class, remarks
from handful.report.result import TEST_READ, backbone_name, head_name
from handful.report.text import counted, encodable, percent, percent_range, printable

DATA_LICENCE = "not stated; whoever took the pictures decides what may be done with them and with this model"

SHOWN = ("size", "fit", "interpolation", "views", "precision")
"""The options that say how a picture reaches the network."""


def card_dict(run: Run) -> dict[str, Any]:
    """Returns the model card as plain values: what model-card.json holds."""
    figures, counts = run.evaluation, np.bincount(run.table.labels[run.split.train], minlength=len(run.table.classes))
    return {
        "model": {
            "name": encodable(run.table.root.stem or str(run.table.root)),
            "made_by": f"handful {run.versions.get('handful', '')}".strip(),
            "task": f"image classification, {counted(len(run.table.classes), 'class', 'classes')}",
            "classes": [encodable(name) for name in run.table.classes],
            "network": backbone_name(run),
            "strategy": run.strategy.value,
            "output_layer": head_name(run),
            "input": {name: run.options[name].value for name in SHOWN if name in run.options},
        },
        "intended_use": _intended_use(run),
        "limits": _limits(run),
        "metrics": {
            "accuracy": figures.accuracy,
            "accuracy_interval": list(figures.accuracy_interval),
            "n_test": figures.n_test,
            "test_part": f"read {TEST_READ}",
            "baseline": figures.majority_baseline,
            "baseline_answer": encodable(majority_class(run)),
            "balanced_accuracy": figures.balanced_accuracy,
            "log_loss": figures.log_loss,
            "calibration_error": figures.calibration_error,
            "recall": {
                encodable(each.name): {
                    "n_test": each.n_test,
                    "recall": each.recall,
                    "interval": [*each.recall_interval],
                }
                for each in figures.per_class
            },
        },
        "data": {
            "n_train": len(run.split.train),
            "n_validation": len(run.split.validation),
            "n_test": len(run.split.test),
            "n_skipped": len(run.table.skipped),
            "n_train_by_class": {
                encodable(name): int(count) for name, count in zip(run.table.classes, counts, strict=True)
            },
            "split": [encodable(note) for note in run.split.notes],
            "findings": [encodable(finding.message) for finding in run.table.findings],
            "licence": DATA_LICENCE,
        },
        "weights": [asdict(used) for used in run.weights],
        "reproduction": {
            "command": encodable(run.command),
            "seed": run.seed,
            "versions": dict(run.versions),
            "machine": run.machine,
        },
    }


def card_markdown(run: Run) -> str:
    """Returns the model card as Markdown: what model-card.md holds."""
    card = card_dict(run)
    model, metrics, data, made = (card[part] for part in ("model", "metrics", "data", "reproduction"))
    sections = {
        "Model": [
            f"{model['task'].capitalize()}: {', '.join(map(_plain, model['classes']))}.",
            f"Network {model['network']}, strategy {model['strategy']}, output layer {model['output_layer']}; "
            f"{', '.join(f'{name} {value}' for name, value in model['input'].items())}.",
            f"Made by {model['made_by']}.",
        ],
        "Intended use": [*map(_plain, card["intended_use"])],
        "Limits": [*map(_plain, card["limits"])],
        "Metrics": [
            f"{percent(metrics['accuracy'])} of {counted(metrics['n_test'], 'test picture')} right (95 % interval "
            f"{percent_range(metrics['accuracy_interval'])}). The test part was {metrics['test_part']}.",
            f"Always answering '{_plain(metrics['baseline_answer'])}' would give {percent(metrics['baseline'])}.",
            f"Balanced accuracy {percent(metrics['balanced_accuracy'])}, log loss {metrics['log_loss']:.3f}, "
            f"calibration error {percent(metrics['calibration_error'])}.",
            *(f"'{_plain(name)}': {_recognised(**each)}." for name, each in metrics["recall"].items()),
        ],
        "Data": [
            f"{counted(data['n_train'], 'training picture')}: "
            f"{', '.join(f'{n:,} {_plain(name)}' for name, n in data['n_train_by_class'].items())}.",
            f"{data['n_validation']:,} for validation, {data['n_test']:,} for the test, {data['n_skipped']:,} skipped.",
            *map(_plain, data["split"]),
            *map(_plain, data["findings"]),
            f"Licence of the pictures: {data['licence']}.",
        ],
        "Pre-trained weights": [
            f"{each['backbone']}: {each['file']}, from {each['origin']}; licence: {each['licence']}; "
            f"SHA-256 {each['sha256']}."
            if each["sha256"]
            else f"{each['backbone']}: {each['origin']}."
            for each in card["weights"]
        ],
        "Made again by": [
            f"{_plain(made['command'])} (seed {made['seed']})",
            f"{made['machine']}; {', '.join(f'{name} {version}' for name, version in made['versions'].items())}",
        ],
    }
    parts = [f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines) for title, lines in sections.items()]
    return "\n\n".join([f"# Model card: {_plain(model['name'])}", *parts]) + "\n"


def _intended_use(run: Run) -> list[str]:
    """Returns what the model may be used for, and what not, in whole sentences."""
    sentences = [
        f"To say which of {counted(len(run.table.classes), 'class', 'classes')} a picture shows, for pictures taken "
        "like the training pictures: same things, same kind of camera, light and distance.",
        "Not for pictures of anything else: it always names one of its classes, however unlike them a picture is.",
    ]
    rules = run.trust.rules if run.trust else None
    if rules and rules.answer.confidence is None:
        sentences.append("It marks every answer as unsure: too few pictures were right to promise how often it errs.")
    elif rules and rules.answer.confidence:
        sentences.append(
            f"Below a confidence of {percent(rules.answer.confidence)} its answer should be left to a person; it says "
            "so itself."
        )
    if rules and rules.familiar is not None:
        sentences.append("It says when a picture is unlike all training pictures; such a one should be looked at.")
    return [*sentences, "Not for decisions about people or their safety without a person who checks."]


def _limits(run: Run) -> list[str]:
    """Returns what should be known before the model is relied on, in whole sentences."""
    said = [encodable(remark.text) for remark in remarks(run)]
    left_out = [encodable(sentence) for sentence in run.trust.left_out] if run.trust else []
    return [
        *said,
        *left_out,
        "The figures are of pictures from the same data set. Pictures from another place, device or day may do worse.",
    ]


def _recognised(n_test: int, recall: float, interval: tuple[float, float]) -> str:
    if not n_test:
        return "no test picture"
    return f"{percent(recall)} of {counted(n_test, 'test picture')} recognised ({percent_range(interval)})"


def _plain(text: str) -> str:
    """Returns a name or a sentence that Markdown shows as it is, on one line."""
    shown = printable(text)
    return "".join(f"\\{each}" if each in "\\`*_[]<>#|" else each for each in shown)
