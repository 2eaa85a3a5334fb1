"""Who reads: by sign-in at the site's provider, or, without one, as a demo that says so."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from medmm.assistant import Assistant
from medmm.domain.errors import MedmmError, PermissionDenied
from medmm.domain.report import Reader
from medmm.domain.session_event import SessionEvent
from medmm.web.left_words import LeftPage
from medmm.web.sign_ins import Ended, SessionState, SignIns, identity_digest
from ui.presenter import error_lines, inert, sign_in_words
from ui.reading_room import browser, left_words, shared_assistant, sign_ins

PROVIDER = "oidc"
OF_TAB = "signed in"  # in the session: id of the reader whose page this tab shows
FAILED = "sign_in"
EVERY_MS = 15_000  # between two looks of the page at its sign-in
DEMO = """<div role="note" style="position:fixed;z-index:999990;top:0;left:50%;\
transform:translateX(-50%);background:#8a1c1c;color:#fff;font-weight:700;padding:.15rem 1.2rem;\
border-radius:0 0 .5rem .5rem;letter-spacing:.04em">DEMO · no sign-in: anyone here can act as any \
reader</div>"""


def signed_in(assistant: Assistant) -> Reader | None:
    """Find who reads, or show what is needed to find out; then nothing else may be shown."""
    known = sign_ins()
    if known is None:
        return _demo_reader(assistant)
    here = browser()
    try:
        if known.awaited(here) and st.user.get("is_logged_in"):
            _let_in(known, here, assistant)
        reader = known.reader(here)
        known.tell(shared_assistant().note_session)
    except PermissionDenied as error:
        state = known.state(here)
        left = _leave()
        _show_signing_in(known, state, error, left=left)
        known.tell(shared_assistant().note_session)
        return None
    except MedmmError as error:
        st.error("  \n".join(error_lines(error)))
        return None
    if st.session_state.get(OF_TAB, reader.id) != reader.id:  # another person, in another tab
        _leave()
    if OF_TAB not in st.session_state:
        _come_back(reader)
    known.acted(here)
    _watch(known, open_now=True)
    with st.sidebar:
        st.title("medmm", anchor=False)
        st.caption(f"{inert(reader.name)} · {inert(reader.role)}")
        st.button("Sign out", key="sign out", icon=":material/logout:", on_click=_sign_out)
    return reader


def _demo_reader(assistant: Assistant) -> Reader | None:
    """Ask who reads, of the configured readers."""
    st.html(DEMO)
    with st.sidebar:
        st.title("medmm", anchor=False)
        reader = st.selectbox(
            "Reader",
            assistant.readers(),
            format_func=lambda r: f"{r.name} · {r.role}",
            key="reader",
        )
        st.caption(
            "**Demo without sign-in**: whoever sits here acts as this reader. "
            "`sign_in` in the settings ends that."
        )
        if reader is not None and reader.unnamed:
            st.caption(
                ":orange[This reader can't sign: put your own name under `readers:` in the "
                "settings.]"
            )
    if reader is None:
        st.info("Nobody may review yet: add a reader under `readers:` in the configuration.")
    return reader


def _let_in(known: SignIns, here: str, assistant: Assistant) -> None:
    """Let in who has just signed in; nobody is in who is not in the log."""
    reader = known.admit(here, identity_digest(st.context.cookies), *_said_of_user())
    try:
        assistant.note_session(SessionEvent.SIGNED_IN, reader.id, by=reader)
    except MedmmError:
        known.end(here)
        raise


def _said_of_user() -> tuple[Mapping[str, object], str]:
    """Take the claims, and the access token where it is asked for."""
    said: dict[str, Any] = st.user.to_dict()
    tokens = said.pop("tokens", None) or {}
    return said, str(tokens.get("access", ""))


def _show_signing_in(
    known: SignIns, state: SessionState, error: PermissionDenied, *, left: bool | None
) -> None:
    """Say why nobody is signed in, and how to."""
    _watch(known, open_now=False)
    failed = st.query_params.get(FAILED) is not None
    again = state.ended is not Ended.NOBODY or left is not None
    st.title("medmm", anchor=False)
    if error.where.get("session") in ("no role", "no id", "no name"):
        st.error("  \n".join(error_lines(error)))
    elif failed:
        st.error("The provider did not sign you in. Try again, or ask who runs your accounts.")
    elif again:
        st.warning(inert(error.problem.capitalize()) + ".")
    if left is not None:
        st.info(sign_in_words(kept=left))
    st.button(
        "Sign in again" if again else "Sign in",
        key="sign in",
        type="primary",
        icon=":material/login:",
        on_click=_sign_in,
    )


def _sign_in() -> None:
    st.login(PROVIDER)


def _sign_out() -> None:
    """End the sign-in here, then at the provider where it offers that."""
    known = sign_ins()
    if known is not None:
        _leave()
        known.end(browser())
    st.logout()


def _leave() -> bool | None:
    """Keep what this tab's reader had typed, and forget all that the tab shows.

    Returns: whether it is kept; None if nobody had this tab.
    """
    reader = st.session_state.get(OF_TAB)
    if reader is None:
        return None
    fields = {
        str(key): value
        for key, value in st.session_state.items()
        if isinstance(value, str) and value.strip() and key != OF_TAB
    }
    page = LeftPage(fields=fields, query=dict(st.query_params))
    kept = left_words().keep(reader, page)
    _forget()
    return kept


def _come_back(reader: Reader) -> None:
    """Begin a tab of a reader, where the reader left off."""
    st.session_state[OF_TAB] = reader.id
    st.query_params.pop(FAILED, None)
    page = left_words().take(reader.id)
    if page is None:
        return
    for key, text in page.fields.items():
        st.session_state.setdefault(key, text)
    for name, value in page.query.items():
        if name != FAILED:
            st.query_params[name] = value


def _forget() -> None:
    for key in list(st.session_state):
        del st.session_state[key]


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.session_watch", js="session_watch.js")


def _watch(known: SignIns, *, open_now: bool) -> None:
    """Have the page say that somebody works at it, and cover itself when the sign-in ends."""
    idle_ms = 60_000 * known.entry.idle_minutes
    every = int(min(EVERY_MS, max(250, idle_ms / 8)))
    data = {"everyMs": every, "open": open_now, "run": time.time()}
    _component()(key="session watch", data=data, on_ended_change=_ended)


def _ended() -> None:
    """Let the script run again; it finds that the sign-in is over."""
