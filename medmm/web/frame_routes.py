"""Routes of frames, drawn pictures, overlays and reports, beside a page or an interface.

Every answer but the health check needs a link that was signed for this browser. Errors are JSON
with the problem and the remedy, and never name a patient.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from medmm.domain.errors import (
    InputError,
    IntegrityError,
    MedmmError,
    PermissionDenied,
    StateError,
    Unavailable,
)
from medmm.domain.study import Volume
from medmm.domain.version import __version__
from medmm.presentation.drawn_frame import DrawnAs, drawn_frame
from medmm.presentation.overlays import overlay_pixels, overlay_volume
from medmm.presentation.viewer_data import frame_body
from medmm.web.browser_cookie import browser_of
from medmm.web.decoding_threads import DecodingThreads
from medmm.web.frame_links import FrameLink, LinkKind
from medmm.web.opened_cases import OpenedCases

# An answer may be kept by this browser alone, and asks here each time whether its link still holds
CACHE = {"cache-control": "private, no-cache", "vary": "cookie"}
NOT_KEPT = {"cache-control": "no-store"}
WHOLE = "all"  # the slice that stands for every one
CLOSED = 499  # the browser went away; nobody sees it
FORMS = {
    "text": ("text/plain; charset=utf-8", "report.txt"),
    "json": ("application/json", "report.json"),
    "fhir": ("application/fhir+json", "report.fhir.json"),
}
_STATUS: tuple[tuple[type[MedmmError], int], ...] = (
    (PermissionDenied, 403),
    (IntegrityError, 409),
    (StateError, 409),
    (Unavailable, 503),
    (InputError, 422),
)
# What the place of an error says more narrowly than its kind
_NARROWER = {
    "missing": 410,  # a kept file is not there any more
    "limit_bytes": 413,
    "limit_files": 413,
    "disk": 507,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route gives: a body, or only its tag where the browser has it already."""

    body: bytes = b""
    media_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, taken apart before any work begins."""

    kind: LinkKind
    token: str
    part: str
    query: QueryParams
    cookie: str
    tags: tuple[str, ...]

    @classmethod
    def of(cls, request: Request, kind: LinkKind) -> Asked:
        """Take a request apart."""
        tags = request.headers.get("if-none-match", "").split(",")
        return cls(
            kind=kind,
            token=request.path_params["token"],
            part=request.path_params.get("part", ""),
            query=request.query_params,
            cookie=browser_of(request.cookies),
            tags=tuple(tag.strip().removeprefix("W/") for tag in tags),
        )

    def index(self, text: str) -> int:
        """Read the number of a slice. Raises: InputError if it is none."""
        if not (text.isascii() and text.isdigit() and len(text) <= 6):
            raise InputError("the slice is no number", remedy="count slices from 0")
        return int(text)


class FrameServer:
    """Answers requests over the cases that are open; each method may block."""

    def __init__(self, opened: Callable[[], OpenedCases]) -> None:
        self._opened = opened

    def answer(self, asked: Asked) -> Answer:
        """Check the link of a request and answer it.

        Raises: MedmmError of every kind; see `_STATUS`.
        """
        opened = self._opened()
        link = opened.signer.read(asked.token, asked.kind, asked.cookie)
        work = {
            LinkKind.FRAMES: self._frame,
            LinkKind.PICTURES: self._picture,
            LinkKind.OVERLAY: self._overlay,
            LinkKind.REPORT: self._report,
        }[asked.kind]
        try:
            return work(opened, link, asked)
        except OSError as error:
            raise Unavailable(
                f"the file can't be read now: {type(error).__name__}", remedy="try again"
            ) from error

    def _frame(self, opened: OpenedCases, link: FrameLink, asked: Asked) -> Answer:
        volume, index = _volume(opened, link), asked.index(asked.part)
        return _tagged(asked, (volume.sha256, str(index)), lambda: _frame_answer(volume, index))

    def _picture(self, opened: OpenedCases, link: FrameLink, asked: Asked) -> Answer:
        volume, index = _volume(opened, link), asked.index(asked.part)
        drawn = DrawnAs.of(dict(asked.query))

        def make() -> Answer:
            body = drawn_frame(volume.stored_frame(index), drawn, volume.pixel_aspect)
            return Answer(body=body, media_type=drawn.media_type)

        return _tagged(asked, (volume.sha256, str(index), repr(drawn)), make)

    def _overlay(self, opened: OpenedCases, link: FrameLink, asked: Asked) -> Answer:
        file, asked_for = opened.file(link), asked.query.get("slice", "0")
        if asked_for == WHOLE:
            return _whole(asked, overlay_volume(file, link.source))
        pixels = overlay_pixels(file, link.source, asked.index(asked_for))
        body = pixels.tobytes()
        found = Answer(body=body, headers=_shape(pixels.shape))
        return _tagged(asked, (_digest(body), repr(pixels.shape)), lambda: found)

    def _report(self, opened: OpenedCases, link: FrameLink, asked: Asked) -> Answer:
        if asked.part not in FORMS:
            raise InputError(
                "no such format of a report", remedy=f"ask for one of {', '.join(FORMS)}"
            )
        media_type, name = FORMS[asked.part]
        reader = opened.reader(link)
        text = opened.assistant_of(link).render(link.source, format=asked.part, by=reader)
        headers = {"content-disposition": f'attachment; filename="{name}"', **NOT_KEPT}
        return Answer(body=text.encode(), media_type=media_type, headers=headers)


def _volume(opened: OpenedCases, link: FrameLink) -> Volume:
    volume = opened.file(link).case.study.volume(link.series)
    if volume is None:
        raise PermissionDenied(
            "the case has no such series now", remedy="open the case again", case=link.case
        )
    return volume


def _frame_answer(volume: Volume, index: int) -> Answer:
    return Answer(body=frame_body(volume.stored_frame(index)))


def _whole(asked: Asked, pixels: NDArray[np.uint8]) -> Answer:
    """Answer with all slices of an overlay, packed: of a byte a voxel little is left."""
    body = pixels.tobytes()

    def make() -> Answer:
        packed = gzip.compress(body, compresslevel=1, mtime=0)
        return Answer(body=packed, media_type="application/gzip", headers=_shape(pixels.shape))

    return _tagged(asked, (_digest(body), repr(pixels.shape)), make)


def _shape(shape: tuple[int, ...]) -> dict[str, str]:
    """Name the lengths of an array of ([slices,] rows, columns)."""
    names = ("medmm-columns", "medmm-rows", "medmm-slices")
    return {name: str(length) for name, length in zip(names, reversed(shape), strict=False)}


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _tagged(asked: Asked, of: Iterable[str], make: Callable[[], Answer]) -> Answer:
    """Answer with the tag of what the answer is made of; nothing is made that is known."""
    text = "\n".join((__version__, asked.kind.value, *of))
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    known = tag in asked.tags
    found = Answer() if known else make()
    return Answer(
        body=found.body,
        media_type=found.media_type,
        headers={**CACHE, **found.headers},
        tag=tag,
        known=known,
    )


def frame_routes(
    opened: Callable[[], OpenedCases], threads: DecodingThreads | None = None
) -> list[Route]:
    """List the routes.

    Args:
        opened: gives the cases that are open; asked in a thread, since it may open the store.
    """
    server, pool = FrameServer(opened), threads or DecodingThreads()

    def route(path: str, kind: LinkKind) -> Route:
        async def endpoint(request: Request) -> Response:
            asked = Asked.of(request, kind)
            try:
                answer = await pool.done(request, lambda: server.answer(asked))
            except MedmmError as error:
                return refused(error)
            return Response(status_code=CLOSED) if answer is None else _response(answer)

        return Route(f"/{kind.value}/{path}", endpoint, methods=["GET"])

    return [
        Route("/health", _health, methods=["GET"]),
        route("{token}/{part}", LinkKind.FRAMES),
        route("{token}/{part}", LinkKind.PICTURES),
        route("{token}", LinkKind.OVERLAY),
        route("{token}/{part}", LinkKind.REPORT),
    ]


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__}, headers=NOT_KEPT)


def _response(answer: Answer) -> Response:
    headers = {**answer.headers, **({"etag": answer.tag} if answer.tag else {})}
    if answer.known:
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type=answer.media_type, headers=headers)


def refused(error: MedmmError) -> JSONResponse:
    """Say what went wrong and what helps, with the status of the error."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    status = next((code for place, code in _NARROWER.items() if place in error.where), status)
    headers = {**NOT_KEPT, **({"retry-after": "1"} if status == 503 else {})}
    said = {"problem": error.problem, "remedy": error.remedy}
    return JSONResponse(said, status_code=status, headers=headers)


class RoutesFirst:
    """Serves routes before the application; pure ASGI.

    As routes of `st.App` they would pass through its compression, which packs every answer of raw
    bytes (level 5, see docs/dashboard.md): a film then takes a second longer.
    """

    def __init__(self, app: ASGIApp, routes: list[Route]) -> None:
        self._app = app
        self._router = Router(routes, default=app, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request by a route, else by the application."""
        serve = self._router if scope["type"] == "http" else self._app
        await serve(scope, receive, send)
