"""The page of a reproduction, in one file that needs nothing else, and the files beside it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.files import write_bytes, write_json, write_text
from handful.report.page import environment
from handful.report.text import counted
from handful.reproduce.drawing import draw
from handful.reproduce.experiments import DEFAULT, FIGURES
from handful.reproduce.records import Measured, Reproduction, Verdict
from handful.reproduce.tables import figure_csv, verdicts_dict
from handful.study.axes import show_value

RESULT = "verdicts.json"
"""Written last, so that a folder that has it is complete."""

NAMES = {
    "best": "Best setting",
    "scratch": "From scratch",
    "long": "Many epochs",
    "batches": "Mini-batches and epochs",
    "unlike": "Unlike pictures",
}
"""What claims of the text are called where the others have a figure."""

PROSE = {
    "head": "new layers (C: the number of classes)",
    "lr": "learning rate, constant",
    "l2": "L2 weight decay, not on biases",
    "momentum": "momentum, the form of MATLAB's sgdm",
    "batch": "mini-batch",
    "epochs": "epochs",
    "weight_factor": "rate factor of weights, by layer",
    "bias_factor": "rate factor of biases, by layer",
    "augmentation": "augmentation",
    "interpolation": "enlarging of pictures",
}
"""The values that every figure starts from, and what they are called."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure on the page: `image` is a data URL, `described` says in words what can be seen."""

    measured: Measured
    image: str
    described: str
    verdicts: tuple[Verdict, ...]


def write_reproduction(reproduction: Reproduction, folder: Path) -> None:
    """Writes the page, each figure as PNG, SVG and CSV, and verdicts.json, which is written last.

    Args:
        reproduction: what came out.
        folder: where to; its other files stay.

    Raises:
        HandfulError: a file cannot be written.
    """
    images: dict[str, bytes] = {}
    for measured in reproduction.evidence.measured.values():
        images |= draw(measured, chance=reproduction.evidence.chance)
        write_text(folder / "figures" / f"figure-{measured.experiment.name}.csv", figure_csv(measured))
    for name, data in images.items():
        write_bytes(folder / "figures" / name, data)
    write_text(folder / "index.html", render_page(reproduction, images))
    write_json(folder / RESULT, verdicts_dict(reproduction))


def render_page(reproduction: Reproduction, images: Mapping[str, bytes]) -> str:
    """Returns index.html: no script, no request, no outside file.

    Args:
        reproduction: what came out.
        images: the drawn figures by file name.
    """
    template = environment("handful.reproduce", "handful.report").get_template("reproduction.html.j2")
    return template.render(_content(reproduction, images))


def headline(verdicts: Sequence[Verdict]) -> str:
    """Returns how many claims agree, disagree, cannot be told and were not tested.

    Example:
        >>> headline([Verdict("6", "more is better", "agrees", "", {})])
        '1 of 1 claim agrees.'
    """
    counts = Counter(each.verdict for each in verdicts)
    n_agree = counts["agrees"]
    parts = [f"{n_agree} of {counted(len(verdicts), 'claim')} {'agrees' if n_agree == 1 else 'agree'}"]
    if counts["disagrees"]:
        parts.append(f"{counts['disagrees']} {'disagrees' if counts['disagrees'] == 1 else 'disagree'}")
    if counts["cannot tell"]:
        parts.append(f"{counts['cannot tell']} cannot be told")
    if counts["not tested in this mode"]:
        parts.append(f"{counts['not tested in this mode']} not tested in this mode")
    return f"{', '.join(parts)}."


def _content(reproduction: Reproduction, images: Mapping[str, bytes]) -> dict[str, Any]:
    evidence = reproduction.evidence
    by_name: dict[str, list[Verdict]] = {}
    for each in reproduction.verdicts:
        by_name.setdefault(each.figure, []).append(each)
    shown = {
        name: Shown(
            measured, _data_url(images[f"figure-{name}.svg"]), _described(measured), tuple(by_name.get(name, ()))
        )
        for name, measured in evidence.measured.items()
    }
    return {
        "made": reproduction,
        "test": evidence.test,
        "headline": headline(reproduction.verdicts),
        "names": NAMES,
        "figures": {name: shown[name] for name in FIGURES if name in shown},
        "further": [each for each in reproduction.verdicts if each.figure in NAMES],
        "further_figures": {name: one for name, one in shown.items() if name not in FIGURES},
        "best": None if reproduction.best is None else _changed(reproduction.best),
        "defaults": {PROSE[name]: show_value(DEFAULT[name]) for name in PROSE},
        "n_train": reproduction.n_learn - reproduction.n_validation,
    }


def _changed(options: Mapping[str, Any]) -> str:
    """Returns the setting in words: what differs from the default."""
    changed = [
        f"{name.replace('_', ' ')} {show_value(value).rpartition('=')[2]}"
        for name, value in options.items()
        if name not in ("backbone", "strategy") and DEFAULT.get(name) != value
    ]
    return ", ".join(changed) or "the default setting"


def _described(measured: Measured) -> str:
    """Returns the figure in words, for those who cannot see it."""
    ends = [
        f"{point.label}: {'failed' if setting.accuracy is None else f'{100 * setting.accuracy:.1f} %'}"
        for point, setting in zip(measured.experiment.points, measured.settings, strict=True)
    ]
    return f"{measured.experiment.title}. Validation accuracy at the end, {'; '.join(ends)}."


def _data_url(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
