"""`medmm amend`, `addendum` and `withdraw`: what becomes of a report after it was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medmm.doors.cli.decision_options import Accepted, Added, Edited
from medmm.doors.session import out, plain, session

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.domain.report import SignedReport

Case = Annotated[str, typer.Argument(help="Id of a case with a signed report.")]
Reason = Annotated[
    str, typer.Option(help="Why, for whoever acted on the report; it stands on top of it.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("amend")(amend)
    app.command("addendum")(addendum)
    app.command("withdraw")(withdraw)


def amend(
    context: typer.Context,
    case: Case,
    reason: Reason,
    accept: Accepted = None,
    reject: Annotated[
        list[str] | None, typer.Option(help="Take a statement out: ID or ID=reason (repeat).")
    ] = None,
    edit: Edited = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(help="Add a finding of the vocabulary, as in `medmm review` (repeat)."),
    ] = None,
    add: Added = None,
    impression: Annotated[
        str | None, typer.Option(help="Write the impression in your own words.")
    ] = None,
    correction: Annotated[
        bool,
        typer.Option("--correction", help="What stood there was wrong; else there is more to say."),
    ] = False,
) -> None:
    """Change a signed report and sign it again. Needs `--by READER`.

    The version before is kept.

    What the options do not name stays as it was signed.
    """
    from medmm.doors.review_dialogue import named_decisions, print_marks

    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "amend")
        decisions = named_decisions(accept, reject, edit, finding, add, impression)
        report = assistant.amend(case, decisions, reason=reason, correction=correction, by=reader)
        print_marks(assistant.case(case, pixels=False, by=reader))
        _print_version(assistant, report)


def addendum(
    context: typer.Context,
    case: Case,
    text: Annotated[str, typer.Argument(help="What is to be added.")],
    reason: Reason,
) -> None:
    """Add words to a signed report, whose own words stay. Needs `--by READER`.

    The version before is kept.

    Words that contradict the report are refused: they take `medmm amend`.
    """
    from medmm.doors.review_dialogue import print_marks

    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "addendum")
        report = assistant.addendum(case, text, reason=reason, by=reader)
        print_marks(assistant.case(case, pixels=False, by=reader))
        _print_version(assistant, report)


def withdraw(context: typer.Context, case: Case, reason: Reason) -> None:
    """Withdraw a signed report: none of its findings is valid any more. Needs `--by READER`.

    This is for good.

    What was signed is kept and can be read. Its study can be drafted anew, as a case of its own.
    """
    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "withdraw")
        _print_version(assistant, assistant.withdraw(case, reason=reason, by=reader))


def _print_version(assistant: Assistant, report: SignedReport) -> None:
    done = f"{report.kind.value.capitalize()} signed: {report.id}, version {report.version}."
    out().print(plain(f"{done} It takes the place of {report.replaces}."))
    written = f"`medmm publish {report.case_id} --to FOLDER`"
    sent = "`medmm deliver` sends it to its destinations; for others "
    by = f"{sent}{written} writes it" if assistant.settings.destinations else written
    out().print(plain(f"Whoever has that one must get this: {by}."))
