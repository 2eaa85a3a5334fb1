"""Routes that take the files of a study from a page, in parts, without holding them.

A request needs a link that was signed for this browser and its reader, whose role may admit, and
must come from a page of this server: the link stands in no other page, the cookie goes along from
no other site (SameSite=Strict), and the browser says where the request comes from (Origin, RFC
6454; Sec-Fetch-Site, Fetch Metadata of W3C).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from medmm.domain.errors import InputError, MedmmError, PermissionDenied
from medmm.domain.roles import require
from medmm.web.browser_cookie import browser_of
from medmm.web.frame_links import LinkKind
from medmm.web.frame_routes import CLOSED, NOT_KEPT, refused
from medmm.web.opened_cases import OpenedCases
from medmm.web.uploads import PARTS, Spool, Upload, Uploads

T = TypeVar("T")
AT_ONCE = 4  # threads that write
WRITTEN_BYTES = 1 << 20  # at a time
DRAINED_BYTES = 64 << 20  # of a refused file that are heard, so that its browser hears the answer
LEFT = "medmm-files-left"  # header: how many files come after this one
FILE = "application/octet-stream"


class UploadServer:
    """Takes files for the uploads of this process."""

    def __init__(self, opened: Callable[[], OpenedCases], uploads: Callable[[], Uploads]) -> None:
        self._opened, self._uploads = opened, uploads
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="medmm-upload")

    async def take(self, request: Request) -> Response:
        """Take a file, which is the body of the request."""
        body = request.stream()
        try:
            upload, part = await self._asked(request, changes=True)
            if request.headers.get("content-type") != FILE:
                raise InputError("a file comes as its bytes alone", remedy=f"send {FILE}")
            announced, left = _number(request, "content-length"), _number(request, LEFT) or 0
            spool = await self._done(partial(upload.receive, part, announced, left))
            try:
                await self._spooled(body, spool)
                await self._done(spool.keep)
            finally:
                spool.end()  # what did not come whole is removed, whatever ended it
        except ClientDisconnect:
            return Response(status_code=CLOSED)
        except MedmmError as error:
            await _drained(body)
            return refused(error)
        return _state(upload)

    async def _spooled(self, body: Any, spool: Spool) -> None:
        held = bytearray()
        async for chunk in body:
            held += chunk
            if len(held) >= WRITTEN_BYTES:
                await self._done(partial(spool.write, held))
                held = bytearray()
        await self._done(partial(spool.write, held))

    async def tell(self, request: Request) -> Response:
        """Say what has come, and how much may."""
        try:
            upload, _ = await self._asked(request, changes=False)
        except MedmmError as error:
            return refused(error)
        return _state(upload)

    async def clear(self, request: Request) -> Response:
        """Remove what has come of a part."""
        try:
            upload, part = await self._asked(request, changes=True)
            await self._done(partial(upload.clear, part))
        except MedmmError as error:
            return refused(error)
        return _state(upload)

    async def _asked(self, request: Request, *, changes: bool) -> tuple[Upload, str]:
        """Find the upload that a request is for.

        Raises: PermissionDenied if it comes from another site, its link opens nothing here, or the
            reader may not admit; StateError if there is no such upload; InputError if it names no
            part.
        """
        if changes:
            refuse_other_sites(request)
        part = request.path_params.get("part", PARTS[0])
        if part not in PARTS:
            raise InputError("no such part of an upload", remedy=f"send one of {', '.join(PARTS)}")
        token, cookie = request.path_params["token"], browser_of(request.cookies)
        return await self._done(partial(self._found, token, cookie)), part

    def _found(self, token: str, cookie: str) -> Upload:
        opened = self._opened()
        link = opened.signer.read(token, LinkKind.UPLOAD, cookie)
        require("admit", opened.reader(link))
        return self._uploads().find(link.source, link.reader)

    async def _done(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def upload_routes(opened: Callable[[], OpenedCases], uploads: Callable[[], Uploads]) -> list[Route]:
    """List the routes.

    Args:
        opened, uploads: give what this process shares; asked in a thread.
    """
    server, place = UploadServer(opened, uploads), f"/{LinkKind.UPLOAD.value}/{{token}}"
    return [
        Route(place, server.tell, methods=["GET"]),
        Route(f"{place}/{{part}}", server.take, methods=["POST"]),
        Route(f"{place}/{{part}}", server.clear, methods=["DELETE"]),
    ]


def refuse_other_sites(request: Request) -> None:
    """Refuse a request that no page of this server made.

    Raises: PermissionDenied if so, or if the browser does not say.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    here = site == "same-origin" if origin is None else urlsplit(origin).netloc == _host(request)
    if not here or site not in (None, "same-origin"):
        raise PermissionDenied(
            "the request does not come from a page of this server",
            remedy="send the files from the page itself",
        )


def _host(request: Request) -> str:
    return request.headers.get("host", "")


def _number(request: Request, header: str) -> int | None:
    text = request.headers.get(header, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


async def _drained(body: Any) -> None:
    """Hear the rest of a refused body, up to a point: who is cut off hears no answer."""
    heard = 0
    try:
        async for chunk in body:
            heard += len(chunk)
            if heard > DRAINED_BYTES:
                return
    except ClientDisconnect:
        return


def _state(upload: Upload) -> JSONResponse:
    said: dict[str, object] = {"limit_bytes": upload.limit_bytes}
    for part in PARTS:
        found = upload.received(part)
        said[part] = {"files": found.files, "bytes": found.bytes}
    return JSONResponse(said, headers=NOT_KEPT)
