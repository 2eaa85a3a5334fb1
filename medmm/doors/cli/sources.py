"""`medmm watch`: studies that are dropped into folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medmm.doors.session import session

AsJson = Annotated[bool, typer.Option("--json", help="One JSON line for everything that happens.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("watch")(watch)


def watch(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(help="The folder; without it, every source of `kind: folder`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take studies in that are dropped into a folder, at any depth, until it is stopped.

    A file counts when its size and time rest; a study is complete as for `medmm listen`. Zip
    archives are unpacked. Files stay where they are, unless the source says `afterwards: remove`.

    On a terminal it prints a line a study, elsewhere nothing without --json.
    """
    from medmm.config import FolderSource
    from medmm.doors.dicom.listening import teller
    from medmm.doors.folder.watching import watch_until_stopped

    who = session(context)
    with who.assistant() as assistant:
        known = assistant.settings.sources
        folders = {n: one for n, one in known.items() if isinstance(one, FolderSource)}
        if folder is not None:
            given = FolderSource(kind="folder", path=folder)
            same = {n: one for n, one in folders.items() if one.path == given.path}
            folders = same or {"folder": given}
        watch_until_stopped(assistant, folders, teller(as_json=as_json))
