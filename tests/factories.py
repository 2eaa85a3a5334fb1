"""Small hand-made nouns for tests: one frontal film, MR studies, one record, one reading, one draft, one report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from medmm.domain.draft import (
    Assertion,
    Author,
    AuthorKind,
    Case,
    CheckedDraft,
    Draft,
    FactEvidence,
    MeasurementEvidence,
    Outcome,
    RegionEvidence,
    ScoreEvidence,
    Section,
    Statement,
    Verdict,
)
from medmm.domain.frame_reference import FrameReference, frame_of
from medmm.domain.reading import Finding, Mask, Measurement, ModelIdentity, Reading, Region, Side
from medmm.domain.record import (
    ClinicalContext,
    Coding,
    Fact,
    FactKind,
    FactStatus,
    Omission,
    Quantity,
)
from medmm.domain.report import (
    Accept,
    CaseFile,
    CaseState,
    Decision,
    Reader,
    SeriesReference,
    SignedReport,
    SignedStatement,
    StudyReference,
)
from medmm.domain.report_kind import ReportKind
from medmm.domain.study import (
    ChosenSequence,
    Modality,
    Notice,
    SequenceRole,
    Study,
    StudyTime,
    View,
    Volume,
)
from medmm.domain.vocabulary import SNOMED_CT, finding_term
from tests import mr_phantoms, mr_readings

STUDY_UID = "1.2.826.0.1.3680043.8.498.1"
SERIES_UID = "1.2.826.0.1.3680043.8.498.2"
SOP_UID = "1.2.826.0.1.3680043.8.498.3"
DX_STORAGE = (
    "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage - For Presentation, PS3.4 B.5
)
FILM = FrameReference(volume_sha256="a" * 64, sop_uid=SOP_UID)  # of `make_volume`
MODEL = ModelIdentity(name="chest-test", manifest_sha256="0" * 64)
WRITER = Author(kind=AuthorKind.WRITER, id="rule-writer")
ATTENDING = Reader(id="reader-1", name="ZZREADER One", role="attending")
SECOND = Reader(id="reader-2", name="ZZREADER Two", role="attending")
SIGNED_AT = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)


def make_volume(**changes: Any) -> Volume:
    """A PA film of 64 x 48 pixels, the patient's left on the image's right; a seeded ramp as pixels."""
    pixels = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(1, 64, 48)
    volume = Volume(
        series_uid=SERIES_UID,
        sop_class_uid=DX_STORAGE,
        sop_uids=(SOP_UID,),
        sha256="a" * 64,
        shape_zyx=(1, 64, 48),
        spacing_yx_mm=(0.2, 0.2),
        patient_left_on="right",
        view=View.PA,
        loader=lambda: pixels,
    )
    return replace(volume, **changes)


def make_study(**changes: Any) -> Study:
    """A chest radiograph acquired on 2026-01-02 at 08:15 with one PA film."""
    study = Study(
        uid=STUDY_UID,
        patient_key="pk-" + "1" * 32,
        modality=Modality.RADIOGRAPH,
        body_part="CHEST",
        acquired=StudyTime(
            moment=datetime(2026, 1, 2, 8, 15, tzinfo=UTC),
            source_tag="AcquisitionDateTime",
            precise=True,
        ),
        volumes=(make_volume(),),
    )
    return replace(study, **changes)


def make_fact(kind: FactKind, label: str, **changes: Any) -> Fact:
    """One fact; its id comes from kind and label unless `id` is given."""
    fact_id = changes.pop("id", f"{kind.value}/{label.lower().replace(' ', '-')}")
    return Fact(id=fact_id, kind=kind, label=label, source=f"entry {fact_id}", **changes)


def make_facts() -> tuple[Fact, ...]:
    """Facts of every sort a chest draft meets: active, inactive, refuted, doubtful, out of range."""
    day = date(2025, 12, 30)
    return (
        make_fact(
            FactKind.DEMOGRAPHIC, "Age", id="Patient/p1#age", value=Quantity(value=64, unit="a")
        ),
        make_fact(FactKind.DEMOGRAPHIC, "Sex", id="Patient/p1#sex", value="female"),
        make_fact(
            FactKind.ORDER, "Chest radiograph", id="ServiceRequest/r1", value="Cough and fever"
        ),
        make_fact(
            FactKind.CONDITION,
            "Heart failure",
            id="Condition/c1",
            codings=(Coding(system=SNOMED_CT, code="84114007", display="Heart failure"),),
            when=date(2024, 5, 1),
        ),
        make_fact(FactKind.CONDITION, "Tuberculosis", id="Condition/c2", status=FactStatus.REFUTED),
        make_fact(
            FactKind.CONDITION, "Appendicitis", id="Condition/c3", status=FactStatus.INACTIVE
        ),
        make_fact(
            FactKind.OBSERVATION,
            "C-reactive protein",
            id="Observation/o1",
            value=Quantity(value=87.0, unit="mg/L", low=0.0, high=5.0),
            when=day,
        ),
        make_fact(
            FactKind.OBSERVATION,
            "Sodium",
            id="Observation/o2",
            value=Quantity(value=139.0, unit="mmol/L", low=135.0, high=145.0),
            when=day,
        ),
        make_fact(
            FactKind.OBSERVATION,
            "Hemoglobin",
            id="Observation/o3",
            value=Quantity(value=1400.0, unit="g/L", low=120.0, high=160.0),
            when=day,
            marks=("implausible value",),
        ),
    )


def make_context(facts: tuple[Fact, ...] | None = None, **changes: Any) -> ClinicalContext:
    """The record of the same patient as of the film."""
    context = ClinicalContext(
        patient_key="pk-" + "1" * 32,
        as_of=datetime(2026, 1, 2, 8, 15, tzinfo=UTC),
        facts=make_facts() if facts is None else facts,
        left_out=(Omission(source="entry[7] Claim/x", reason="not clinical"),),
        sha256="b" * 64,
    )
    return replace(context, **changes)


def make_case(**changes: Any) -> Case:
    """The film with its record; `context=None` for a film alone."""
    return replace(Case(id="case-1", study=make_study(), context=make_context()), **changes)


def make_region(side: Side | None = Side.LEFT) -> Region:
    """A region low on the patient's side (image right for left)."""
    x0 = 0.15 if side is Side.RIGHT else 0.55
    box = (0.15, 0.55, 0.85, 0.9) if side is Side.BILATERAL else (x0, 0.55, x0 + 0.3, 0.9)
    peak = ((box[0] + box[2]) / 2, 0.7)
    return Region(peak_xy=peak, box_xyxy=box, heat=((0, 64), (128, 255)), side=side, image=FILM)


