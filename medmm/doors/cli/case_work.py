"""`medmm case claim` and `unclaim`: who works on a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.doors.cli.cases import AsJson, case_app
from medmm.doors.session import Session, out, session, write_json

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.domain.report import Reader

CaseId = Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to those of a case."""
    case_app.command("claim")(claim)
    case_app.command("unclaim")(unclaim)


def claim(
    context: typer.Context,
    case: CaseId,
    minutes: Annotated[
        int | None,
        typer.Option(
            help="For so many minutes from now on; `claim_minutes` of the settings without."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a case to work on it, or renew the claim: until it ends nobody else decides there. Needs `--by READER`."""
    who = session(context)
    with who.assistant() as assistant:
        lease = assistant.claim(case, minutes=minutes, by=_named(who, assistant))
    if as_json:
        write_json(to_json(lease))
        return
    until = f"{lease.until.astimezone():%Y-%m-%d %H:%M}"
    out().print(f"Yours until {until}; `medmm case unclaim {case}` gives it back.")


def unclaim(context: typer.Context, case: CaseId) -> None:
    """Give a case back that you claimed; an administrator frees any. Needs `--by READER`."""
    who = session(context)
    with who.assistant() as assistant:
        assistant.unclaim(case, by=_named(who, assistant))
    out().print("The case is free.")


def _named(who: Session, assistant: Assistant) -> Reader:
    reader = who.reader(assistant)
    if reader is None:
        raise InputError(
            "nobody is named as reader",
            remedy="medmm --by READER case …; see `readers:` in the config",
        )
    return reader
