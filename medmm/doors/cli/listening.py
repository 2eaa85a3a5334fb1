"""`medmm listen`: studies from a PACS or scanner over DICOM associations."""

from __future__ import annotations

from typing import Annotated

import typer

from medmm.doors.session import session


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("listen")(listen)


def listen(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line for everything that happens.")
    ] = False,
) -> None:
    """Take studies in over DICOM associations (C-STORE), until it is stopped.

    Who may send, to which AE titles, and what is done with a study stands under `listen` in the
    settings. Ctrl-C or SIGTERM ends it: objects that are arriving are finished, and what was not
    admitted yet is admitted at the next start.

    On a terminal it prints a line a study, elsewhere nothing without --json.
    """
    from medmm.doors.dicom.listening import OF_ONE_OBJECT, listen_until_stopped
    from medmm.doors.telling import teller

    who = session(context)
    with who.assistant() as assistant:
        listen_until_stopped(assistant, teller(as_json=as_json, machines_alone=OF_ONE_OBJECT))
