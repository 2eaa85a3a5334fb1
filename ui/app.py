"""The dashboard's page: worklist, film, statements with evidence, decisions, signature, history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.errors import MedmmError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Accept, CaseFile, Decision, Edit, Reader, Reject
from medmm.domain.study import NotEvaluable
from ui import presenter
from ui.pictures import film_picture
from ui.presenter import CaseView, StatementView, inert

COLOURS = {"accepted": "green", "edited": "blue", "rejected": "gray"}


@st.cache_resource
def open_assistant() -> Assistant:
    """One assistant for all sessions of this process; it is safe from several threads."""
    return Assistant.from_config()


@contextmanager
def told() -> Iterator[None]:
    """Show an error with its remedy in place of a traceback."""
    try:
        yield
    except MedmmError as error:
        st.session_state.pop("file", None)  # what was shown may be outdated: read it again
        st.error(f"{inert(error.problem)}  \n**What helps:** {inert(error.remedy)}")


def main() -> None:
    """The page."""
    st.set_page_config(page_title="medmm", page_icon="🩻", layout="wide")
    st.warning(presenter.BANNER, icon="⚠️")
    with told():
        assistant = open_assistant()
        reader, case_id = sidebar(assistant)
        if reader is None:
            st.info("Nobody may review yet: add a reader under `readers:` in the configuration.")
        elif case_id is None:
            st.info("No cases yet. Admit a study on the left, or run `medmm demo`.")
        else:
            show_case(assistant, case_id, reader)


def sidebar(assistant: Assistant) -> tuple[Reader | None, str | None]:
    """Who reads, and which case is open."""
    with st.sidebar:
        st.title("medmm")
        readers = [entry.reader() for entry in assistant.settings.readers]
        reader = st.selectbox("Reader", readers, format_func=lambda r: f"{r.name} · {r.role}", key="reader")
        st.caption("There is no sign-in in this version: whoever sits here acts as this reader.")
        if reader is None:
            return None, None
        cases = {summary.case_id: summary for summary in worklist(assistant, reader)}
        st.subheader(f"Worklist ({len(cases)})")
        case_id = st.radio(
            "Cases",
            list(cases),
            format_func=lambda i: inert(presenter.case_line(cases[i])),
            captions=[inert(", ".join(c.suspected).replace("_", " ")) or "nothing suspected" for c in cases.values()],
            label_visibility="collapsed",
            key="case",
        )
        admit(assistant, reader)
        return reader, case_id


def worklist(assistant: Assistant, reader: Reader) -> Any:
    """The cases, read again only after something changed: each look is an audit entry."""
    if st.session_state.get("worklist_of") != reader.id or "worklist" not in st.session_state:
        st.session_state["worklist"] = assistant.cases(by=reader)
        st.session_state["worklist_of"] = reader.id
    return st.session_state["worklist"]


def admit(assistant: Assistant, reader: Reader) -> None:
    """Bring in a study that lies on this machine."""
    with st.expander("Admit a study"), st.form("admit", border=False):
        path = st.text_input("DICOM file or folder on this machine", key="admit_path")
        record = st.text_input("FHIR R4 Bundle (optional)", key="admit_record")
        if st.form_submit_button("Admit and draft") and path:
            with told(), st.spinner("Reading the film …"):
                study = assistant.admit(path, record=record or None, by=reader)
                if isinstance(study, NotEvaluable):
                    st.info(inert(study.reason))
                    return
                assistant.draft(assistant.open_case(study.uid, by=reader).id, by=reader)
                forget()
                st.rerun()


def forget() -> None:
    """Something changed: read case and worklist again."""
    for name in ("file", "worklist", "events"):
        st.session_state.pop(name, None)


def opened(assistant: Assistant, case_id: str, reader: Reader) -> tuple[CaseFile, PatientIdentity]:
    """The open case and its patient; kept while it is open, so that a moved slider leaves no audit entry."""
    if "file" not in st.session_state or st.session_state.get("file_of") != (case_id, reader.id):
        file = assistant.case(case_id, by=reader)
        identity = assistant.identity(file.case.study.patient_key, by=reader)
        st.session_state["file"], st.session_state["file_of"] = (file, identity), (case_id, reader.id)
        st.session_state.pop("events", None)
        st.session_state.pop("signing", None)
    kept: tuple[CaseFile, PatientIdentity] = st.session_state["file"]
    return kept


def show_case(assistant: Assistant, case_id: str, reader: Reader) -> None:
    """Film on the left, statements on the right."""
    file, identity = opened(assistant, case_id, reader)
    view = presenter.case_view(file)
    st.subheader(inert(presenter.patient_line(identity)))
    st.caption(f"{inert(view.title)} · {view.state} · {case_id}")
    st.caption("  \n".join(f"⚠️ {inert(warning)}" for warning in view.warnings))
    left, right = st.columns([5, 6], gap="large")
    with left:
        show_film(file, view)
        show_record(file)
    with right:
        review, history = st.tabs(["Signed report" if view.signed else "Review", "History"])
        with review:
            if file.report is not None:
                show_report(assistant, file, reader)
            elif not view.sections:
                st.button("Draft", on_click=acted, args=(lambda: assistant.draft(case_id, by=reader),))
            else:
                show_statements(assistant, case_id, reader, view)
                show_signing(assistant, case_id, reader, identity, view)
            if view.not_evaluated:
                with st.expander("Not evaluated", expanded=not view.signed):
                    st.markdown("\n".join(f"- {inert(item)}" for item in view.not_evaluated))
            st.caption(inert(view.made_by))
        with history:
            show_history(assistant, case_id, reader)


def show_film(file: CaseFile, view: CaseView) -> None:
    """The film with window and heat-map."""
    film = file.case.study.frontal
    if film is None:
        st.info("No picture of this modality is shown yet.")
        return
    names = [None, *view.heats]
    choice = st.selectbox(
        "Heat-map", names, format_func=lambda h: h.label if h else "none", index=min(1, len(names) - 1), key="heat"
    )
    one, two = st.columns(2)
    window = one.slider("Window", 0.0, 1.0, (0.0, 1.0), 0.01, key="window")
    opacity = two.slider("Heat-map opacity", 0.0, 1.0, 0.5, 0.05, key="opacity", disabled=choice is None)
    picture = film_picture(film.pixels()[0], window, choice.region if choice else None, opacity)
    side = film.patient_left_on
    caption = (
        f"The patient's left is on the {side} of the picture." if side else "Orientation unknown: no side is named."
    )
    st.image(picture, caption=caption, width="stretch")
    if choice:
        st.caption("A heat-map shows where a network's score comes from, not the outline of a lesion.")


def show_record(file: CaseFile) -> None:
    """The facts that were known when the film was taken."""
    rows = presenter.fact_rows(file.case.context)
    if rows:
        with st.expander(f"Record as of the film ({len(rows)} facts)"):
            st.dataframe(rows, hide_index=True, width="stretch")


def show_statements(assistant: Assistant, case_id: str, reader: Reader, view: CaseView) -> None:
    """Statements by section, each with evidence, checks and the reader's decision."""
    st.progress(view.decided / view.total, text=f"{view.decided} of {view.total} decided")
    for section, statements in view.sections:
        st.markdown(f"##### {section}")
        for statement in statements:
            with st.container(border=True):
                show_statement(assistant, case_id, reader, statement)


