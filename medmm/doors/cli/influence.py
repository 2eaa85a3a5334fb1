"""`medmm influence`: what the record does to a draft."""

from __future__ import annotations

from typing import Annotated

import typer

from medmm.domain.codec import to_json
from medmm.doors.session import out, session, write_json


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("influence")(influence)


def influence(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,
) -> None:
    """Draft a case from the image alone, the record alone and both. Keeps nothing.

    Each fact's part in the draft is shown.
    """
    from medmm.doors.influence_page import influence_page

    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        found = assistant.influence(case, by=by)
        if as_json:
            write_json(to_json(found))
        else:
            influence_page(found, assistant.case(case, by=by), out())
