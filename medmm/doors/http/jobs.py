"""Drafts as jobs: begun, asked about, and told of as they go.

Source: RFC 9110 15.3.3 (202 Accepted); HTML Living Standard 9.2 (server-sent events).
"""

# FastAPI reads these annotations when addresses are made: they stay objects
import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from medmm.domain.draft_progress import DraftProgress
from medmm.domain.errors import InputError, MedmmError
from medmm.doors.http.acts import Body
from medmm.doors.http.calling import Call, Caller, CaseId, JsonAlone, Key
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.problems import refusals, status_of

KIND = "draft-"  # an id of a job names its case
EVERY_S, BEAT_S = 0.5, 15.0
EVENTS = "text/event-stream"
EVENT = {  # OpenAPI 3.2 4.14.4
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["progress", "problem"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,80}$")]


class DraftBody(Body):
    """Whether a case that has a draft is drafted anew."""

    again: bool = True


class Sentence(BaseModel):
    """A sentence as it is being written; no check has seen it."""

    section: str
    text: str


class JobAnswer(BaseModel):
    """How far a draft is."""

    job_id: str
    case_id: str
    by: str = Field(description="id of who asked for it")
    began: datetime
    stage: str
    going: bool
    sentences: list[Sentence] = Field(description="unchecked; for who has looked at the case")
    problem: str
    remedy: str


router = APIRouter(tags=["jobs"])


@router.post(
    "/cases/{case_id}/draft",
    status_code=202,
    response_model=JobAnswer,
    responses=refusals(404, 409, 413, 415),
    dependencies=[JsonAlone],
    operation_id="begin_draft",
)
def begin_draft(call: Caller, case_id: CaseId, body: DraftBody, key: Key = None) -> Response:
    """Have a case drafted; the job tells how far it is, and how it ended."""
    progress = call.assistant.begin_draft(case_id, again=body.again, by=call.by, key=call.key(key))
    said = _job(progress)
    return JsonAnswer(said, 202, headers={"location": f"/jobs/{said['job_id']}"})


@router.get("/jobs/{job_id}", response_model=JobAnswer, responses=refusals(404))
def job(call: Caller, job_id: JobId) -> Response:
    """Say how far a draft is. What was begun before the server started is not known any more."""
    return JsonAnswer(_job(_progress(call, job_id)))


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "`progress` with a job as its data whenever it changed, until it ended; "
            "`problem` if it can't be told any more.",
            "content": {EVENTS: {"itemSchema": EVENT}},
        },
        **refusals(404),
    },
)
def events(request: Request, call: Caller, job_id: JobId) -> Response:
    """Tell how far a draft is as server-sent events."""
    first = _progress(call, job_id)
    stopping: threading.Event = request.app.state.stopping
    return StreamingResponse(
        _told(call, job_id, first, stopping),
        media_type=EVENTS,
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _told(
    call: Call, job_id: str, progress: DraftProgress, stopping: threading.Event
) -> AsyncIterator[str]:
    told: dict[str, Any] | None = None
    beat = time.monotonic()
    while True:
        said = _job(progress)
        if said != told:
            told, beat = said, time.monotonic()
            yield _event("progress", said)
        elif time.monotonic() - beat > BEAT_S:
            beat = time.monotonic()
            yield ": still going\n\n"
        if not progress.going or stopping.is_set():
            return
        await asyncio.sleep(EVERY_S)
        try:
            progress = await run_in_threadpool(_progress, call, job_id)
        except MedmmError as error:
            detail = {"status": status_of(error)[0], "detail": error.problem}
            yield _event("problem", {**detail, "remedy": error.remedy})
            return


def _event(kind: str, said: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(said)}\n\n"


def _progress(call: Call, job_id: str) -> DraftProgress:
    case_id = job_id.removeprefix(KIND)
    found = call.assistant.draft_progress(case_id, by=call.by) if case_id != job_id else None
    if found is None:
        raise InputError(
            "no such job is known here", remedy="look at the case: it shows its draft", job=job_id
        )
    return found


def _job(progress: DraftProgress) -> dict[str, Any]:
    return {
        "job_id": f"{KIND}{progress.case_id}",
        "case_id": progress.case_id,
        "by": progress.by,
        "began": progress.began.isoformat(),
        "stage": progress.stage.value,
        "going": progress.going,
        "sentences": [
            {"section": one.section.value, "text": one.text} for one in progress.sentences
        ],
        "problem": progress.problem,
        "remedy": progress.remedy,
    }
