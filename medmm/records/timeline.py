"""The time cut: what was known when the image was made. The only place that decides it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from medmm.domain.identity import PatientIdentity
from medmm.domain.record import ClinicalContext, Fact, FactKind, FactStatus, Omission, Quantity
from medmm.domain.study import LAST_ZONE, StudyTime
from medmm.records.conflicts import with_conflicts
from medmm.records.document import RecordDocument
from medmm.records.periods import day_of

# A condition or an allergy without a date may be old news; anything else may be of tomorrow.
KEPT_UNDATED = (FactKind.CONDITION, FactKind.ALLERGY)
ENDED = "stated as active, but ended"
MAY_HAVE_ENDED = "it ended about that time: whether before or after can't be told"


def context_as_of(
    document: RecordDocument, *, patient_key: str, acquired: StudyTime | None
) -> ClinicalContext:
    """Select the facts known when the study was acquired; say what is left out.

    A fact with a time enters up to the acquisition; one with a date alone from the day before.
    Where the study has a date alone, its own day stays out; where it has none, only the patient's
    sex enters. Where its time zone is not known, a fact with a time enters only if it is earlier in
    every zone.
    """
    facts: list[Fact] = []
    left_out = list(document.left_out)
    for fact in document.facts:
        if reason := _too_late(fact, document.dated.get(fact.id, ()), acquired):
            left_out.append(Omission(source=fact.source, reason=reason))
        else:
            facts.append(_as_then(fact, document, acquired))
    patients = document.patients[:1] if len(document.patients) == 1 else ()
    return ClinicalContext(
        patient_key=patient_key,
        as_of=acquired.moment if acquired else None,
        facts=(
            *(f for patient in patients for f in _demographics(patient, acquired)),
            *_conflicting(facts, document),
        ),
        left_out=tuple(left_out),
        sha256=document.sha256,
        incomplete=document.incomplete,
    )


def join_questions(document: RecordDocument, acquired: StudyTime | None) -> tuple[str, ...]:
    """List what a person must confirm before this record joins a study of this time.

    The identities are asked beside it.
    """
    died = document.died
    if died is None or acquired is None or not _known_by(died, acquired):
        return document.questions
    return (*document.questions, "by the record the patient died before the study")


def known_by(document: RecordDocument, as_of: datetime | None) -> ClinicalContext:
    """Select the facts of a record known at a moment; all of them without one."""
    if as_of is None:
        return everything_in(document)
    when = StudyTime(moment=as_of, source_tag="as_of", precise=True)
    return context_as_of(document, patient_key="", acquired=when)


def everything_in(document: RecordDocument) -> ClinicalContext:
    """Return all facts of a record as they stand today, for a look and never for a draft."""
    now = StudyTime(moment=datetime.now(UTC), source_tag="now", precise=True)
    facts = [_ended_by(fact, document, now) for fact in document.facts]
    return ClinicalContext(
        patient_key="",
        as_of=None,
        facts=(
            *(f for patient in document.patients[:1] for f in _demographics(patient, None)),
            *_conflicting(facts, document),
        ),
        left_out=document.left_out,
        sha256=document.sha256,
        incomplete=document.incomplete,
    )


def _conflicting(facts: Iterable[Fact], document: RecordDocument) -> Iterable[Fact]:
    return with_conflicts(facts, document.sites, document.ended, document.dated)


def _too_late(
    fact: Fact, dated: tuple[datetime | date, ...], acquired: StudyTime | None
) -> str | None:
    """Say why a fact stays out; return None if it may enter.

    It must have been known by all that dates it.
    """
    if acquired is None:
        return "the study has no date, so nothing says that this was known before it"
    if fact.when is None:
        return None if fact.kind in KEPT_UNDATED else "undated"
    late = [when for when in (fact.when, *dated) if not _known_by(when, acquired)]
    if not late:
        return None
    if not acquired.zone_known and all(
        _known_by(when, replace(acquired, zone_known=True)) for when in late
    ):
        return "not surely before the study, whose time zone is not known"
    return "dated after the study, or on its day without a time"


def _known_by(when: datetime | date, acquired: StudyTime) -> bool:
    """Tell whether something had surely come by the study's earliest possible moment."""
    study_day = acquired.moment.date()
    if not isinstance(when, datetime):
        return when < study_day
    return when <= acquired.earliest if acquired.precise else when < acquired.earliest


def _not_yet_by(when: datetime | date, acquired: StudyTime) -> bool:
    """Tell whether something surely came after the study's latest possible moment."""
    study_day = acquired.moment.date()
    if not isinstance(when, datetime):
        return when > study_day
    latest = (
        acquired.moment
        if acquired.precise
        else datetime.combine(study_day, time.max, acquired.moment.tzinfo)
    )
    return when - latest > (timedelta() if acquired.zone_known else LAST_ZONE)


def _as_then(fact: Fact, document: RecordDocument, acquired: StudyTime | None) -> Fact:
    """Return the fact as it stood at the study, marked if it has no date."""
    if fact.when is None:
        fact = replace(fact, marks=(*fact.marks, "undated"))
    return _ended_by(fact, document, acquired) if acquired else fact


def _ended_by(fact: Fact, document: RecordDocument, acquired: StudyTime) -> Fact:
    """Return the fact as it stood then, by when it ended.

    What ended later was active, what ended before was not.

    Only what is active or over can change: what is refuted or unconfirmed stays that whenever it
    ended. A medicine that is inactive may have been stopped long before the end that was planned.
    """
    ended = document.ended.get(fact.id)
    changes = (
        FactStatus.ACTIVE,
        *((FactStatus.INACTIVE,) if fact.kind is FactKind.CONDITION else ()),
    )
    if ended is None or fact.status not in changes:
        return fact
    if _known_by(ended, acquired):
        if fact.status is FactStatus.INACTIVE:
            return fact
        return replace(
            fact,
            status=FactStatus.INACTIVE,
            marks=(*fact.marks, f"{ENDED}: {day_of(ended).isoformat()}"),
        )
    if _not_yet_by(document.ended_from.get(fact.id, ended), acquired):
        return replace(fact, status=FactStatus.ACTIVE)
    return replace(fact, status=FactStatus.UNCONFIRMED, marks=(*fact.marks, MAY_HAVE_ENDED))


def _demographics(patient: PatientIdentity, acquired: StudyTime | None) -> list[Fact]:
    facts = []
    if patient.sex is not None:
        words = {"M": "male", "F": "female", "O": "other"}[patient.sex]
        facts.append(_demographic("sex", "Sex", words))
    if (
        patient.birth_date is not None
        and acquired is not None
        and patient.birth_date <= acquired.moment.date()
    ):
        years = _whole_years(patient.birth_date, acquired.moment.date())
        facts.append(
            _demographic("age", "Age at the study", Quantity(value=float(years), unit="a"))
        )
    return facts


def _demographic(name: str, label: str, value: Quantity | str) -> Fact:
    return Fact(
        id=f"Patient#{name}", kind=FactKind.DEMOGRAPHIC, label=label, value=value, source="Patient"
    )


def _whole_years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
