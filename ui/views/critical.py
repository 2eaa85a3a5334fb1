"""Critical results: those that nobody was told of, and who was told of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import streamlit as st

from medmm.domain.critical_result import Communication
from medmm.domain.first_read import ReadingMode
from medmm.domain.priority import Order
from medmm.domain.roles import may
from medmm.domain.worklist import CaseFilter, WorklistRow
from medmm.presentation.case_view import case_view
from medmm.presentation.critical_view import (
    CLOSED_COLUMNS,
    OPEN_COLUMNS,
    closed_table,
    critical_sentences,
    open_table,
)
from medmm.presentation.worklist_filter import news_words
from ui import presenter
from ui.actions import forget, show_failed, told
from ui.case_table import show_table
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import inert
from ui.telling import show_telling

Go = Callable[[str | None], None]
CRITICAL = CaseFilter(critical=True)
MOST_OPEN, MOST_TOLD, LOOKED_THROUGH = 200, 10, 50  # cases
CLOCK_EVERY_S = 15
AROUND_OPEN_PX, AROUND_TOLD_PX = 430, 480
TELLING = "telling"  # name in the session: id of the case whose form is open


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResults:
    """The results that nobody was told of, and the entry of the log up to which they are."""

    rows: tuple[WorklistRow, ...]
    more: bool
    entry: int


def show_critical(desk: Desk, go: Go) -> None:
    """Show the critical results.

    Args:
        go: opens a case by its id.
    """
    with told():
        if not may("worklist", desk.reader):
            st.info(
                f"The role {inert(desk.reader.role)} does not see critical results. Who reads "
                "here is chosen on top."
            )
            return
        show_failed()
        results = open_results(desk)
        show_head(desk, results)
        if results.rows:
            show_open(desk, results)
        else:
            st.success("Nobody waits to be told of a critical result.")
        show_form(desk, go, results)
        show_told(desk, go)


def open_results(desk: Desk) -> OpenResults:
    """Read the results that nobody was told of, again only after something changed."""
    state = st.session_state
    kept = state.get("critical")
    if kept is None or kept[0] != desk.reader.id:
        found = desk.assistant.worklist(
            CRITICAL, limit=MOST_OPEN, order=Order.URGENCY, by=desk.reader
        )
        rows = tuple(row for row in found.rows if row.critical is not None)
        more = len(rows) == MOST_OPEN
        kept = (desk.reader.id, OpenResults(rows=rows, more=more, entry=found.entry))
        state["critical"] = kept
    results: OpenResults = kept[1]
    return results


def show_head(desk: Desk, results: OpenResults) -> None:
    """Show how many there are, what is new, and what the page is for."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tools"):
        count = f"{len(results.rows)}{' or more' if results.more else ''}"
        st.markdown(f"**{count} to tell**", width="content")
        st.caption("Nothing is sent from here: tell it, then keep that you did.", width="content")
        st.space("stretch")
        show_news(desk, results.entry)
        if st.button("Refresh", key="refresh", icon=":material/refresh:", type="tertiary"):
            forget()
            st.rerun()


@st.fragment(run_every=CLOCK_EVERY_S)
def show_news(desk: Desk, entry: int) -> None:
    """Say how many cases with critical findings came since; the list waits until asked."""
    with told():
        words = news_words(desk.assistant.arrived(entry, CRITICAL, by=desk.reader))
        if words and st.button(words, key="news", type="primary", icon=":material/fiber_new:"):
            forget()
            st.rerun()


@st.fragment(run_every=CLOCK_EVERY_S)
def show_open(desk: Desk, results: OpenResults) -> None:
    """Show the open results; their clocks go on while the page stands."""
    names = {reader.id: reader.name for reader in desk.assistant.readers()}
    rule = desk.assistant.settings.critical.rule()
    chosen = show_table(
        OPEN_COLUMNS,
        open_table(results.rows, rule, names, datetime.now(UTC)),
        key=f"to tell {desk.reader.id}",
        label="Critical results that nobody was told of. Arrow keys go from one to the next, "
        "Enter opens its form.",
        around_px=AROUND_OPEN_PX,
        current=st.session_state.get(TELLING),
    )
    if chosen is not None:
        st.session_state[TELLING] = chosen
        st.rerun()


