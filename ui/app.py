"""The dashboard's page: worklist, film, statements, decisions, signature, history."""

from __future__ import annotations

from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmm.assistant import Assistant
from medmm.domain.identity import PatientIdentity
from medmm.domain.notices import FOR_THE_RECORD_TITLE
from medmm.domain.report import CaseFile, CaseSummary, Reader
from medmm.domain.study import Volume
from medmm.presentation import opinion_words
from medmm.presentation.case_view import CaseView, HeatChoice, case_view
from medmm.presentation.draft_words import BANNER
from medmm.presentation.film_picture import HEAT_NOTE, film_picture
from medmm.presentation.slice_picture import png_bytes
from ui import presenter, report_words
from ui.actions import acted, forget, told
from ui.admission import admit_released, show_admission
from ui.amending import show_versions
from ui.held_study import KEY as HELD
from ui.held_study import forget_held, show_held
from ui.presenter import inert
from ui.reading_room import open_assistant
from ui.review import show_signing, show_statements
from ui.volumes import show_volume

# Constant: never anything of a record here. Less empty space and statements as tall as the window
# allows, so that film and statements fit one screen; small print dark enough to be read.
STYLE = """<style>
.stMainBlockContainer {padding: 2.2rem 2.5rem 2rem}
[data-testid="stSidebarHeader"] {height: 1.5rem; min-height: 0}
.stMain h3 {padding-top: 0}
.stMain [data-testid="stAlertContainer"] {padding: .5rem .9rem}
.stMain .stCode code {font-size: .7rem}
[data-testid="stCaptionContainer"] {color: inherit; opacity: .82}
.st-key-statements, div:has(> .st-key-statements) {height: max(560px, \
calc(100vh - 32rem)) !important; flex-basis: auto !important}
.stMain .stButton button, .stMain .stPopover button {min-height: 1.9rem; padding: 0 .7rem}
</style>"""


def main() -> None:
    """Show the page."""
    st.set_page_config(page_title="medmm", page_icon="🩻", layout="wide")
    st.html(STYLE)
    banner = st.empty()
    banner.warning(BANNER, icon="⚠️")
    with told():
        assistant = open_assistant()
        with st.sidebar:
            reader = choose_reader(assistant)
        if reader is None:
            st.info("Nobody may review yet: add a reader under `readers:` in the configuration.")
            return
        with st.sidebar, told():
            choose_case(assistant, reader)
        with st.sidebar:
            show_admission(assistant, reader, told, admitted)
            show_verification(assistant, reader)
        if HELD in st.session_state:
            show_held(assistant, reader, told, admit_released(assistant, reader, admitted))
        elif case_id := st.session_state.get("case"):
            show_case(assistant, case_id, reader, banner)
        else:
            st.info(presenter.WELCOME)


def choose_reader(assistant: Assistant) -> Reader | None:
    """Ask who reads, of the configured readers."""
    st.title("medmm", anchor=False)
    reader = st.selectbox(
        "Reader", assistant.readers(), format_func=lambda r: f"{r.name} · {r.role}", key="reader"
    )
    st.caption("There is no sign-in in this version: whoever sits here acts as this reader.")
    if reader is not None and reader.unnamed:
        st.caption(
            ":orange[This reader can't sign: put your own name under `readers:` in the settings.]"
        )
    return reader


def choose_case(assistant: Assistant, reader: Reader) -> None:
    """Show the worklist; the open case is `case` in the session."""
    found, shown = worklist(assistant, reader), worklist_shown()
    cases = {summary.case_id: summary for summary in found[:shown]}
    st.subheader(f"Worklist ({len(cases)}{'+' if len(found) > shown else ''})", anchor=False)
    if st.button("Refresh", key="refresh", icon=":material/refresh:", type="tertiary"):
        forget()
        st.rerun()
    for case_id, summary in cases.items():
        with st.container(gap=None):
            st.button(
                inert(presenter.case_line(summary)),
                key=f"open {case_id}",
                type="primary"
                if HELD not in st.session_state and case_id == st.session_state.get("case")
                else "secondary",
                width="stretch",
                on_click=open_case,
                args=(case_id,),
            )
            if critical := presenter.critical_line(summary):
                st.markdown(f":red-badge[critical: {inert(critical)}]")
            st.caption(inert(presenter.suspected_line(summary)))
    if len(found) > shown and st.button("More cases", key="more cases", width="stretch"):
        st.session_state["shown"] = shown + presenter.WORKLIST_PAGE
        st.session_state.pop("worklist")
        st.rerun()


