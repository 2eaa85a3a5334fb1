"""The page of a signed report as Encapsulated PDF (DICOM PS3.3 A.45.1, C.24.2)."""

from __future__ import annotations

from highdicom.base import SOPClass
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from medmm.delivery.dicom.finishing import evidence_of, finished
from medmm.delivery.dicom.references import PDF, SERIES_NUMBERS, ObjectReference
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.domain.report import SignedReport

TITLE = "Radiology report"


def encapsulated_pdf(
    report: SignedReport, source: SourceStudy, own: ObjectReference, pdf: bytes
) -> Dataset:
    """Wrap the page of a report, so that a PACS keeps it with the images."""
    first = source.first
    made = SOPClass(
        study_instance_uid=report.study.uid,
        series_instance_uid=own.series_uid,
        series_number=SERIES_NUMBERS[PDF],
        sop_instance_uid=own.sop_uid,
        sop_class_uid=EncapsulatedPDFStorage,
        instance_number=own.number,
        modality="DOC",
        manufacturer="medmm",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set="ISO_IR 192",
    )
    made.ConversionType = "WSD"  # Workstation
    made.AcquisitionDateTime = first.get("AcquisitionDateTime") or ""
    made.BurnedInAnnotation = "YES"  # the page names the patient
    made.RecognizableVisualFeatures = "NO"
    made.DocumentTitle = f"{TITLE}, version {report.version}"
    made.ConceptNameCodeSequence = [_title()]
    made.SourceInstanceSequence = [_source(header) for header in evidence_of(source)]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    made.EncapsulatedDocumentLength = len(pdf)
    made.VerificationFlag = "VERIFIED" if source.options.verifying_organization else "UNVERIFIED"
    return finished(made, report, source)


def _title() -> Dataset:
    code, made = codes.cid7000.DiagnosticImagingReport, Dataset()
    made.CodeValue, made.CodingSchemeDesignator = code.value, code.scheme_designator
    made.CodeMeaning = code.meaning
    return made


def _source(header: Dataset) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = (
        header.SOPClassUID,
        header.SOPInstanceUID,
    )
    return made
