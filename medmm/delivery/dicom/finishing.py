"""What every object shares: patient and study as its source states them, times, equipment."""

from __future__ import annotations

import logging

from pydicom.dataset import Dataset

from medmm.delivery.dicom.equipment import set_equipment
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.domain.report import SignedReport

# highdicom takes these apart, refuses values that no standard knows, and warns with a name in its
# words; they are copied afterwards, as they are.
TAKEN_APART = ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")
# A log of ours must never hold text of a record.
logging.getLogger("highdicom").setLevel(logging.CRITICAL + 1)


def evidence(header: Dataset) -> Dataset:
    """Prepare a copy of a header for highdicom, which would stumble over what it can't parse."""
    for keyword in TAKEN_APART:
        setattr(header, keyword, "")
    return header


def evidence_of(source: SourceStudy) -> list[Dataset]:
    """List the images that a report rests on: those whose headers the verb resolved."""
    return [evidence(source.header(uid)) for uid in source.headers]


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
