"""Who calls, under which idempotency key, and on what they looked at before."""

# FastAPI reads these annotations when addresses are made: they stay objects
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import StringConstraints

from medmm.assistant import Assistant
from medmm.domain.errors import InputError, StateError
from medmm.domain.first_read import ReadingMode
from medmm.domain.report import CaseFile, Reader
from medmm.domain.roles import may
from medmm.domain.shown import Shown
from medmm.doors.http.problems import CONDITION
from medmm.web.access_tokens import AccessTokens, CallerDirectory, refused

BEARER = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    scheme_name="provider",
    description="An access token that the site's OpenID Connect provider made out for this API.",
)
JSON = "application/json"
NO_BODY = ("", "0")


@dataclass(frozen=True, slots=True)
class Door:
    """What all calls of one application share."""

    assistant: Assistant
    tokens: AccessTokens


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the assistant as it knows the caller alone, and the caller."""

    assistant: Assistant
    by: Reader

    def key(self, given: str | None) -> str | None:
        """Make a caller's idempotency key one of the assistant: nobody replays another's calls."""
        if given is None:
            return None
        return f"http-{sha256(f'{self.by.id} {given}'.encode()).hexdigest()}"

    def look(self, case_id: str) -> CaseFile:
        """Look at a case as this caller may: blind while a first read is still to be recorded."""
        assistant, by = self.assistant, self.by
        # The log is told by the look itself that a role may not
        mode = assistant.reading_mode(case_id, by=by) if may("case", by) else None
        blind = mode is ReadingMode.BLIND_FIRST
        return assistant.case(case_id, pixels=False, blind=blind, by=by)

    def seen(self, case_id: str, tag: str | None, *, needed: bool) -> Shown | None:
        """Bind an act to what its caller looked at, as the entity tag of the case says it.

        Returns: what is on the case if the tag still fits, else what the verb refuses.
        Raises: StateError if a tag is needed and missing.
        """
        if tag is None and not needed:
            return None
        if tag is None:
            raise StateError(
                "a signature says what it was given for",
                remedy="send If-Match with the ETag of the case as it was looked at",
                case=case_id,
                **{CONDITION: "missing"},
            )
        shown = Shown.of(self.look(case_id))
        if entity_tag(shown) in (one.strip() for one in tag.split(",")):
            return shown
        # No case is like this: the verb refuses it, unless it has done the same under this key
        return replace(shown, draft=None, draft_version=-1, report_version=-1, statements=())


def entity_tag(shown: Shown) -> str:
    """Write the entity tag of a case (RFC 9110 8.8.3)."""
    return f'"{shown.digest}"'


def _call(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> Call:
    if credentials is None:
        raise refused("missing")
    door: Door = request.app.state.door
    caller = door.tokens.caller(credentials.credentials)
    directory = CallerDirectory(caller, door.tokens.now)
    return Call(door.assistant.with_directory(directory), caller.reader)


def _json_alone(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "")
    empty = length in NO_BODY and "transfer-encoding" not in request.headers
    if sent != JSON and not (empty and not sent):
        raise InputError("a body of another kind than JSON", remedy=f"send {JSON}", content_type="")


Caller = Annotated[Call, Depends(_call)]
JsonAlone = Depends(_json_alone)
CaseId = Annotated[
    str,
    Path(description="Id of a case, as the worklist gives it.", pattern=r"^[A-Za-z0-9.-]{1,64}$"),
]
Key = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")] | None,
    Header(
        alias="Idempotency-Key",
        description="The same request under the same key is done once, and answered as the first "
        "time; another one under it is refused (422).",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1000, description="ETag of the case as it was looked at."),
]
