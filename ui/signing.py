"""The signature: the text as it will leave, the identity once more, one confirmation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from medmm.domain.roles import may
from medmm.presentation.signing_summary import signing_summary
from ui import own_words, presenter
from ui.actions import acted, kept_after
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert

FORMATS = (
    ("Text", "text", "txt"),
    ("JSON", "json", "json"),
    ("FHIR R4", "fhir", "fhir.json"),
)


def ask(desk: Desk, case: OpenCase) -> None:
    """Keep what a signature would take for the question, since the reader wants to sign."""

    def asked_for() -> tuple[object, ...]:
        statements = desk.assistant.to_sign(case.id, by=desk.reader)
        confirmation = None
        if may("confirm", desk.reader):
            confirmation = desk.assistant.confirm(case.id, by=desk.reader, shown=case.shown)
        return case.id, statements, confirmation, case.shown

    kept_after("signing", asked_for)


def show_question(desk: Desk, case: OpenCase) -> None:
    """Show the report as it will leave, for whom and by whom, and ask once."""
    statements = st.session_state["signing"][1]
    summary = signing_summary(case.file, case.identity, desk.reader)
    st.markdown("##### Sign this report?")
    st.markdown(f"For **{inert(summary.patient)}**  \n{inert(summary.study)}")
    st.caption(
        f"{inert(summary.counts)}. Signed by {inert(summary.signer)}, now. "
        "A signed report stays as it is."
    )
    for heed in (*summary.heed, *own_words.all_marks(case.file)):
        st.warning(inert(heed), icon=":material/warning:")
    words = presenter.report_words(statements, case.view.not_evaluated)
    st.code(words, language=None, wrap_lines=True)


def show_confirmation(desk: Desk, case: OpenCase) -> None:
    """Show who signs for whom in one row, under the text: the box first, then the button."""
    _, _, confirmation, shown = st.session_state["signing"]
    key = f"{case.id} {shown.digest[:8]}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        act: Callable[[], object]
        if confirmation is None:
            label, same = "Leave it to an attending's signature", True
            act = partial(desk.assistant.propose, case.id, by=desk.reader, shown=shown)
        else:
            label = "Sign now"
            same = st.checkbox("This is the patient whose images I read", key=f"same {key}")
            act = partial(
                desk.assistant.sign, case.id, by=desk.reader, shown=shown, confirmation=confirmation
            )
        st.button(
            label,
            type="primary",
            key=f"sign-now {key}",
            disabled=not same,
            on_click=acted,
            args=(act,),
        )
        st.button("Back", key=f"back {key}", on_click=_back)


def asked(case: OpenCase) -> bool:
    """Tell whether the question before a signature stands open for this case, as it is shown."""
    kept = st.session_state.get("signing")
    if kept is not None and (kept[0], kept[3].digest) != (case.id, case.shown.digest):
        st.session_state.pop("signing")  # what was asked about is not what is shown any more
        return False
    return kept is not None


def _back() -> None:
    st.session_state.pop("signing", None)


def show_report(desk: Desk, case: OpenCase) -> None:
    """Show the signed report and its downloads; each is a look that leaves an entry."""
    report = case.file.report
    if report is None:
        return
    state = st.session_state
    if state.get("report_of") != (report.id, desk.reader.id):
        state["report"] = desk.assistant.render(report.id, format="text", by=desk.reader)
        state["report_of"] = (report.id, desk.reader.id)
    st.code(state["report"], language=None, wrap_lines=True)
    with st.container(horizontal=True):
        for label, format, ending in FORMATS:
            st.download_button(
                label,
                data=partial(desk.assistant.render, report.id, format=format, by=desk.reader),
                file_name=f"report.{ending}",
                key=f"download {format} {report.id}",
                icon=":material/download:",
            )
    if lacking := presenter.identifier_settings_lacking(desk.assistant.settings):
        st.caption(lacking)
