"""`medmm record show`: what a record was understood as."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from medmm.domain.codec import to_json
from medmm.doors.session import session, write_json

record_app = typer.Typer(help="Look at a record.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(record_app, name="record")


@record_app.command("show")
def show(
    context: typer.Context,
    record: Annotated[
        Path, typer.Argument(help="FHIR R4 as JSON: a Bundle, a resource, or NDJSON.")
    ],
    as_of: Annotated[
        datetime | None,
        typer.Option(
            help="Only what was known at this time (UTC), as a study of then would take it."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="At most so many facts of a kind, the newest; 0 prints all.", min=0)
    ] = 25,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON for machines, always with all facts.")
    ] = False,
) -> None:
    """Print the facts of a record, and what was left out and why.

    A fact comes with code, value, unit, range, date and source entry.
    """
    from medmm.doors.record_page import record_page

    who = session(context)
    moment = as_of.replace(tzinfo=UTC) if as_of else None
    with who.assistant() as assistant:
        found = assistant.record(record, as_of=moment, by=who.reader(assistant))
    if as_json:
        write_json(to_json(found))
    else:
        record_page(found, limit)
