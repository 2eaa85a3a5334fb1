"""`medmm serve`: the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer

from medmm.doors.session import session


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(help="Port in place of that of the settings; 0: a free one.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line for each request.")
    ] = False,
) -> None:
    """Answer programs over HTTP (docs/http-api.md), until it is stopped.

    Whose tokens it takes stands under `sign_in` and `serve` in the settings. Ctrl-C or SIGTERM ends
    it: what is being answered is finished, and drafts that were begun are made.

    On a terminal it prints a line a request, elsewhere nothing without --json.
    """
    from medmm.doors.http.serving import serve_until_stopped
    from medmm.doors.telling import teller

    with session(context).assistant() as assistant:
        serve_until_stopped(assistant, teller(as_json=as_json), port=port)
