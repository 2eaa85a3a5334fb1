"""Who reads: chosen of the configured readers."""

from __future__ import annotations

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.report import Reader


def signed_in(assistant: Assistant) -> Reader | None:
    """Ask who reads; None if nobody may yet, which is said."""
    readers = assistant.readers()
    if not readers:
        st.info("Nobody may review yet: add a reader under `readers:` in the configuration.")
        return None
    named = {reader.id: reader for reader in readers}
    chosen = st.selectbox(
        "Reader",
        list(named),
        format_func=lambda name: f"{named[name].name} · {named[name].role}",
        key="reader",
        label_visibility="collapsed",
        width=260,
        help="There is no sign-in here: whoever sits here acts as this reader.",
    )
    reader = named[chosen]
    if reader.unnamed:
        st.caption(
            ":orange[This reader can't sign: put your own name under `readers:` in the settings.]"
        )
    return reader
