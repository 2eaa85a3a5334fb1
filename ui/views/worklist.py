"""The worklist: who waits, why, and who reads whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from medmm.domain.worklist import ALL_CASES, Worklist
from medmm.presentation.worklist_view import WorklistLine, worklist_line
from ui import held_study, open_case, presenter
from ui.actions import forget, told
from ui.admission import admit_released, show_admission
from ui.desk import Desk
from ui.presenter import inert

Go = Callable[[str | None], None]


def show_worklist(desk: Desk, go: Go) -> None:
    """Show the worklist.

    Args:
        go: opens a case by its id.
    """
    with told():
        if case_id := open_case.case_in_address(desk):
            go(case_id)
        if words := st.session_state.pop("told", ""):
            st.info(words)
        if held_study.KEY in st.session_state:
            held_study.show_held(
                desk.assistant, desk.reader, told, admit_released(desk.assistant, desk.reader, go)
            )
            return
        show_cases(desk, go)
        show_admission(desk.assistant, desk.reader, told, go)


def show_cases(desk: Desk, go: Go) -> None:
    """Show a page of cases; the chosen one opens."""
    search = st.text_input("Search", key="search", placeholder="Name, patient ID, accession, UID")
    found = page_of(desk, search)
    if st.button("Refresh", key="refresh", icon=":material/refresh:", type="tertiary"):
        forget()
        st.rerun()
    if not found.rows:
        st.info(presenter.WELCOME)
        return
    names = {reader.id: reader.name for reader in desk.assistant.readers()}
    at = datetime.now(UTC)
    for row in found.rows:
        line = worklist_line(row, at, names)
        if show_line(line):
            go(line.case_id)
    st.caption(f"{len(found.rows)} of {found.total}")


def show_line(line: WorklistLine) -> bool:
    """Show one case; tell whether it was chosen."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chosen = st.button(inert(line.name), key=f"open {line.case_id}", width=220)
        st.markdown(inert(" · ".join((line.patient_id, line.age, line.study, line.acquired))))
        st.caption(inert(" · ".join((line.status, line.urgency, line.reads))))
    return chosen


def page_of(desk: Desk, search: str) -> Worklist:
    """Read a page, again only after something changed; each look is an audit entry."""
    of = (desk.reader.id, search)
    if st.session_state.get("worklist_of") != of or "worklist" not in st.session_state:
        read = partial(desk.assistant.worklist, ALL_CASES, search=search, by=desk.reader)
        st.session_state["worklist"] = read()
        st.session_state["worklist_of"] = of
    found: Worklist = st.session_state["worklist"]
    return found
