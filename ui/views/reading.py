"""The reading page: the image on the left, the sentences and decisions on the right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest

import streamlit as st

from medmm.domain.errors import InputError
from medmm.domain.notices import FOR_THE_RECORD_TITLE
from medmm.domain.priority import Order
from medmm.domain.roles import may
from medmm.domain.worklist import ALL_CASES
from medmm.presentation import opinion_words
from ui import (
    chart,
    deliveries,
    dictation,
    images,
    open_case,
    presenter,
    report_words,
    sentences,
    signing,
    spoken_draft,
    unsent,
)
from ui.actions import show_failed, told
from ui.amending import show_versions
from ui.decision_bar import show_bar, show_steps
from ui.desk import Desk
from ui.draft_underway import show_undrafted
from ui.keys import EARLIER, NEXT_CASE, PAGE_KEYS, RECORD, WORKLIST
from ui.open_case import OpenCase
from ui.presenter import inert
from ui.telling import show_telling
from ui.views import modes

LEASE_LOOKED_AT_S = 60
SIDES_OF_THE_DESK = (53, 47)  # image and sentences, in percent
DRAFT, REPORT, RECORD_VIEW, EARLIER_VIEW, HISTORY = (
    "Draft",
    "Report",
    "Record",
    "Earlier",
    "History",
)
FIRST_READ = "First read"
Go = Callable[[str | None], None]


def show_reading(desk: Desk, go: Go) -> None:
    """Show the open case.

    Args:
        go: opens a case by its id, or the worklist for None.
    """
    with told():
        case_id = open_case.case_in_address(desk)
        if case_id is None:
            st.info("No case is open. Choose one in the worklist.")
            if st.button("Worklist", key="to worklist", shortcut=WORKLIST):
                go(None)
            return
        show_case(desk, case_id, go)


@st.fragment
def show_case(desk: Desk, case_id: str, go: Go) -> None:
    """Show one case; a decision redraws it and nothing else."""
    with told():
        case = open_case.opened(desk, case_id)
        show_failed()
        show_head(desk, case, go)
        unsent_here = st.container(key="unsent")
        left, right = st.columns(SIDES_OF_THE_DESK, gap="small")
        rows = sentences.rows_of(desk, case)
        with left:
            at = sentences.current(rows)
            images.show_images(case, desk, at.id if at else None)
        with right:
            show_panel(desk, case, rows)
        unsent.show_unsent(desk, case, rows, unsent_here)
    keep_lease(desk)


@st.fragment(run_every=LEASE_LOOKED_AT_S)
def keep_lease(desk: Desk) -> None:
    """Renew the lease while the page is open; a lost one is said."""
    with told():
        if open_case.renew(desk):
            st.rerun()


def show_head(desk: Desk, case: OpenCase, go: Go) -> None:
    """Show who it is, what it is, and what must not be overlooked."""
    view = case.view
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="head"):
        st.markdown(f"**{inert(presenter.patient_line(case.identity))}**")
        st.markdown(f":gray[{inert(view.title)}]")
        st.markdown(f":{'green' if view.signed else 'orange'}-badge[{view.state.value}]")
        if view.warnings or view.note or view.recorded:
            with st.popover(f"{len(view.warnings)} warnings", icon=":material/warning:"):
                show_notices(case)
        if case.file.uncommunicated or case.file.communications:
            untold = bool(case.file.uncommunicated)
            with st.popover(":red[Nobody was told]" if untold else "Told", icon=":material/call:"):
                show_telling(desk, case)
        st.space("stretch")
        if st.button(
            "Next case",
            key=f"next {case.id}",
            shortcut=NEXT_CASE,
            type="primary" if view.signed else "secondary",
        ):
            following_case(desk, case, go)
        if st.button("Worklist", key=f"leave {case.id}", shortcut=WORKLIST):
            open_case.leave(desk)
            go(None)
        with st.popover("Keys", type="tertiary"):
            st.markdown("  \n".join(f"`{one.keys}` {one.does}" for one in PAGE_KEYS))
    with st.container(key="strip"):
        held = f" **:red[{inert(case.held)}]**" if case.held else ""
        anew = f" :gray[{open_case.ANEW}]" if open_case.came_anew() else ""
        st.markdown(f":orange[⚠ {inert(report_words.banner(case.file))}]{held}{anew}")


def show_notices(case: OpenCase) -> None:
    """Show every warning of the gate and the draft, and what is for the record alone."""
    view = case.view
    if view.note:
        st.info(inert(view.note))
    for warning in view.warnings:
        st.markdown(f":orange[⚠ {inert(warning)}]")
    if view.recorded:
        st.markdown(f"**{FOR_THE_RECORD_TITLE}**")
        st.caption("  \n".join(inert(notice) for notice in view.recorded))


def following_case(desk: Desk, case: OpenCase, go: Go) -> None:
    """Leave this case and open the next one that waits and that nobody holds."""
    wanted = st.session_state.get("wanted", ALL_CASES)
    after = partial(
        desk.assistant.next_case,
        wanted,
        order=st.session_state.get("order", Order.URGENCY),
        by=desk.reader,
    )
    try:
        found = after(after=case.id)
    except InputError:  # the case has left the worklist: begin at its top
        found = after()
    open_case.leave(desk)
    if found is None or found.case_id == case.id:
        st.session_state["told"] = "No other case waits for a reader."
        go(None)
    else:
        go(found.case_id)


def show_panel(desk: Desk, case: OpenCase, rows: tuple[sentences.SentenceRow, ...]) -> None:
    """Show one of draft or report, record, earlier studies and history."""
    first = FIRST_READ if case.file.blind else REPORT if case.file.report else DRAFT
    key = f"panel {case.id} {first}"
    # the history tells what others decided: it is no blind look
    more = [] if case.file.blind else [HISTORY]
    names = [first, RECORD_VIEW, EARLIER_VIEW, *more]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tabs"):
        for name, shortcut in zip_longest(names, (None, RECORD, EARLIER)):
            st.button(
                name,
                key=f"panel {name} {case.id}",
                shortcut=shortcut,
                type="primary" if st.session_state.get(key, first) == name else "secondary",
                on_click=turned,
                args=(key, name, first),
            )
        if not case.file.blind:
            st.caption(f"{case.view.decided} of {case.view.total} decided", width="content")
        if first == DRAFT:
            show_steps(desk, case)
    shown = st.session_state.get(key, first)
    with st.container(border=False, height=480, key="panel"):
        if shown == RECORD_VIEW:
            chart.show_record(case)
        elif shown == EARLIER_VIEW:
            chart.show_earlier(desk, case)
        elif shown == HISTORY:
            if may("first_reads", desk.reader):
                modes.show_first_reads(desk, case.file)
            chart.show_history(desk, case)
        elif case.file.blind:
            modes.show_blind_first(desk, case.file)
        elif case.file.report is not None:
            signing.show_report(desk, case)
            deliveries.show_ways(desk, case)
            show_versions(desk.assistant, case.file, case.file.report, desk.reader, case.identity)
        else:
            show_draft(desk, case, rows)
    if case.file.report is not None or not case.view.drafted:
        return
    if shown == first and signing.asked(case):
        signing.show_confirmation(desk, case)
    else:
        show_bar(desk, case, sentences.current(rows), partial(signing.ask, desk, case))


def turned(key: str, name: str, first: str) -> None:
    """Turn the panel to a view; the same key again goes back to the draft."""
    st.session_state[key] = first if st.session_state.get(key, first) == name else name


def show_draft(desk: Desk, case: OpenCase, rows: tuple[sentences.SentenceRow, ...]) -> None:
    """Show what is to be decided, or the question before a signature."""
    view = case.view
    if not view.drafted:
        show_undrafted(desk, case)
        return
    if signing.asked(case):
        signing.show_question(desk, case)
        return
    if view.suspected:
        st.caption(f"**Suspected:** {inert(view.suspected)}")
    spoken_draft.show_spoken_draft(desk, case, rows)
    sentences.show_sentences(desk, case, rows)
    dictation.show_dictation(desk, case, rows)
    show_withheld(case)
    titled = {opinion_words.TITLE.capitalize(): view.opinions, "Not evaluated": view.not_evaluated}
    for title, lines in titled.items():
        if lines:
            st.markdown(f"##### {title}")
            st.caption("  \n".join(f"• {inert(line)}" for line in lines))
    for line in (view.made_by, *view.images):
        if line:
            st.caption(inert(line))


def show_withheld(case: OpenCase) -> None:
    """Show, one click away, what was proposed and is not stated, and why."""
    view = case.view
    if not view.proposed:
        return
    with st.expander(view.proposed_title):
        for one in view.proposed:
            st.markdown(inert(one.line))
            for line in one.details:
                st.caption(inert(line))
