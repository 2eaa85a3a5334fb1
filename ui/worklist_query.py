"""What this session asks the worklist for; the reading page's next case follows it."""

from __future__ import annotations

import streamlit as st

from medmm.presentation.worklist_filter import WorklistQuery

QUERY = "worklist_query"


def query() -> WorklistQuery:
    """Give what is asked for; a session begins with the cases that wait for a reader."""
    found: WorklistQuery = st.session_state.get(QUERY) or WorklistQuery()
    return found


def ask(wanted: WorklistQuery) -> None:
    """Ask for something else; the list is read anew."""
    state = st.session_state
    state[QUERY] = wanted
    state["wanted"], state["order"] = wanted.wanted, wanted.order
    state.pop("worklist", None)
