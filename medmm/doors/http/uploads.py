"""Studies that are sent: spooled to the data folder as they come, then admitted.

Source: RFC 7578 (multipart/form-data).
"""

# FastAPI reads these annotations when addresses are made: they stay objects
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.domain.roles import require
from medmm.domain.study import NotEvaluable
from medmm.doors.http.calling import Call, Caller, Key
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.parts import Header, Parts, written
from medmm.doors.http.problems import refusals
from medmm.web.uploads import IMAGES, RECORD, Spool, Upload, Uploads

DICOM, ZIP, FORM = "application/dicom", "application/zip", "multipart/form-data"
UPLOADS = "/cases"
ROUND_A_FILE = 1 << 20  # bytes of a form beside its files
CLOSED = 400  # nobody is there to be told


class NotEvaluableAnswer(BaseModel):
    """Why a study was not let in; `held`: a person must look at it first."""

    study_uid: str | None
    reason_code: str
    reason: str
    held: bool


class UploadAnswer(BaseModel):
    """The case that was opened of a study, or why the gate let none in."""

    case_id: str | None
    study_uid: str | None
    warnings: list[dict[str, Any]]
    not_evaluable: NotEvaluableAnswer | None


class OneFile:
    """Takes a body that is one file: DICOM, or an archive of it."""

    def __init__(self, upload: Upload) -> None:
        self._spool = upload.receive(IMAGES, None, 0)

    def write(self, data: bytes) -> None:
        """Write what came."""
        self._spool.write(data)

    def finish(self) -> None:
        """Keep it as whole."""
        self._spool.keep()

    def close(self) -> None:
        """Remove what was not kept."""
        self._spool.end()


class Form(Parts):
    """Takes the parts of a form: `images`, any number of files or archives; and `record`."""

    def __init__(self, upload: Upload, boundary: bytes) -> None:
        super().__init__(boundary, _no_form())
        self._upload = upload
        self._spool: Spool | None = None

    def opened(self, headers: dict[bytes, Header]) -> None:
        """Begin the file that a part is. Raises: InputError for a part of another name."""
        _, said = headers.get(b"content-disposition", (b"", {}))
        part = said.get(b"name", b"").decode("ascii", "replace")
        if part not in (IMAGES, RECORD):
            raise InputError(
                "a part of the form that is not known",
                remedy=f"name each file {IMAGES}, and a FHIR Bundle {RECORD}",
            )
        self._spool = self._upload.receive(part, None, 0)

    def came(self, data: bytes) -> None:
        """Write a piece of the file."""
        if self._spool is not None:
            self._spool.write(data)

    def closed(self) -> None:
        """Keep the file as whole."""
        if self._spool is not None:
            spool, self._spool = self._spool, None
            try:
                spool.keep()
            finally:
                spool.end()

    def close(self) -> None:
        """Remove what was not kept."""
        if self._spool is not None:
            self._spool.end()


def _no_form() -> InputError:
    return InputError("the form is damaged or does not end", remedy="send it again, whole")


def _taken(request: Request, upload: Upload) -> OneFile | Form:
    """Choose how a body is taken by its kind. Raises: InputError for another kind."""
    kind, said = parse_options_header(request.headers.get("content-type"))
    if kind == FORM.encode() and said.get(b"boundary"):
        return Form(upload, said[b"boundary"])
    if kind.decode("ascii", "replace") in (DICOM, ZIP):
        return OneFile(upload)
    raise InputError(
        "a study of another kind", remedy=f"send {ZIP}, {DICOM} or {FORM}", content_type=""
    )


def upload_router(uploads: Uploads) -> APIRouter:
    """Make the address for studies, which lie with `uploads` until they are admitted."""
    made = APIRouter(tags=["cases"])

    @made.post(
        UPLOADS,
        status_code=201,
        response_model=UploadAnswer,
        responses={
            200: {"description": "The gate let no study in.", "model": UploadAnswer},
            **refusals(413, 415, 409),
        },
        openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
        operation_id="admit",
    )
    async def admit(request: Request, call: Caller, key: Key = None) -> Response:
        """Admit a study with its record, and open its case.

        Nothing is kept of what does not come whole.
        """
        require("admit", call.by)
        upload = await run_in_threadpool(uploads.begin, call.by.id)
        try:
            with upload.held():
                await _received(request, upload)
                return await run_in_threadpool(_admitted, call, upload, call.key(key))
        except ClientDisconnect:
            return Response(status_code=CLOSED)
        finally:
            await run_in_threadpool(upload.drop)

    return made


async def _received(request: Request, upload: Upload) -> None:
    """Write a body as it comes."""
    with ExitStack() as stack:
        taken = await run_in_threadpool(_taken, request, upload)
        stack.callback(taken.close)
        await written(request, taken)


def _admitted(call: Call, upload: Upload, key: str | None) -> Response:
    images = upload.path(IMAGES)
    if images is None:
        raise InputError("no image was sent", remedy=f"send files of one study as {IMAGES}")
    found = call.assistant.admit(images, record=upload.path(RECORD), by=call.by, key=key)
    said: dict[str, Any] = {"case_id": None, "study_uid": found.uid, "not_evaluable": None}
    said["warnings"] = to_json(found.warnings)
    if isinstance(found, NotEvaluable):
        refused = {"reason_code": found.reason_code, "reason": found.reason, "held": found.held}
        return JsonAnswer({**said, "not_evaluable": {"study_uid": found.uid, **refused}})
    again = None if key is None else f"{key}-case"
    case = call.assistant.open_case(found.uid, by=call.by, key=again)
    said["case_id"] = case.id
    return JsonAnswer(said, 201, headers={"location": f"/cases/{case.id}"})


_FILE = {"type": "string", "format": "binary"}
_CONTENT = {
    FORM: {
        "schema": {
            "type": "object",
            "required": [IMAGES],
            "properties": {
                IMAGES: {"type": "array", "items": _FILE, "minItems": 1},
                RECORD: {**_FILE, "description": "a FHIR R4 Bundle"},
            },
        }
    },
    ZIP: {"schema": _FILE},
    DICOM: {"schema": _FILE},
}
