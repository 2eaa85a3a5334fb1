"""The form that keeps who was told of a critical result; nothing is sent."""

from __future__ import annotations

import streamlit as st

from medmm.domain.critical_result import Route
from medmm.domain.roles import may
from medmm.presentation.critical_view import communication_words
from medmm.presentation.worklist_view import finding_words
from ui.actions import acted
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert


def show_telling(desk: Desk, case: OpenCase) -> None:
    """Show who was told of the case's critical findings, and the form for those left.

    It shows nothing for a case without any.
    """
    file = case.file
    for one in file.communications:
        st.caption(f"✓ {inert(communication_words(one))}")
    if not file.uncommunicated:
        return
    words = inert(finding_words(file.uncommunicated))
    if not may("communicate", desk.reader):
        st.markdown(f":red[**Nobody was told of {words} yet.**]")
        return
    show_form(desk, case, words)


def show_form(desk: Desk, case: OpenCase, words: str) -> None:
    """Show the form of a case whose findings, as Markdown, are in `words`."""
    key = f"{case.id} {case.shown.digest[:8]}"
    with st.form(f"tell {key}", border=False):
        st.markdown(f":red[**Nobody was told of {words} yet.**] Who was told?")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.selectbox(
                "To whom",
                desk.assistant.settings.critical.contacts,
                index=None,
                accept_new_options=True,
                placeholder="Name or duty",
                key=f"told to {key}",
                width=260,
            )
            st.selectbox(
                "How",
                list(Route),
                format_func=lambda one: one.value,
                key=f"told how {key}",
                width=150,
            )
            st.checkbox(
                "They repeated it, and it was right", key=f"told back {key}", width="content"
            )
            st.form_submit_button(
                "Keep that it was told",
                type="primary",
                key=f"tell now {key}",
                on_click=keep_told,
                args=(desk, case, key),
            )


def keep_told(desk: Desk, case: OpenCase, key: str) -> None:
    """Keep what the form says, of the case as it was shown."""
    state = st.session_state
    to: str = state[f"told to {key}"] or ""
    how: Route = state[f"told how {key}"]
    read_back: bool = state[f"told back {key}"]
    acted(
        lambda: desk.assistant.communicate(
            case.id, to=to, how=how, read_back=read_back, by=desk.reader, shown=case.shown
        )
    )
