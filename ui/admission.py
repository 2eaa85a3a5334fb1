"""Bringing in a study: a path on this machine, or files that are uploaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import streamlit as st
from streamlit.elements.lib.mutable_status_container import StatusContainer

from medmm.assistant import Assistant
from medmm.domain.first_read import ReadingMode
from medmm.domain.report import Reader
from medmm.domain.roles import may
from medmm.domain.study import NotEvaluable
from ui.held_study import Held, forget_held, hold
from ui.presenter import inert


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form names: paths on this machine, or uploads where these are empty."""

    path: str
    record: str
    images: tuple[BinaryIO, ...]
    bundle: BinaryIO | None
    confirmed: bool


def show_admission(
    assistant: Assistant,
    reader: Reader,
    told: Callable[[], AbstractContextManager[None]],
    admitted: Callable[[str], None],
) -> None:
    """Show the form over the page; `admitted` is called with the case that was drafted.

    A role that may not admit sees none.
    """
    if not may("admit", reader):
        return
    with st.popover("Admit", icon=":material/add:"), st.form("admit", border=False):
        path = st.text_input("DICOM file or folder on this machine", key="admit_path")
        record = st.text_input("FHIR R4 Bundle on this machine (optional)", key="admit_record")
        images = st.file_uploader(
            "Or upload the DICOM files", accept_multiple_files=True, key="admit_images"
        )
        bundle = st.file_uploader("Or upload the Bundle", key="admit_bundle")
        confirmed = st.checkbox(
            "I compared image and record: they are of one patient", key="admit_confirmed"
        )
        if not st.form_submit_button("Admit and draft"):
            return
        if not path.strip() and not images:
            st.info("Name a DICOM file or folder, or upload one.")
            return
        asked = Asked(
            path=path.strip(),
            record=record.strip(),
            images=tuple(images),
            bundle=bundle,
            confirmed=confirmed,
        )
        with told(), ExitStack() as uploads, stages() as stage:
            bring_in(assistant, reader, asked, uploads, stage, admitted)


def bring_in(
    assistant: Assistant,
    reader: Reader,
    asked: Asked,
    uploads: ExitStack,
    stage: Callable[[str], None],
    admitted: Callable[[str], None],
) -> None:
    """Admit what the form names; a study that is held is shown in place of the list.

    Args:
        uploads: removes what was uploaded at its end, unless a held study needs it.
        stage: is told what begins.
        admitted: is called with the case that was drafted.
    """
    folder = tempfile.TemporaryDirectory()
    uploads.callback(folder.cleanup)
    study_path = Path(asked.path) if asked.path else saved(asked.images, Path(folder.name, "study"))
    record_path = Path(asked.record) if asked.record else None
    if record_path is None and asked.bundle is not None:
        record_path = saved([asked.bundle], Path(folder.name, "record")) / "1"
    forget_held()
    outcome = admit(
        assistant, study_path, record_path, reader, confirmed=asked.confirmed, stage=stage
    )
    if isinstance(outcome, str):
        admitted(outcome)
    elif outcome.held:
        uploaded = any(Path(folder.name).iterdir())
        if uploaded:
            uploads.pop_all()  # it is needed until the study is released or left
        hold(
            Held(
                path=study_path,
                record=record_path,
                confirmed=asked.confirmed,
                outcome=outcome,
                folder=folder if uploaded else None,
            )
        )
        st.rerun()


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


def saved(files: Sequence[BinaryIO], folder: Path) -> Path:
    """Save the uploaded files in a folder, numbered: an upload never names a file here."""
    folder.mkdir()
    for number, file in enumerate(files, start=1):
        (folder / str(number)).write_bytes(file.read())
    return folder


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
        assistant.begin_draft(case_id, by=reader)
    return case_id
