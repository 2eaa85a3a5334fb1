"""Statements with evidence and the reader's decisions, and the signature under them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Accept, CaseFile, Decision, Edit, Reader, Reject
from medmm.doors.slice_picture import png_bytes
from ui import presenter
from ui.acting import acted, outdated, told
from ui.pictures import score_bar
from ui.presenter import CaseView, StatementView, inert

BADGES = {"accepted": "green", "edited": "blue", "rejected": "gray"}
STATEMENTS_HEIGHT_PX = 560


def show_statements(assistant: Assistant, file: CaseFile, reader: Reader, view: CaseView) -> None:
    """Statements by section, each with evidence, checks and the reader's decision."""
    st.progress(view.decided / view.total, text=f"{view.decided} of {view.total} decided")
    with st.container(height=STATEMENTS_HEIGHT_PX, border=False):
        for section, statements in view.sections:
            st.markdown(f"##### {section}")
            for statement in statements:
                with st.container(border=True, gap="small"):
                    show_statement(statement)
                    if statement.summarises:
                        st.caption(f"Summary of {inert(statement.summarises)}: decided with it.")
                    else:
                        show_choices(assistant, file, reader, statement)


def show_statement(statement: StatementView) -> None:
    """One statement with its evidence and its checks."""
    badge = f" :{BADGES[statement.decision]}-badge[{statement.decision}]" if statement.decision else ""
    urgent = ":red-badge[critical] " if statement.critical else ""
    st.markdown(f"{urgent}**{inert(statement.text)}**{badge}")
    if statement.drafted_text:
        st.caption(f"drafted: {inert(statement.drafted_text)}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for bar in statement.bars:
            st.image(png_bytes(score_bar(*bar)), width=140)
        st.caption(inert(statement.evidence_line), width="content")
    for check in statement.checks:
        if check.failed:
            st.error(f"{check.mark} {inert(check.number)}: {inert(check.reason)}")


def show_choices(assistant: Assistant, file: CaseFile, reader: Reader, statement: StatementView) -> None:
    """Accept, edit or reject; and the checks with their reasons."""
    decide = partial(decided, assistant, file, reader)
    case_id = file.case.id
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Accept as drafted" if statement.drafted_text else "Accept",
            key=f"accept {statement.id}",
            disabled=not statement.may_accept,
            on_click=decide,
            args=(partial(Accept, statement.id),),
        )
        with st.popover("Edit"):
            field = statement.edit_key(case_id)
            st.text_area("New text", statement.text, key=field)
            words = partial(edited, statement.id, field)
            st.button("Save", key=f"save {statement.id}", on_click=decide, args=(words,))
        st.button("Reject", key=f"reject {statement.id}", on_click=decide, args=(partial(Reject, statement.id),))
        if statement.heat:
            st.button(
                "Show in film",
                key=f"show {statement.id}",
                on_click=st.session_state.__setitem__,
                args=(f"heat {case_id}", statement.heat),
            )
        with st.popover(f"Checks {statement.passed}", type="tertiary"):
            st.caption("  \n".join(f"{c.mark} {inert(c.number)}: {inert(c.reason)}" for c in statement.checks))


def edited(statement_id: str, field: str) -> Edit:
    """The reader's own words, as they stand in the field now."""
    return Edit(statement_id, st.session_state[field])


def decided(assistant: Assistant, file: CaseFile, reader: Reader, decision: Callable[[], Decision]) -> None:
    """Keep one decision, if the draft is still the one that is shown."""

    def verb() -> None:
        if assistant.case(file.case.id, by=reader).draft != file.draft:
            raise outdated(file)
        assistant.decide(file.case.id, [decision()], by=reader)

    acted(verb)


def show_signing(
    assistant: Assistant, file: CaseFile, reader: Reader, identity: PatientIdentity, view: CaseView
) -> None:
    """Sign once all is decided, after a look at the whole text and a question that names reader and patient."""
    if "signing" not in st.session_state:
        ask = partial(asked, assistant, file, reader)
        st.button("Sign …", type="primary", disabled=not view.may_sign, key="sign", on_click=ask)
        return
    st.code(presenter.report_words(st.session_state["signing"], view.not_evaluated), language=None, wrap_lines=True)
    st.info(inert(presenter.signing_question(reader, identity, view)))

    def sign() -> None:
        if presenter.changed(file, assistant.case(file.case.id, by=reader)):
            raise outdated(file)
        assistant.sign(file.case.id, by=reader)

    with st.container(horizontal=True):
        st.button("Sign now", type="primary", key="sign now", on_click=acted, args=(sign,))
        st.button("Back", key="back", on_click=lambda: st.session_state.pop("signing", None))


def asked(assistant: Assistant, file: CaseFile, reader: Reader) -> None:
    """The reader wants to sign: keep what a signature would take, for the question."""
    with told():
        st.session_state["signing"] = assistant.to_sign(file.case.id, by=reader)
