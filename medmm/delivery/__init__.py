"""Signed reports out, as text, JSON, FHIR R4, HL7 v2, DICOM and PDF.

Every function takes a `SignedReport`; a draft can't leave.
"""

from medmm.delivery.dicom.source_study import DicomOptions, ModelEquipment, SourceStudy
from medmm.delivery.fhir.bundle import report_bundle
from medmm.delivery.fhir.joins import Joins
from medmm.delivery.hl7.options import Hl7Options, Retraction
from medmm.delivery.report_files import (
    DICOM_FORMS,
    FORMATS,
    HL7_FORMS,
    Outgoing,
    dicom_outcome,
    hl7_outcome,
    render,
    write_report,
)
from medmm.delivery.text import report_json, report_text

__all__ = [
    "DICOM_FORMS",
    "FORMATS",
    "HL7_FORMS",
    "DicomOptions",
    "Hl7Options",
    "Joins",
    "ModelEquipment",
    "Outgoing",
    "Retraction",
    "SourceStudy",
    "dicom_outcome",
    "hl7_outcome",
    "render",
    "report_bundle",
    "report_json",
    "report_text",
    "write_report",
]
