"""`medmm models list`, `medmm config show|check`, `medmm doctor`: what is installed and whether it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from medmm.config import load_settings
from medmm.domain.codec import to_json
from medmm.doors.doctor import Check, examine
from medmm.doors.session import out, session, write_json

models_app = typer.Typer(help="The networks.", no_args_is_help=True)
config_app = typer.Typer(help="The settings.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
SIGNS = {"ok": "✓", "note": "·", "problem": "✗"}


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(models_app, name="models")
    app.add_typer(config_app, name="config")
    app.command("doctor")(doctor)


@models_app.command("list")
def models_list(context: typer.Context, as_json: AsJson = False) -> None:
    """The networks of the catalogue and whether their weights are here and unaltered."""
    with session(context).assistant() as assistant:
        rows = assistant.models()
    table = Table("name", "reads", "state", "digest", "terms", box=None)
    for row in rows:
        if as_json:
            write_json(to_json(row))
        terms = "research only" if row.research_only else "free"
        table.add_row(
            row.name, f"{row.modality} {row.body_part}: {row.task}", row.state, row.manifest_sha256[:12], terms
        )
    if not as_json:
        out().print(table)
        for row in rows:
            out().print(f"{row.name}: {row.licence}", markup=False)


@config_app.command("show")
def config_show(context: typer.Context) -> None:
    """Print the settings in force as JSON: file, then environment."""
    typer.echo(session(context).settings().model_dump_json(indent=2))


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="A settings file.")]) -> None:
    """Check a settings file; an unknown key is named with its line and the nearest known key."""
    load_settings(file)
    typer.echo(f"{file}: all settings are known and valid")


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """What this machine can decode, run and reach, and what to do about the rest."""
    with session(context).assistant() as assistant:
        checks = examine(assistant)
    if as_json:
        for check in checks:
            write_json(to_json(check))
        return
    table = Table("", "", "", box=None, show_header=False)
    for check in checks:
        table.add_row(SIGNS[check.state], check.name, _text(check))
    out().print(table)


def _text(check: Check) -> str:
    return f"{check.found}\n→ {check.remedy}" if check.remedy else check.found
