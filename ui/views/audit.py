"""The audit page: who saw and did what in a case, and whether the log bears it out."""

from __future__ import annotations

import json

import streamlit as st

from medmm.domain.audit_event import AuditEvent
from medmm.domain.codec import to_json
from medmm.domain.errors import InputError
from medmm.domain.roles import may
from medmm.domain.worklist import ALL_CASES, Worklist
from medmm.presentation.csv_text import shown_rows
from medmm.presentation.worklist_view import worklist_line
from ui import audit_view
from ui.actions import told
from ui.audit_view import moment
from ui.deliveries import show_dead_letters
from ui.desk import Desk
from ui.presenter import inert, one_line

# Of the session
EVENTS, SEARCHED = "audit events", "audit found"
CHECKED, PROVED = "audit checked", "audit proof"
A_CASE = "case-"  # how the ids of cases begin
MOST_FOUND = 20


def show_audit(desk: Desk) -> None:
    """Show what the log says of one case, and of itself."""
    st.markdown("### Audit")
    with told():
        show_log(desk)
        show_dead_letters(desk)
        case_id = chosen_case(desk)
        if case_id:
            show_case_events(desk, case_id)


def show_log(desk: Desk) -> None:
    """Check the whole log when asked; the answer stays with the time of the check."""
    if not may("verify", desk.reader):
        return
    if st.button("Check the whole log", key="verify"):
        with st.spinner("Checking every entry, and all that is kept …"):
            found = desk.assistant.verify(by=desk.reader)
        st.session_state[CHECKED] = (desk.reader.id, found)
    kept = st.session_state.get(CHECKED)
    if kept is not None and kept[0] == desk.reader.id:
        lines = audit_view.verification_lines(kept[1])
        shown = st.success if kept[1].ok else st.error
        shown("  \n".join(inert(line) for line in lines))


def chosen_case(desk: Desk) -> str | None:
    """Ask for a case: by its id, or by words for roles that may see who it is."""
    by_words = may("identity", desk.reader) and may("worklist", desk.reader)
    label = "Case id, patient, accession or Study UID" if by_words else "Case id"
    words = st.text_input(label, key="audit search").strip()
    if not words:
        st.info("Name a case to see who looked at it and what was done.")
        return None
    if words.startswith(A_CASE):
        return words
    if not by_words:
        raise InputError(
            "your role finds a case by its id alone",
            remedy="give the id, such as it stands on a recall list or in the worklist: case-…",
        )
    page = cases_by(desk, words)
    if not page.rows:
        st.info("No case fits these words.")
        return None
    lines = {row.case.case_id: row for row in page.rows}
    at = page.rows[0].case.opened_at
    named = {key: worklist_line(row, at, {}) for key, row in lines.items()}
    if page.total > len(lines):
        st.caption(f"{len(lines)} of {page.total} cases; more words find fewer.")
    return st.selectbox(
        "Case",
        list(lines),
        format_func=lambda key: one_line(
            f"{named[key].name} · {named[key].study} · {named[key].acquired} · {key}"
        ),
        key="audit case",
    )


def cases_by(desk: Desk, words: str) -> Worklist:
    """Search for cases, again only for other words: each look is an audit entry."""
    kept = st.session_state.get(SEARCHED)
    if kept is None or kept[0] != (desk.reader.id, words):
        page = desk.assistant.worklist(ALL_CASES, search=words, limit=MOST_FOUND, by=desk.reader)
        kept = st.session_state[SEARCHED] = ((desk.reader.id, words), page)
    found: Worklist = kept[1]
    return found


def show_case_events(desk: Desk, case_id: str) -> None:
    """Show who saw and did what in a case; the look leaves an entry of its own."""
    kept = st.session_state.get(EVENTS)
    if kept is None or kept[0] != (desk.reader.id, case_id):
        with st.spinner("Reading the log …"):
            events = desk.assistant.history(case_id, by=desk.reader)
        kept = st.session_state[EVENTS] = ((desk.reader.id, case_id), events)
    events = kept[1]
    readers = {one.id: one.name for one in desk.assistant.readers()}
    st.markdown(f"##### {inert(case_id)}: {len(events)} entries")
    span = f"From {moment(events[0].at)} to {moment(events[-1].at)}."
    st.caption(inert(f"{span} {audit_view.ELSEWHERE}"))
    st.dataframe(
        shown_rows(audit_view.people_rows(events, readers)), hide_index=True, width="stretch"
    )
    st.dataframe(
        shown_rows(audit_view.event_rows(events, readers)), hide_index=True, width="stretch"
    )
    show_proof(desk, case_id, events)


def show_proof(desk: Desk, case_id: str, events: tuple[AuditEvent, ...]) -> None:
    """Prove one of these entries when asked, and offer the proof as a file."""
    if not may("prove", desk.reader):
        return
    numbers = [event.number for event in reversed(events) if event.number is not None]
    with st.form(f"prove {case_id}", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        number = left.selectbox("Entry to prove", numbers)
        if right.form_submit_button("Prove it", width="stretch") and number is not None:
            with told():
                proof = desk.assistant.prove(number, by=desk.reader)
                st.session_state[PROVED] = ((desk.reader.id, case_id), proof)
    kept = st.session_state.get(PROVED)
    if kept is None or kept[0] != (desk.reader.id, case_id):
        return
    for line in audit_view.proof_lines(kept[1]):
        st.markdown(inert(line))
    st.download_button(
        "The proof as JSON",
        data=json.dumps(to_json(kept[1])),
        file_name=f"proof-{kept[1].number}.json",
        mime="application/json",
        key=f"proof {case_id}",
        icon=":material/download:",
        on_click="ignore",
    )
