"""`medmm study show`: what a path was understood as, in words and pictures.

It is a look, no draft.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import EXIT_CODES, InputError, Unavailable
from medmm.doors.session import out, session, write_json

study_app = typer.Typer(help="Look at a study.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(study_app, name="study")


@study_app.command("show")
def show(
    context: typer.Context,
    path: Annotated[
        list[Path], typer.Argument(help="DICOM or NIfTI files, or folders.", metavar="PATH…")
    ],
    record: Annotated[
        Path | None, typer.Option(help="A FHIR R4 Bundle to hold against it, or a folder of them.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a study; the patient by key.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with the pictures here.")] = None,
) -> None:
    """Print what a path was understood as, series by series.

    That is geometry, polarity, windows, the gate's verdict and why.

    Pictures are shown where the terminal has colours, also of what is held or refused; else with
    --html. Exit 3 if a file can't be read or the record is another patient's.
    """
    from medmm.domain.identity_match import MatchVerdict
    from medmm.doors.folder.media import opened_media
    from medmm.doors.study_page import study_page

    who = session(context)
    with who.assistant() as assistant, opened_media(path, assistant.settings) as files:
        found = assistant.inspect(files, record=record, by=who.reader(assistant))
        for inspection in found:
            if as_json:
                write_json(to_json(replace(inspection, identity=None)))
            else:
                study_page(inspection, out())
        if html is not None:
            from medmm.presentation.study_html import study_html

            try:
                html.write_text(study_html(found), encoding="utf-8")
            except OSError as error:
                raise Unavailable(
                    f"the page can't be written: {type(error).__name__}",
                    remedy="name a file in a folder you may write to",
                    path=str(html),
                ) from error
    if any(
        one.problem or (one.match and one.match.verdict is MatchVerdict.MISMATCH) for one in found
    ):
        raise typer.Exit(EXIT_CODES[InputError])
