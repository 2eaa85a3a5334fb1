"""`medmm read` and `medmm release`: what models see, and letting pass what the gate holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import EXIT_CODES, InputError, MedmmError, exit_code_of_several
from medmm.domain.read_task import ReadTask
from medmm.doors.session import (
    add_row,
    new_table,
    out,
    plain,
    progress_bar,
    report,
    session,
    write_json,
)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("read")(read)
    app.command("release")(release)


def read(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="DICOM files, folders or zip archives; with --task, folders of NIfTI files.",
            metavar="PATH…",
        ),
    ],
    task: Annotated[
        ReadTask | None,
        typer.Option(
            help="Read folders of NIfTI files under fixed names (docs/arrays.md), one study a "
            "folder."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a study on stdout, nothing else.")
    ] = False,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Write each mask here: PNG on the film's own grid; of MR, NIfTI on the grid of "
            "its series with a JSON file that names the images of its slices; with --task, "
            "NIfTI on the array's own grid."
        ),
    ] = None,
) -> None:
    """Read studies by the models alone: no record, no draft, nothing kept but the audit entry.

    A file that can't be read, a study that is held or refused gives a line too; exit 0 if all were
    decided, 3 if a path does not exist or is not a folder of the task, and 9 if others were.
    """
    from medmm.domain.notices import FOR_THE_RECORD_TITLE, sorted_notices
    from medmm.domain.reading import ReadResult
    from medmm.doors.folder.media import opened_media
    from medmm.doors.mask_files import folders_for
    from medmm.doors.reading_lines import left_unread, notices, read_line, some, table_row, untold

    table = new_table("path", "evaluable", "suspected or reason", "measurements")
    folders = folders_for(paths, masks) if task and masks else {}
    warned: dict[str, list[str]] = {}
    codes: list[int] = []
    recorded: set[str] = set()
    with (
        session(context).assistant() as assistant,
        opened_media(paths, assistant.settings) as paths,
        progress_bar() as progress,
    ):
        bar = progress.add_task("reading", total=len(paths) if task else None)
        # Nothing was there to decide on
        missing = {str(path) for path in paths if not os.path.lexists(path)}
        for group in (
            [[path] for path in paths] if task else [paths]
        ):  # files of one study may lie under several paths
            told: list[Path] = []
            try:
                for result in assistant.read(
                    group, task=task, by=session(context).reader(assistant)
                ):
                    line = read_line(result, folders.get(group[0], masks), task)
                    write_json(line) if as_json else add_row(table, *table_row(line, result))
                    told.append(Path(result.path))
                    recorded |= {notice.text for notice in sorted_notices(notices(result))[1]}
                    codes.append(EXIT_CODES[InputError] if result.path in missing else 0)
                    for warning in (*line["warnings"], *left_unread(result)):
                        warned.setdefault(warning, []).append(Path(line["path"]).name)
                    progress.advance(bar)
            except MedmmError as error:
                codes.append(report(error))
                for path in untold(group, told):
                    line = read_line(ReadResult(path=str(path), problem=error.problem), None, task)
                    write_json(line) if as_json else add_row(table, *table_row(line, None))
    if not as_json:
        out().print(table)
        for warning, names in sorted(warned.items(), key=lambda row: row[0] in recorded):
            sign = f"· {FOR_THE_RECORD_TITLE.lower()}, " if warning in recorded else "! "
            out().print(plain(f"{sign}{some(names)}: {warning}"))
    if code := exit_code_of_several(codes):
        raise typer.Exit(code)


def release(
    context: typer.Context,
    study: Annotated[
        list[Path],
        typer.Argument(
            help="DICOM files, or a folder, with the study that the gate holds.", metavar="STUDY…"
        ),
    ],
    reason: Annotated[
        str,
        typer.Option(
            help="What you saw that lets the study pass; it goes into the audit log's store."
        ),
    ],
    study_uid: Annotated[
        str | None,
        typer.Option("--study", help="Study Instance UID of one of several studies there."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,
) -> None:
    """Let a held study pass the gate, after a look at it.

    Name yourself with `medmm --by READER release …`.

    What is held for something else too is held again for that.
    """
    from medmm.doors.folder.media import opened_media

    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        if by is None:
            raise InputError(
                "a release needs a person", remedy="medmm --by READER release STUDY --reason TEXT"
            )
        with opened_media(study, assistant.settings) as files:
            released = assistant.release(files, reason=reason, by=by, study_uid=study_uid)
    if as_json:
        write_json(to_json(released))
    else:
        out().print(
            plain(
                f"released ({released.reason_code}, {len(released.file_sha256s)} files); draft "
                "or read it now"
            )
        )
