"""What a study leaves for people: one page in one file, its plots, and a table of its trials."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.files import write_bytes, write_text
from handful.core.study import Study, Value
from handful.report.page import environment
from handful.report.text import printable
from handful.study.plots import Plot, panel_svg, plot_files, plots
from handful.study.scale import setting_text, value_text
from handful.study.standings import (
    lead_sentence,
    luck_sentence,
    remarks,
    result_sentence,
    rivals,
    standings,
    unfinished,
)
from handful.study.tables import trials_csv

N_SETTINGS = 20
"""Settings shown at once, the best first; the others can be unfolded."""

MOST_SETTINGS = 200
"""Settings on the page; trials.csv has all."""

MOST_INLINE = 5
"""Settings that a notebook shows."""

MOST_UNFINISHED = 12
"""Trials on the page that failed or were given up; trials.csv has all."""

FEW_OPTIONS = 2
"""Options up to which the title and the bars have room for a setting's name."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A plot on the page: rows of panels, each as a data URL with its words."""

    plot: Plot
    rows: tuple[tuple[tuple[str, str], ...], ...]


def write_page(study: Study, folder: Path) -> None:
    """Writes what a study found out; the trials' own files and the models are not its matter.

    | file | holds |
    |---|---|
    | trials.csv | every trial, a row each |
    | plots/*.png, *.svg, *.csv | each plot and its numbers |
    | index.html | the page, self-contained; written last |

    Args:
        study: its record; it may be unfinished.
        folder: of the study, which the page names in its commands; files of an earlier page are replaced.

    Raises:
        HandfulError: a file cannot be written.
    """
    write_text(folder / "trials.csv", trials_csv(study))
    shown = []
    for plot in plots(study):
        files = plot_files(plot)
        for name, data in files.items():
            write_bytes(folder / "plots" / name, data)
        shown.append(_shown(plot, files[f"{plot.name}.svg"]))
    write_text(folder / "index.html", render_page(study, shown, folder=folder))


def render_page(study: Study, shown: Sequence[Shown], *, folder: Path) -> str:
    """Returns index.html: no script, no request, no outside file; it works from a disk and on paper.

    Args:
        study: its record.
        shown: its plots.
        folder: what the page calls the study in its commands.
    """
    made = environment("handful.study", "handful.report")
    made.filters.update(value=_value, setting=_setting, capitalised=_capitalised)
    return made.get_template("study.html.j2").render(_content(study, shown, folder))


def inline_html(study: Study, page: str) -> str:
    """Returns a study as a notebook shows it: the best settings, without script, request or outside file.

    Args:
        study: its record.
        page: where the whole page is.
    """
    ranked = standings(study)
    made = environment("handful.study", "handful.report")
    made.filters.update(setting=_setting)
    return made.get_template("inline_study.html.j2").render(
        sentence=result_sentence(study, ranked),
        ranked=ranked[:MOST_INLINE],
        n_more=len(ranked[MOST_INLINE:]),
        page=page,
    )


def _content(study: Study, shown: Sequence[Shown], folder: Path) -> dict[str, Any]:
    """Returns what the template needs, all numbers computed."""
    ranked = standings(study)
    found = remarks(study)
    lost = unfinished(study)
    plan = study.plan
    return {
        "study": study,
        "plan": plan,
        "title": printable(Path(plan.data).stem or plan.data),
        "varied": [axis.option for axis in plan.axes],
        "best": ranked[0].setting if ranked else None,
        "few_options": len(plan.axes) <= FEW_OPTIONS,
        "rivals": f"{rivals(ranked)}." if ranked else "No setting was trained to the end.",
        "lead": lead_sentence(ranked),
        "luck": luck_sentence(study),
        "chance": 1.0 / len(plan.classes),
        "remarks": found,
        "n_trials": sum(len(setting.results) for setting in study.settings),
        "n_settings": len(study.settings),
        "plots": shown,
        "ranked": ranked[:N_SETTINGS],
        "more_ranked": ranked[N_SETTINGS:MOST_SETTINGS],
        "n_ranked": len(ranked),
        "unfinished": lost[:MOST_UNFINISHED],
        "n_unfinished": len(lost),
        "folder": shlex.quote(printable(str(folder))),
    }


def _shown(plot: Plot, whole: bytes) -> Shown:
    """Returns the plot panel by panel; where it has one, that is the `whole` figure, which is there already."""
    panels = [panel for row in plot.rows for panel in row]
    if len(panels) == 1:
        return Shown(plot, (((_data_url(whole), panels[0].alt),),))
    return Shown(plot, tuple(tuple((_data_url(panel_svg(plot, each)), each.alt) for each in row) for row in plot.rows))


def _data_url(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"


def _value(value: Value) -> str:
    return printable(value_text(value))


def _setting(options: Mapping[str, Value]) -> str:
    """Returns a setting's options; a line breaks between them only."""
    space = "\N{NO-BREAK SPACE}"
    return printable(setting_text(options)).replace(" ", space).replace(f",{space}", ", ")


def _capitalised(text: str) -> str:
    """Returns the text with a capital at its beginning and the rest as it is, which "L2" needs."""
    return text[:1].upper() + text[1:]
