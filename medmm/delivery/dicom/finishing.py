"""What every object shares: patient and study as its source states them, times, equipment."""

from __future__ import annotations

from pydicom.dataset import Dataset

from medmm.delivery.dicom.equipment import set_equipment
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.domain.report import SignedReport
from medmm.domain.study import Volume

# highdicom takes these apart and refuses values that no standard knows; they are copied afterwards
TAKEN_APART = ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")


def evidence(header: Dataset) -> Dataset:
    """Prepare a copy of a header for highdicom, which would stumble over what it can't parse."""
    for keyword in TAKEN_APART:
        setattr(header, keyword, "")
    return header


def evidence_of(report: SignedReport, source: SourceStudy) -> list[Dataset]:
    """List the images that a report rests on, or all of the study where it does not say which."""
    read = [source.study.volume(image.volume_sha256) for image in report.images_read]
    volumes: list[Volume] = [v for v in read if v is not None] or list(source.study.volumes)
    uids = [uid for volume in volumes for uid in volume.sop_uids]
    return [evidence(source.header(uid)) for uid in dict.fromkeys(uids)]


def finished(made: Dataset, report: SignedReport, source: SourceStudy) -> Dataset:
    """Set what an object shares with the others of its report, and what no clock may change."""
    header = source.first
    made.copy_patient_and_study_information(header)
    when = source.local_time(report)
    made.InstanceCreationDate = made.ContentDate = when.strftime("%Y%m%d")
    made.InstanceCreationTime = made.ContentTime = when.strftime("%H%M%S")
    if "TimezoneOffsetFromUTC" in header:
        made.TimezoneOffsetFromUTC = header.TimezoneOffsetFromUTC
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SeriesDescription = f"medmm report, version {report.version}"
    set_equipment(made, source)
    return made
