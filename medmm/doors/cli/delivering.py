"""`medmm deliver`, `deliveries` and `delivery retry`: signed reports on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.delivery import DeliveryState
from medmm.domain.errors import MedmmError, exit_code_of_several
from medmm.doors.cli.cases import AsJson
from medmm.doors.session import add_row, new_table, out, report, session, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from medmm.domain.delivery import Delivery

delivery_app = typer.Typer(help="Have what was given up tried again.", no_args_is_help=True)
To = Annotated[
    str | None, typer.Option("--destination", help="Only this one, by its name in the settings.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("deliver")(deliver)
    app.command("deliveries")(deliveries)
    app.add_typer(delivery_app, name="delivery")


def deliver(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="Send what is due now, and end with its exit code.")
    ] = False,
    destination: To = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line an attempt.")] = False,
) -> None:
    """Send signed reports to the destinations of the settings, until it is stopped.

    What goes where stands under `destinations` in the settings. Several processes may send; none
    sends what another has in hand. Ctrl-C or SIGTERM ends it after what is being sent.

    On a terminal it prints a line an attempt, elsewhere nothing without --json.
    """
    from medmm.doors.delivering import deliver_once, deliver_until_stopped
    from medmm.doors.telling import teller

    who, tell = session(context), teller(as_json=as_json)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        if once:
            raise typer.Exit(deliver_once(assistant, destination, by, tell))
        deliver_until_stopped(assistant, destination, by, tell)


def deliveries(
    context: typer.Context,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those that stand so.")] = None,
    destination: To = None,
    report: Annotated[
        str | None, typer.Option(help="Only those of a version of a report, by its id.")
    ] = None,
    case: Annotated[str | None, typer.Option(help="Only those of a case, by its id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List where signed reports go, what arrived and what was given up, the newest first.

    What a receiver said may name a patient: it is shown with `--by READER`, to roles that may see
    identities.
    """
    from medmm.domain.delivery import DeliveryFilter

    who = session(context)
    wanted = DeliveryFilter(
        state=state, destination=destination, report_id=report, case_id=case, limit=limit
    )
    with who.assistant() as assistant:
        found = assistant.deliveries(wanted, by=who.reader(assistant))
    if as_json:
        for one in found:
            write_json(to_json(one))
        return
    out().print(_table(found) if found else "No such deliveries.")


def _table(found: Sequence[Delivery]) -> Table:
    from medmm.presentation.delivery_words import standing

    table = new_table("id", "report and destination", "how it stands")
    # an id that is folded can't be copied
    table.columns[1].min_width = max(len(one.report_id) for one in found)
    for one in found:
        add_row(
            table,
            str(one.number),
            f"{one.report_id}\nversion {one.version} of {one.case_id}\nto {one.destination}",
            "\n".join(standing(one)),
        )
    return table


@delivery_app.command("retry")
def delivery_retry(
    context: typer.Context,
    delivery: Annotated[
        list[int], typer.Argument(help="Ids, as `medmm deliveries --state dead` lists them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Put deliveries back that were given up, once what was at fault is mended.

    Needs `--by READER`. Each is due at once; `medmm deliver` sends it.
    """
    who, codes = session(context), []
    with who.assistant() as assistant:
        reader = who.person(assistant, "delivery retry")
        for number in delivery:
            try:
                again = assistant.retry_delivery(number, by=reader)
            except MedmmError as error:
                codes.append(report(error))
                continue
            codes.append(0)
            if as_json:
                write_json(to_json(again))
            else:
                out().print(f"Put back: {number}, to {again.destination}.")
    raise typer.Exit(exit_code_of_several(codes))
