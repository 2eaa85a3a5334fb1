"""Reports, studies and work in the words of FHIR R4, where it has them.

A case is one resource of each kind under its own id: its report in the version that counts, its
images, and the work on it. Source: FHIR R4 http, search, DiagnosticReport, ImagingStudy, Task.
"""

# FastAPI reads these annotations when addresses are made: they stay objects
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from medmm.domain.case_state import CaseState
from medmm.domain.errors import InputError, PermissionDenied
from medmm.domain.report import CaseFile, SignedReport
from medmm.domain.roles import may, require
from medmm.domain.version import __version__
from medmm.domain.worklist import CaseFilter
from medmm.doors.http.calling import Call, Caller, CaseId
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.problems import FHIR, refusals

DICOM_UID, DCM = "urn:dicom:uid", "http://dicom.nema.org/resources/ontology/DCM"
Json = dict[str, Any]
MOST, COUNT = 50, 10
# DiagnosticReport.status of FHIR R4 by the state of a case, in the order in which they are listed
STATES = {
    CaseState.SIGNED: ("final",),
    CaseState.AMENDED: ("amended", "corrected", "appended"),
    CaseState.WITHDRAWN: ("entered-in-error",),
}
Status = Literal["final", "amended", "corrected", "appended", "entered-in-error"]
# Task.status of FHIR R4
WORK = {
    CaseState.OPENED: "requested",
    CaseState.DRAFTED: "ready",
    CaseState.IN_REVIEW: "in-progress",
    CaseState.PRELIMINARY: "in-progress",
    CaseState.SIGNED: "completed",
    CaseState.AMENDED: "completed",
    CaseState.WITHDRAWN: "completed",
    CaseState.SUPERSEDED: "cancelled",
}

router = APIRouter(prefix="/fhir", tags=["FHIR R4"])
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {FHIR: {"schema": {"type": "object"}}}, "description": "The resource."},
    **{
        status: {
            "content": {FHIR: {"schema": {"type": "object"}}},
            "description": said["description"],
        }
        for status, said in refusals(400, 404).items()
        if status != 422
    },
}


@router.get("/metadata", response_class=Response, responses={200: ANSWERS[200]})
def metadata(request: Request) -> Response:
    """Say what of FHIR is spoken here; it takes no token."""
    searches = [
        {"name": "_id", "type": "token"},
        {"name": "identifier", "type": "token", "documentation": "Study UID or order number"},
        {"name": "patient.identifier", "type": "token", "documentation": "patient ID"},
        {"name": "status", "type": "token"},
    ]
    kinds = ("DiagnosticReport", "ImagingStudy", "Task")
    resources: list[Json] = [{"type": kind, "interaction": [{"code": "read"}]} for kind in kinds]
    resources[0]["interaction"].append({"code": "search-type"})
    resources[0]["searchParam"] = searches
    resources.append(
        {
            "type": "AuditEvent",
            "interaction": [{"code": "search-type"}],
            "searchParam": [{"name": "date", "type": "date"}],
        }
    )
    oauth = {
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "OAuth",
    }
    rest = {"mode": "server", "security": {"service": [{"coding": [oauth]}]}}
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-12-01",
        "kind": "instance",
        "software": {"name": "medmm", "version": __version__},
        "implementation": {"description": "medmm", "url": f"{request.base_url}fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{**rest, "resource": resources}],
    }
    return JsonAnswer(statement, media_type=FHIR)


@router.get("/DiagnosticReport/{case_id}", response_class=Response, responses=ANSWERS)
def read_report(call: Caller, case_id: CaseId) -> Response:
    """Give the signed report of a case in the version that counts, with all it refers to."""
    require("publish", call.by)
    found = _report(call, call.assistant.case(case_id, pixels=False, by=call.by))
    if found is None:
        raise InputError("no signed report of this case in the store", remedy="wait for it")
    version = found["meta"]["versionId"]
    return JsonAnswer(found, media_type=FHIR, headers={"etag": f'W/"{version}"'})


