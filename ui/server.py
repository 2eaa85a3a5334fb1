"""The server of the reading room: pages, frames, reports, uploads, headers, a cookie.

`medmm ui` runs it by `streamlit run`, whose flags count there; under plain uvicorn they do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import config, file_util

from medmm.config import Settings, load_settings
from medmm.web.browser_cookie import BrowserCookie
from medmm.web.frame_links import private_key
from medmm.web.frame_routes import RoutesFirst, frame_routes
from medmm.web.security_headers import SecurityHeaders, inline_script_hashes, security_headers
from medmm.web.sign_in_routes import CALLBACK, SignInCookies, session_routes
from medmm.web.upload_routes import upload_routes
from ui.reading_room import opened_cases, sign_ins, uploads
from ui.sign_in import PROVIDER

LOOPBACK = ("localhost", "127.0.0.1")


def allowed_hosts() -> list[str]:
    """List the names under which the server answers: those of the flags, else loopback.

    Streamlit itself asks for them of WebSockets alone.
    """
    return list(config.get_option("server.allowedHosts")) or list(LOOPBACK)


def script_hashes() -> tuple[str, ...]:
    """Hash the inline scripts of Streamlit's page, as it is installed here."""
    page = Path(file_util.get_static_dir(), "index.html")
    return inline_script_hashes(page.read_text(encoding="utf-8"))


def secrets_of_sign_in(settings: Settings) -> dict[str, Any]:
    """Say to Streamlit what `st.login` needs; nothing of it goes to a file of Streamlit's.

    In a demo that is nothing.

    Raises: ConfigError if there is no client secret; Unavailable if the key that signs the cookies
        can't be made or read.
    """
    entry = settings.sign_in
    if not entry.configured:
        return {}
    provider: dict[str, Any] = {
        "client_id": entry.client_id,
        "client_secret": entry.secret(),
        "server_metadata_url": entry.metadata_url,
        "client_kwargs": {"scope": entry.scope, "prompt": entry.prompt},
    }
    if entry.max_age_minutes is not None:
        provider["authorize_params"] = {"max_age": f"{60 * entry.max_age_minutes:.0f}"}
    tokens = {"expose_tokens": ["access"]} if entry.roles_from == "userinfo" else {}
    return {
        "auth": {
            "redirect_uri": f"http://{LOOPBACK[0]}:{{port}}{CALLBACK}",
            "cookie_secret": private_key(settings.data_dir / "sign-in.key").hex(),
            PROVIDER: provider,
            **tokens,
        }
    }


def middleware(settings: Settings) -> list[Middleware]:
    """List what stands before Streamlit, with sign-in where the settings name a provider."""
    routes, signing = frame_routes(opened_cases), []
    routes += upload_routes(opened_cases, uploads)
    if (known := sign_ins()) is not None:
        signing = [Middleware(SignInCookies, sign_ins=known)]
        routes = [*routes, *session_routes(known)]
    headers = security_headers(script_hashes(), microphone=settings.dictation.on)
    return [
        Middleware(SecurityHeaders, headers=headers),
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed_hosts(), www_redirect=False),
        *signing,
        Middleware(BrowserCookie),
        Middleware(RoutesFirst, routes=routes),
    ]


SETTINGS = load_settings()
# `streamlit run` finds an application by these words alone; else it runs this file as a page
app = st.App(
    Path(__file__).with_name("app.py"),
    secrets=secrets_of_sign_in(SETTINGS),
    middleware=middleware(SETTINGS),
)
