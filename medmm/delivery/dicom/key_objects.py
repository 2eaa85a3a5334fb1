"""Key Object Selections: images that a report cites, the note that rejects its objects.

Source: DICOM PS3.3 C.17.6 (Key Object Document), PS3.16 TID 2010; IHE Imaging Object Change
Management (RAD TF-3 4.66.4.1.3): what is rejected for reasons of patient safety is shown no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CompositeContentItem, ImageContentItem, RelationshipTypeValues
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from medmm.delivery.dicom.equipment import person_observer
from medmm.delivery.dicom.finishing import evidence, finished
from medmm.delivery.dicom.references import (
    KEY_OBJECT,
    LABEL_MAP_STORAGE,
    SERIES_NUMBERS,
    ObjectReference,
)
from medmm.delivery.dicom.segmented import extents_of
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.delivery.observed import observations
from medmm.domain.draft import CLAIMS, RegionEvidence
from medmm.domain.frame_reference import FrameReference, frame_of
from medmm.domain.plain_text import clean
from medmm.domain.report import SignedReport

SOURCE = Code("260753009", "SCT", "Source")
IMAGES = (SegmentationStorage, LABEL_MAP_STORAGE)  # of what a report sends


def cited(report: SignedReport, source: SourceStudy) -> tuple[FrameReference, ...]:
    """List the pictures that a report cites: films with a region, middle slices of places.

    Of a report that cites none it is the middle of every stack, and every film, that was read.
    """
    found = []
    for statement in observations(report):
        for extent in extents_of(statement):
            volume = source.study.volume(extent.volume_sha256)
            if volume is not None:
                found.append(frame_of(volume, round(extent.centroid_index_zyx[0])))
        found += [
            e.image
            for e in statement.evidence
            if isinstance(e, RegionEvidence) and e.image and statement.assertion in CLAIMS
        ]
    if not found:
        read = [source.study.volume(image.volume_sha256) for image in report.images_read]
        volumes = [v for v in read if v is not None] or list(source.study.volumes)
        found = [frame_of(volume, volume.shape_zyx[0] // 2) for volume in volumes]
    return tuple(dict.fromkeys(frame for frame in found if frame.sop_uid is not None))


def key_images(report: SignedReport, source: SourceStudy, own: ObjectReference) -> Dataset:
    """Write which images a report cites."""
    frames = cited(report, source)
    uids = dict.fromkeys(frame.sop_uid for frame in frames if frame.sop_uid)
    headers = [evidence(source.header(uid)) for uid in uids]
    content = _selection(
        codes.cid7010.OfInterest,
        report,
        source,
        headers,
        f"Images cited by {report.id}, version {report.version}.",
    )
    numbers: dict[str | None, list[int]] = {}
    for frame in frames:
        if frame.frame_number is not None:
            numbers.setdefault(frame.sop_uid, []).append(frame.frame_number)
    root = content[0].ContentSequence
    for header in headers:
        root.append(
            ImageContentItem(
                SOURCE,
                header.SOPClassUID,
                header.SOPInstanceUID,
                referenced_frame_numbers=numbers.get(header.SOPInstanceUID),
                relationship_type=RelationshipTypeValues.CONTAINS,
            )
        )
    return _document(report, source, own, content, headers)


def rejection_note(
    report: SignedReport,
    source: SourceStudy,
    own: ObjectReference,
    rejected: Sequence[ObjectReference],
) -> Dataset:
    """Write that every object of a report is rejected: nothing of a withdrawn report is valid.

    Args:
        rejected: the objects of every version before.
    """
    stubs = [one.stub() for one in rejected]
    first = evidence(source.first)
    words = f"Report withdrawn, entered in error. Reason: {clean(report.reason)}"
    content = _selection(codes.DCM.RejectedForPatientSafetyReasons, report, source, [first], words)
    root = content[0].ContentSequence
    for one in rejected:
        kind = ImageContentItem if one.sop_class_uid in IMAGES else CompositeContentItem
        root.append(kind(SOURCE, one.sop_class_uid, one.sop_uid, relationship_type=CONTAINS))
    patient_of = [_with_patient(stub, first) for stub in stubs]
    return _document(report, source, own, content, patient_of)


CONTAINS = RelationshipTypeValues.CONTAINS


def _with_patient(stub: Dataset, header: Dataset) -> Dataset:
    """Give what stands for an object the patient and study that highdicom takes from it."""
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "ReferringPhysicianName",
    ):
        setattr(stub, keyword, header.get(keyword) or "")
    return stub


def _selection(
    title: Code, report: SignedReport, source: SourceStudy, of: Sequence[Dataset], words: str
) -> KeyObjectSelection:
    """Begin a selection with title, observer and description, still without its objects."""
    made = KeyObjectSelection(
        title,
        of,
        observer_person_context=person_observer(report.signed_by, source),
        description=words,
    )
    root = made[0].ContentSequence
    while root and root[-1].ValueType in ("IMAGE", "COMPOSITE"):  # without their frames
        del root[-1]
    return made


def _document(
    report: SignedReport,
    source: SourceStudy,
    own: ObjectReference,
    content: KeyObjectSelection,
    evidence_of: Sequence[Dataset],
) -> Dataset:
    made = KeyObjectSelectionDocument(
        evidence=evidence_of,
        content=content,
        series_instance_uid=own.series_uid,
        series_number=SERIES_NUMBERS[KEY_OBJECT],
        sop_instance_uid=own.sop_uid,
        instance_number=own.number,
        manufacturer="medmm",
        specific_character_set="ISO_IR 192",
    )
    return finished(made, report, source)
