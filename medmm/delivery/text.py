"""A signed report as plain text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from medmm.domain.codec import to_json
from medmm.domain.draft import Section
from medmm.domain.identity import PatientIdentity
from medmm.domain.images import ImageReference, time_words
from medmm.domain.plain_text import clean
from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.version import __version__
from medmm.domain.vocabulary import finding_term
from medmm.presentation.report_versions import Lineage, reader_words

WIDTH = 80
TOLD = (Section.FINDINGS, Section.ADDENDUM)  # the impression repeats


def report_text(
    report: SignedReport,
    identity: PatientIdentity | None,
    restated_entry: int | None = None,
    versions: Sequence[SignedReport] = (),
) -> str:
    """Write the report as text of 80 columns; without `identity` the patient is named by key.

    A report that was changed or withdrawn says so first, with who, when and why; of what counts no
    more every section does.

    Args:
        restated_entry: the audit entry that stated the identity otherwise than when the report was
            signed.
        versions: all of the report, oldest first.
    """
    line = Lineage.of(report, versions)
    title = f"RADIOLOGY REPORT: {line.mark}" if line.mark else "RADIOLOGY REPORT"
    lines = [title, "=" * len(title), ""]
    for notice in line.notices():
        lines += _wrapped(notice)
    if line.mark:
        lines.append("")
    lines += [
        f"{name:<12}{clean(value)}" for name, value in _header(report, identity, restated_entry)
    ]
    for section in Section:
        said = [s for s in report.statements if s.section is section]
        sentences = [(printable(s.text), s) for s in said if printable(s.text)]
        if said:
            lines += ["", _heading(section.value.upper(), line)]
        for sentence, statement in sentences:
            lines += textwrap.wrap(sentence, WIDTH)
            lines += _added(statement)
    lines += _communications(report, line)
    if report.not_evaluated:
        lines += ["", "NOT EVALUATED BY THE MODELS"]
        lines += textwrap.wrap("; ".join(report.not_evaluated) + ".", WIDTH)
    lines += ["", *(_withdrawal(report) if report.withdrawn else _signature(report))]
    return "\n".join(lines) + "\n"


def _heading(section: str, line: Lineage) -> str:
    return section if line.valid else f"{section} ({line.mark})"


def _added(statement: SignedStatement) -> Iterator[str]:
    """Write under an addendum who added it, and when."""
    if statement.author is not None and statement.added_at is not None:
        when = statement.added_at.isoformat(timespec="seconds")
        yield from _wrapped(f"(added by {reader_words(statement.author)} on {when})", indent="  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Wrap a person's words, so that only the first line begins at the margin.

    So they can forge no line.
    """
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent="  ")


def printable(text: str) -> str:
    """Replace control characters and odd spaces of a text by plain spaces.

    A paste may bring them, and FHIR refuses some.
    """
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


def _communications(report: SignedReport, line: Lineage) -> Iterator[str]:
    """Write who had been told of critical findings when this version was signed."""
    if report.communications:
        yield from ("", _heading("COMMUNICATION OF CRITICAL FINDINGS", line))
    for told in report.communications:
        findings = ", ".join(finding_term(name).words for name in told.findings)
        how = f"{told.how.value}, {'' if told.read_back else 'not '}read back"
        when = told.at.isoformat(timespec="seconds")
        yield from _wrapped(f"{findings}: {told.reader} told {printable(told.to)} ({how}), {when}.")


def _withdrawal(report: SignedReport) -> list[str]:
    when = report.signed_at.isoformat(timespec="seconds")
    return [f"Withdrawn by {reader_words(report.signed_by)} on {when}."]


def _preliminary(report: SignedReport) -> Iterator[str]:
    """Name who had read it before, where another signs."""
    before = report.preliminary
    if before is not None and before.by.id != report.signed_by.id:
        when = before.at.isoformat(timespec="seconds")
        yield from _wrapped(f"Preliminary read by {reader_words(before.by)} on {when}.")


def _independent(report: SignedReport) -> Iterator[str]:
    """Name the two readers of a double reading, which the signature adjudicates."""
    for read in report.independent_reads:
        when = read.at.isoformat(timespec="seconds")
        yield from _wrapped(f"Read independently by {reader_words(read.by)} on {when}.")


def _signature(report: SignedReport) -> list[str]:
    own = sum(s.author is not None for s in report.statements)
    # A summary follows its finding
    decided = [s for s in report.statements if s.summarises is None and s.author is None]
    edited = sum(s.drafted_text is not None for s in decided)
    added = f"; {own} {'is' if own == 1 else 'are'} the reader's own" if own else ""
    models = ", ".join(f"{m.name} ({m.manifest_sha256[:12]})" for m in report.models) or "none"
    when = report.signed_at.isoformat(timespec="seconds")
    # Later versions may be another's; the list of versions names who adjudicated
    adjudicated = report.independent_reads and report.version == 1
    signed = "Adjudicated and signed" if adjudicated else "Signed"
    return [
        *_independent(report),
        *_preliminary(report),
        f"{signed} by {reader_words(report.signed_by)} on {when}.",
        *textwrap.wrap(
            f"Drafted by medmm {__version__} ({report.writer}; models: {models}); the signing "
            f"reader accepted {len(decided) - edited}, edited {edited} and rejected "
            f"{report.rejected_count} statements{added}.",
            WIDTH,
        ),
    ]


def report_json(
    report: SignedReport,
    identity: PatientIdentity | None,
    restated_entry: int | None = None,
    versions: Sequence[SignedReport] = (),
) -> dict[str, Any]:
    """Give the report and, if known, its patient as JSON values.

    `valid` says whether this version counts, `replaced_by` which one takes its place, `versions`
    what each one changed; `critical` names the statements to be told at once, of a version that
    counts. `patient_restated_entry` stands there only if the identity was stated otherwise after
    signing.
    """
    line = Lineage.of(report, versions)
    restated = {} if restated_entry is None else {"patient_restated_entry": restated_entry}
    return restated | {
        "valid": line.valid,
        "replaced_by": line.newest.id if line.replaced else None,
        "report": to_json(report),
        "patient": None if identity is None else to_json(identity),
        "critical": [
            s.id for s in report.statements if s.section in TOLD and s.critical and line.valid
        ],
        "versions": [_version(one) for one in line.versions],
    }


def _version(report: SignedReport) -> dict[str, Any]:
    return {
        "id": report.id,
        "version": report.version,
        "kind": report.kind.value,
        "replaces": report.replaces,
        "reason": report.reason,
        "signed_by": to_json(report.signed_by),
        "signed_at": report.signed_at.isoformat(),
    }