def show_statement(assistant: Assistant, case_id: str, reader: Reader, statement: StatementView) -> None:
    """One statement."""
    mark = f" :{COLOURS[statement.decision]}-badge[{statement.decision}]" if statement.decision else ""
    st.markdown(f"**{inert(statement.decided_text)}**{mark}")
    for evidence in statement.evidence:
        if evidence.share is not None:
            st.progress(evidence.share, text=inert(evidence.text))
    words = [inert(e.text) for e in statement.evidence if e.share is None]
    passed = ["✓ " + " ".join(statement.passed)] if statement.passed else []
    st.caption("  \n".join([*dict.fromkeys(words), *passed]))
    for failure in statement.failed:
        st.error(f"✗ {inert(failure)}")

    def decide(decision: Decision) -> None:
        acted(lambda: assistant.decide(case_id, [decision], by=reader))

    accept, edit, reject = st.columns(3)
    accept.button(
        "Accept", key=f"accept {statement.id}", disabled=not statement.may_accept, width="stretch",
        on_click=decide, args=(Accept(statement.id),),
    )  # fmt: skip
    with edit.popover("Edit", width="stretch"):
        st.text_area("New text", statement.decided_text, key=f"text {statement.id}")
        st.button("Save", key=f"save {statement.id}", on_click=edited, args=(decide, statement.id))
    reject.button(
        "Reject", key=f"reject {statement.id}", width="stretch", on_click=decide, args=(Reject(statement.id),)
    )


def edited(decide: Callable[[Decision], None], statement_id: str) -> None:
    """Keep the reader's own words, as they stand in the field now."""
    with told():
        decide(Edit(statement_id, st.session_state[f"text {statement_id}"]))


def acted(verb: Callable[[], object]) -> None:
    """Do a verb, say what went wrong, and read the case again."""
    with told():
        verb()
        forget()


def show_signing(assistant: Assistant, case_id: str, reader: Reader, identity: PatientIdentity, view: CaseView) -> None:
    """Sign once all is decided, after a question that names reader and patient."""
    if not st.session_state.get("signing"):
        if st.button("Sign …", type="primary", disabled=not view.may_sign, key="sign"):
            st.session_state["signing"] = True
            st.rerun()
        return
    st.info(inert(presenter.signing_question(reader, identity, view)))
    yes, no = st.columns(2)
    yes.button(
        "Sign now", type="primary", key="sign now", width="stretch",
        on_click=acted, args=(lambda: assistant.sign(case_id, by=reader),),
    )  # fmt: skip
    no.button("Back", key="back", width="stretch", on_click=lambda: st.session_state.pop("signing", None))


def show_report(assistant: Assistant, file: CaseFile, reader: Reader) -> None:
    """The signed report and its downloads; each download is a look that leaves an entry."""
    assert file.report is not None
    report_id = file.report.id
    if st.session_state.get("report_of") != report_id:
        st.session_state["report_of"] = report_id
        st.session_state["report"] = assistant.render(report_id, format="text", by=reader)
    st.code(st.session_state["report"], language=None, wrap_lines=True)
    for column, format in zip(st.columns(3), ("text", "json", "fhir"), strict=True):
        column.download_button(
            f"Download {format}",
            data=partial(assistant.render, report_id, format=format, by=reader),
            file_name=f"report.{'txt' if format == 'text' else 'json'}",
            key=f"download {format}",
            width="stretch",
        )


def show_history(assistant: Assistant, case_id: str, reader: Reader) -> None:
    """What happened to the case, and whether the log is sound."""
    if st.button("Show the history", key="show history"):
        st.session_state["events"] = presenter.history_rows(assistant.history(case_id, by=reader))
    if "events" in st.session_state:
        st.dataframe(st.session_state["events"], hide_index=True, width="stretch")
    if st.button("Verify the log", key="verify"):
        found = assistant.verify(by=reader)
        if found.ok:
            st.success(f"The audit log is sound: {found.size} entries.")
        else:
            st.error(
                f"The audit log was altered at {inert(found.problems[0].place)}. Stop and call your administrator."
            )


main()
