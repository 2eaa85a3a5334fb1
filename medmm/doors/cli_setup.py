"""`medmm models list`, `medmm config show|check`, `medmm doctor`: what is installed and whether it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from medmm.config import load_settings
from medmm.domain.codec import to_json
from medmm.domain.errors import EXIT_CODES, ConfigError, MedmmError
from medmm.doors.doctor import Check, examine, machine
from medmm.doors.session import Session, add_row, new_table, out, session, write_json

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
    table = new_table("name", "reads", "state", "digest", "terms")
    for row in rows:
        if as_json:
            write_json(to_json(row))
        terms = "research only" if row.research_only else "free"
        reads = f"{row.modality} {row.body_part}: {row.task}"
        add_row(table, row.name, reads, row.state, row.manifest_sha256[:12], terms)
    if not as_json:
        out().print(table)
        for row in rows:
            out().print(f"{row.name}: {row.licence}")


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
    """What this machine can decode, run and reach, and what to do about the rest. Exit 4 if there is a problem."""
    checks = list(_checks(session(context)))
    table = new_table()
    for check in checks:
        if as_json:
            write_json(to_json(check))
        remedy = f"\n→ {check.remedy}" if check.remedy else ""
        add_row(table, f"{SIGNS[check.state]} {check.name}", check.found + remedy)
    if not as_json:
        out().print(table)
    if any(check.state == "problem" for check in checks):
        raise typer.Exit(EXIT_CODES[ConfigError])


def _checks(who: Session) -> Iterator[Check]:
    """All checks; an installation that does not open is a problem among them."""
    yield from machine()
    try:
        with who.assistant() as assistant:
            yield from examine(assistant)
    except MedmmError as error:
        place = "".join(f"\n{name}: {value}" for name, value in error.where.items())
        yield Check(name="installation", state="problem", found=error.problem + place, remedy=error.remedy)
