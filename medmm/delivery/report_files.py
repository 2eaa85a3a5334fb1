"""A signed report as files: whole or not at all, under names made from its id."""

from __future__ import annotations

import json
import re
from pathlib import Path

from medmm.delivery.fhir.bundle import report_bundle
from medmm.delivery.fhir.joins import Joins, joins_outcome
from medmm.delivery.text import report_json, report_text
from medmm.domain.errors import InputError, Unavailable
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport
from medmm.files import write_atomically

FORMATS = {"text": "txt", "json": "json", "fhir": "fhir.json"}


def render(
    report: SignedReport, identity: PatientIdentity | None, format: str, joins: Joins | None = None
) -> str:
    """The report as `text`, `json` or `fhir`, which finds patient and order by `joins`; as `outcome` what that Bundle lacks.

    Raises: InputError for another format.
    """
    joins = joins or Joins()
    if format == "text":
        return report_text(report, identity, joins.restated_entry)
    if format == "outcome":
        value = joins_outcome(joins, identity)
    elif format in FORMATS:
        value = (
            report_json(report, identity, joins.restated_entry)
            if format == "json"
            else report_bundle(report, identity, joins)
        )
    else:
        raise InputError(
            f"no format {format!r}", remedy=f"use one of {', '.join((*FORMATS, 'outcome'))}"
        )
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_report(
    report: SignedReport, identity: PatientIdentity | None, folder: Path, joins: Joins | None = None
) -> tuple[Path, ...]:
    """Write the report in every format into `folder`; publishing again gives the same files.

    Raises: InputError if `folder` is a file; Unavailable if it can't be written.
    """
    name = re.sub(r"[^A-Za-z0-9-]", "-", report.id)
    contents = {
        folder / f"{name}.{ending}": render(report, identity, f, joins)
        for f, ending in FORMATS.items()
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
