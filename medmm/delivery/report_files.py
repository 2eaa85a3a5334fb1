"""A signed report as files: whole or not at all, under names made from its id."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medmm.delivery.dicom.source_study import SourceStudy
from medmm.delivery.fhir.bundle import report_bundle
from medmm.delivery.fhir.joins import Joins, joins_outcome, outcome_of
from medmm.delivery.hl7.options import Hl7Options
from medmm.delivery.text import report_json, report_text
from medmm.domain.errors import InputError, Unavailable, needed
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport
from medmm.domain.transmission import OutgoingObject
from medmm.files import write_atomically
from medmm.presentation.report_versions import Lineage

FORMATS = {"text": "txt", "json": "json", "fhir": "fhir.json"}
DICOM_FORMS = ("sr", "seg", "key-object", "pdf")  # of `medmm.delivery.dicom`
HL7_FORMS = ("oru",)  # of `medmm.delivery.hl7`


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


def dicom_outcome(report: SignedReport, source: SourceStudy) -> str:
    """Render what the DICOM objects of a report lack, as an OperationOutcome in JSON."""
    from medmm.delivery.dicom.objects import notices

    said = [("informational", text) for text in notices(report, source)]
    value = outcome_of(said, "The DICOM objects lack nothing.")
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def hl7_outcome(identity: PatientIdentity | None, joins: Joins | None = None) -> str:
    """Render what the HL7 message of a report lacks, as an OperationOutcome in JSON."""
    from medmm.delivery.hl7.orders import notices

    said = [("incomplete", text) for text in notices(identity, joins or Joins())]
    value = outcome_of(said, "The HL7 message lacks nothing.")
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A version of a report with all that its forms are made of.

    Attributes:
        identity: whose it is; None if that is not known.
        joins: patient's and orders' systems, the order's numbers, the procedure.
        versions: all of the report that are known to the receiver, oldest first.
        source: the study, for DICOM objects.
        hl7: how the receiver wants its message.
    """

    report: SignedReport
    identity: PatientIdentity | None
    joins: Joins | None = None
    versions: Sequence[SignedReport] = ()
    source: SourceStudy | None = None
    hl7: Hl7Options | None = None

    def objects(self, forms: Collection[str]) -> tuple[OutgoingObject, ...]:
        """Make the objects of this version in forms: the same whenever they are made.

        Args:
            forms: of `FORMATS`, `DICOM_FORMS` and `HL7_FORMS`.

        Raises: InputError for an unknown form, or if a value is longer than a message may state it;
            StateError if a DICOM object is asked for of a study that was not kept as DICOM.
        """
        _refuse_unknown(forms)
        texts = [one for one in FORMATS if one in forms]
        return (
            *(self.text_object(self.report, form) for form in texts),
            *self._dicom_objects([form for form in DICOM_FORMS if form in forms]),
            *self._messages("oru" in forms),
        )

    def text_object(self, version: SignedReport, form: str) -> OutgoingObject:
        """Make the text, JSON or FHIR of this version, or of another as it stands beside it."""
        text = render(version, self.identity, form, self.joins, self.versions)
        # FHIR knows one resource for all versions, the others a file each
        return OutgoingObject(
            name=f"{_name(version)}.{FORMATS[form]}",
            key=version.root if form == "fhir" else version.id,
            content=text.encode(),
        )

    def _dicom_objects(self, forms: Collection[str]) -> Iterator[OutgoingObject]:
        if not forms:
            return
        report = self.report
        source = needed(self.source, "the study that DICOM objects are made of", report=report.id)
        from medmm.delivery.dicom.objects import dicom_objects  # highdicom and reportlab

        for one in dicom_objects(report, self.versions, source, forms):
            yield OutgoingObject(
                name=f"{_name(report)}.{one.name}.dcm",
                key=one.reference.sop_uid,
                content=one.content,
            )

    def _messages(self, wanted: bool) -> Iterator[OutgoingObject]:
        if not wanted:
            return
        from medmm.delivery.hl7.result_message import (  # pydicom's dictionaries
            control_id,
            result_message,
        )

        report = self.report
        yield OutgoingObject(
            name=f"{_name(report)}.oru.hl7",
            key=control_id(report),
            content=result_message(report, self.identity, self.joins, self.versions, self.hl7),
        )


def write_report(
    out: Outgoing, folder: Path, forms: Collection[str] = tuple(FORMATS)
) -> tuple[Path, ...]:
    """Write the report in forms into `folder`; publishing again gives the same files.

    Files of other versions that lie there are written anew, so that none of them is taken for what
    counts. DICOM objects and HL7 messages are not: each version has its own for good.

    Args:
        forms: of `FORMATS`, `DICOM_FORMS` and `HL7_FORMS`.

    Raises: as `Outgoing.objects`; InputError if `folder` is a file; Unavailable if it can't be
        written.
    """
    _refuse_unknown(forms)
    others = [one for one in out.versions if one.id != out.report.id]
    lying = [
        out.text_object(one, form)
        for one in others
        for form, ending in FORMATS.items()
        if (folder / f"{_name(one)}.{ending}").exists()
    ]
    contents = {folder / one.name: one.content for one in (*out.objects(forms), *lying)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            write_atomically(path, content)
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


def _refuse_unknown(forms: Collection[str]) -> None:
    if unknown := sorted(set(forms) - {*FORMATS, *DICOM_FORMS, *HL7_FORMS}):
        known = ", ".join((*FORMATS, *DICOM_FORMS, *HL7_FORMS))
        raise InputError(f"no form {unknown[0]!r}", remedy=f"use one of {known}")


def _name(report: SignedReport) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", report.id)
