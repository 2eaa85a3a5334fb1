"""The application: addresses, what stands before them, and what describes them."""

# FastAPI reads these annotations when addresses are made: they stay objects
import json
import threading
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from fastapi import FastAPI, Response
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from medmm.assistant import Assistant
from medmm.domain.version import __version__
from medmm.doors.http import acts, audit, cases, fhir, jobs, problems, reports
from medmm.doors.http.calling import Door
from medmm.doors.http.limits import AccessLog, Bodies, Tell
from medmm.doors.http.problems import PROBLEM, Problem
from medmm.doors.http.uploads import ROUND_A_FILE, UPLOADS, upload_router
from medmm.web.access_tokens import AccessTokens
from medmm.web.security_headers import SecurityHeaders
from medmm.web.uploads import Uploads

if TYPE_CHECKING:
    from medmm.doors.dicom.spool import Spool

# No answer is a page that loads, runs or sends anything
HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",  # over plain HTTP no client heeds it
}
ABOUT = (
    "Verbs of medmm for programs, each as the person of the token. Research software, not a "
    "medical device: it drafts, a clinician decides."
)
STUDIES = "/dicom-web/studies"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Described(FastAPI):
    """An application whose description names the problems that it answers with."""

    def openapi(self) -> dict[str, object]:
        """Describe the addresses (OpenAPI 3.1)."""
        if self.openapi_schema is None:
            found = super().openapi()
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
        return self.openapi_schema or found


def made_app(
    assistant: Assistant,
    tokens: AccessTokens,
    *,
    tell: Tell,
    stopping: threading.Event | None = None,
    hosts: tuple[str, ...] = LOOPBACK,
    spool: "Spool | None" = None,
    now: Callable[[], float] = time.time,
) -> FastAPI:
    """Make the application for an assistant.

    Args:
        tokens: say who calls.
        tell: told of each request.
        stopping: set when the server ends; then no answer goes on.
        hosts: names under which it answers.
        spool: takes instances that come by STOW-RS; without it there is no such address.
        now: gives seconds, for uploads.
    """
    settings = assistant.settings
    app = Described(
        title="medmm",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(AccessLog, tell=tell),
            Middleware(SecurityHeaders, headers=HEADERS),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            Middleware(
                Bodies,
                seconds=settings.serve.stalled_seconds,
                most_bytes=settings.serve.body_bytes,
                elsewhere={
                    UPLOADS: settings.upload_bytes + ROUND_A_FILE,
                    STUDIES: settings.listen.association_bytes,
                    f"{STUDIES}/": settings.listen.association_bytes,
                },
            ),
        ],
        redirect_slashes=False,
        generate_unique_id_function=_name,
        responses={
            status: {"description": words, "content": {PROBLEM: {}}}
            for status, words in ((400, "Bad Request"), (408, "Request Timeout"))
        },
    )
    problems.add_to(app)
    app.state.door = Door(assistant, tokens)
    app.state.stopping = threading.Event() if stopping is None else stopping
    uploads = Uploads(settings.data_dir, settings.upload_bytes, now)
    for router in (
        cases.router,
        upload_router(uploads),
        acts.router(),
        jobs.router,
        reports.router,
        fhir.router,
        audit.router,
    ):
        app.include_router(router)
    if spool is not None:
        from medmm.doors.http.stow import stow_router  # pynetdicom

        app.include_router(stow_router(spool, assistant.sop_classes, tell))
    app.add_api_route("/docs", _page(app), include_in_schema=False)
    return app


def _name(route: APIRoute) -> str:
    return route.name


def _page(app: FastAPI) -> Callable[[], Response]:
    """Make a page that lists the addresses; it loads nothing, be it from here."""

    def docs() -> Response:
        rows = [
            f"<tr><td>{escape(method.upper())}</td><td><code>{escape(place)}</code></td>"
            f"<td>{escape(said.get('summary', ''))}</td></tr>"
            for place, methods in json.loads(json.dumps(app.openapi()))["paths"].items()
            for method, said in methods.items()
        ]
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>medmm API</title>'
            f"<h1>medmm API {escape(__version__)}</h1><p>{escape(ABOUT)} Described in "
            '<a href="/openapi.json">openapi.json</a>.</p><table><tr><th>Method</th>'
            f"<th>Address</th><th>What it does</th></tr>{''.join(rows)}</table></html>"
        )
        return Response(page, media_type="text/html; charset=utf-8")

    return docs