def worklist_shown() -> int:
    """Read how many cases of the worklist are shown."""
    return int(st.session_state.get("shown", presenter.WORKLIST_PAGE))


def open_case(case_id: str) -> None:
    """Open the case that a reader chose.

    None opens by itself, since looking at a patient leaves an entry.
    """
    forget_held()
    st.session_state["case"] = case_id
    forget()


def worklist(assistant: Assistant, reader: Reader) -> tuple[CaseSummary, ...]:
    """Read the cases that are shown and one more, again only after something changed.

    The one more is there to tell whether the list goes on.

    Each look is an audit entry.
    """
    if st.session_state.get("worklist_of") != reader.id or "worklist" not in st.session_state:
        st.session_state.pop("worklist", None)
        st.session_state["worklist"] = assistant.cases(limit=worklist_shown() + 1, by=reader)
        st.session_state["worklist_of"] = reader.id
    cases: tuple[CaseSummary, ...] = st.session_state["worklist"]
    return cases


def admitted(case_id: str) -> None:
    """Open the study that came in and is drafted."""
    open_case(case_id)
    st.rerun()


def show_verification(assistant: Assistant, reader: Reader) -> None:
    """Show whether the audit log is sound."""
    if not st.button("Verify the audit log", key="verify", width="stretch"):
        return
    with told():
        found = assistant.verify(by=reader)
        if found.ok:
            st.success(
                "  \n".join([f"The audit log is sound: {found.size} entries.", *found.not_covered])
            )
        else:
            place = inert(found.problems[0].place)
            st.error(f"The audit log was altered: {place}. Stop and call your administrator.")


def opened(assistant: Assistant, case_id: str, reader: Reader) -> tuple[CaseFile, PatientIdentity]:
    """Read the open case and its patient.

    They are kept while it is open, so that a moved slider leaves no audit entry.
    """
    state = st.session_state
    if state.get("file_of") != (case_id, reader.id):
        for name in ("file", "identity", "events", "signing", "amending"):
            state.pop(name, None)
    if "file" not in state:
        state["file"] = assistant.case(case_id, by=reader)
        state["file_of"] = (case_id, reader.id)
    file: CaseFile = state["file"]
    if "identity" not in state:
        state["identity"] = assistant.identity(file.case.study.patient_key, by=reader)
    return file, state["identity"]


def show_case(assistant: Assistant, case_id: str, reader: Reader, banner: DeltaGenerator) -> None:
    """Show the film on the left and statements on the right.

    The banner of a signed case no longer calls it a draft.
    """
    file, identity = opened(assistant, case_id, reader)
    view = case_view(file)
    if view.signed:
        banner.warning(inert(report_words.banner(file)), icon="⚠️")
    # An anchor puts the name in the address
    st.subheader(inert(presenter.patient_line(identity)), anchor=False)
    st.caption(f"{inert(view.title)} · {view.state.value} · {inert(case_id)}")
    if view.note:
        st.info(inert(view.note))
    if view.warnings:
        st.markdown("  \n".join(f":orange[⚠ {inert(warning)}]" for warning in view.warnings))
    left, right = st.columns([5, 6], gap="medium")
    with left:
        show_film(file, view)
        show_record(file)
        if view.recorded:
            with st.expander(f"{FOR_THE_RECORD_TITLE} ({len(view.recorded)})"):
                st.caption("  \n".join(inert(notice) for notice in view.recorded))
    with right:
        names = ["Signed report" if view.signed else "Review", "History"]
        review, history = st.tabs(names, key=f"tab {case_id} {view.signed}", on_change="rerun")
        with review:
            show_review(assistant, file, reader, identity, view)
        if history.open:
            with history:
                show_history(assistant, case_id, reader)


def show_review(
    assistant: Assistant, file: CaseFile, reader: Reader, identity: PatientIdentity, view: CaseView
) -> None:
    """Show the signed report, or the draft with what is to be decided.

    What was not evaluated is shown in either case.
    """
    if file.report is not None:
        show_report(assistant, file.report.id, reader)
        show_versions(assistant, file, file.report, reader, identity)
    elif not view.statements:
        draft = partial(assistant.draft, file.case.id, by=reader)
        st.button("Draft", key="draft", type="primary", on_click=acted, args=(draft,))
    else:
        show_statements(assistant, file, reader, view)
        show_signing(assistant, file, reader, identity, view)
    if view.opinions:
        with st.expander(opinion_words.TITLE.capitalize(), expanded=True):
            st.caption(opinion_words.NOTE)
            st.caption("  \n".join(f"• {inert(item)}" for item in view.opinions))
    if (
        view.not_evaluated and file.report is None and "signing" not in st.session_state
    ):  # else it stands in the text
        with st.expander("Not evaluated", expanded=True):
            st.caption("  \n".join(f"• {inert(item)}" for item in view.not_evaluated))
    if view.made_by:
        st.caption(inert(view.made_by))
    for line in view.images:
        st.caption(inert(line))


