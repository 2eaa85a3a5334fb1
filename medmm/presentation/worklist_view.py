"""A page of the worklist in words: each row, and why it stands where it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from medmm.domain.critical_result import CriticalResult
from medmm.domain.identity import PatientIdentity
from medmm.domain.patient_age import words as age_words
from medmm.domain.plain_text import clean
from medmm.domain.report import CaseSummary
from medmm.domain.vocabulary import finding_term
from medmm.domain.worklist import WorklistRow
from medmm.presentation.suspicion_words import listed_words

NO_NAME, NO_ID = "no name", "no ID"
NOT_SHOWN = "not shown to this role"
UNNAMED = "named after your first read"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistLine:
    """One row of the worklist; every field can be printed as it is.

    Attributes:
        place: after it the next page begins.
        age: at the study, with the sex.
        urgency: why it stands where it does, the weightiest reason first.
        reads: who holds the case, and since when.
        overdue: whether a critical finding should have been told by now.
    """

    case_id: str
    place: str
    name: str
    patient_id: str
    age: str
    accession: str
    urgency: str
    status: str
    study: str
    site: str
    acquired: str
    waiting: str
    reads: str
    suspected: str
    overdue: bool


def worklist_line(row: WorklistRow, at: datetime, readers: Mapping[str, str]) -> WorklistLine:
    """Put a row into words.

    Args:
        at: the time now.
        readers: names of readers by their ids.
    """
    case = row.case
    return WorklistLine(
        case_id=case.case_id,
        place=case.place,
        name=name_words(row.patient),
        patient_id=NOT_SHOWN if row.patient is None else clean(row.patient.patient_id or NO_ID),
        age=_age(row),
        accession=clean(row.accession or ""),
        urgency="; ".join(urgency_reasons(row, at)) or "routine",
        status=case.state.value,
        study=f"{case.modality} {clean(case.body_part)}",
        site=clean(case.site or ""),
        acquired=f"{case.acquired:%Y-%m-%d %H:%M}" if case.acquired else "date unknown",
        waiting=waiting_words(case, at),
        reads=_reads(case, readers),
        suspected=listed_words(case),
        overdue=row.critical is not None and row.critical.overdue(at),
    )


def name_words(patient: PatientIdentity | None) -> str:
    """Name a patient, family name first, whatever script it is in."""
    if patient is None:
        return NOT_SHOWN
    parts = (patient.family_name, patient.given_name)
    return clean(", ".join(part for part in parts if part)) or NO_NAME


def urgency_reasons(row: WorklistRow, at: datetime) -> Iterator[str]:
    """Say why a case stands where it does: critical findings, then the priority, then waiting."""
    case = row.case
    if row.critical is not None:
        yield critical_words(row, at)
    if case.priority is not None:
        yield f"{case.priority}, {clean(case.priority_reason or '')}".rstrip(", ")
    if waiting := waiting_words(case, at):
        yield f"waiting {waiting}"


def critical_words(row: WorklistRow, at: datetime) -> str:
    """Say which findings a person is to be told of, until when, and whom to try; "" if none."""
    result = row.critical
    if result is None:
        return ""
    findings = finding_words(result.findings)
    due = time_left_words(result, at)
    contact = f", try {clean(result.contact)}" if result.contact else ""
    return f"critical finding: {findings} (category {result.category}), {due}{contact}"


def finding_words(findings: Iterable[str]) -> str:
    """Name critical findings; those that a reader's first read comes before are not named."""
    return ", ".join(finding_term(name).words for name in findings) or UNNAMED


def time_left_words(result: CriticalResult, at: datetime) -> str:
    """Say how long there is to tell a critical result, or since when somebody should know."""
    if result.due is None:
        return "to be told once it is signed"
    left = result.due - at
    if left < timedelta(0):
        return f"{duration_words(-left)} overdue"
    return f"to be told within {duration_words(left)}"


def clock_words(result: CriticalResult, at: datetime) -> str:
    """Say the same in as few words as a table has room for: 40 min left."""
    if result.due is None:
        return "once signed"
    left = result.due - at
    return (
        f"{duration_words(-left)} overdue"
        if left < timedelta(0)
        else f"{duration_words(left)} left"
    )


def waiting_words(case: CaseSummary, at: datetime) -> str:
    """Say for how long a person is waited for; "" if nobody is."""
    return "" if case.waiting_since is None else duration_words(at - case.waiting_since)


def duration_words(time: timedelta) -> str:
    """Print a span of time by its two largest units, whole minutes down: 2 h 5 min."""
    minutes = max(int(time.total_seconds()) // 60, 0)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _age(row: WorklistRow) -> str:
    if row.patient is None:
        return NOT_SHOWN
    age = "age unknown" if row.age is None else age_words(row.age)
    return ", ".join(filter(None, (age, row.patient.sex or "sex unknown")))


def _reads(case: CaseSummary, readers: Mapping[str, str]) -> str:
    if case.assigned is None:
        return ""
    since = "" if case.assigned_since is None else f" since {case.assigned_since:%H:%M}"
    return f"{clean(readers.get(case.assigned, case.assigned))}{since}"
