"""The row of acts under the sentences, each with its key; the same keys on every case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from medmm.presentation.sentence_rows import SentenceRow
from ui import presenter, sentences
from ui.desk import Desk
from ui.keys import ACCEPT, ALL, BEFORE, NEXT, REJECT, SIGN, UNDO
from ui.open_case import OpenCase
from ui.presenter import inert


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One button of the row; `key` names it in the tests of the page."""

    label: str
    key: str
    shortcut: str
    act: Callable[[Desk, OpenCase], None]
    enabled: bool


def acts_on(case: OpenCase, at: SentenceRow | None) -> tuple[Act, ...]:
    """List what can be done at a sentence, and on the case."""
    mine = not case.held
    asked = mine and at is not None and not at.follows
    acceptable = asked and at is not None and at.statement.may_accept and not at.by_hand
    return (
        Act(
            label="Accept",
            key="accept-this",
            shortcut=ACCEPT,
            act=sentences.accept_current,
            enabled=acceptable,
        ),
        Act(
            label="Reject",
            key="reject-this",
            shortcut=REJECT,
            act=sentences.reject_current,
            enabled=asked,
        ),
        Act(
            label="All passing",
            key="accept-all",
            shortcut=ALL,
            act=sentences.accept_all,
            enabled=mine,
        ),
        Act(
            label="Undo",
            key="undo",
            shortcut=UNDO,
            act=sentences.undo,
            enabled=mine and bool(case.file.decisions),
        ),
    )


def show_bar(
    desk: Desk, case: OpenCase, at: SentenceRow | None, ask_to_sign: Callable[[], None]
) -> None:
    """Show the acts on the open case."""
    view, digest = case.view, f"{case.id} {case.shown.digest[:8]}"
    with st.container(horizontal=True, gap="small", wrap=False, key="acts"):
        for one in acts_on(case, at):
            st.button(
                one.label,
                key=f"{one.key} {digest}",
                shortcut=one.shortcut,
                disabled=not one.enabled,
                help=inert(case.held) or None,
                on_click=one.act,
                args=(desk, case),
            )
        st.button(
            "Sign …",
            key=f"sign {digest}",
            type="primary",
            shortcut=SIGN,
            disabled=not view.may_sign or bool(case.held),
            help=inert(case.held) or presenter.undecided_words(case.view),
            on_click=ask_to_sign,
        )


def show_steps(desk: Desk, case: OpenCase) -> None:
    """Show the way from sentence to sentence."""
    for label, key, shortcut, by in (
        ("↓", "next-sentence", NEXT, 1),
        ("↑", "sentence-before", BEFORE, -1),
    ):
        st.button(
            label,
            key=f"{key} {case.id}",
            shortcut=shortcut,
            type="tertiary",
            help="Next sentence" if by > 0 else "Sentence before",
            on_click=sentences.step,
            args=(desk, case, by),
        )
