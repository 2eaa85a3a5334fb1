"""The worklist: who waits, why, and who reads whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from medmm.domain.errors import InputError
from medmm.domain.priority import Order
from medmm.domain.roles import may
from medmm.domain.worklist import ALL_CASES, Worklist
from medmm.presentation.case_table import WORKLIST_COLUMNS, worklist_table
from medmm.presentation.worklist_filter import (
    ORDER_WORDS,
    PAGE,
    WAITING,
    WorklistQuery,
    filter_words,
    news_words,
    nothing_words,
    page_words,
    untold_words,
)
from ui import held_study, open_case
from ui.actions import forget, show_failed, told
from ui.admission import admit_released, show_admission
from ui.case_table import show_table
from ui.desk import Desk
from ui.keys import NEXT_CASE
from ui.presenter import inert
from ui.worklist_filters import asks_for, show_chips, show_filter, show_saved
from ui.worklist_query import ask, query

Go = Callable[[str | None], None]
NEWS_EVERY_S = 20
MOST_UNTOLD = 20  # cases that are counted
AROUND_PX = 174  # bar, search, chips and the line under the table
EARLIER, LATER = "Shift+Left", "Shift+Right"


def show_worklist(desk: Desk, go: Go) -> None:
    """Show the worklist.

    Args:
        go: opens a case by its id.
    """
    with told():
        open_case.leave(desk)
        if open_case.STUDY in st.query_params:
            show_linked(desk, go)
            return
        if case_id := open_case.case_in_address(desk):
            go(case_id)
        show_failed()
        if words := st.session_state.pop("told", ""):
            st.info(words)
        if held_study.KEY in st.session_state:
            held_study.show_held(
                desk.assistant, desk.reader, told, admit_released(desk.assistant, desk.reader, go)
            )
            return
        if not may("worklist", desk.reader):
            st.info(
                f"The role {inert(desk.reader.role)} does not see the worklist. Who reads here is "
                "chosen on top."
            )
            return
        show_cases(desk, go)


def show_linked(desk: Desk, go: Go) -> None:
    """Open the case of the Study UID that the address names, or say that there is none."""
    uid = st.query_params[open_case.STUDY]
    if not may("identity", desk.reader):
        st.info(
            f"The role {inert(desk.reader.role)} may not look for a study by its UID. Who reads "
            "here is chosen on top."
        )
    else:
        found = desk.assistant.worklist(search=uid, limit=1, by=desk.reader).rows if uid else ()
        exact = [row.case for row in found if row.case.study_uid == uid.strip()]
        if exact:
            st.query_params.clear()
            go(exact[0].case_id)
        st.warning(
            f"No case has the Study UID {inert(uid)}. It may not have arrived yet, or the gate "
            "does not admit it."
        )
        st.button("Look again", key="look again", type="primary")
    st.button("Show the worklist", key="leave link", on_click=st.query_params.clear)


def show_cases(desk: Desk, go: Go) -> None:
    """Show a page of cases with what narrows it; the chosen one opens."""
    if query().search and not may("identity", desk.reader):  # it was another reader's
        end_search()
    page, refused = None, ""
    try:
        page = page_of(desk)
    except InputError as error:  # these words can't be searched for
        refused = f"{error.problem[:1].upper()}{error.problem[1:]}: {error.remedy}."
    show_bar(desk, go, page)
    if page is None or not page.rows:
        show_nothing(desk, refused)
        return
    show_chips(page, st.session_state["untold"])
    names = names_of(desk)
    asked = query()
    rows = worklist_table(page, datetime.now(UTC), names)
    chosen = show_table(
        WORKLIST_COLUMNS,
        rows,
        key=f"cases {desk.reader.id}",
        label=f"Worklist: {filter_words(asked.wanted, names)}. Arrow keys go from case to case, "
        "Enter opens one.",
        around_px=AROUND_PX,
        current=st.session_state.get("last_case"),
    )
    show_turning(asked, page)
    if chosen is not None:
        st.session_state["last_case"] = chosen
        go(chosen)


def page_of(desk: Desk) -> Worklist:
    """Read a page, again only after something changed; each look is an audit entry.

    Raises: InputError if nothing can be searched for by these words.
    """
    state, asked = st.session_state, query()
    of = (desk.reader.id, asked)
    if state.get("worklist_of") != of or "worklist" not in state:
        state["worklist"] = desk.assistant.worklist(
            asked.wanted,
            search=asked.search,
            limit=PAGE,
            after=asked.places[-1] if asked.places else None,
            order=asked.order,
            by=desk.reader,
        )
        state["worklist_of"] = of
        state["untold"] = untold_words(
            desk.assistant.cases(
                critical=True,
                waiting=False,
                limit=MOST_UNTOLD,
                order=Order.URGENCY,
                by=desk.reader,
            )
        )
    found: Worklist = state["worklist"]
    return found


def names_of(desk: Desk) -> dict[str, str]:
    """Give the names of readers by their ids."""
    return {reader.id: reader.name for reader in desk.assistant.readers()}


def show_bar(desk: Desk, go: Go, page: Worklist | None) -> None:
    """Show search, order, filters, what is new, and the ways to a case."""
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", wrap=False, key="tools"
    ):
        show_search(desk)
        orders = list(ORDER_WORDS)
        st.session_state["order by"] = query().order
        st.selectbox(
            "Order",
            orders,
            format_func=ORDER_WORDS.__getitem__,
            key="order by",
            label_visibility="collapsed",
            width=170,
            on_change=_order,
        )
        with st.popover("Filter", icon=":material/filter_alt:", width="content"):
            show_filter(desk, page)
        with st.popover("Saved", icon=":material/bookmark:", width="content"), told():
            show_saved(desk)
        st.space("stretch")
        if page is not None:
            show_news(desk, page.entry)
        if st.button("Refresh", key="refresh", icon=":material/refresh:", type="tertiary"):
            forget()
            st.rerun()
        if may("claim", desk.reader) and st.button(
            "Next case", key="next case", type="primary", shortcut=NEXT_CASE
        ):
            next_case(desk, go)
        show_admission(desk.assistant, desk.reader, told, go)


def show_search(desk: Desk) -> None:
    """Show the field of the search; for roles that may see who the cases are."""
    may_search = may("identity", desk.reader)
    st.session_state.setdefault("search", query().search)
    st.text_input(
        "Search",
        key="search",
        placeholder="Name, patient ID, accession, UID"
        if may_search
        else "This role may not search by patient",
        label_visibility="collapsed",
        icon=":material/search:",
        width=320,
        disabled=not may_search,
        on_change=_search,
    )


def _search() -> None:
    ask(query().asking(search=st.session_state["search"].strip()))


def _order() -> None:
    chosen: Order = st.session_state["order by"]
    ask(query().asking(order=chosen))


@st.fragment(run_every=NEWS_EVERY_S)
def show_news(desk: Desk, entry: int) -> None:
    """Say how many cases came since; the list stays as it is until they are asked for."""
    with told():
        words = news_words(desk.assistant.arrived(entry, query().wanted, by=desk.reader))
        if words and st.button(words, key="news", type="primary", icon=":material/fiber_new:"):
            ask(query().asking())
            st.rerun()


def next_case(desk: Desk, go: Go) -> None:
    """Open the first case of the list that waits and that nobody else holds."""
    asked = query()
    found = desk.assistant.next_case(asked.wanted, order=asked.order, by=desk.reader)
    if found is None:
        st.info("No other case of this list waits for a reader.")
        return
    st.session_state["last_case"] = found.case_id
    go(found.case_id)


def show_nothing(desk: Desk, refused: str) -> None:
    """Say why the list is empty, and offer the ways out."""
    asked = query()
    problem, remedy = nothing_words(asked, names_of(desk))
    with st.container(border=True, key="nothing"):
        st.markdown(f"**{inert(refused or problem)}**")
        if not refused:
            st.caption(inert(remedy))
        with st.container(horizontal=True, gap="small"):
            if asked.search:
                st.button("End the search", key="end search", on_click=end_search)
                if asked.wanted != ALL_CASES:
                    st.button(
                        "Search all cases", key="search all", on_click=asks_for, args=(ALL_CASES,)
                    )
                return
            if asked.wanted != ALL_CASES:
                st.button("Show all cases", key="show all", on_click=asks_for, args=(ALL_CASES,))
            if asked.wanted not in (WAITING, ALL_CASES):
                st.button("Those that wait", key="show waiting", on_click=asks_for, args=(WAITING,))


def end_search() -> None:
    """Ask for the same without the words of the search."""
    ask(query().asking(search=""))
    st.session_state["search"] = ""


def show_turning(asked: WorklistQuery, page: Worklist) -> None:
    """Show which cases of how many these are, and the ways to the others."""
    shown = PAGE * len(asked.places) + len(page.rows)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="turning"):
        st.caption(page_words(asked, len(page.rows), page.total), width="content")
        if asked.places:
            st.button(
                "Page before",
                key="page before",
                shortcut=EARLIER,
                type="tertiary",
                on_click=ask,
                args=(asked.turned(None),),
            )
        if len(page.rows) == PAGE and shown < page.total:
            st.button(
                "Next page",
                key="next page",
                shortcut=LATER,
                type="tertiary",
                on_click=ask,
                args=(asked.turned(page.rows[-1].case.place),),
            )
