"""What stands before the API: what came and how it went, bodies that stall, defects.

Pure ASGI, so that answers and bodies pass as they are.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import PurePath

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNKNOWN, DESCRIPTIONS = "no such address", ("/openapi.json", "/docs")
Tell = Callable[..., None]


class AccessLog:
    """Tells of each request its method, the address as the API describes it, status and time.

    No address as it was asked for, no query, no header: these may name a patient.
    """

    def __init__(self, app: ASGIApp, tell: Tell) -> None:
        self._app, self._tell = app, tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            defect = _defect(sys.exc_info()[1])
            status = status or (500 if defect else 0)
            said: dict[str, object] = {"method": _method(scope), "address": _address(scope)}
            said |= {"status": status, "ms": round((time.monotonic() - began) * 1000)}
            self._tell("answered", **said, **defect)


def _defect(error: BaseException | None) -> dict[str, object]:
    """Say of what kind an error is and where in the code it was raised; no value of it."""
    if error is None:
        return {}
    last = traceback.extract_tb(error.__traceback__)[-1]
    return {"defect": type(error).__name__, "at": f"{PurePath(last.filename).name}:{last.lineno}"}


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _address(scope: Scope) -> str:
    if scope["path"] in DESCRIPTIONS:
        return str(scope["path"])
    return getattr(scope.get("route"), "path", UNKNOWN)


class Bodies:
    """Ends a request whose body does not come on, or is too large.

    Args:
        seconds: within which more of it must come.
        most_bytes: of a body.
        elsewhere: other limits of what is sent, by address, or by the beginning of several that
            ends with a slash.
    """

    def __init__(
        self,
        app: ASGIApp,
        seconds: float,
        most_bytes: int,
        elsewhere: Mapping[str, int],
    ) -> None:
        self._app, self._seconds = app, seconds
        self._most_bytes, self._elsewhere = most_bytes, elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body only as long as it comes on and is not too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope)
        announced = Headers(scope=scope).get("content-length", "0")
        came, whole = 0, False

        async def coming() -> Message:
            nonlocal came, whole
            if whole:  # what comes then is the end of the connection, whenever that is
                return await receive()
            if announced.isdecimal() and int(announced[:20]) > limit:
                raise HTTPException(413)
            try:
                message = await asyncio.wait_for(receive(), self._seconds)
            except TimeoutError as error:
                raise HTTPException(408) from error
            came += len(message.get("body", b""))
            if came > limit:
                raise HTTPException(413)
            whole = not message.get("more_body", False)
            return message

        await self._app(scope, coming, send)

    def _limit(self, scope: Scope) -> int:
        path = scope["path"] if scope["method"] == "POST" else ""
        for place, most_bytes in self._elsewhere.items():
            if path == place or (place.endswith("/") and path.startswith(place)):
                return most_bytes
        return self._most_bytes
