"""The audit log as FHIR AuditEvents, for whoever collects the logs of many systems.

Source: FHIR R4 search, AuditEvent; IHE Basic Audit Log Patterns 1.1, which the events follow.
"""

# FastAPI reads these annotations when addresses are made: they stay objects
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from medmm.domain.errors import InputError
from medmm.doors.http.calling import Caller
from medmm.doors.http.fhir import ANSWERS
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.problems import FHIR
from medmm.presentation.fhir_audit_event import AuditSource, audit_events

MOST, COUNT = 1000, 100
KNOWN = {"date", "_count", "after", "_format"}

router = APIRouter(prefix="/fhir", tags=["FHIR R4"])


@router.get("/AuditEvent", response_class=Response, responses=ANSWERS)
def search_audit_events(
    request: Request,
    call: Caller,
    date: Annotated[
        list[Annotated[str, Query(max_length=60)]],
        Query(max_length=2, description="`ge` or `lt` and an instant with its zone"),
    ] = [],  # noqa: B006 - FastAPI copies it
    count: Annotated[int, Query(alias="_count", ge=1, le=MOST, description="entries")] = COUNT,
    after: Annotated[int, Query(ge=0, le=2**53, description="number of an entry")] = 0,
) -> Response:
    """Search the audit log in its order: an AuditEvent for each patient of an entry, by key.

    `_count` counts entries of the log, of which one may be several events.
    """
    if unknown := sorted(set(request.query_params) - KNOWN):
        raise InputError(
            "a search parameter that is not known here",
            remedy=f"search by {', '.join(sorted(KNOWN))}",
            parameter=", ".join(one[:40] for one in unknown[:5]),
        )
    since, until = _span(date)
    found = call.assistant.audit_trail(
        since=since, until=until, after=after, limit=count, by=call.by
    )
    site = call.assistant.settings.site or "medmm"
    source = AuditSource(installation=found.installation, site=site)
    events = [made for one in found.events for made in audit_events(one, source)]
    links = [{"relation": "self", "url": str(request.url)}]
    if found.after is not None:
        url = request.url.include_query_params(after=found.after)
        links.append({"relation": "next", "url": str(url)})
    base = f"{request.base_url}fhir/AuditEvent"
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": [
            {"fullUrl": f"{base}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in events
        ],
    }
    return JsonAnswer(bundle, media_type=FHIR)


def _span(said: list[str]) -> tuple[datetime | None, datetime | None]:
    """Read from when and until when events are asked for. Raises: InputError for other words."""
    found: dict[str, datetime] = {}
    for one in said:
        try:
            at = datetime.fromisoformat(one[2:])
        except ValueError:
            at = None
        if one[:2] not in ("ge", "lt") or one[:2] in found or at is None or at.tzinfo is None:
            raise InputError(
                "a date that is not known here",
                remedy="give date=ge… and date=lt…, each once, with an instant and its zone",
            )
        found[one[:2]] = at
    return found.get("ge"), found.get("lt")
