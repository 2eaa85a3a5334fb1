"""A signed report as plain text and as JSON."""

from __future__ import annotations

import textwrap
from typing import Any

from medmm.domain.codec import to_json
from medmm.domain.draft import Section
from medmm.domain.identity import PatientIdentity
from medmm.domain.images import ImageReference, time_words
from medmm.domain.plain_text import clean
from medmm.domain.report import SignedReport
from medmm.domain.version import __version__

WIDTH = 80


def report_text(
    report: SignedReport, identity: PatientIdentity | None, restated_entry: int | None = None
) -> str:
    """The report as text of 80 columns; without `identity` the patient is named by key.

    Args:
        restated_entry: the audit entry that stated the identity otherwise than when the report was signed.
    """
    lines = ["RADIOLOGY REPORT", "=" * 16, ""]
    lines += [
        f"{name:<12}{clean(value)}" for name, value in _header(report, identity, restated_entry)
    ]
    for section in Section:
        sentences = [printable(s.text) for s in report.statements if s.section is section]
        if sentences:
            lines += ["", section.value.upper()]
            lines += [
                wrapped for sentence in sentences for wrapped in textwrap.wrap(sentence, WIDTH)
            ]
    if report.not_evaluated:
        lines += ["", "NOT EVALUATED BY THE MODELS"]
        lines += textwrap.wrap("; ".join(report.not_evaluated) + ".", WIDTH)
    lines += ["", *_signature(report)]
    return "\n".join(lines) + "\n"


def printable(text: str) -> str:
    """The text with control characters and odd spaces (a paste may bring them; FHIR refuses some) as plain spaces."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()


def _header(
    report: SignedReport, identity: PatientIdentity | None, restated_entry: int | None
) -> list[tuple[str, str]]:
    rows = [("Patient", report.patient_key)]
    if identity is not None:
        name = ", ".join(part for part in (identity.family_name, identity.given_name) if part)
        born = f"born {identity.birth_date.isoformat()}" if identity.birth_date else ""
        who = [name, identity.patient_id or "", born, identity.sex or ""]
        rows = [("Patient", "; ".join(part for part in who if part))]
        if restated_entry is not None:
            rows.append(
                ("", f"stated anew after the report was signed (audit entry {restated_entry})")
            )
    rows += [
        ("Study", f"{report.study.modality} {report.study.uid}"),
        ("Acquired", _acquired_words(report)),
        *(row for image in report.images_read for row in _image_rows(image)),
        ("Report", f"{report.id}, version {report.version}"),
    ]
    return rows


def _acquired_words(report: SignedReport) -> str:
    when = report.study.acquired
    if when is None:
        return "unknown"
    return (
        when.isoformat()
        if report.study.exact
        else f"{when:%Y-%m-%d}, time of day or its zone not stated"
    )


def _image_rows(image: ImageReference) -> list[tuple[str, str]]:
    return [("Image read", f"{image.what} {time_words(image.acquired)}"), ("", image.uid_words)]


def _signature(report: SignedReport) -> list[str]:
    own = sum(s.author is not None for s in report.statements)
    decided = [
        s for s in report.statements if s.summarises is None and s.author is None
    ]  # a summary follows its finding
    edited = sum(s.drafted_text is not None for s in decided)
    added = f"; {own} {'is' if own == 1 else 'are'} the reader's own" if own else ""
    models = ", ".join(f"{m.name} ({m.manifest_sha256[:12]})" for m in report.models) or "none"
    by = report.signed_by
    return [
        f"Signed by {clean(by.name)} ({by.id}, {by.role}) on {report.signed_at.isoformat(timespec='seconds')}.",
        *textwrap.wrap(
            f"Drafted by medmm {__version__} ({report.writer}; models: {models}); the signing reader accepted "
            f"{len(decided) - edited}, edited {edited} and rejected {report.rejected_count} statements{added}.",
            WIDTH,
        ),
    ]


def report_json(
    report: SignedReport, identity: PatientIdentity | None, restated_entry: int | None = None
) -> dict[str, Any]:
    """The report and, where given, its patient, as JSON values; `critical` names the statements to be told at once.

    `patient_restated_entry` stands there only where the identity was stated otherwise after signing.
    """
    restated = {} if restated_entry is None else {"patient_restated_entry": restated_entry}
    return restated | {
        "report": to_json(report),
        "patient": None if identity is None else to_json(identity),
        "critical": [
            s.id for s in report.statements if s.section is Section.FINDINGS and s.critical
        ],
    }
