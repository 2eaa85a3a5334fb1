"""Bringing in a study: a path on this machine, or files that are uploaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable
from ui.presenter import inert


def show_admission(
    assistant: Assistant,
    reader: Reader,
    told: Callable[[], AbstractContextManager[None]],
    admitted: Callable[[str], None],
) -> None:
    """The form; `admitted` is called with the case that was made of the study and drafted."""
    with st.expander("Admit a study"), st.form("admit", border=False):
        path = st.text_input("DICOM file or folder on this machine", key="admit_path")
        record = st.text_input("FHIR R4 Bundle on this machine (optional)", key="admit_record")
        images = st.file_uploader("Or upload the DICOM files", accept_multiple_files=True, key="admit_images")
        bundle = st.file_uploader("Or upload the Bundle", key="admit_bundle")
        confirmed = st.checkbox("I compared image and record: they are of one patient", key="admit_confirmed")
        if not st.form_submit_button("Admit and draft"):
            return
        if not path.strip() and not images:
            st.info("Name a DICOM file or folder, or upload one.")
            return
        with told(), tempfile.TemporaryDirectory() as folder, st.spinner("Reading the study …"):
            study_path = Path(path.strip()) if path.strip() else saved(images, Path(folder, "study"))
            record_path = Path(record.strip()) if record.strip() else None
            if record_path is None and bundle is not None:
                record_path = saved([bundle], Path(folder, "record")) / "1"
            case_id = admit(assistant, study_path, record_path, reader, confirmed=confirmed)
            if case_id is not None:
                admitted(case_id)


def saved(files: Sequence[BinaryIO], folder: Path) -> Path:
    """The folder with the uploaded files, numbered: an upload never names a file here."""
    folder.mkdir()
    for number, file in enumerate(files, start=1):
        (folder / str(number)).write_bytes(file.read())
    return folder


def admit(
    assistant: Assistant, study_path: Path, record_path: Path | None, reader: Reader, *, confirmed: bool = False
) -> str | None:
    """Admit, open and draft. Returns: the case, or None if the study is not evaluable, which is then said.

    `confirmed`: the reader says that image and record are of one patient; it counts where that can't be told from them.
    """
    study = assistant.admit(study_path, record=record_path, confirmed=confirmed, by=reader)
    if isinstance(study, NotEvaluable):
        st.info(f"Not evaluable{' (held: a person must look)' if study.held else ''}: {inert(study.reason)}")
        return None
    case_id = assistant.open_case(study.uid, by=reader).id
    if assistant.case(case_id, by=reader).draft is None:
        assistant.draft(case_id, by=reader)
    return case_id
