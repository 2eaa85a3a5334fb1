"""A signed report as files: whole or not at all, under names made from its id."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from medmm.delivery.fhir.bundle import report_bundle
from medmm.delivery.fhir.joins import Joins, joins_outcome
from medmm.delivery.text import report_json, report_text
from medmm.domain.errors import InputError, Unavailable
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport
from medmm.files import write_atomically
from medmm.presentation.report_versions import Lineage

FORMATS = {"text": "txt", "json": "json", "fhir": "fhir.json"}


def render(
    report: SignedReport,
    identity: PatientIdentity | None,
    format: str,
    joins: Joins | None = None,
    versions: Sequence[SignedReport] = (),
) -> str:
    """Render the report as `text`, `json` or `fhir`, or as `outcome` what that Bundle lacks.

    The Bundle finds patient and order by `joins`.

    A version that was replaced says so as text and JSON. FHIR knows one resource for all versions:
    it is always as it is now.

    Args:
        versions: all of the report, oldest first.

    Raises: InputError for another format.
    """
    joins, line = joins or Joins(), Lineage.of(report, versions)
    if format == "text":
        return report_text(report, identity, joins.restated_entry, line.versions)
    if format == "outcome":
        value = joins_outcome(joins, identity, _of_another_version(line))
    elif format in FORMATS:
        value = (
            report_json(report, identity, joins.restated_entry, line.versions)
            if format == "json"
            else report_bundle(line.newest, identity, joins, line.versions)
        )
    else:
        raise InputError(
            f"no format {format!r}", remedy=f"use one of {', '.join((*FORMATS, 'outcome'))}"
        )
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _of_another_version(line: Lineage) -> tuple[str, ...]:
    if not line.replaced:
        return ()
    newest = line.newest
    return (
        f"FHIR: version {line.report.version} was replaced, so the Bundle holds version "
        f"{newest.version} ({newest.id}): all versions are one DiagnosticReport.",
    )


def write_report(
    report: SignedReport,
    identity: PatientIdentity | None,
    folder: Path,
    joins: Joins | None = None,
    versions: Sequence[SignedReport] = (),
) -> tuple[Path, ...]:
    """Write the report in every format into `folder`; publishing again gives the same files.

    Files of other versions that lie there are written anew, so that none of them is taken for what
    counts.

    Raises: InputError if `folder` is a file; Unavailable if it can't be written.
    """
    beside = [one for one in versions if one.id != report.id and _places(folder, one)[0].exists()]
    contents = {
        place: render(one, identity, format, joins, versions)
        for one in (report, *beside)
        for place, format in zip(_places(folder, one), FORMATS, strict=True)
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in contents.items():
            write_atomically(path, text.encode())
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            "the target is no folder", remedy="name a folder", path=str(folder)
        ) from error
    except OSError as error:
        raise Unavailable(
            f"the report can't be written: {type(error).__name__}",
            remedy="make the folder writable or free space, then publish again",
            path=str(folder),
        ) from error
    return tuple(contents)


def _places(folder: Path, report: SignedReport) -> list[Path]:
    """List where the files of a version lie, one a format."""
    name = re.sub(r"[^A-Za-z0-9-]", "-", report.id)
    return [folder / f"{name}.{ending}" for ending in FORMATS.values()]
