"""The time cut: what was known when the image was made. The only place that decides it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time

from medmm.domain.identity import PatientIdentity
from medmm.domain.record import ClinicalContext, Fact, FactKind, FactStatus, Omission, Quantity
from medmm.domain.study import StudyTime
from medmm.records.document import RecordDocument

# A condition or an allergy without a date may be old news; anything else without a date may be of tomorrow.
KEPT_UNDATED = (FactKind.CONDITION, FactKind.ALLERGY)


def context_as_of(document: RecordDocument, *, patient_key: str, acquired: StudyTime | None) -> ClinicalContext:
    """The facts of a record that were known when the study was acquired; the rest is left out and said.

    A fact with a time enters up to the acquisition; one with a date alone from the day before. Where the study has a
    date alone, its own day stays out; where it has none, only the patient's sex enters.
    """
    facts: list[Fact] = []
    left_out = list(document.left_out)
    for fact in document.facts:
        if reason := _too_late(fact, document.dated.get(fact.id, ()), acquired):
            left_out.append(Omission(source=fact.source, reason=reason))
        else:
            facts.append(_as_then(fact, document.ended.get(fact.id), acquired))
    patients = document.patients[:1] if len(document.patients) == 1 else ()
    return ClinicalContext(
        patient_key=patient_key,
        as_of=acquired.moment if acquired else None,
        facts=(*(f for patient in patients for f in _demographics(patient, acquired)), *facts),
        left_out=tuple(left_out),
        sha256=document.sha256,
    )


def everything_in(document: RecordDocument) -> ClinicalContext:
    """All facts of a record whatever their date, to be looked at; never the context of a draft."""
    return ClinicalContext(
        patient_key="",
        as_of=None,
        facts=(*(f for patient in document.patients[:1] for f in _demographics(patient, None)), *document.facts),
        left_out=document.left_out,
        sha256=document.sha256,
    )


def _too_late(fact: Fact, dated: tuple[datetime | date, ...], acquired: StudyTime | None) -> str | None:
    """Why a fact stays out, or None. It must have been known by all that dates it."""
    if acquired is None:
        return "the study has no date, so nothing says that this was known before it"
    if fact.when is None:
        return None if fact.kind in KEPT_UNDATED else "undated"
    return (
        None
        if all(_known_by(when, acquired) for when in (fact.when, *dated))
        else "dated after the study, or on its day without a time"
    )


def _known_by(when: datetime | date, acquired: StudyTime) -> bool:
    study_day = acquired.moment.date()
    if not isinstance(when, datetime):
        return when < study_day
    if acquired.precise:
        return when <= acquired.moment
    return when < datetime.combine(study_day, time.min, tzinfo=acquired.moment.tzinfo)


def _as_then(fact: Fact, ended: datetime | date | None, acquired: StudyTime | None) -> Fact:
    """The fact as it stood at the study: what ended later was still active, and what has no date says so."""
    if fact.when is None:
        fact = replace(fact, marks=(*fact.marks, "undated"))
    if ended and acquired and fact.status is FactStatus.INACTIVE and not _known_by(ended, acquired):
        fact = replace(fact, status=FactStatus.ACTIVE)
    return fact


def _demographics(patient: PatientIdentity, acquired: StudyTime | None) -> list[Fact]:
    facts = []
    if patient.sex is not None:
        words = {"M": "male", "F": "female", "O": "other"}[patient.sex]
        facts.append(_demographic("sex", "Sex", words))
    if patient.birth_date is not None and acquired is not None and patient.birth_date <= acquired.moment.date():
        years = _whole_years(patient.birth_date, acquired.moment.date())
        facts.append(_demographic("age", "Age at the study", Quantity(value=float(years), unit="a")))
    return facts


def _demographic(name: str, label: str, value: Quantity | str) -> Fact:
    return Fact(id=f"Patient#{name}", kind=FactKind.DEMOGRAPHIC, label=label, value=value, source="Patient")


def _whole_years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
