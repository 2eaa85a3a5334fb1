"""`medmm watch` and `medmm fetch`: studies from folders, a PACS, a DICOMweb server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medmm.doors.session import add_row, new_table, out, report, session, write_json

if TYPE_CHECKING:
    from medmm.doors.fetch.matches import Found

AsJson = Annotated[bool, typer.Option("--json", help="One JSON line for everything that happens.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("watch")(watch)
    app.command("fetch")(fetch)


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
    from medmm.doors.dicom.listening import OF_ONE_OBJECT
    from medmm.doors.folder.watching import watch_until_stopped
    from medmm.doors.telling import teller

    who = session(context)
    with who.assistant() as assistant:
        known = assistant.settings.sources
        folders = {n: one for n, one in known.items() if isinstance(one, FolderSource)}
        if folder is not None:
            given = FolderSource(kind="folder", path=folder)
            same = {n: one for n, one in folders.items() if one.path == given.path}
            folders = same or {"folder": given}
        watch_until_stopped(
            assistant, folders, teller(as_json=as_json, machines_alone=OF_ONE_OBJECT)
        )


def fetch(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Name of a PACS or DICOMweb server in `sources`.")],
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    accession: Annotated[str | None, typer.Option(help="Accession number.")] = None,
    patient: Annotated[str | None, typer.Option(help="Patient ID.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Study date, this day or later."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Study date, this day or earlier."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Fetch all studies that match, not one alone.")
    ] = False,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show what matches and fetch nothing.")
    ] = False,
    incomplete: Annotated[
        bool,
        typer.Option("--incomplete", help="Keep what came where the source can't send all of it."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Search a source for studies, fetch them, and admit and draft each.

    A study counts when all of it came.

    More than one match is listed, and none fetched without --all.

    Exit 3 if nothing matches, 4 if the source refuses, 7 if it fails or can't be reached; 9 if some
    of several studies failed.
    """
    from medmm.domain.errors import InputError, exit_code_of_several
    from medmm.doors.dicom.listening import OF_ONE_OBJECT
    from medmm.doors.fetch import fetching
    from medmm.doors.fetch.matches import StudyQuery
    from medmm.doors.telling import teller

    query = StudyQuery(
        accession=accession,
        patient_id=patient,
        study_uid=study,
        since=since.date() if since else None,
        until=until.date() if until else None,
    )
    tell = teller(as_json=as_json, machines_alone=OF_ONE_OBJECT)
    who = session(context)
    with who.assistant() as assistant:
        asked = fetching.source_named(assistant, source, tell)
        found = fetching.search(asked, query, tell)
        if only_list:
            _show(found, as_json=as_json)
            return
        try:
            matches = fetching.chosen(found, every=every)
        except InputError:
            _show(found, as_json=as_json)
            raise
        outcomes = fetching.fetch(assistant, source, asked, matches, tell, incomplete=incomplete)
    codes = [0 if error is None else report(error) for error in outcomes]
    if code := exit_code_of_several(codes):
        raise typer.Exit(code)


def _show(found: Found, *, as_json: bool) -> None:
    """List the studies that match, to whom asked for them."""
    table = new_table("study", "date", "modality", "objects")
    for one in found.matches:
        if as_json:
            line = {"study_uid": one.study_uid, "date": one.study_date, "instances": one.instances}
            write_json({"event": "match", **line, "modalities": list(one.modalities)})
        else:
            number = "" if one.instances is None else str(one.instances)
            add_row(table, one.study_uid, one.study_date, " ".join(one.modalities), number)
    if found.matches and not as_json:
        out().print(table)