def make_finding(name: str, probability: float, threshold: float = 0.3, **changes: Any) -> Finding:
    """A finding of the vocabulary with its codes; may be denied below half its operating point; `region` if given."""
    changes.setdefault("rule_out", threshold / 2)
    return Finding(
        name=name,
        probability=probability,
        threshold=threshold,
        codings=finding_term(name).codings,
        **changes,
    )


def make_ratio(value: float = 0.54) -> Measurement:
    """A cardiothoracic ratio with an interval of 0.03 either side."""
    return Measurement(
        name="cardiothoracic ratio",
        value=value,
        unit="1",
        interval=(round(value - 0.03, 3), round(value + 0.03, 3)),
        model=MODEL.name,
    )


def make_reading(**changes: Any) -> Reading:
    """Two suspected findings with regions, one undecided, one far below its operating point."""
    lung = np.zeros((64, 48), dtype=bool)
    lung[20:50, 5:20] = True
    reading = Reading(
        study_uid=STUDY_UID,
        models=(MODEL,),
        findings=(
            make_finding("Effusion", 0.62, 0.35, region=make_region(Side.LEFT)),
            make_finding("Cardiomegaly", 0.41, 0.25, region=make_region(Side.BILATERAL)),
            make_finding("Nodule", 0.18, 0.2, region=make_region(Side.RIGHT)),
            make_finding("Pneumothorax", 0.01, 0.15),
        ),
        measurements=(make_ratio(),),
        masks=(Mask.from_array("right lung", lung, FILM),),
    )
    return replace(reading, **changes)


