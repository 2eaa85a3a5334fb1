"""The worklist's filters: chips with counts, a form for the rest, and those that are kept."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import TypeVar

import streamlit as st

from medmm.domain.case_state import CaseState
from medmm.domain.priority import Priority
from medmm.domain.roles import may
from medmm.domain.study import Modality
from medmm.domain.worklist import ALL_CASES, CaseFilter, SavedFilter, Worklist
from medmm.presentation.worklist_filter import UNTOLD, WAITING, chips, filter_words, narrowed
from ui.actions import tried
from ui.desk import Desk
from ui.presenter import inert
from ui.worklist_query import ask, query

Kind = TypeVar("Kind", bound=Enum)
ANY = "any"
YES_NO = {ANY: None, "yes": True, "no": False}


def show_chips(page: Worklist, untold: str) -> None:
    """Show each value of the listed cases with its count; a press narrows the list.

    Args:
        untold: how many signed cases have a critical finding that nobody was told of, in words.
    """
    asked = query()
    waiting = asked.wanted.waiting is True
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="chips"):
        st.button(
            "✓ waiting for a reader" if waiting else "waiting for a reader",
            key="chip waiting",
            type="primary" if waiting else "secondary",
            on_click=asks_for,
            args=(WAITING if not waiting else ALL_CASES,),
            help="Press it to see signed cases, too." if waiting else None,
        )
        if untold:
            st.button(f":red[**{untold}**]", key="chip untold", on_click=asks_for, args=(UNTOLD,))
        for chip in chips(page, asked.wanted):
            st.button(
                inert(chip.label),
                key=f"chip {chip.name}",
                type="primary" if chip.on else "secondary",
                on_click=asks_for,
                args=(chip.wanted,),
            )
        if narrowed(asked.wanted):
            st.button(
                "Clear", key="clear filter", type="tertiary", on_click=asks_for, args=(WAITING,)
            )


def asks_for(wanted: CaseFilter) -> None:
    """Ask for cases that have this in common; order and search stay."""
    ask(query().asking(wanted=wanted))


def show_filter(desk: Desk, page: Worklist | None) -> None:
    """Show the form of all that cases can be asked for by, and where a filter is kept."""
    wanted = query().wanted
    tag = zlib.crc32(repr(wanted).encode())  # another filter has fields of its own
    with st.form(f"filter {tag}", border=False):
        left, right = st.columns(2)
        with left:
            state = _one_of("State", CaseState, wanted.state, tag)
            modality = _one_of("Modality", Modality, wanted.modality, tag)
            body_part = _words("Body part", wanted.body_part, body_parts(page), tag)
            site = _words("Site", wanted.site, sites(desk, page), tag)
        with right:
            priority = _one_of("Priority", Priority, wanted.priority, tag)
            critical = st.selectbox(
                "Critical finding suspected",
                list(YES_NO),
                index=list(YES_NO.values()).index(wanted.critical),
                key=f"filter critical {tag}",
            )
            first = _day("Acquired from", wanted.acquired_from, tag)
            last = _day("Acquired to", wanted.acquired_to, tag)
        waiting = st.checkbox(
            "Waiting for a reader", value=wanted.waiting is True, key=f"filter waiting {tag}"
        )
        mine = st.checkbox(
            "Mine: claimed by me", value=wanted.assigned is not None, key=f"filter mine {tag}"
        )
        if st.form_submit_button("Show these", type="primary", key=f"filter show {tag}"):
            asks_for(
                CaseFilter(
                    state=state,
                    modality=modality,
                    body_part=body_part,
                    priority=priority,
                    critical=YES_NO[critical],
                    site=site,
                    acquired_from=first,
                    acquired_to=last,
                    waiting=True if waiting else None,
                    assigned=desk.reader.id if mine else None,
                )
            )
            st.rerun()


def _one_of(label: str, kinds: type[Kind], value: Kind | None, tag: int) -> Kind | None:
    words = [ANY, *(one.value for one in kinds)]
    chosen = st.selectbox(
        label,
        words,
        index=words.index(value.value) if value is not None else 0,
        key=f"filter {label} {tag}",
    )
    return None if chosen == ANY else kinds(chosen)


def _words(label: str, value: str | None, known: Sequence[str], tag: int) -> str | None:
    """Ask for one of some words, or others."""
    options = list(dict.fromkeys((*known, *((value,) if value else ()))))
    chosen: str | None = st.selectbox(
        label,
        options,
        index=options.index(value) if value else None,
        accept_new_options=True,
        placeholder=ANY,
        key=f"filter {label} {tag}",
    )
    return (chosen or "").strip() or None


def _day(label: str, value: date | None, tag: int) -> date | None:
    chosen: date | None = st.date_input(
        label, value=value, format="YYYY-MM-DD", key=f"filter {label} {tag}"
    )
    return chosen


def body_parts(page: Worklist | None) -> tuple[str, ...]:
    """List the body parts of the cases that are shown."""
    return tuple(sorted({row.case.body_part.upper() for row in page.rows})) if page else ()


def sites(desk: Desk, page: Worklist | None) -> tuple[str, ...]:
    """List this site and those of the cases that are shown."""
    shown = {row.case.site for row in page.rows} if page else set()
    return tuple(sorted(filter(None, {*shown, desk.assistant.settings.site})))


def show_saved(desk: Desk) -> None:
    """Show the reader's own filters: to ask for them again, to keep this one, to drop one."""
    if not may("save_filter", desk.reader):
        st.caption("This role keeps no filters.")
        return
    names = {reader.id: reader.name for reader in desk.assistant.readers()}
    kept = desk.assistant.filters(by=desk.reader)
    if not kept:
        st.caption("No filter is kept yet.")
    for saved in kept:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                inert(saved.name),
                key=f"saved {saved.name}",
                help=inert(filter_words(saved.wanted, names)),
                width="stretch",
                on_click=_asks_for_saved,
                args=(saved,),
            )
            st.button(
                "Drop",
                key=f"drop {saved.name}",
                type="tertiary",
                on_click=_drop,
                args=(desk, saved.name),
            )
    with st.form("save filter", border=False, clear_on_submit=True):
        st.caption(f"Now: {inert(filter_words(query().wanted, names))}")
        name = st.text_input("Keep it under the name", key="filter name")
        if st.form_submit_button("Keep this filter", key="keep filter"):
            asked = query()
            saved = SavedFilter(name=name.strip(), wanted=asked.wanted, order=asked.order)
            desk.assistant.save_filter(saved, by=desk.reader)
            st.rerun()


def _asks_for_saved(saved: SavedFilter) -> None:
    ask(query().asking(wanted=saved.wanted, order=saved.order, search=""))
    st.session_state["search"] = ""


def _drop(desk: Desk, name: str) -> None:
    tried(lambda: desk.assistant.drop_filter(name, by=desk.reader))
