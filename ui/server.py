"""The server of the reading room: Streamlit's pages, frames, reports, headers, a cookie.

`medmm ui` runs it by `streamlit run`, whose flags count there; under plain uvicorn they do not.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import config, file_util

from medmm.config import load_settings
from medmm.domain.errors import ConfigError
from medmm.web.browser_cookie import BrowserCookie
from medmm.web.frame_routes import RoutesFirst, frame_routes
from medmm.web.security_headers import SecurityHeaders, inline_script_hashes, security_headers
from ui.reading_room import opened_cases

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


def microphone() -> bool:
    """Tell whether pages may ask for a microphone: only where dictation is configured."""
    try:
        return load_settings().dictation.on
    except ConfigError:  # the pages say what is wrong with the settings
        return False


app = st.App(
    Path(__file__).with_name("app.py"),
    middleware=[
        Middleware(
            SecurityHeaders, headers=security_headers(script_hashes(), microphone=microphone())
        ),
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed_hosts(), www_redirect=False),
        Middleware(BrowserCookie),
        Middleware(RoutesFirst, routes=frame_routes(opened_cases)),
    ],
)