def make_reading_of(study: Study, **changes: Any) -> Reading:
    """The reading of `make_reading` as one of another film: the frontal one of a study, or its first image."""
    film = frame_of(study.frontal or study.volumes[0])
    reading = make_reading(study_uid=study.uid, **changes)
    findings = tuple(
        replace(f, region=f.region and replace(f.region, image=film)) for f in reading.findings
    )
    masks = tuple(replace(mask, image=film) for mask in reading.masks)
    return replace(reading, findings=findings, masks=masks)


def make_statements() -> tuple[Statement, ...]:
    """One statement a section, and one measurement, as a writer would draft them for `make_case`."""
    score = ScoreEvidence(finding="Effusion", probability=0.62, threshold=0.35, model=MODEL.name)
    region = RegionEvidence(
        finding="Effusion", box_xyxy=make_region().box_xyxy, side=Side.LEFT, image=FILM
    )
    return (
        Statement(
            id="s1",
            section=Section.CLINICAL_INFORMATION,
            text="Reported in the record: heart failure.",
            assertion=Assertion.REPORTED,
            evidence=(FactEvidence(fact_id="Condition/c1", source="entry Condition/c1"),),
        ),
        Statement(
            id="s2",
            section=Section.FINDINGS,
            text="Possible left pleural effusion.",
            assertion=Assertion.POSSIBLE,
            evidence=(score, region),
            finding="Effusion",
            side=Side.LEFT,
        ),
        Statement(
            id="s3",
            section=Section.FINDINGS,
            text="Cardiothoracic ratio 0.54 (95 % interval 0.51 to 0.57).",
            assertion=Assertion.PRESENT,
            evidence=(
                MeasurementEvidence(
                    name="cardiothoracic ratio", value=0.54, unit="1", interval=(0.51, 0.57)
                ),
            ),
        ),
        Statement(
            id="s4",
            section=Section.IMPRESSION,
            text="Possible left pleural effusion.",
            assertion=Assertion.POSSIBLE,
            evidence=(score, region),
            finding="Effusion",
            side=Side.LEFT,
            summarises="s2",
        ),
    )


def make_draft(**changes: Any) -> Draft:
    """A draft of four statements for `make_case`."""
    draft = Draft(
        id="draft-1",
        case_id="case-1",
        writer="rule-writer",
        author=WRITER,
        statements=make_statements(),
        not_evaluated=("fractures", "comparison with earlier images"),
        models=(MODEL,),
        warnings=(Notice(code="test-warning", text="A warning that travels."),),
    )
    return replace(draft, **changes)


def make_checked_draft(draft: Draft | None = None, failed: tuple[str, ...] = ()) -> CheckedDraft:
    """The draft with hand-made verdicts; the statements named in `failed` fail check G2."""
    draft = draft or make_draft()
    verdicts = tuple(
        Verdict(
            check=check,
            statement_id=statement.id,
            outcome=Outcome.FAILED if check == "G2" and statement.id in failed else Outcome.PASSED,
            reason="hand-made",
        )
        for statement in draft.statements
        for check in ("G1", "G2")
    )
    return CheckedDraft(draft=draft, verdicts=verdicts)


def make_study_reference(study: Study | None = None) -> StudyReference:
    """The study without its pixels."""
    study = study or make_study()
    return StudyReference(
        uid=study.uid,
        modality=study.modality.value,
        acquired=study.acquired.moment if study.acquired else None,
        series=tuple(
            SeriesReference(
                uid=v.series_uid,
                modality=study.modality.value,
                sop_class_uid=v.sop_class_uid,
                sop_uids=v.sop_uids,
            )
            for v in study.volumes
        ),
    )


