"""The command `handful`: its subcommands, and what becomes of their errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from handful.cli import (
    advise,
    backbones,
    cache,
    check,
    demo,
    export,
    predict,
    report,
    reproduce,
    rerun,
    serve,
    study,
    train,
    ui,
)
from handful.cli.console import complain
from handful.cli.options import completed, with_options
from handful.cli.stopping import INTERRUPTED, TERMINATED, stoppable
from handful.core.choices import NOT_RANKED, NOT_STUDIED
from handful.core.errors import HandfulError
from handful.core.machine import installed
from handful.core.stops import what_is_kept

OUR_FAULT, USAGE = 1, 2

app = typer.Typer(
    name="handful",
    help="Train an accurate image classifier from a handful of pictures, and know how good it is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def print_version(wanted: bool) -> None:
    """Prints the version and stops, where it is wanted."""
    if wanted:
        sys.stdout.write(f"handful {installed('handful')}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
) -> None:
    """Options before the command."""


app.command("train")(with_options(train.train))
app.command("advise")(with_options(advise.advise, rooms=("reading", "split", "features", "run")))
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("check")(with_options(check.check, rooms=("reading",)))
app.command("backbones")(
    with_options(backbones.backbones, rooms=("reading", "split", "features", "run"), without=NOT_RANKED)
)
app.command("cache")(cache.cache)
app.command("report")(report.report)
app.command("rerun")(rerun.rerun)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("ui")(ui.ui)
app.command("study")(with_options(study.study, without=NOT_STUDIED))
app.command("reproduce")(reproduce.reproduce)


def main() -> None:
    """Runs a command; every error ends in one message and an exit code: 2 the user's, 1 ours, 130 and 143 stopped."""
    try:
        with stoppable():
            _run(completed(sys.argv[1:]))
    except KeyboardInterrupt:  # before the command began, or after it gave its answer
        sys.exit(INTERRUPTED)


def _run(arguments: list[str]) -> None:
    as_json = "--json" in arguments
    try:
        app(arguments, standalone_mode=True)
    except HandfulError as error:
        if "--debug" in arguments:
            raise
        complain(str(error), exit_code=error.exit_code, as_json=as_json)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as stop:
        code = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
        if code in (INTERRUPTED, TERMINATED):
            complain(f"stopped; {what_is_kept(stop)}.", exit_code=code, as_json=as_json)
        elif code == USAGE and as_json:
            complain("the command was not understood; see above.", exit_code=USAGE, as_json=True)
        raise
    except Exception as error:
        if "--debug" in arguments:
            raise
        message = (
            f"a fault in handful itself: {type(error).__name__}: {error}. "
            "Run the command again as `handful --debug ...` and report what it prints."
        )
        complain(message, exit_code=OUR_FAULT, as_json=as_json)
        sys.exit(OUR_FAULT)
