"""Statements with evidence and the reader's decisions, and the signature under them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.draft import Assertion, Section
from medmm.domain.identity import PatientIdentity
from medmm.domain.reading import Side
from medmm.domain.report import Accept, Add, CaseFile, Decision, Edit, Impression, Reader, Reject
from medmm.domain.shown import Shown
from medmm.domain.suspicion import Standing
from medmm.presentation.case_view import CaseView, StatementView
from medmm.presentation.film_picture import score_bar
from medmm.presentation.slice_picture import png_bytes
from medmm.presentation.suspicion_words import ALSO_NOTE
from ui import own_words, presenter
from ui.actions import acted, told
from ui.presenter import edit_key, inert, review_sections

FINDINGS, IMPRESSION = Section.FINDINGS.value.capitalize(), Section.IMPRESSION.value.capitalize()
SAID = {one.value: one for one in (Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT)}
SIDES: dict[str, Side | None] = {"none": None, **{side.value: side for side in Side}}
Decide = Callable[[Callable[[], Decision]], None]
BADGES = {"accepted": "green", "edited": "blue", "rejected": "gray"}
STATEMENTS_HEIGHT_PX = 560  # at least; the page's style makes it taller in a tall window


def show_statements(assistant: Assistant, file: CaseFile, reader: Reader, view: CaseView) -> None:
    """Show statements by section, each with evidence, checks and the reader's decision."""
    done = view.decided / view.total if view.total else 1.0
    st.progress(done, text=f"{view.decided} of {view.total} decided")
    if view.suspected:
        st.caption(f"**Suspected:** {inert(view.suspected)}")
    decide = partial(decided, assistant, file, reader)
    sections = review_sections(view)
    shown = {section for section, _ in sections}
    with st.container(height=STATEMENTS_HEIGHT_PX, border=False, key="statements"):
        if FINDINGS not in shown:
            show_beside_findings(assistant, file, reader, view)
        for section, statements in sections:
            if section != IMPRESSION:
                st.markdown(f"##### {section}")
            else:
                show_impression_head(decide, file, view)
            for statement in statements if section != IMPRESSION or view.impression is None else ():
                with st.container(border=True, gap="small"):
                    show_statement(statement)
                    if statement.summarises:
                        st.caption(f"Summary of {inert(statement.summarises)}: decided with it.")
                    else:
                        show_choices(assistant, file, reader, statement)
            if section == FINDINGS:
                show_beside_findings(assistant, file, reader, view)
        if IMPRESSION not in shown:
            show_impression_head(decide, file, view)


def show_beside_findings(
    assistant: Assistant, file: CaseFile, reader: Reader, view: CaseView
) -> None:
    """Show what is suspected but not stated, what the reader added, and the form to add."""
    decide = partial(decided, assistant, file, reader)
    if view.also or view.unstated:
        st.markdown(f"**:orange[{Standing.NOT_STATED.value.capitalize()}]**")
        st.caption(inert(ALSO_NOTE))
    for statement in view.also:
        with st.container(border=True, gap="small"):
            show_statement(statement)
            show_choices(assistant, file, reader, statement)
    for line in view.unstated:
        st.markdown(inert(line))
    show_withheld(view)
    if view.added:
        st.markdown("**Added by a reader**")
    for statement in view.added:
        with st.container(border=True, gap="small"):
            show_statement(statement)
            show_own_choices(decide, file.case.id, statement)
    show_adding(decide, file)


def show_withheld(view: CaseView) -> None:
    """Show, one click away, what was proposed and is not stated, and why."""
    if not view.proposed:
        return
    with st.expander(view.proposed_title):
        for one in view.proposed:
            st.markdown(inert(one.line))
            for line in one.details:
                st.caption(inert(line))


def show_impression_head(decide: Decide, file: CaseFile, view: CaseView) -> None:
    """Show the heading of the impression, the reader's own if there is one, and its form."""
    st.markdown("##### Impression")
    if view.impression is not None:
        with st.container(border=True, gap="small"):
            show_statement(view.impression)
            show_own_choices(decide, file.case.id, view.impression)
        return
    field = f"own impression {file.case.id}"
    with st.popover("Write the impression", icon=":material/edit:", type="tertiary"):
        st.caption("It takes the place of the drafted one. A line is a sentence.")
        st.text_area("Impression", own_words.drafted_impression(view), key=field, height=160)
        st.button(
            "Save", key="save impression", on_click=decide, args=(partial(own_impression, field),)
        )


