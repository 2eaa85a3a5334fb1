"""Streamlit's server with the page of dictation, under the headers of the reading room."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from medmm.web.security_headers import SecurityHeaders, security_headers
from ui.server import SETTINGS, script_hashes

HEADERS = security_headers(script_hashes(), microphone=SETTINGS.dictation.on)
app = st.App(
    Path(__file__).with_name("page.py"), middleware=[Middleware(SecurityHeaders, headers=HEADERS)]
)