@router.get("/DiagnosticReport", response_class=Response, responses=ANSWERS)
def search_reports(
    request: Request,
    call: Caller,
    _id: Annotated[str | None, Query(alias="_id", pattern=r"^[A-Za-z0-9.-]{1,64}$")] = None,
    identifier: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    patient: Annotated[
        str | None, Query(alias="patient.identifier", min_length=1, max_length=200)
    ] = None,
    status: Annotated[str | None, Query(max_length=100)] = None,
    count: Annotated[int, Query(alias="_count", ge=1, le=MOST)] = COUNT,
    after: Annotated[str | None, Query(max_length=300, description="of a `next` link")] = None,
) -> Response:
    """Search signed reports: final ones first, then changed and withdrawn, newest first.

    What is searched for by an identifier says who it is: for roles that may see identities.
    """
    known = {"_id", "identifier", "patient.identifier", "status", "_count", "after", "_format"}
    if unknown := sorted(set(request.query_params) - known):
        raise InputError(
            "a search parameter that is not known here",
            remedy=f"search by {', '.join(sorted(known - {'after'}))}",
            parameter=", ".join(one[:40] for one in unknown[:5]),
        )
    require("publish", call.by)
    wanted = _statuses(status)
    if _id is not None:
        ids, following = [_id], None
    elif identifier is not None or patient is not None:
        ids, following = _identified(call, identifier, patient, wanted), None
    else:
        ids, following = _listed(call, wanted, count, after)
    files = (call.assistant.case(one, pixels=False, by=call.by) for one in ids)
    reports = [found for file in files if (found := _report(call, file)) is not None]
    return JsonAnswer(_searchset(request, reports, wanted, following), media_type=FHIR)


def _statuses(said: str | None) -> frozenset[str]:
    """Read the statuses that are searched for. Raises: InputError for another one."""
    all_known = frozenset(one for names in STATES.values() for one in names)
    wanted = frozenset(said.split(",")) if said else all_known
    if not wanted <= all_known:
        raise InputError(
            "a status that no signed report has", remedy=f"ask for {', '.join(sorted(all_known))}"
        )
    return wanted


def _listed(
    call: Call, wanted: frozenset[str], count: int, after: str | None
) -> tuple[list[str], str | None]:
    """List the cases of a page, and what the next one begins after."""
    states = [state for state, names in STATES.items() if wanted & set(names)]
    name, _, place = (after or "").partition("~")
    if after is not None:
        if name not in [state.value for state in states] or not place:
            raise InputError("a page that begins nowhere", remedy="follow the link `next`")
        states = states[[state.value for state in states].index(name) :]
    ids: list[str] = []
    last = ""
    for state in states:
        begins = place if state.value == name else None
        rows = call.assistant.cases(
            state=state, limit=count + 1 - len(ids), after=begins, by=call.by
        )
        for row in rows:
            if len(ids) == count:
                return ids, last
            ids.append(row.case_id)
            last = f"{state.value}~{row.case_id}"
        if len(ids) == count and state is not states[-1]:
            return ids, last  # the next page may be empty
    return ids, None


def _identified(
    call: Call, identifier: str | None, patient: str | None, wanted: frozenset[str]
) -> list[str]:
    """List the cases whose study, order or patient has exactly this identifier."""
    if not may("identity", call.by):
        raise PermissionDenied(
            "a search by an identifier says who it is",
            remedy="ask someone whose role may see identities",
            reader=call.by.id,
        )
    study = _value(identifier).removeprefix("urn:oid:") if identifier else None
    number = _value(patient) if patient else None
    found = []
    for state, names in STATES.items():
        if not wanted & set(names):
            continue
        page = call.assistant.worklist(
            CaseFilter(state=state), search=study or number or "", limit=MOST, by=call.by
        )
        for row in page.rows:
            of_study = study in (None, row.case.study_uid, row.accession)
            of_patient = number is None or (row.patient and row.patient.patient_id == number)
            if of_study and of_patient:
                found.append(row.case.case_id)
    return found[:MOST]


def _value(token: str) -> str:
    return token.rpartition("|")[2]


def _searchset(
    request: Request, reports: list[Json], wanted: frozenset[str], following: str | None
) -> Json:
    base = f"{request.base_url}fhir/DiagnosticReport"
    links = [{"relation": "self", "url": str(request.url)}]
    if following is not None:
        url = request.url.include_query_params(after=following)
        links.append({"relation": "next", "url": str(url)})
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": [
            {"fullUrl": f"{base}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in reports
            if one["status"] in wanted
        ],
    }


def _report(call: Call, file: CaseFile) -> Json | None:
    """Give the report of a case with all it refers to contained; None if none is signed."""
    if file.report is None:
        return None
    said = json.loads(call.assistant.render(file.report.id, format="fhir", by=call.by))
    return contained_report(said, file.case.id, file.report)


