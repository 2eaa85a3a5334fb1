"""`medmm orders`: imaging orders from an order system, as HL7 v2 messages over MLLP."""

from __future__ import annotations

from typing import Annotated

import typer

from medmm.doors.session import session


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("orders")(orders)


def orders(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line for everything that happens.")
    ] = False,
) -> None:
    """Take imaging orders in (ORM^O01, OMI^O23 over MLLP), until it is stopped.

    Who may send stands under `orders` in the settings. An order is the reason for the exam of its
    study, when that is admitted. Ctrl-C or SIGTERM ends it: a message in hand is answered first.

    On a terminal it prints a line a message, elsewhere nothing without --json.
    """
    from medmm.doors.orders.listening import take_orders_until_stopped
    from medmm.doors.telling import teller

    who = session(context)
    with who.assistant() as assistant:
        take_orders_until_stopped(assistant, teller(as_json=as_json))
