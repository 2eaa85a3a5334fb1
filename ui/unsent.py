"""Words that a tab kept because no server got them: offered, and put back when asked."""

from __future__ import annotations

from functools import cache

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer
from streamlit.delta_generator import DeltaGenerator

from medmm.domain.roles import may
from medmm.presentation.sentence_rows import SentenceRow
from medmm.presentation.unsent_words import UnsentWords, class_of, unsent_words
from ui import presenter, sentences
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.presenter import edit_key

FORGOTTEN = "unsent forgotten"  # in the session: ids of words that are not wanted any more


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.unsent", js="unsent.js")


def show_unsent(
    desk: Desk, case: OpenCase, rows: tuple[SentenceRow, ...], place: DeltaGenerator
) -> None:
    """Have the tab keep what is typed, and offer what it kept and the server does not have.

    It comes after the fields of the page, whose words the tab is told.

    Args:
        place: where the offer stands.
    """
    if not may("keep_unfinished", desk.reader):
        return
    fields = {edit_key(case.id, row.statement): row for row in rows if not row.follows}
    known = _known(desk, case, fields)
    data = {
        "reader": desk.reader.id,
        "case": case.id,
        "known": {class_of(key): text for key, text in known.items()},
        "forgotten": list(st.session_state.get(FORGOTTEN, ())),
    }
    said = _component()(key=f"unsent {case.id}", data=data, on_lost_change=_noted).get("lost")
    stands = {row.statement.text for row in rows}
    for one in unsent_words(said, (*known, *fields)):
        if one.text in stands:  # it was saved, and is what the sentence says now
            forget_words(one.id)
        elif known.get(one.key or "") != one.text and one.id not in data["forgotten"]:
            with place:
                _show_offer(desk, case, one, fields.get(one.key or ""))


def _known(desk: Desk, case: OpenCase, fields: dict[str, SentenceRow]) -> dict[str, str]:
    """Give what the server has of the case's fields, in this session or kept outside."""
    kept = sentences.unfinished(desk, case)
    found = {key: kept[row.id] for key, row in fields.items() if row.id in kept}
    for key, value in st.session_state.items():
        if isinstance(value, str) and case.id in str(key):
            found[str(key)] = value
    return found


def _show_offer(desk: Desk, case: OpenCase, one: UnsentWords, row: SentenceRow | None) -> None:
    """Offer words with what they were typed for; nothing is put anywhere by itself."""
    fits = one.key is not None and not (row is not None and case.held)
    why = "They decide nothing yet." if fits else presenter.NO_FIELD
    key = f"{case.id} {class_of(one.id)}"
    with st.container(border=True, key=f"unsent offer {key}"):
        st.markdown(f":orange[**{presenter.NEVER_SENT}**] {why}")
        st.code(one.text, language=None, wrap_lines=True)
        with st.container(horizontal=True, gap="small"):
            if fits and one.key is not None:
                st.button(
                    "Put them back",
                    key=f"put back {key}",
                    type="primary",
                    on_click=put_back,
                    args=(desk, case, one.key, one.text, row),
                )
            st.button(
                "Drop them",
                key=f"drop words {key}",
                on_click=forget_words,
                args=(one.id,),
            )


def put_back(desk: Desk, case: OpenCase, key: str, text: str, row: SentenceRow | None) -> None:
    """Put words into their field; those of a sentence are kept outside the session at once."""
    st.session_state[key] = text
    if row is not None:
        sentences.choose(row.id)
        sentences.keep(desk, case, row.id, key)


def forget_words(words: str) -> None:
    """Have the tab keep these words no longer."""
    st.session_state[FORGOTTEN] = (*st.session_state.get(FORGOTTEN, ()), words)


def _noted() -> None:
    """Let Streamlit keep what the tab says; the run that follows reads it."""
