"""A page of Streamlit with what a reader says and hears beside the open case of `MEDMM_CONFIG`."""

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from medmm.assistant import Assistant
from ui import open_case, sentences
from ui.actions import show_failed, told
from ui.desk import Desk
from ui.dictation import show_dictation
from ui.spoken_draft import show_spoken_draft


@st.cache_resource(show_spinner=False)
def opened_assistant() -> Assistant:
    return Assistant.from_config()


def recordings() -> int | None:
    """How many files of readers the server holds in memory; None in a test without a server."""
    manager = get_instance().uploaded_file_mgr
    if not isinstance(manager, MemoryUploadedFileManager):
        return None
    return sum(len(files) for files in manager.file_storage.values())


with told():
    assistant = opened_assistant()
    desk = Desk(assistant=assistant, reader=assistant.reader_named("reader-1"))
    case = open_case.opened(desk, assistant.cases(by=desk.reader)[0].case_id)
    show_failed()
    rows = sentences.rows_of(desk, case)
    at = sentences.current(rows)
    st.text(f"at {at.id if at else None}")
    for row in rows:
        st.text(f"{row.id} {row.statement.decision} {row.statement.text}")
    show_spoken_draft(desk, case, rows)
    show_dictation(desk, case, rows)
    st.text(f"recordings {recordings()}")
