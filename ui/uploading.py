"""Fields that send files from the browser to the server, which writes them as they come.

`st.file_uploader` holds all of them in the memory of the server, and each once more when it is
read. These go by a route of their own (`medmm.web.upload_routes`), and the page learns only how
many there are.
"""

from __future__ import annotations

from functools import cache

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from medmm.domain.errors import StateError
from medmm.domain.report import Reader
from medmm.web.uploads import PARTS, Upload
from ui.reading_room import upload_link, uploads

KEY = "upload"  # in the session: the id of what is being sent from this page


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.upload", js="upload.js", css="upload.css")


def upload_of(reader: Reader) -> Upload:
    """Give what this page's reader sends; another reader's is not theirs.

    Raises: Unavailable if the data folder can't be written.
    """
    kept: str | None = st.session_state.get(KEY)
    if kept is not None:
        try:
            return uploads().find(kept, reader.id)
        except StateError:  # admitted, too old, or another reader's
            st.session_state.pop(KEY, None)
    made = uploads().begin(reader.id)
    st.session_state[KEY] = made.id
    return made


def show_field(upload: Upload, reader: Reader, part: str, label: str, *, multiple: bool) -> None:
    """Show a field to choose files, what has come of them, and how far the rest is."""
    received = upload.received(part)
    _component()(
        key=f"send {part} {upload.id}",
        data={
            "id": f"{upload.id} {part}",
            "link": upload_link(upload.id, reader),
            "part": part,
            "label": label,
            "multiple": multiple,
            "files": received.files,
            "bytes": received.bytes,
            "held": sum(upload.received(one).bytes for one in PARTS),
            "limit": upload.limit_bytes,
        },
        on_news_change=_noted,
        height="content",
    )


def _noted() -> None:
    """Let Streamlit run the page again; it asks the upload what has come."""
