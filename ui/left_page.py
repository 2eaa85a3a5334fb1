"""What was typed in a tab belongs to its reader, who finds it again after signing in anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from medmm.domain.errors import MedmmError, PermissionDenied
from medmm.domain.report import Reader
from medmm.web.left_words import LeftPage
from ui.reading_room import left_words

OF_TAB = "signed in"  # in the session: id of the reader whose page this tab shows
LEFT = "left"  # in the session, after the end: whether what was typed is kept
BACK = "back"  # in the session, at the beginning: the page to go back to
SENTENCE = "sentence"  # in the session: the one that is open in the case
OF_A_CASE = re.compile(r"\bcase-[a-z0-9]+")
FAILED = "sign_in"  # in the address: the provider signed nobody in


def ended(error: MedmmError) -> bool:
    """Tell whether a verb was refused because the sign-in is over, or the role is another now."""
    return isinstance(error, PermissionDenied) and bool({"session", "role"} & set(error.where))


def keep_words() -> None:
    """Keep what this tab's reader has typed, once.

    It comes before anything is drawn anew: Streamlit forgets the text of a field that is not drawn.
    """
    reader = st.session_state.get(OF_TAB)
    if reader is None or LEFT in st.session_state:
        return
    page = LeftPage(
        path=urlsplit(st.context.url or "").path.strip("/"),
        query=dict(st.query_params),
        fields=fields(st.session_state),
    )
    st.session_state[LEFT] = left_words().keep(reader, page)


def fields(state: Mapping[str | int, Any]) -> dict[str, str]:
    """Take from a session what fields of a case hold, and which sentence is open."""
    return {
        str(key): value
        for key, value in state.items()
        if isinstance(value, str) and (key == SENTENCE or OF_A_CASE.search(str(key)))
    }


def left() -> bool | None:
    """Tell whether what was typed here is kept; None if nobody's page was left here."""
    found: bool | None = st.session_state.get(LEFT)
    return found


def begin(reader: Reader) -> None:
    """Make this tab a reader's: where they left off, if they did."""
    if st.session_state.get(OF_TAB) == reader.id and LEFT not in st.session_state:
        return
    keep_words()
    # Not before: the page that was left may still send what was pressed, whose callbacks look here
    for key in list(st.session_state):
        del st.session_state[key]
    st.session_state[OF_TAB] = reader.id
    page = left_words().take(reader.id)
    if page is not None:
        for key, text in page.fields.items():
            st.session_state[key] = text
        st.session_state[BACK] = page


def go_back(pages: Sequence[st.Page]) -> None:
    """Go to the page that was left when the sign-in ended, once."""
    page: LeftPage | None = st.session_state.pop(BACK, None)
    if page is None:
        return
    query = {name: value for name, value in page.query.items() if name != FAILED}
    for one in pages:
        if one.url_path == page.path:
            st.switch_page(one, query_params=query)
