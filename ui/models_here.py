"""The networks of this installation, as a session knows them."""

from __future__ import annotations

import time

import streamlit as st

from medmm.domain.study_inspection import ModelRow
from ui.desk import Desk

KEPT, KEPT_S = "models here", 60.0  # every file of every network is digested for its row


def models_here(desk: Desk) -> tuple[ModelRow, ...]:
    """List the networks, read again after a minute."""
    kept = st.session_state.get(KEPT)
    if kept is None or kept[0] != desk.reader.id or time.monotonic() - kept[1] > KEPT_S:
        rows = desk.assistant.models(by=desk.reader)
        kept = st.session_state[KEPT] = (desk.reader.id, time.monotonic(), rows)
    found: tuple[ModelRow, ...] = kept[2]
    return found
