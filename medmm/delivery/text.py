"""A signed report as plain text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
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


class Kind(Enum):
    """What a paragraph of a report is."""

    TITLE = "title"
    FIELD = "field"  # of the head, with its label
    HEADING = "heading"  # of a section
    SENTENCE = "sentence"
    PERSON = "person"  # words that a person may have chosen
    NOTE = "note"  # to the sentence before
    LINE = "line"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a report, whatever it is shown in."""

    kind: Kind
    text: str = ""
    label: str = ""


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
    paragraphs = report_paragraphs(report, identity, restated_entry, versions)
    return "\n".join(line for one in paragraphs for line in _lines(one)) + "\n"


def report_paragraphs(
    report: SignedReport,
    identity: PatientIdentity | None,
    restated_entry: int | None = None,
    versions: Sequence[SignedReport] = (),
) -> Iterator[Paragraph]:
    """Yield what the report says, in order; as `report_text`."""
    line = Lineage.of(report, versions)
    yield Paragraph(
        Kind.TITLE, f"RADIOLOGY REPORT: {line.mark}" if line.mark else "RADIOLOGY REPORT"
    )
    yield from (Paragraph(Kind.PERSON, notice) for notice in line.notices())
    if line.mark:
        yield GAP
    for name, value in _header(report, identity, restated_entry):
        yield Paragraph(Kind.FIELD, clean(value), name)
    for section in Section:
        said = [s for s in report.statements if s.section is section]
        if said:
            yield from _headed(_heading(section.value.upper(), line))
        for statement in said:
            if words := printable(statement.text):
                yield Paragraph(Kind.SENTENCE, words)
                yield from _added(statement)
    yield from _communications(report, line)
    if report.not_evaluated:
        yield from _headed("NOT EVALUATED BY THE MODELS")
        yield Paragraph(Kind.SENTENCE, "; ".join(report.not_evaluated) + ".")
    yield GAP
    yield from _withdrawal(report) if report.withdrawn else _signature(report)


GAP = Paragraph(Kind.GAP)


def _lines(one: Paragraph) -> list[str]:
    """Set a paragraph in lines of 80 columns."""
    match one.kind:
        case Kind.TITLE:
            return [one.text, "=" * len(one.text), ""]
        case Kind.FIELD:
            return [f"{one.label:<12}{one.text}"]
        case Kind.SENTENCE:
            return textwrap.wrap(one.text, WIDTH)
        case Kind.PERSON:
            return _wrapped(one.text)
        case Kind.NOTE:
            return _wrapped(one.text, indent="  ")
        case _:
            return [one.text]


def _headed(words: str) -> tuple[Paragraph, Paragraph]:
    return GAP, Paragraph(Kind.HEADING, words)


def _heading(section: str, line: Lineage) -> str:
    return section if line.valid else f"{section} ({line.mark})"


def _added(statement: SignedStatement) -> Iterator[Paragraph]:
    """Write under an addendum who added it, and when."""
    if statement.author is not None and statement.added_at is not None:
        when = statement.added_at.isoformat(timespec="seconds")
        yield Paragraph(Kind.NOTE, f"(added by {reader_words(statement.author)} on {when})")


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


def _communications(report: SignedReport, line: Lineage) -> Iterator[Paragraph]:
    """Write who had been told of critical findings when this version was signed."""
    if report.communications:
        yield from _headed(_heading("COMMUNICATION OF CRITICAL FINDINGS", line))
    for told in report.communications:
        findings = ", ".join(finding_term(name).words for name in told.findings)
        how = f"{told.how.value}, {'' if told.read_back else 'not '}read back"
        when = told.at.isoformat(timespec="seconds")
        words = f"{findings}: {told.reader} told {printable(told.to)} ({how}), {when}."
        yield Paragraph(Kind.PERSON, words)


def _withdrawal(report: SignedReport) -> Iterator[Paragraph]:
    when = report.signed_at.isoformat(timespec="seconds")
    yield Paragraph(Kind.LINE, f"Withdrawn by {reader_words(report.signed_by)} on {when}.")


def _preliminary(report: SignedReport) -> Iterator[Paragraph]:
    """Name who had read it before, where another signs."""
    before = report.preliminary
    if before is not None and before.by.id != report.signed_by.id:
        when = before.at.isoformat(timespec="seconds")
        words = f"Preliminary read by {reader_words(before.by)} on {when}."
        yield Paragraph(Kind.PERSON, words)


def _independent(report: SignedReport) -> Iterator[Paragraph]:
    """Name the two readers of a double reading, which the signature adjudicates."""
    for read in report.independent_reads:
        when = read.at.isoformat(timespec="seconds")
        words = f"Read independently by {reader_words(read.by)} on {when}."
        yield Paragraph(Kind.PERSON, words)


def _signature(report: SignedReport) -> Iterator[Paragraph]:
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
    yield from _independent(report)
    yield from _preliminary(report)
    yield Paragraph(Kind.LINE, f"{signed} by {reader_words(report.signed_by)} on {when}.")
    yield Paragraph(
        Kind.SENTENCE,
        f"Drafted by medmm {__version__} ({report.writer}; models: {models}); the signing "
        f"reader accepted {len(decided) - edited}, edited {edited} and rejected "
        f"{report.rejected_count} statements{added}.",
    )


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
