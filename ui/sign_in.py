"""Who reads: by sign-in at the site's provider, or, without one, as a demo that says so."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer
from streamlit.delta_generator import DeltaGenerator

from medmm.assistant import Assistant
from medmm.domain.errors import MedmmError, PermissionDenied
from medmm.domain.report import Reader
from medmm.domain.session_event import SessionEvent
from medmm.web.claims import KNOWN_AND_REFUSED
from medmm.web.sign_ins import Ended, SignIns, identity_digest
from ui import left_page, open_case
from ui.desk import Desk
from ui.presenter import error_lines, inert, sign_in_words
from ui.reading_room import browser, shared_assistant, sign_ins

PROVIDER = "oidc"
SEAT = "seat"  # in the session: id of who reads in a demo
EVERY_MS = 15_000  # between two looks of the page at its sign-in
DEMO = """<span role="note" title="Anyone here can act as any reader. The setting sign_in ends \
that." style="background:#8a1c1c;color:#fff;font-weight:700;padding:.15rem .7rem;\
border-radius:.3rem;white-space:nowrap">DEMO · NO SIGN-IN</span>"""


def signed_in(assistant: Assistant, bar: DeltaGenerator) -> Reader | None:
    """Find who reads, or show what is needed to find out; then nothing else may be shown.

    Args:
        bar: where the page says who reads.
    """
    known = sign_ins()
    if known is None:
        with bar:
            return _demo_reader(assistant)
    here = browser()
    try:
        if known.awaited(here) and st.user.get("is_logged_in"):
            _let_in(known, here, assistant)
        reader = known.reader(here)
    except PermissionDenied as error:
        left_page.keep_words()
        _show_signing_in(known, here, error)
        known.tell(shared_assistant().note_session)
        return None
    except MedmmError as error:
        st.error("  \n".join(error_lines(error)))
        return None
    left_page.begin(reader)
    known.tell(shared_assistant().note_session)
    _watch(known, open_now=True, back=left_page.BACK not in st.session_state)
    with bar:
        st.markdown(f"{inert(reader.name)} · {inert(reader.role)}", width="content")
        sign_out = (known, Desk(assistant=assistant, reader=reader))
        st.button("Sign out", key="sign out", on_click=_sign_out, args=sign_out)
    return reader


def _demo_reader(assistant: Assistant) -> Reader | None:
    """Ask who reads, of the configured readers; None if there is none, which is said."""
    st.html(DEMO, width="content")
    readers = assistant.readers()
    if not readers:
        st.info("Nobody may review yet: add a reader under `readers:` in the configuration.")
        return None
    named = {reader.id: reader for reader in readers}
    # Going to another page, Streamlit forgets every widget, and would seat the first reader
    if st.session_state.get(SEAT) in named:
        st.session_state.setdefault("reader", st.session_state[SEAT])
    chosen = st.selectbox(
        "Reader",
        list(named),
        format_func=lambda name: f"{named[name].name} · {named[name].role}",
        key="reader",
        label_visibility="collapsed",
        width=260,
        help="There is no sign-in here: whoever sits here acts as this reader.",
    )
    st.session_state[SEAT] = chosen
    reader = named[chosen]
    if reader.unnamed:
        st.caption(
            ":orange[This reader can't sign: put your own name under `readers:` in the settings.]"
        )
    return reader


def _let_in(known: SignIns, here: str, assistant: Assistant) -> None:
    """Let in who has just signed in; nobody is in who is not in the log."""
    said: dict[str, Any] = st.user.to_dict()
    token = str((said.pop("tokens", None) or {}).get("access", ""))
    reader = known.admit(here, identity_digest(st.context.cookies), said, token)
    try:
        assistant.note_session(SessionEvent.SIGNED_IN, reader.id, by=reader)
    except MedmmError:
        known.end(here)
        raise


def _show_signing_in(known: SignIns, here: str, error: PermissionDenied) -> None:
    """Say why nobody is signed in, and how to."""
    kept = left_page.left()
    _watch(known, open_now=False, back=kept is None)
    again = kept is not None or known.state(here).ended is not Ended.NOBODY
    if error.where.get("session") in KNOWN_AND_REFUSED:
        st.error("  \n".join(error_lines(error)))
    elif left_page.FAILED in st.query_params:
        st.error("The provider did not sign you in. Try again, or ask who runs your accounts.")
    elif again:
        st.warning(f"{inert(error.problem.capitalize())}.")
    if kept is not None:
        st.info(sign_in_words(kept=kept))
    label = "Sign in again" if again else "Sign in"
    st.button(label, key="sign in", type="primary", on_click=st.login, args=(PROVIDER,))


def _sign_out(known: SignIns, desk: Desk) -> None:
    """Give the case back, and end the sign-in here and at the provider where it offers that."""
    try:
        open_case.leave(desk)
    finally:
        left_page.keep_words()
        known.end(browser())
        st.logout()


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.session_watch", js="session_watch.js")


def _watch(known: SignIns, *, open_now: bool, back: bool) -> None:
    """Have the page say that somebody works at it, and cover itself when the sign-in ends.

    Args:
        back: whether the browser leads to the address that was asked for before signing in.
    """
    idle_ms = 60_000 * known.entry.idle_minutes
    every = int(min(EVERY_MS, max(250, idle_ms / 8)))
    data = {"everyMs": every, "open": open_now, "back": back, "run": time.time()}
    _component()(key="session watch", data=data, on_ended_change=_ended)


def _ended() -> None:
    """Let the script run again; it finds that the sign-in is over."""
