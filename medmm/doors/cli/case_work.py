"""`medmm case claim`, `unclaim`, `prioritise` and `drafts`: the work on a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.domain.priority import Priority
from medmm.doors.cli.cases import AsJson, case_app
from medmm.doors.session import Session, add_row, new_table, out, session, write_json

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.domain.report import Reader

CaseId = Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to those of a case."""
    case_app.command("claim")(claim)
    case_app.command("unclaim")(unclaim)
    case_app.command("drafts")(drafts)
    case_app.command("prioritise")(prioritise)


def claim(
    context: typer.Context,
    case: CaseId,
    minutes: Annotated[
        int | None,
        typer.Option(
            help="For how many minutes from now on; without it, `claim_minutes` of the settings."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a case to work on it, or renew the claim. Needs `--by READER`.

    Until it ends nobody else decides there.
    """
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


def prioritise(
    context: typer.Context,
    case: CaseId,
    priority: Annotated[Priority, typer.Argument(help="How urgent it is.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the worklist.")],
    as_json: AsJson = False,
) -> None:
    """Say how urgent an unsigned case is, in place of its order. Needs `--by READER`."""
    who = session(context)
    with who.assistant() as assistant:
        by = _named(who, assistant)
        given = assistant.prioritise(case, priority, reason=reason, by=by)
    if as_json:
        write_json(to_json(given))
    else:
        out().print(
            f"Priority {given.level.value}; `medmm cases --sort urgency` lists by priority."
        )


def drafts(context: typer.Context, case: CaseId, as_json: AsJson = False) -> None:
    """List the versions of a case's draft, oldest first; the last one is what is decided on."""
    who = session(context)
    with who.assistant() as assistant:
        found = assistant.drafts(case, by=who.reader(assistant))
    if as_json:
        for version in found:
            write_json(to_json(version))
        return
    table = new_table("version", "in place of", "drafted", "writer", "statements", "not passed")
    for version in found:
        drafted = version.created_at
        when = "unknown" if drafted is None else f"{drafted.astimezone():%Y-%m-%d %H:%M}"
        parent = "" if version.parent is None else str(version.parent)
        statements = version.checked.statements
        failed = sum(bool(version.checked.failed(one.id)) for one in statements)
        cells = (str(version.version), parent, when, version.author)
        add_row(table, *cells, str(len(statements)), str(failed))
    out().print(table if found else "No draft yet.")


def _named(who: Session, assistant: Assistant) -> Reader:
    reader = who.reader(assistant)
    if reader is None:
        raise InputError(
            "nobody is named as reader",
            remedy="medmm --by READER case …; see `readers:` in the config",
        )
    return reader
