"""A signed report as Comprehensive 3D SR (DICOM PS3.3 A.35.13)."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import Comprehensive3DSR
from pydicom.dataset import Dataset

from medmm.delivery.dicom import codes as coded
from medmm.delivery.dicom.content_tree import measurement_report
from medmm.delivery.dicom.equipment import person_name
from medmm.delivery.dicom.finishing import evidence_of, finished
from medmm.delivery.dicom.references import SERIES_NUMBERS, SR, ObjectReference
from medmm.delivery.dicom.source_study import SourceStudy
from medmm.domain.report import SignedReport


def structured_report(
    report: SignedReport,
    source: SourceStudy,
    objects: Sequence[ObjectReference],
    predecessor: ObjectReference | None = None,
) -> Dataset:
    """Write a report as structured report.

    It is verified by who signed it where the options name the organisation.

    Args:
        objects: of this version of the report.
        predecessor: the structured report of the version that it replaces.
    """
    own = next(one for one in objects if one.form == SR)
    organization = source.options.verifying_organization
    made = Comprehensive3DSR(
        evidence=[*evidence_of(source), *(one.stub() for one in objects if one.segmented)],
        content=measurement_report(report, source, objects),
        series_instance_uid=own.series_uid,
        series_number=SERIES_NUMBERS[SR],
        sop_instance_uid=own.sop_uid,
        instance_number=own.number,
        manufacturer="medmm",
        is_complete=True,
        is_final=True,
        is_verified=organization is not None,
        verifying_observer_name=person_name(report.signed_by) if organization else None,
        verifying_organization=organization,
        performed_procedure_codes=_procedure(source),
        previous_versions=[predecessor.stub()] if predecessor else None,
        specific_character_set="ISO_IR 192",
    )
    if organization is not None:
        when = report.signed_at.strftime("%Y%m%d%H%M%S%z")
        made.VerifyingObserverSequence[0].VerificationDateTime = when
    made.CodingSchemeIdentificationSequence = coded.scheme_identification()
    return finished(made, report, source)


def _procedure(source: SourceStudy) -> list[coded.Code]:
    code = coded.code_of(source.procedure) if source.procedure is not None else None
    return [code] if code is not None else []
