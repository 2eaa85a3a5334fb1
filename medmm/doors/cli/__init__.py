"""The command line `medmm`.

The modules of this folder declare commands: their names, options and help. What a command does is
imported where it runs, so that a help text or a message about a wrong option doesn't wait for the
store, the pages or the networks.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from medmm.domain.errors import MedmmError
from medmm.domain.version import __version__
from medmm.doors.cli import (
    amending,
    audit,
    case_work,
    cases,
    delivering,
    influence,
    insight,
    listening,
    model_trials,
    orders,
    programs,
    read,
    reading_modes,
    reading_room,
    record,
    serving,
    setup,
    sources,
    study,
)
from medmm.doors.session import Session, report

app = typer.Typer(
    name="medmm",
    help="Draft findings from medical images and the patient's record. Research software, not a "
    "medical device: it drafts, a clinician decides.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (
    read,
    study,
    record,
    cases,
    case_work,
    reading_modes,
    reading_room,
    amending,
    delivering,
    influence,
    setup,
    model_trials,
    orders,
    insight,
    audit,
    listening,
    sources,
    serving,
    programs,
):
    module.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medmm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Settings (YAML); default: $MEDMM_CONFIG, else local.yaml.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Id of the reader who acts; default: the service.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep the options for the command that follows."""
    context.obj = Session(config=config, by=by)


def main() -> None:
    """Run the command line; a `MedmmError` becomes a message with its remedy and exit code.

    No error of the tree is shown as a traceback.
    """
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a terminal that lacks a character gets its number, not a crash
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except MedmmError as error:
        sys.exit(report(error))
