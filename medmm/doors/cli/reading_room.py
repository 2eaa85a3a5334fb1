"""`medmm worklist` and `communicate`: cases by name, and who was told of a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.case_state import CaseState
from medmm.domain.codec import to_json
from medmm.domain.critical_result import Route
from medmm.domain.priority import Order, Priority
from medmm.doors.cli.cases import AsJson
from medmm.doors.session import add_row, new_table, out, session, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from medmm.domain.worklist import Worklist
    from medmm.presentation.worklist_view import WorklistLine


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("worklist")(worklist)
    app.command("communicate")(communicate)


def worklist(
    context: typer.Context,
    search: Annotated[
        str,
        typer.Argument(
            help="Parts of a name, a patient ID, a number of the order, or a Study UID."
        ),
    ] = "",
    state: Annotated[CaseState | None, typer.Option(help="Only cases in this state.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Only cases of this priority.")] = None,
    waiting: Annotated[
        bool | None,
        typer.Option(
            "--waiting/--not-waiting", help="Only cases that wait for a person, or only the others."
        ),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Only cases of this site.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many: one page.")] = 20,
    after: Annotated[
        str | None, typer.Option(help="Where the page before ended, as it says: the next page.")
    ] = None,
    sort: Annotated[Order, typer.Option(help="By urgency, or newest first.")] = Order.URGENCY,
    as_json: AsJson = False,
) -> None:
    """List a page of the worklist with who its cases are. Needs `--by READER` to show names.

    The look is in the audit log, with every case of the page.
    """
    from medmm.domain.worklist import CaseFilter
    from medmm.presentation.worklist_view import worklist_line

    wanted = CaseFilter(state=state, priority=priority, waiting=waiting, site=site)
    who = session(context)
    with who.assistant() as assistant:
        page = assistant.worklist(
            wanted,
            search=search,
            limit=limit,
            after=after,
            order=sort,
            by=who.reader(assistant),
        )
        readers = {reader.id: reader.name for reader in assistant.readers()}
    if as_json:
        write_json(to_json(page))
        return
    now = datetime.now(UTC)
    lines = [worklist_line(row, now, readers) for row in page.rows]
    out().print(_table(lines) if lines else "No such cases.")
    out().print(_counted(page))
    if len(lines) == limit:
        out().print(f"Next page: --after {lines[-1].place}", soft_wrap=True)


def _table(lines: Sequence[WorklistLine]) -> Table:
    table = new_table("case", "patient and study", "urgency")
    # an id that is folded can't be copied
    table.columns[0].min_width = max(len(line.case_id) for line in lines)
    for line in lines:
        accession = f"accession {line.accession}" if line.accession else ""
        who = (line.name, f"{line.patient_id}, {line.age}", line.study, line.acquired, accession)
        add_row(
            table,
            "\n".join(filter(None, (line.case_id, line.status, line.reads))),
            "\n".join(filter(None, who)),
            "\n".join(filter(None, (line.urgency, line.suspected))),
        )
    return table


def _counted(page: Worklist) -> str:
    states = Counter({one.value: one.cases for one in page.counts if one.of == "state"})
    words = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return f"{page.total} {'case' if page.total == 1 else 'cases'}" + (
        f": {words}" if words else ""
    )


def communicate(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm worklist` lists them.")],
    to: Annotated[str, typer.Option(help="Who was told, by name or duty.")],
    how: Annotated[Route, typer.Option(help="How it was told.")] = Route.PHONE,
    read_back: Annotated[
        bool,
        typer.Option(
            "--read-back/--not-read-back",
            help="Whether who was told repeated it, and it was right.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep that a person was told of the critical findings of a case. Needs `--by READER`.

    Nothing is sent.
    """
    from medmm.domain.vocabulary import finding_term

    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "communicate")
        told = assistant.communicate(case, to=to, how=how, read_back=read_back, by=reader)
    if as_json:
        write_json(to_json(told))
        return
    findings = ", ".join(finding_term(name).words for name in told.findings)
    out().print(f"Kept: {findings}, category {told.category}.")