def show_form(desk: Desk, go: Go, results: OpenResults) -> None:
    """Show the chosen result with its sentences, and the form that closes it."""
    case_id = st.session_state.get(TELLING)
    if case_id is None:
        if results.rows:
            st.caption("Choose a result to keep who was told.")
        return
    if not may("case", desk.reader) or not may("identity", desk.reader):
        st.info(f"The role {inert(desk.reader.role)} may not look at the case.")
        return
    case = looked_at(desk, case_id)
    with st.container(border=True, key="telling"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{inert(presenter.patient_line(case.identity))}**", width="content")
            st.caption(inert(case.view.title), width="content")
            st.space("stretch")
            if st.button("Open the case", key=f"open told {case.id}"):
                go(case.id)
            st.button("Close", key=f"close told {case.id}", type="tertiary", on_click=_closed)
        if case.file.blind:
            st.info("Your own first read of this case comes before its draft: open the case.")
            return
        for words in critical_sentences(case.view):
            st.markdown(f"“{inert(words)}”")
        show_telling(desk, case)


def _closed() -> None:
    st.session_state.pop(TELLING, None)
    st.session_state.pop("critical_case", None)


def looked_at(desk: Desk, case_id: str) -> OpenCase:
    """Look at a case as it stands, and at whose it is; once while its form is open."""
    state, of = st.session_state, (desk.reader.id, case_id)
    if "critical_case" not in state or state["critical_case"][0] != of:
        blind = read_first(desk, case_id)
        file = desk.assistant.case(case_id, pixels=False, blind=blind, by=desk.reader)
        identity = desk.assistant.identity(file.case.study.patient_key, by=desk.reader)
        state["critical_case"] = (
            of,
            OpenCase(file=file, identity=identity, view=case_view(file), lease=None, held=""),
        )
    case: OpenCase = state["critical_case"][1]
    return case


def read_first(desk: Desk, case_id: str) -> bool:
    """Tell whether this reader is to read the images before seeing what is suspected."""
    if not may("record_first_read", desk.reader):
        return False
    mode = desk.assistant.reading_mode(case_id, by=desk.reader)
    return mode is ReadingMode.BLIND_FIRST


def show_told(desk: Desk, go: Go) -> None:
    """Show who was told of what; each is a look at its case, so the last ones alone are shown."""
    if not may("case", desk.reader):
        return
    state = st.session_state
    if "told_cases" not in state or state["told_cases"][0] != desk.reader.id:
        state["told_cases"] = (desk.reader.id, tuple(told_of(desk)))
    rows = closed_table(state["told_cases"][1])
    st.markdown("**Told**")
    if not rows:
        st.caption("Nobody was told of a critical result yet.")
        return
    chosen = show_table(
        CLOSED_COLUMNS,
        rows,
        key=f"told {desk.reader.id}",
        label="Critical results that somebody was told of. Enter opens the case.",
        around_px=AROUND_TOLD_PX,
        takes_keys=not open_results(desk).rows,
    )
    if chosen is not None:
        go(chosen)


def told_of(desk: Desk) -> Iterator[tuple[WorklistRow, Communication]]:
    """Read who was told, of the newest cases whose critical findings are told."""
    found = desk.assistant.worklist(
        CRITICAL, limit=LOOKED_THROUGH, order=Order.NEWEST, by=desk.reader
    )
    closed = [row for row in found.rows if row.critical is None]
    seen = (row for row in closed if not read_first(desk, row.case.case_id))
    for row in islice(seen, MOST_TOLD):
        file = desk.assistant.case(row.case.case_id, pixels=False, by=desk.reader)
        for one in file.communications:
            yield row, one
