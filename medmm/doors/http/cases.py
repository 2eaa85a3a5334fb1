"""Worklist and cases: looked at page by page, and one by one."""

# FastAPI reads these annotations when addresses are made: they stay objects
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from medmm.domain.case_state import CaseState
from medmm.domain.codec import to_json
from medmm.domain.identity import PatientIdentity
from medmm.domain.priority import Order, Priority
from medmm.domain.report import CaseFile
from medmm.domain.shown import Shown
from medmm.domain.study import Modality
from medmm.domain.worklist import CaseFilter, Worklist, WorklistRow
from medmm.doors.http.calling import Caller, CaseId, entity_tag
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.problems import refusals

MOST_ROWS, ROWS = 200, 20
Noun = dict[str, Any]  # as the noun of this name in `medmm.domain` is written, tagged with `type`


class PatientAnswer(BaseModel):
    """Who a patient is, as the image states it; for roles that may see identities."""

    patient_id: str | None
    issuer: str | None
    family_name: str | None
    given_name: str | None
    birth_date: date | None
    sex: str | None


class CaseLine(BaseModel):
    """A line of the worklist."""

    case_id: str
    study_uid: str
    patient_key: str
    modality: str
    body_part: str
    acquired: datetime | None
    state: str
    opened_at: datetime
    priority: str | None
    priority_reason: str | None
    waiting_since: datetime | None
    site: str | None
    assigned: str | None = Field(description="id of the reader who has claimed it")
    assigned_until: datetime | None
    critical_since: datetime | None
    suspected: list[str]
    withheld: bool = Field(description="whether `suspected` is left out before a first read")
    patient: PatientAnswer | None
    accession: str | None


class WorklistPage(BaseModel):
    """A page of the worklist."""

    cases: list[CaseLine]
    total: int = Field(description="on all pages")
    next: str | None = Field(description="`after` of the next page; null on the last one")


class CaseAnswer(BaseModel):
    """All that is known of a case, as far as this caller is to see it now."""

    case_id: str
    state: str
    patient_key: str
    study_uid: str
    blind: bool = Field(description="whether images and record alone are shown before a first read")
    case: Noun
    reading: Noun | None
    draft: Noun | None
    decisions: list[Noun]
    marks: list[Noun] = Field(description="what the checks have against readers' own words")
    report: Noun | None
    versions: list[str] = Field(description="ids of all versions of the report, oldest first")


router = APIRouter(tags=["cases"])
Filter = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.get("/cases", response_model=WorklistPage, responses=refusals())
def worklist(
    call: Caller,
    state: CaseState | None = None,
    modality: Modality | None = None,
    body_part: Filter = None,
    critical: bool | None = None,
    suspected: bool | None = None,
    priority: Priority | None = None,
    waiting: bool | None = None,
    site: Filter = None,
    assigned: Filter = None,
    acquired_from: date | None = None,
    acquired_to: date | None = None,
    search: Annotated[
        str, Query(max_length=200, description="parts of a name, a patient ID, order or Study UID")
    ] = "",
    sort: Order = Order.URGENCY,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = ROWS,
    after: Annotated[str | None, Query(max_length=300, description="`next` of a page")] = None,
) -> Response:
    """List a page of the worklist, by urgency or newest first.

    The log has one entry that names every case of the page.
    """
    wanted = CaseFilter(
        state=state,
        modality=modality,
        body_part=body_part,
        critical=critical,
        suspected=suspected,
        priority=priority,
        waiting=waiting,
        site=site,
        assigned=assigned,
        acquired_from=acquired_from,
        acquired_to=acquired_to,
    )
    found = call.assistant.worklist(
        wanted,
        search=search,
        limit=limit,
        after=after,
        order=sort,
        counted=False,
        by=call.by,
    )
    return JsonAnswer(_page(found, limit))


def _page(found: Worklist, limit: int) -> dict[str, Any]:
    full = len(found.rows) == limit < found.total
    return {
        "cases": [_line(row) for row in found.rows],
        "total": found.total,
        "next": found.rows[-1].case.place if full else None,
    }


def _line(row: WorklistRow) -> dict[str, Any]:
    case = row.case
    return {
        **{name: to_json(getattr(case, name)) for name in _OF_CASE},
        "patient": None if row.patient is None else _patient(row.patient),
        "accession": row.accession,
    }


def _patient(one: PatientIdentity) -> dict[str, Any]:
    return {name: to_json(getattr(one, name)) for name in PatientAnswer.model_fields}


_OF_CASE = [name for name in CaseLine.model_fields if name not in ("patient", "accession")]


@router.get("/cases/{case_id}", response_model=CaseAnswer, responses=refusals(404))
def case(call: Caller, case_id: CaseId) -> Response:
    """Look at a case, which the log tells of.

    Who is to record a first read sees images and record alone until then. The ETag goes into
    `If-Match` of what is done on what was seen.
    """
    file = call.look(case_id)
    headers = {} if file.blind else {"etag": entity_tag(Shown.of(file))}
    return JsonAnswer(case_answer(file), headers=headers)


def case_answer(file: CaseFile) -> dict[str, Any]:
    """Write a case as JSON, patient by key only."""
    return {
        "case_id": file.case.id,
        "state": file.state.value,
        "patient_key": file.case.study.patient_key,
        "study_uid": file.case.study.uid,
        "blind": file.blind,
        "case": to_json(file.case),
        "reading": to_json(file.reading),
        "draft": to_json(file.draft),
        "decisions": to_json(file.decisions),
        "marks": to_json(file.rechecked),
        "report": to_json(file.report),
        "versions": [one.id for one in file.versions],
    }


@router.get("/cases/{case_id}/history", response_model=list[Noun], responses=refusals(404))
def history(call: Caller, case_id: CaseId) -> Response:
    """List what happened to a case and its study, in keys and digests only."""
    return JsonAnswer(to_json(call.assistant.history(case_id, by=call.by)))
