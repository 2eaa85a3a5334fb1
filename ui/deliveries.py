"""Where the versions of a report went, and what was given up."""

from __future__ import annotations

from functools import partial

import streamlit as st

from medmm.domain.delivery import Delivery, DeliveryFilter, DeliveryState
from medmm.domain.roles import may
from medmm.presentation.delivery_words import dead_letter_line, delivery_lines
from ui.actions import DEAD_LETTERS, WAYS, show_failed, tried
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert

MOST_SHOWN = 20


def show_ways(desk: Desk, case: OpenCase) -> None:
    """Show where each version of a signed report went; the look leaves an entry."""
    if not _sends(desk):
        return
    if WAYS not in st.session_state:
        wanted = DeliveryFilter(case_id=case.id)
        found = desk.assistant.deliveries(wanted, by=desk.reader)
        st.session_state[WAYS] = delivery_lines(found)
    lines = st.session_state[WAYS] or ("No destination of the settings gets this report.",)
    with st.expander("Where it went"):
        st.caption("  \n".join(inert(line) for line in lines))
        st.button("Look again", key=f"ways {case.id}", on_click=forgotten, args=(WAYS,))


def show_dead_letters(desk: Desk) -> None:
    """List what was given up, with a button for roles that may have it tried again."""
    if not _sends(desk):
        return
    show_failed()
    if DEAD_LETTERS not in st.session_state:
        wanted = DeliveryFilter(state=DeliveryState.DEAD, limit=MOST_SHOWN)
        st.session_state[DEAD_LETTERS] = desk.assistant.deliveries(wanted, by=desk.reader)
    found: tuple[Delivery, ...] = st.session_state[DEAD_LETTERS]
    if not found:
        st.caption("Nothing that was sent was given up.")
        return
    with st.expander(f"Given up ({len(found)})", expanded=True):
        for one in found:
            left, right = st.columns([5, 1], vertical_alignment="center")
            left.markdown(inert(dead_letter_line(one)))
            if may("retry_delivery", desk.reader):
                right.button(
                    "Try again",
                    key=f"retry {one.number}",
                    width="stretch",
                    on_click=put_back,
                    args=(desk, one.number),
                )
        if len(found) == MOST_SHOWN:
            st.caption(f"The newest {MOST_SHOWN}; `medmm deliveries --state dead` lists more.")


def put_back(desk: Desk, number: int) -> None:
    """Put a delivery back, and have the list read again."""
    tried(partial(desk.assistant.retry_delivery, number, by=desk.reader))
    forgotten(DEAD_LETTERS)


def forgotten(name: str) -> None:
    """Have something read again."""
    st.session_state.pop(name, None)


def _sends(desk: Desk) -> bool:
    return bool(desk.assistant.settings.destinations) and may("deliveries", desk.reader)
