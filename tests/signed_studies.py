"""Signed reports on made-up studies, with the headers that their images would have: what DICOM objects are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from medmm import review
from medmm.delivery.dicom.source_study import DicomOptions, ModelEquipment, SourceStudy
from medmm.domain.draft import Case, Section
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.procedures import procedure_of
from medmm.domain.reading import Mask, ModelIdentity, Reading
from medmm.domain.report import Accept, CaseFile, CaseState, Edit, SignedReport
from medmm.domain.study import Modality, Study, Volume
from medmm.drafting import RuleWriter
from medmm.grounding import check
from tests.factories import (
    ATTENDING,
    make_mr_reading,
    make_mr_study,
    make_reading_of,
    make_study,
)

SIGNED_AT = datetime(2026, 1, 2, 9, 30, 15, tzinfo=UTC)
PATIENT: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "ZZTEST^ΔΗΜΗΤΡΑ",
    "PatientID": "ZZ-7",
    "IssuerOfPatientID": "ZZHOSPITAL",
    "PatientBirthDate": "19600102",
    "PatientSex": "F",
    "PatientAge": "066Y",
    "StudyDate": "20260102",
    "StudyTime": "081500.250",
    "StudyID": "S-1",
    "AccessionNumber": "ACC-1",
    "StudyDescription": "made up",
    "ReferringPhysicianName": "ZZREFERRER^One",
    "Manufacturer": "ZZ Scanners",
    "ManufacturerModelName": "ZZ 1",
    "TimezoneOffsetFromUTC": "+0100",
}
ANATOMY = ModelIdentity(name="anatomy-test", manifest_sha256="3" * 64)
KINDS = ("chest", "brain", "hippocampus", "heart")


@dataclass(frozen=True)
class Signed:
    """A signed case, and what the objects of its report are made from."""

    file: CaseFile
    source: SourceStudy

    @property
    def versions(self) -> tuple[SignedReport, ...]:
        """Every version of the report, oldest first."""
        return self.file.versions

    @property
    def report(self) -> SignedReport:
        return self.versions[-1]

    def amended(self, words: str = "The reader's own words, amended.") -> Signed:
        """With other words in the first statement of the findings."""
        first = next(s for s in self.report.statements if s.section is Section.FINDINGS)
        at = self.report.signed_at + timedelta(hours=1)
        file, report = review.amend(
            self.file,
            [Edit(first.id, words)],
            reason="Seen again.",
            correction=False,
            by=ATTENDING,
            at=at,
        )
        return self._with(file, report)

    def withdrawn(self) -> Signed:
        at = self.report.signed_at + timedelta(hours=1)
        report = review.withdraw(self.file, reason="Of another patient.", by=ATTENDING, at=at)
        return self._with(self.file, report)

    def _with(self, file: CaseFile, report: SignedReport) -> Signed:
        return replace(self, file=replace(file, report=report, earlier=self.versions))


def header_of(study: Study, volume: Volume, index: int, changes: Mapping[str, Any]) -> Dataset:
    """The header of one image of a volume, without pixels; an element set to None is left out."""
    made = Dataset()
    film = study.modality is Modality.RADIOGRAPH
    base: dict[str, Any] = {
        **PATIENT,
        "StudyInstanceUID": study.uid,
        "SeriesInstanceUID": volume.series_uid,
        "SOPClassUID": volume.sop_class_uid,
        "SOPInstanceUID": volume.sop_uids[index],
        "Modality": study.modality.value,
        "InstanceNumber": index + 1,
        "SeriesNumber": 1,
        "BodyPartExamined": study.body_part,
        "Rows": volume.shape_zyx[1],
        "Columns": volume.shape_zyx[2],
        "SamplesPerPixel": 1,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "MONOCHROME2",
        "ImageType": ["ORIGINAL", "PRIMARY"],
    }
    if film:
        base |= {
            "ImagerPixelSpacing": list(volume.spacing_yx_mm or (0.2, 0.2)),
            "ViewPosition": "PA",
            "PatientOrientation": ["L", "F"],
        }
    elif volume.affine_lps_mm is not None:
        a = np.array(volume.affine_lps_mm)
        assert volume.spacing_yx_mm is not None
        base |= {
            "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.9",
            "PositionReferenceIndicator": "",
            "ImageOrientationPatient": [
                *(a[:3, 0] / np.linalg.norm(a[:3, 0])),
                *(a[:3, 1] / np.linalg.norm(a[:3, 1])),
            ],
            "ImagePositionPatient": list(a[:3, 3] + index * a[:3, 2]),
            "PixelSpacing": list(volume.spacing_yx_mm),
            "SliceThickness": volume.spacing_z_mm,
        }
    for keyword, value in {**base, **changes}.items():
        if value is not None:
            setattr(made, keyword, value)
    return made


def source_of(
    study: Study, reading: Reading, options: DicomOptions | None = None, **changes: Any
) -> SourceStudy:
    headers = {
        volume.sop_uids[z]: header_of(study, volume, z, changes)
        for volume in study.volumes
        for z in range(len(volume.sop_uids))
    }
    return SourceStudy(
        study=study,
        headers=headers,
        reading=reading,
        models=tuple(ModelEquipment(identity=one, manufacturer="medmm") for one in reading.models),
        identity=PatientIdentity(patient_id="ZZ-7", family_name="ZZTEST", given_name="ΔΗΜΗΤΡΑ"),
        procedure=procedure_of(study, StudyOrder()),
        options=options or DicomOptions(),
    )


@cache
def signed(kind: str, organization: str | None = "ZZ Hospital", label_maps: bool = False) -> Signed:
    """The report of a reader who accepted the draft of the rules."""
    study, reading = _chest() if kind == "chest" else _mr(kind.upper())
    case = Case(id="case-1", study=study)
    draft = check(RuleWriter().write(case, reading), case, reading)
    opened = CaseFile(
        case=case, state=CaseState.DRAFTED, reading=reading, draft=draft, decisions=(), report=None
    )
    words = "Seen by the reader."
    decisions = tuple(
        Edit(s.id, words) if draft.failed(s.id) else Accept(s.id) for s in opened.asked
    )
    decided = replace(
        opened, decisions=review.decide(opened, decisions, by=ATTENDING), state=CaseState.IN_REVIEW
    )
    report = review.sign(decided, ATTENDING, SIGNED_AT)
    options = DicomOptions(verifying_organization=organization, label_maps=label_maps)
    file = replace(decided, state=CaseState.SIGNED, report=report)
    return Signed(file=file, source=source_of(study, reading, options))


def _mr(body_part: str) -> tuple[Study, Reading]:
    study = make_mr_study(body_part)
    used = dict.fromkeys(m.volume_sha256 for m in make_mr_reading(study).label_maps)
    return study, make_mr_reading(study, volumes_read=tuple(used))


def _chest() -> tuple[Study, Reading]:
    study = make_study()
    film = study.volumes[0]
    lungs, heart = np.zeros((2, 64, 48), dtype=bool)
    lungs[20:50, 5:20], lungs[20:50, 30:44], heart[32:50, 14:35] = True, True, True
    reading = make_reading_of(study, volumes_read=(film.sha256,))
    masks = tuple(
        Mask.from_array(name, mask, reading.masks[0].image)
        for name, mask in (("lungs", lungs), ("heart", heart))
    )
    ratio = replace(reading.measurements[0], model=ANATOMY.name)
    return study, replace(
        reading, masks=masks, models=(*reading.models, ANATOMY), measurements=(ratio,)
    )
