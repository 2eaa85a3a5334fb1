"""`medmm case first-read`, `first-reads`, `double-read`: what readers see before a draft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.doors.cli.case_work import CaseId
from medmm.doors.cli.cases import AsJson, case_app
from medmm.doors.session import add_row, new_table, out, session, write_json

if TYPE_CHECKING:
    from medmm.domain.double_reading import FirstReads
    from medmm.domain.report import Reader


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to those of a case."""
    case_app.command("first-read")(first_read)
    case_app.command("first-reads")(first_reads)
    case_app.command("double-read")(double_read)


def first_read(
    context: typer.Context,
    case: CaseId,
    text: Annotated[str, typer.Option(help="Your impression in your own words.")] = "",
    finding: Annotated[
        list[str] | None,
        typer.Option(help="A finding of the vocabulary, as in `medmm review` (repeat)."),
    ] = None,
    nothing: Annotated[
        bool, typer.Option("--nothing", help="You looked and suspect nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep what you see before the draft is shown to you. Needs `--by READER`.

    Look with `medmm case show CASE --blind` before; it is never changed.
    """
    from medmm.domain.report import Add
    from medmm.doors.review_dialogue import named_decisions
    from medmm.presentation.first_read_words import read_lines

    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "case")
        named = named_decisions(None, None, None, finding, None, None)
        read = assistant.record_first_read(
            case,
            text=text,
            findings=[one for one in named if isinstance(one, Add)],
            nothing_suspected=nothing,
            by=reader,
        )
    if as_json:
        write_json(to_json(read))
        return
    for line in read_lines(read):
        out().print(line, markup=False)


def first_reads(context: typer.Context, case: CaseId, as_json: AsJson = False) -> None:
    """Show who read a case first, and of that what you may see. Needs `--by READER`."""
    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "case")
        found = assistant.first_reads(case, by=reader)
    if as_json:
        write_json(to_json(found))
    else:
        _print(found, reader)


def _print(found: FirstReads, reader: Reader) -> None:
    from medmm.presentation.first_read_words import (
        agreement_rows,
        double_reading_words,
        read_lines,
    )

    for line in filter(None, (double_reading_words(found, reader),)):
        out().print(line, markup=False)
    for read in found.reads:
        for line in read_lines(read):
            out().print(line, markup=False)
    hidden = len(found.readers) - len(found.reads)
    if hidden or not found.readers:
        out().print(f"Not shown: {hidden}." if hidden else "Nobody has read it first.")
    if rows := agreement_rows(found):
        table = new_table("finding", *(one.name for one in found.pair), "")
        for row in rows:
            add_row(table, row.finding, row.one, row.other, row.standing)
        out().print(table)


def double_read(
    context: typer.Context,
    case: CaseId,
    adjudicator: Annotated[
        str | None,
        typer.Option(help="Id of who decides and signs; without it any third attending."),
    ] = None,
    drop: Annotated[str | None, typer.Option(help="Drop the order, for this reason.")] = None,
) -> None:
    """Have a case read by two independently, and decided by a third. Needs `--by READER`."""
    if adjudicator is not None and drop is not None:
        raise InputError(
            "an order is dropped and an adjudicator named for it",
            remedy="give one of --adjudicator and --drop",
        )
    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "case")
        if drop is not None:
            assistant.drop_double_reading(case, reason=drop, by=reader)
            out().print("One reading is enough again.")
        else:
            assistant.order_double_reading(case, adjudicator=adjudicator, by=reader)
            out().print("Two are to read it; `medmm case first-reads` shows who has.")
