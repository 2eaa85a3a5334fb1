"""All DICOM objects of one version of a report, and what must be said of them.

Each version of a report has objects of its own, the same whenever they are made. A later version
names the structured report that it replaces; a withdrawn one is a note that rejects them all.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from medmm.delivery.dicom.encapsulated_pdf import encapsulated_pdf
from medmm.delivery.dicom.key_objects import key_images, rejection_note
from medmm.delivery.dicom.references import (
    FORMS,
    KEY_OBJECT,
    PDF,
    SEG,
    SR,
    ObjectReference,
    references,
    sent,
)
from medmm.delivery.dicom.segmentations import segmentation
from medmm.delivery.dicom.segmented import objection, segmented, unsent
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.delivery.dicom.structured_report import structured_report
from medmm.delivery.pdf.page import report_pdf
from medmm.domain.errors import InputError, StateError
from medmm.domain.report import SignedReport

# What highdicom and pydicom raise of headers that they can't take apart
LIBRARY_ERRORS = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError)
_AS_STATED = threading.Lock()  # pydicom's setting is the process's, and is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomObject:
    """An object as the bytes of a file (PS3.10).

    Attributes:
        name: of the file beside the others of the report, without the ending.
    """

    name: str
    reference: ObjectReference
    content: bytes


def dicom_objects(
    report: SignedReport,
    versions: Sequence[SignedReport],
    source: SourceStudy,
    forms: Collection[str] = FORMS,
) -> tuple[DicomObject, ...]:
    """Make the objects of a version of a report.

    Args:
        versions: all of the report, oldest first.
        forms: which of `FORMS`; a withdrawn version is a rejection note whichever are asked for.

    Raises: InputError for another form; StateError if the study was not kept as DICOM.
    """
    if unknown := sorted(set(forms) - set(FORMS)):
        raise InputError(f"no form {unknown[0]!r}", remedy=f"use one of {', '.join(FORMS)}")
    if not source.headers:
        raise StateError(
            "the study keeps no DICOM header of its images",
            remedy="DICOM objects are made of studies that came as DICOM alone",
            report=report.id,
        )
    up_to = [version for version in versions if version.version <= report.version] or [report]
    wanted = [one for one in references(report, source) if one.form in forms or report.withdrawn]
    with _AS_STATED, disable_value_validation():  # what the images state is copied as it is
        return tuple(
            DicomObject(
                name=_name(one),
                reference=one,
                content=_content(one, report, up_to, source),
            )
            for one in wanted
        )


def notices(report: SignedReport, source: SourceStudy) -> Iterator[str]:
    """Say what the objects of a report lack, and which setting or image would give it."""
    if report.withdrawn:
        return
    if source.options.verifying_organization is None:
        yield (
            "DICOM: structured report and PDF are marked as not verified, because no setting names "
            "the organisation that the signing reader verifies for (dicom.verifying_organization; "
            "see docs/configuration.md)."
        )
    for name in unsent(report, source):
        yield f"DICOM: {name} is not sent, because no signed statement rests on it."
    for one in segmented(report, source):
        if why := objection(one, source):
            yield f"DICOM: {one.name} is no segmentation, because {why}."
    for one in sent(report, source):
        for label in one.empty():
            yield f"DICOM: segment {one.number(label)} of {one.name} ({label}) has no voxel."
    if source.restated_entry is not None:
        yield (
            "DICOM: the patient's identity was stated anew after the report was signed (audit "
            f"entry {source.restated_entry}): the objects name the patient as the images do, the "
            "page as is stated now."
        )


def _made(
    one: ObjectReference,
    report: SignedReport,
    versions: Sequence[SignedReport],
    source: SourceStudy,
) -> Dataset:
    earlier = [version for version in versions if version.version < report.version]
    if report.withdrawn:
        rejected = [other for version in earlier for other in references(version, source)]
        return rejection_note(report, source, one, rejected)
    if one.form == SR:
        predecessor = references(earlier[-1], source)[0] if earlier else None
        return structured_report(report, source, references(report, source), predecessor)
    if one.form == SEG:
        return segmentation(report, source, one)
    if one.form == KEY_OBJECT:
        return key_images(report, source, one)
    pdf = report_pdf(report, source.identity, source.restated_entry, versions)
    return encapsulated_pdf(report, source, one, pdf)


def _name(one: ObjectReference) -> str:
    several = one.form == SEG
    return f"{one.form}-{one.number}" if several else one.form


def _content(
    one: ObjectReference,
    report: SignedReport,
    versions: Sequence[SignedReport],
    source: SourceStudy,
) -> bytes:
    """Make an object as the bytes of a file.

    Raises: InputError if the libraries can't make it of the images' headers.
    """
    buffer = BytesIO()
    try:
        _made(one, report, versions, source).save_as(buffer, enforce_file_format=True)
    except LIBRARY_ERRORS as error:
        raise InputError(
            f"no {one.form} can be made of the headers of the images: {type(error).__name__}",
            remedy="leave this form out, and send the study as it came from its scanner",
            report=report.id,
        ) from error
    return buffer.getvalue()


__all__ = ["FORMS", "PDF", "DicomObject", "dicom_objects", "notices"]