def make_signed_report(**changes: Any) -> SignedReport:
    """What `make_draft` becomes when the reader accepts all of it and edits the last statement."""
    statements = tuple(
        SignedStatement(
            id=s.id,
            section=s.section,
            text="Possible small left pleural effusion." if s.id == "s4" else s.text,
            assertion=s.assertion,
            finding=s.finding,
            side=s.side,
            evidence=s.evidence,
            drafted_text=s.text if s.id == "s4" else None,
        )
        for s in make_statements()
    )
    report = SignedReport(
        id="report-1",
        case_id="case-1",
        study=make_study_reference(),
        patient_key="pk-" + "1" * 32,
        version=1,
        statements=statements,
        not_evaluated=("fractures", "comparison with earlier images"),
        signed_by=ATTENDING,
        signed_at=SIGNED_AT,
        draft_id="draft-1",
        writer="rule-writer",
        models=(MODEL,),
    )
    return replace(report, **changes)


def make_amended_report(report: SignedReport | None = None, **changes: Any) -> SignedReport:
    """The next version of a report: an amendment by another reader a day later."""
    report = report or make_signed_report()
    number = report.version + 1
    made = replace(
        report,
        id=f"report-{number}",
        version=number,
        kind=ReportKind.AMENDMENT,
        replaces=report.id,
        first=report.root,
        reason="Seen again beside the film of 2024.",
        signed_by=SECOND,
        signed_at=report.signed_at + timedelta(days=1),
    )
    return replace(made, **changes)


def make_case_file(
    state: CaseState = CaseState.DRAFTED,
    *,
    draft: CheckedDraft | None = None,
    decisions: tuple[Decision, ...] = (),
    report: SignedReport | None = None,
) -> CaseFile:
    """A case as a reader opens it; OPENED has neither reading nor draft, SIGNED has all."""
    drafted = state is not CaseState.OPENED
    if state is CaseState.SIGNED:
        decisions = decisions or tuple(Accept(s.id) for s in make_statements())
        report = report or make_signed_report()
    return CaseFile(
        case=make_case(),
        state=state,
        reading=make_reading() if drafted else None,
        draft=(draft or make_checked_draft()) if drafted else None,
        decisions=decisions,
        report=report,
    )


MR_MODEL = ModelIdentity(name="mr-test", manifest_sha256="1" * 64)


def make_mr_study(body_part: str = "BRAIN", *, oriented: bool = True, **changes: Any) -> Study:
    """A made-up MR study: BRAIN with FLAIR and T1, HEART with both phases, HIPPOCAMPUS with cut-outs of both sides."""
    volumes = {
        "BRAIN": lambda: mr_phantoms.head(oriented=oriented)[0],
        "HEART": lambda: mr_phantoms.heart()[0],
        "HIPPOCAMPUS": lambda: mr_phantoms.hippocampi()[0],
    }[body_part]()
    roles = {v.sequence.role: v.sha256 for v in volumes if v.sequence}
    study = make_study(
        modality=Modality.MR,
        body_part=body_part,
        volumes=volumes,
        sequences=tuple(
            ChosenSequence(role=r, volume_sha256=sha, reason="the only one")
            for r, sha in roles.items()
        ),
        missing=(SequenceRole.T1_CONTRAST,) if body_part == "BRAIN" else (),
    )
    return replace(study, **changes)


def make_mr_reading(study: Study, **changes: Any) -> Reading:
    """What a network would give for a study of `make_mr_study`: labels, and all that follows from them."""
    return replace(
        Reading(study_uid=study.uid, models=(MR_MODEL,), **mr_readings.read(study)), **changes
    )


def make_mr_case(study: Study | None = None, **changes: Any) -> Case:
    """An MR study without a record."""
    return replace(Case(id="case-1", study=study or make_mr_study()), **changes)