def contained_report(bundle: Json, case_id: str, report: SignedReport) -> Json:
    """Make one resource of a report's Bundle, with what it refers to and what vouches for it.

    Args:
        bundle: as it is sent to a FHIR server.
        case_id: the id that the resource has here.
    """
    named: dict[str, Json] = {one["fullUrl"]: one["resource"] for one in bundle["entry"]}
    root = next(url for url, one in named.items() if one["resourceType"] == "DiagnosticReport")
    ids = {url: url.rpartition(":")[2] for url in named}
    ids[root] = ""  # `#` is the resource that contains
    reached: list[str] = []
    vouching = [url for url, one in named.items() if root in _references(one) and url != root]
    waiting = [root, *vouching]
    while waiting:
        url = waiting.pop(0)
        if url not in reached:
            reached.append(url)
            waiting += [other for other in _references(named[url]) if other in named]
    within = [{**_local(named[url], ids), "id": ids[url]} for url in reached if url != root]
    meta = {"versionId": str(report.version), "lastUpdated": report.signed_at.isoformat()}
    body = _local(named[root], ids)
    meta = {**body.pop("meta", {}), **meta}
    return {
        "resourceType": body.pop("resourceType"),
        "id": case_id,
        "meta": meta,
        "contained": within,
        **body,
    }


def _references(value: Any) -> Iterator[str]:
    """List what a resource refers to within its Bundle."""
    if isinstance(value, dict):
        if isinstance(found := value.get("reference"), str) and found.startswith("urn:uuid:"):
            yield found
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _local(value: Any, ids: dict[str, str]) -> Any:
    """Copy a value with references that lead to what is contained."""
    if isinstance(value, dict):
        return {
            name: f"#{ids[one]}" if name == "reference" and one in ids else _local(one, ids)
            for name, one in value.items()
        }
    return [_local(one, ids) for one in value] if isinstance(value, list) else value


@router.get("/ImagingStudy/{case_id}", response_class=Response, responses=ANSWERS)
def read_study(call: Caller, case_id: CaseId) -> Response:
    """Give the images that a case was opened of; the log tells of a look at these alone."""
    study = call.assistant.case(case_id, pixels=False, blind=True, by=call.by).case.study
    series: dict[str, Json] = {}
    for volume in study.volumes:
        one = series.setdefault(
            volume.series_uid,
            {"uid": volume.series_uid, "modality": _modality(study.modality.value), "instance": []},
        )
        code = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{volume.sop_class_uid}"}
        one["instance"] += [{"uid": uid, "sopClass": code} for uid in volume.sop_uids]
    for one in series.values():
        one["numberOfInstances"] = len(one["instance"])
    resource: Json = {
        "resourceType": "ImagingStudy",
        "id": case_id,
        "identifier": [{"system": DICOM_UID, "value": f"urn:oid:{study.uid}"}],
        "status": "available",
        "subject": _subject(study.patient_key),
        "modality": [_modality(study.modality.value)],
        "numberOfSeries": len(series),
        "numberOfInstances": sum(one["numberOfInstances"] for one in series.values()),
        "series": list(series.values()),
    }
    return JsonAnswer(resource, media_type=FHIR)


def _modality(code: str) -> Json:
    return {"system": DCM, "code": code}


def _subject(patient_key: str) -> Json:
    return {"type": "Patient", "identifier": {"value": patient_key}}


@router.get("/Task/{case_id}", response_class=Response, responses=ANSWERS)
def read_task(call: Caller, case_id: CaseId) -> Response:
    """Give the work on a case: how far it is; the log tells of a look at images alone."""
    file = call.assistant.case(case_id, pixels=False, blind=True, by=call.by)
    resource: Json = {
        "resourceType": "Task",
        "id": case_id,
        "status": WORK[file.state],
        "businessStatus": {"text": file.state.value},
        "intent": "order",
        "code": {"text": "Read the images and report"},
        "focus": {"reference": f"ImagingStudy/{case_id}"},
        "for": _subject(file.case.study.patient_key),
    }
    if file.state in STATES:
        report = {"reference": f"DiagnosticReport/{case_id}"}
        resource["output"] = [{"type": {"text": "report"}, "valueReference": report}]
    return JsonAnswer(resource, media_type=FHIR)
