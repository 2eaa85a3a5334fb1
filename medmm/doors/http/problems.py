"""What a program is told when it is refused, by one table from errors to statuses.

Source: RFC 9457 (problem details), RFC 9110 (statuses), RFC 6750 3 (bearer tokens); FHIR R4
OperationOutcome for addresses below `/fhir`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from medmm.domain.errors import HTTP_STATUS, InputError, MedmmError, PermissionDenied, StateError

PROBLEM, FHIR = "application/problem+json", "application/fhir+json"
FHIR_PLACE = "/fhir"
RETRY_S = 5
REALM = 'Bearer realm="medmm"'
CONDITION = "condition"  # in `where` of an act that does not say what was looked at


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what an error must be, hold in `where` and end with."""

    kind: type[MedmmError]
    status: int
    code: str  # FHIR R4 issue-type
    where: str | None = None
    ends: str = ""

    def fits(self, error: MedmmError) -> bool:
        """Tell whether an error is of this line."""
        if not isinstance(error, self.kind) or not error.problem.endswith(self.ends):
            return False
        return self.where is None or self.where in error.where


# The first line that fits counts. What is not narrowed has the status of the error tree.
TABLE = (
    Row(PermissionDenied, 401, "login", where="token"),
    Row(PermissionDenied, 403, "forbidden"),
    Row(InputError, 413, "too-costly", where="limit_bytes"),
    Row(InputError, 413, "too-costly", where="limit_files"),
    Row(InputError, 415, "not-supported", where="content_type"),
    Row(InputError, 404, "not-found", where="job"),
    Row(InputError, 404, "not-found", ends=" in the store"),
    # The Idempotency-Key HTTP Header Field (IETF draft), 2.7: a key with another content
    Row(StateError, 422, "duplicate", where="idempotency_key"),
    Row(StateError, 428, "required", where=CONDITION),
    Row(StateError, 412, "conflict", where="differs"),
    Row(StateError, 409, "conflict"),
    Row(InputError, 422, "invalid"),
)
_CODES = {400: "invalid", 404: "not-found", 405: "not-supported", 503: "transient"}


def status_of(error: MedmmError) -> tuple[int, str]:
    """Say with which status an error is answered, and which FHIR issue it is."""
    row = next((row for row in TABLE if row.fits(error)), None)
    if row is not None:
        return row.status, row.code
    status = next(code for kind, code in HTTP_STATUS.items() if isinstance(error, kind))
    return status, _CODES.get(status, "exception")


class Problem(BaseModel):
    """What went wrong (RFC 9457): `title` by kind, `detail` what, `where`, and the `remedy`."""

    model_config = ConfigDict(extra="allow")
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str | None = None
    where: dict[str, str] | None = None
    errors: list[dict[str, str]] | None = Field(default=None, description="what of the request")


def answer(
    request: Request,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Make the answer of a refusal: a problem, below `/fhir` an OperationOutcome."""
    kept_from_caches = {"cache-control": "no-store", **(headers or {})}
    if request.url.path.startswith(FHIR_PLACE):
        said = "; ".join(filter(None, (detail, more.get("remedy"))))
        issue = {"severity": "error", "code": code or _CODES.get(status, "invalid")}
        outcome = {
            "resourceType": "OperationOutcome",
            "issue": [{**issue, "diagnostics": said}],
        }
        return JSONResponse(outcome, status, headers=kept_from_caches, media_type=FHIR)
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **{name: value for name, value in more.items() if value},
    }
    return JSONResponse(problem, status, headers=kept_from_caches, media_type=PROBLEM)


async def of_error(request: Request, error: MedmmError) -> Response:
    """Answer an error of medmm; of a path it says the last name, not where things lie here."""
    status, code = status_of(error)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and request.url.path.startswith(FHIR_PLACE):
        status = HTTPStatus.BAD_REQUEST.value  # FHIR R4 http 3.1.0.1.5: of a resource alone is 422
    where = {name: value.rpartition("/")[2] for name, value in error.where.items()}
    said = {"remedy": error.remedy, "where": where}
    return answer(
        request, status, error.problem, code=code, headers=_headers(status, where), **said
    )


def _headers(status: int, where: Mapping[str, str]) -> dict[str, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        sent = where.get("token") != "missing"
        return {"www-authenticate": f'{REALM}, error="invalid_token"' if sent else REALM}
    if status == HTTPStatus.FORBIDDEN:
        return {"www-authenticate": f'{REALM}, error="insufficient_scope"'}
    return {"retry-after": str(RETRY_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


async def of_request(request: Request, error: RequestValidationError) -> Response:
    """Answer a request that is not as the API describes it; no value of it is repeated."""
    errors = [
        {"at": ".".join(str(part)[:60] for part in one["loc"]), "what": one["type"]}
        for one in error.errors()[:20]
    ]
    said = ", ".join(f"{one['at']} ({one['what']})" for one in errors)
    status = 400 if request.url.path.startswith(FHIR_PLACE) else 422
    return answer(
        request,
        status,
        f"the request is not as the API describes it: {said}",
        code="invalid",
        remedy="see /openapi.json",
        errors=errors,
    )


async def of_http(request: Request, error: HTTPException) -> Response:
    """Answer what the framework refuses: an unknown address, a method, a body too large."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    detail = HTTPStatus(error.status_code).phrase.lower()
    return answer(request, error.status_code, detail, headers=headers, remedy="see /openapi.json")


async def of_defect(request: Request, error: Exception) -> Response:
    """Answer a defect of medmm: nothing of it, which may quote what came."""
    remedy = "report it; the server tells of its kind and its place in the code"
    return answer(request, 500, "a defect of medmm", code="exception", remedy=remedy)


def add_to(app: FastAPI) -> None:
    """Have an application answer so."""
    handlers: dict[type[Exception], Any] = {  # each is handed errors of its kind alone
        MedmmError: of_error,
        RequestValidationError: of_request,
        HTTPException: of_http,
        Exception: of_defect,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe for OpenAPI which refusals an address may give, beside those that all may."""
    listed = sorted({401, 403, 422, 500, 503, *statuses})
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in listed
    }