def show_film(file: CaseFile, view: CaseView) -> None:
    """Show a picture of the study with its window, and a heat-map over the film read."""
    case_id = file.case.id
    images = presenter.pictures(file)
    image = images[0]
    if len(images) > 1:
        image = st.selectbox(
            "Picture", images, format_func=presenter.picture_line, key=f"picture {case_id}"
        )
    if image.sequence is not None:
        show_volume(file, image)
        return
    choice = choose_heat(view, case_id) if image == file.case.study.frontal else None
    one, two = st.columns(2)
    window = one.slider(
        "Window (black to white)", 0.0, 1.0, (0.0, 1.0), 0.01, key=f"window {case_id}"
    )
    opacity = two.slider(
        "Heat-map opacity", 0.0, 1.0, 0.4, 0.05, key="opacity", disabled=choice is None
    )
    slices = image.shape_zyx[0]
    index_z = (
        st.slider("Slice", 1, slices, slices // 2 + 1, key=f"slice {image.sha256}") - 1
        if slices > 1
        else 0
    )
    caption = [presenter.side_line(image)] if slices == 1 else []
    if choice:
        caption.append(HEAT_NOTE)
    st.image(picture_of(image, index_z, window, choice, opacity), width="stretch")
    st.caption(" ".join(caption))


def choose_heat(view: CaseView, case_id: str) -> HeatChoice | None:
    """Choose the heat-map to lay over the film; at first the first statement's, if suspected."""
    heats = {heat.name: heat for heat in view.heats}
    names = ["", *heats]
    name = st.selectbox(
        "Heat-map",
        names,
        format_func=lambda n: heats[n].label if n else "none",
        index=names.index(view.first_heat),
        disabled=not heats,
        key=f"heat {case_id}",
    )
    return heats.get(name)


def picture_of(
    image: Volume,
    index_z: int,
    window: tuple[float, float],
    choice: HeatChoice | None,
    opacity: float,
) -> bytes:
    """Draw the picture as PNG; the last is kept, so that a decision does not redraw it."""
    wanted = (image.sha256, index_z, window, choice, opacity)
    if st.session_state.get("picture_of") != wanted:
        region = choice.region if choice else None
        grey = image.frame(index_z)
        st.session_state["picture"] = png_bytes(
            film_picture(grey, window, region, opacity, image.pixel_aspect)
        )
        st.session_state["picture_of"] = wanted
    png: bytes = st.session_state["picture"]
    return png


def show_record(file: CaseFile) -> None:
    """Show the facts that were known when the film was taken."""
    rows = presenter.fact_rows(file.case.context)
    if rows:
        with st.expander(f"Record as of the film ({len(rows)} facts)"):
            st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.caption("No record was admitted with this study.")


def show_report(assistant: Assistant, report_id: str, reader: Reader) -> None:
    """Show the signed report and its downloads; each is a look that leaves an entry."""
    if st.session_state.get("report_of") != (report_id, reader.id):
        st.session_state["report"] = assistant.render(report_id, format="text", by=reader)
        st.session_state["report_of"] = (report_id, reader.id)
    st.code(st.session_state["report"], language=None, wrap_lines=True)
    with st.container(horizontal=True):
        for label, format, ending in (
            ("Text", "text", "txt"),
            ("JSON", "json", "json"),
            ("FHIR R4", "fhir", "fhir.json"),
        ):
            st.download_button(
                label,
                data=partial(assistant.render, report_id, format=format, by=reader),
                file_name=f"report.{ending}",
                key=f"download {format}",
                icon=":material/download:",
            )
    if lacking := presenter.identifier_settings_lacking(assistant.settings):
        st.caption(lacking)


def show_history(assistant: Assistant, case_id: str, reader: Reader) -> None:
    """Show what happened to the case; opening it is a look that leaves an entry itself."""
    if "events" not in st.session_state:
        with told():
            st.session_state["events"] = presenter.history_rows(
                assistant.history(case_id, by=reader)
            )
    if "events" in st.session_state:
        st.dataframe(st.session_state["events"], hide_index=True, width="stretch")


main()
