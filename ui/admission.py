"""Bringing in a study: a path on this machine, or files that are sent from the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from streamlit.elements.lib.mutable_status_container import StatusContainer

from medmm.assistant import Assistant
from medmm.domain.first_read import ReadingMode
from medmm.domain.report import Reader
from medmm.domain.roles import may
from medmm.domain.study import NotEvaluable
from medmm.web.uploads import IMAGES, RECORD, Upload
from ui.held_study import Held, forget_held, hold
from ui.presenter import inert
from ui.uploading import KEY as UPLOAD
from ui.uploading import show_field, upload_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form names: paths on this machine, or what was sent where these are empty."""

    path: str
    record: str
    upload: Upload
    confirmed: bool


def show_admission(
    assistant: Assistant,
    reader: Reader,
    told: Callable[[], AbstractContextManager[None]],
    admitted: Callable[[str], None],
) -> None:
    """Show the form over the page; `admitted` is called with the case that was opened.

    A role that may not admit sees none.
    """
    if not may("admit", reader):
        return
    with st.popover("Admit", icon=":material/add:"), told():
        upload = upload_of(reader)
        show_field(upload, reader, IMAGES, "DICOM files, or a zip of them", multiple=True)
        show_field(upload, reader, RECORD, "FHIR R4 Bundle (optional)", multiple=False)
        with st.form("admit", border=False):
            path = st.text_input("Or a DICOM file or folder on this machine", key="admit_path")
            record = st.text_input("Or a Bundle on this machine (optional)", key="admit_record")
            confirmed = st.checkbox(
                "I compared image and record: they are of one patient", key="admit_confirmed"
            )
            if not st.form_submit_button("Admit and draft"):
                return
        asked = Asked(path=path.strip(), record=record.strip(), upload=upload, confirmed=confirmed)
        if not asked.path and upload.underway:
            st.info("Files are still being sent. Admit them when the bar is gone.")
        elif not asked.path and upload.path(IMAGES) is None:
            st.info("Send DICOM files, or name a file or folder.")
        else:
            with stages() as stage:
                bring_in(assistant, reader, asked, stage, admitted)


def bring_in(
    assistant: Assistant,
    reader: Reader,
    asked: Asked,
    stage: Callable[[str], None],
    admitted: Callable[[str], None],
) -> None:
    """Admit what the form names; a study that is held is shown in place of the list.

    What was sent is kept after an error, for another try, and while a held study needs it.

    Args:
        stage: is told what begins.
        admitted: is called with the case that was opened.
    """
    upload = asked.upload
    study_path = Path(asked.path) if asked.path else upload.path(IMAGES)
    record_path = Path(asked.record) if asked.record else upload.path(RECORD)
    if study_path is None:
        return
    forget_held()
    outcome = admit(
        assistant, study_path, record_path, reader, confirmed=asked.confirmed, stage=stage
    )
    if isinstance(outcome, str):
        upload.drop()
        admitted(outcome)
    elif outcome.held:
        st.session_state.pop(UPLOAD, None)  # it is the held study's from now on
        hold(
            Held(
                path=study_path,
                record=record_path,
                confirmed=asked.confirmed,
                outcome=outcome,
                upload=upload,
            )
        )
        st.rerun()
    else:
        upload.drop()


def admit_released(
    assistant: Assistant, reader: Reader, admitted: Callable[[str], None]
) -> Callable[[Held], None]:
    """Make what admits a study after its release; `admitted` as in `show_admission`."""

    def go_on(held: Held) -> None:
        with stages() as stage:
            outcome = admit(
                assistant, held.path, held.record, reader, confirmed=held.confirmed, stage=stage
            )
        if isinstance(outcome, str):
            forget_held()
            admitted(outcome)
        elif outcome.held:  # for something else
            hold(replace(held, outcome=outcome))
            st.rerun()

    return go_on


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """Show what is being done, one stage after the other; what failed is marked as failed.

    Returns: what is told that a stage begins.
    """
    with st.status("Beginning …", expanded=True) as status:
        yield lambda words: _next_stage(status, words)


def _next_stage(status: StatusContainer, words: str) -> None:
    status.update(label=words)
    status.caption(words)


def admit(
    assistant: Assistant,
    study_path: Path,
    record_path: Path | None,
    reader: Reader,
    *,
    confirmed: bool = False,
    stage: Callable[[str], None] = lambda words: None,
) -> str | NotEvaluable:
    """Admit, open and have drafted. Give the case, or why the study is not evaluable.

    The draft is made in the background: the case opens with its images before it is there.

    The reason is shown on the page, too.

    `confirmed`: the reader says that image and record are of one patient; it counts if that
    can't be told from them. `stage` is told what begins.
    """
    stage("Reading the images and the record …")
    study = assistant.admit(study_path, record=record_path, confirmed=confirmed, by=reader)
    if isinstance(study, NotEvaluable):
        st.info(
            f"Not evaluable{' (held: a person must look)' if study.held else ''}: "
            f"{inert(study.reason)}"
        )
        return study
    stage("Comparing with earlier studies …")
    case_id = assistant.open_case(study.uid, by=reader).id
    # A draft is seen by who asks for it: who looks first asks after that
    if assistant.reading_mode(case_id, by=reader) is ReadingMode.BLIND_FIRST:
        return case_id
    if may("draft", reader) and assistant.case(case_id, pixels=False, by=reader).draft is None:
        assistant.begin_draft(case_id, again=False, by=reader)
    return case_id
