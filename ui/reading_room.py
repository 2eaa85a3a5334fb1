"""What all sessions of this process share: assistant, sign-ins, cases that are open."""

from __future__ import annotations

import time

import streamlit as st

from medmm.assistant import Assistant
from medmm.config import load_settings
from medmm.domain.report import CaseFile, Reader
from medmm.web.browser_cookie import browser_of
from medmm.web.frame_links import CaseLinks, browser_digest
from medmm.web.left_words import LeftWords
from medmm.web.opened_cases import OpenedCases
from medmm.web.sign_ins import SessionDirectory, SignIns
from medmm.web.uploads import Uploads
from medmm.web.userinfo import UserInfo


@st.cache_resource(show_spinner=False)
def shared_assistant() -> Assistant:
    """Open one assistant for the pages and routes of this process."""
    return Assistant.from_config()


@st.cache_resource(show_spinner=False)
def sign_ins() -> SignIns | None:
    """Give who is signed in, in which browser; None in a demo, where nobody signs in."""
    settings = load_settings()
    entry = settings.sign_in
    if entry.metadata_url is None:
        return None
    source = UserInfo(entry.metadata_url) if entry.roles_from == "userinfo" else None
    return SignIns(entry, service=settings.actor, now=time.time, source=source)


@st.cache_resource(show_spinner=False)
def left_words() -> LeftWords:
    """Give what readers had typed when their sign-in ended."""
    return LeftWords(time.time)


@st.cache_resource(show_spinner=False)
def opened_cases() -> OpenedCases:
    """Give the cases that readers have open here; the routes of frames serve no others."""
    return OpenedCases(shared_assistant(), time.time, sign_ins())


@st.cache_resource(show_spinner=False)
def uploads() -> Uploads:
    """Give what readers send from their pages; it goes with this process."""
    settings = shared_assistant().settings
    return Uploads(settings.data_dir, settings.upload_bytes, time.time)


def upload_link(upload_id: str, reader: Reader) -> str:
    """Make the address to which this page sends files, for the browser that shows it."""
    return opened_cases().upload_link(upload_id, reader, browser_of(st.context.cookies))


def browser() -> str:
    """Tell the browser that shows the page by the digest of its cookie; "" if it takes none."""
    cookie = browser_of(st.context.cookies)
    return browser_digest(cookie) if cookie else ""


def open_assistant() -> Assistant:
    """Give the assistant of this page: where people sign in, that of who is signed in here.

    Its directory is asked at every verb, so that it does nothing for who is not signed in any more.
    """
    known = sign_ins()
    if known is None:
        return shared_assistant()
    return shared_assistant().with_directory(SessionDirectory(known, browser()))


def case_links(file: CaseFile, reader: Reader) -> CaseLinks:
    """Make the links of a case that this page has looked at, for the browser that shows it.

    They end after ten minutes at most: a page that stays open runs again before.
    """
    return opened_cases().links(file, reader, browser_of(st.context.cookies))
