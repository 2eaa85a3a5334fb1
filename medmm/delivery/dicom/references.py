"""The objects of one version of a report, by their UIDs, before any of them is made.

The structured report refers to segmentations, a later version to what it replaces, a rejection note
to all that was sent: each needs the UIDs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
)

from medmm.delivery.dicom.segmented import Segmented, objection, segmented
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.delivery.dicom.uids import uid_of
from medmm.domain.report import SignedReport

SR, SEG, KEY_OBJECT, PDF = "sr", "seg", "key-object", "pdf"
FORMS = (SR, SEG, KEY_OBJECT, PDF)
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"  # which pydicom 3.0 has no name for
SERIES_NUMBERS = {SR: 9001, SEG: 9002, KEY_OBJECT: 9003, PDF: 9004}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReference:
    """One object: which it is, and where it will lie in the study.

    Attributes:
        form: one of `FORMS`.
        number: Instance Number (0020,0013), from 1.
        segmented: what a segmentation is made of.
    """

    form: str
    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_uid: str
    number: int = 1
    segmented: Segmented | None = None

    def stub(self) -> Dataset:
        """Make what stands for the object where another one refers to it."""
        made = Dataset()
        made.StudyInstanceUID, made.SeriesInstanceUID = self.study_uid, self.series_uid
        made.SOPClassUID, made.SOPInstanceUID = self.sop_class_uid, self.sop_uid
        return made


def references(report: SignedReport, source: SourceStudy) -> tuple[ObjectReference, ...]:
    """List the objects of a version of a report in the order of `FORMS`.

    Of a withdrawn one that is the rejection note alone.
    """
    if report.withdrawn:
        return (_reference(report, KEY_OBJECT, KeyObjectSelectionDocumentStorage),)
    return (
        _reference(report, SR, Comprehensive3DSRStorage),
        *(
            _segmentation(report, one, number, source)
            for number, one in enumerate(sent(report, source), start=1)
        ),
        _reference(report, KEY_OBJECT, KeyObjectSelectionDocumentStorage),
        _reference(report, PDF, EncapsulatedPDFStorage, source=source),
    )


def sent(report: SignedReport, source: SourceStudy) -> tuple[Segmented, ...]:
    """List what of a report becomes a segmentation."""
    return tuple(one for one in segmented(report, source) if objection(one, source) is None)


def _segmentation(
    report: SignedReport, one: Segmented, number: int, source: SourceStudy
) -> ObjectReference:
    as_labels = source.options.label_maps and not one.overlapping
    return _reference(
        report,
        SEG,
        LABEL_MAP_STORAGE if as_labels else SegmentationStorage,
        one,
        number,
    )


def _reference(
    report: SignedReport,
    form: str,
    sop_class_uid: str,
    of: Segmented | None = None,
    number: int = 1,
    source: SourceStudy | None = None,
) -> ObjectReference:
    """Name an object; a page that names the patient anew is another one than before."""
    names = (report.study.uid, report.id, form)
    what: list[str] = [of.name, of.volume.sha256, sop_class_uid] if of is not None else []
    if source is not None and source.restated_entry is not None:
        what.append(f"restated {source.restated_entry}")
    return ObjectReference(
        form=form,
        study_uid=report.study.uid,
        series_uid=uid_of(*names, "series"),
        sop_class_uid=str(sop_class_uid),
        sop_uid=uid_of(*names, *what),
        number=number,
        segmented=of,
    )
