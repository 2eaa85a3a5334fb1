"""A signed report on the page: its versions, and the forms that change it.

They amend it, add to it and withdraw it.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import CaseFile, Reader, SignedReport
from medmm.domain.shown import Shown
from ui import presenter, report_words
from ui.actions import acted, kept_after
from ui.presenter import inert


def show_versions(
    assistant: Assistant,
    file: CaseFile,
    report: SignedReport,
    reader: Reader,
    identity: PatientIdentity,
) -> None:
    """Show what became of a report so far, and what a reader can do with it.

    Nothing can be done if it is withdrawn.
    """
    with st.expander(f"Versions ({len(file.versions)})"):
        st.caption("  \n".join(inert(line) for line in report_words.version_lines(file)))
    if report.withdrawn:
        st.caption("A withdrawn report is final. Admit its study again for a new case.")
        return
    if "amending" in st.session_state:
        show_question(assistant, file, report, reader, identity)
        return
    with st.container(horizontal=True):
        show_amending(assistant, file, report, reader)
        key = f"{file.case.id} {report.version}"
        what = (assistant, Shown.of(file, identity), reader, key)
        with st.popover("Addendum …"):
            st.text_area("What is to be added", key=f"addendum text {key}")
            st.text_input("Reason", key=f"addendum reason {key}")
            st.button("Sign the addendum", key=f"addendum {key}", on_click=added, args=what)
        with st.popover("Withdraw …"):
            st.caption("Entered in error: no finding of it is valid any more, for good.")
            st.text_input("Reason", key=f"withdraw reason {key}")
            st.button("Withdraw the report", key=f"withdraw {key}", on_click=withdrawn, args=what)


def show_amending(
    assistant: Assistant, file: CaseFile, report: SignedReport, reader: Reader
) -> None:
    """Show the form of one change; what would be signed is shown before it is."""
    key, statements = f"{file.case.id} {report.version}", report_words.changeable(report)
    with st.popover("Amend …"):
        kinds = (report_words.REWORD, report_words.TAKE_OUT, report_words.ADD)
        what = st.selectbox("What", kinds, key=f"amend what {key}")
        named = what != report_words.ADD
        if named:
            st.selectbox(
                "Statement",
                list(statements),
                format_func=lambda s: f"{s}: {presenter.one_line(statements[s].text)}",
                key=f"amend statement {key}",
            )
        if what != report_words.TAKE_OUT:
            st.text_area("New words", key=f"amend text {key}")
        st.text_input("Reason", key=f"amend reason {key}")
        st.checkbox("What stood there was wrong", key=f"amend correction {key}")
        ask = partial(asked, assistant, file, reader, key)
        st.button("Show what will be signed", key=f"amend {key}", on_click=ask)
        st.caption("Several changes in one version: `medmm amend`.")


def asked(assistant: Assistant, file: CaseFile, reader: Reader, key: str) -> None:
    """Keep what would be signed for the question, since the reader wants to amend."""
    state = st.session_state

    def asked_for() -> tuple[object, ...]:
        decision = report_words.changing(
            state[f"amend what {key}"],
            state.get(f"amend statement {key}", ""),
            state.get(f"amend text {key}", ""),
        )
        statements = assistant.to_sign(file.case.id, by=reader, decisions=[decision])
        how = state[f"amend reason {key}"], state[f"amend correction {key}"]
        return decision, *how, statements

    kept_after("amending", asked_for)


def show_question(
    assistant: Assistant,
    file: CaseFile,
    report: SignedReport,
    reader: Reader,
    identity: PatientIdentity,
) -> None:
    """Show what an amendment would sign, and ask whether it is signed."""
    decision, reason, correction, statements = st.session_state["amending"]
    st.code(
        presenter.report_words(statements, report.not_evaluated), language=None, wrap_lines=True
    )
    st.info(inert(report_words.amending_question(reader, identity, report, reason)))

    shown, key = Shown.of(file, identity), f"{file.case.id} {report.version}"
    amend = partial(assistant.amend, file.case.id, [decision], reason=reason, shown=shown)
    act = partial(acted, partial(amend, correction=correction, by=reader))
    with st.container(horizontal=True):
        st.button("Sign the amendment", type="primary", key=f"amend now {key}", on_click=act)
        st.button(
            "Back", key=f"back {key}", on_click=lambda: st.session_state.pop("amending", None)
        )


def added(assistant: Assistant, shown: Shown, reader: Reader, key: str) -> None:
    """Sign the addendum as it stands in the form now, if the report is the one that is shown."""
    text, reason = (st.session_state[f"addendum {name} {key}"] for name in ("text", "reason"))
    sign = partial(assistant.addendum, shown.case_id, text, reason=reason, by=reader, shown=shown)
    acted(sign)


def withdrawn(assistant: Assistant, shown: Shown, reader: Reader, key: str) -> None:
    """Withdraw the report for the reason in the form, if it is the one that is shown."""
    reason = st.session_state[f"withdraw reason {key}"]
    acted(partial(assistant.withdraw, shown.case_id, reason=reason, by=reader, shown=shown))
