"""What all sessions of this process share: the assistant, and the cases that are open."""

from __future__ import annotations

import time

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.report import CaseFile, Reader
from medmm.web.browser_cookie import browser_of
from medmm.web.frame_links import CaseLinks
from medmm.web.opened_cases import OpenedCases


@st.cache_resource(show_spinner=False)
def open_assistant() -> Assistant:
    """Open one assistant for the pages and routes of this process."""
    return Assistant.from_config()


@st.cache_resource(show_spinner=False)
def opened_cases() -> OpenedCases:
    """Give the cases that readers have open here; the routes of frames serve no others."""
    return OpenedCases(open_assistant(), time.time)


def case_links(file: CaseFile, reader: Reader) -> CaseLinks:
    """Make the links of a case that this page has looked at, for the browser that shows it.

    They end after ten minutes at most: a page that stays open runs again before.
    """
    return opened_cases().links(file, reader, browser_of(st.context.cookies))