def show_own_choices(decide: Decide, case_id: str, statement: StatementView) -> None:
    """Offer to edit or take away what a reader wrote."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover("Edit"):
            field = edit_key(case_id, statement)
            st.text_area("New text", statement.text, key=field)
            words = partial(edited, statement.id, field)
            st.button("Save", key=f"save {statement.id}", on_click=decide, args=(words,))
        st.button(
            "Take away",
            key=f"reject {statement.id}",
            on_click=decide,
            args=(partial(Reject, statement.id),),
        )


def show_adding(decide: Decide, file: CaseFile) -> None:
    """Show the form for a finding of the reader's own.

    It takes the vocabulary with side and place, or free text.
    """
    case_id, terms = (
        file.case.id,
        {term.name: term for term in own_words.vocabulary(file.case.study)},
    )
    key = f"{case_id} {len(file.added)}"  # an empty form after each addition
    with st.popover("Add a finding", icon=":material/add:", width="stretch"):
        name = st.selectbox(
            "Finding",
            [None, *terms],
            format_func=lambda n: terms[n].words if n else "free text, without a code",
            key=f"add finding {key}",
        )
        if name is None:
            st.text_area("What you see", key=f"add text {key}")
        else:
            one, two = st.columns(2)
            one.selectbox("It is", list(SAID), key=f"add said {key}")
            sided = terms[name].sided
            two.selectbox(
                "Patient's side",
                list(SIDES) if sided else ["none"],
                disabled=not sided,
                key=f"add side {key}",
            )
            st.text_input("Place, in words", key=f"add place {key}")
        st.button(
            "Add",
            key="add finding",
            type="primary",
            on_click=decide,
            args=(partial(added, name, key),),
        )


def added(finding: str | None, key: str) -> Add:
    """Read the addition as it stands in the form now."""
    state = st.session_state
    if finding is None:
        return Add(state.get(f"add text {key}", ""))
    return Add.of(
        finding,
        side=SIDES.get(state.get(f"add side {key}", "none")),
        place=state.get(f"add place {key}", ""),
        assertion=SAID[state.get(f"add said {key}", "present")],
    )


def own_impression(field: str) -> Impression:
    """Read the impression as it stands in the form now."""
    return Impression(st.session_state[field])


def show_statement(statement: StatementView) -> None:
    """Show one statement with its evidence and its checks."""
    badge = (
        f" :{BADGES[statement.decision]}-badge[{statement.decision}]" if statement.decision else ""
    )
    urgent = ":red-badge[critical] " if statement.critical else ""
    st.markdown(f"{urgent}**{inert(statement.text)}**{badge}")
    if statement.drafted_text:
        st.caption(f"drafted: {inert(statement.drafted_text)}")
    if statement.why:
        st.markdown(f":small[:orange[Not stated: {inert(statement.why)}.]]")
    if statement.own:
        st.caption(inert(statement.own))
    if statement.evidence_line:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            for bar in statement.bars:
                st.image(png_bytes(score_bar(*bar)), width=140)
            st.caption(inert(statement.evidence_line), width="content")
    for mark in statement.marks:
        st.warning(inert(mark), icon="⚠️")
    for check in statement.checks:
        if check.failed:
            st.error(f"{check.mark} {inert(check.number)}: {inert(check.reason)}")


def show_choices(
    assistant: Assistant, file: CaseFile, reader: Reader, statement: StatementView
) -> None:
    """Offer to accept, edit or reject, beside the checks with their reasons."""
    decide = partial(decided, assistant, file, reader)
    case_id = file.case.id
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "State it"
            if statement.why
            else "Accept as drafted"
            if statement.drafted_text
            else "Accept",
            key=f"accept {statement.id}",
            disabled=not statement.may_accept,
            on_click=decide,
            args=(partial(Accept, statement.id),),
        )
        with st.popover("Edit"):
            field = edit_key(case_id, statement)
            st.text_area("New text", statement.text, key=field)
            words = partial(edited, statement.id, field)
            st.button("Save", key=f"save {statement.id}", on_click=decide, args=(words,))
        leave_out = "Dismiss" if statement.why else "Reject"
        st.button(
            leave_out,
            key=f"reject {statement.id}",
            on_click=decide,
            args=(partial(Reject, statement.id),),
        )
        if statement.heat:
            st.button(
                "Show in film",
                key=f"show {statement.id}",
                on_click=st.session_state.__setitem__,
                args=(f"heat {case_id}", statement.heat),
            )
        with st.popover(f"Checks {statement.passed}", type="tertiary"):
            st.caption(
                "  \n".join(
                    f"{c.mark} {inert(c.number)}: {inert(c.reason)}" for c in statement.checks
                )
            )


def edited(statement_id: str, field: str) -> Edit:
    """Read the reader's own words, as they stand in the field now."""
    return Edit(statement_id, st.session_state[field])


def decided(
    assistant: Assistant, file: CaseFile, reader: Reader, decision: Callable[[], Decision]
) -> None:
    """Keep one decision, if the case is still the one that is shown."""
    shown = Shown.of(file)
    acted(lambda: assistant.decide(file.case.id, [decision()], by=reader, shown=shown))


def show_signing(
    assistant: Assistant, file: CaseFile, reader: Reader, identity: PatientIdentity, view: CaseView
) -> None:
    """Sign once all is decided, after a look at the whole text and a question.

    The question names reader and patient.
    """
    if "signing" not in st.session_state:
        ask = partial(asked, assistant, file, reader)
        st.button("Sign …", type="primary", disabled=not view.may_sign, key="sign", on_click=ask)
        return
    st.code(
        presenter.report_words(st.session_state["signing"], view.not_evaluated),
        language=None,
        wrap_lines=True,
    )
    for mark in own_words.all_marks(file):
        st.warning(inert(mark), icon="⚠️")
    st.info(inert(presenter.signing_question(reader, identity, view)))

    sign = partial(assistant.sign, file.case.id, by=reader, shown=Shown.of(file, identity))

    with st.container(horizontal=True):
        st.button("Sign now", type="primary", key="sign now", on_click=acted, args=(sign,))
        st.button("Back", key="back", on_click=lambda: st.session_state.pop("signing", None))


def asked(assistant: Assistant, file: CaseFile, reader: Reader) -> None:
    """Keep what a signature would take for the question, since the reader wants to sign."""
    with told():
        st.session_state["signing"] = assistant.to_sign(file.case.id, by=reader)
