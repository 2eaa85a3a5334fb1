"""A draft read aloud, by voices of the reader's own machine alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from medmm.language.spoken_text import spoken_text
from medmm.presentation.sentence_rows import SentenceRow
from ui import report_words
from ui.desk import Desk
from ui.open_case import OpenCase

HEIGHT_PX = 36


def show_spoken_draft(desk: Desk, case: OpenCase, rows: Iterable[SentenceRow]) -> None:
    """Offer to read the sentences of a case aloud, if the settings say so."""
    if not desk.assistant.settings.speech:
        return
    sentences = spoken_sentences(report_words.banner(case.file), rows)
    _component()(
        key=f"speech {case.id}",
        data={"sentences": json.dumps(sentences)},
        height=HEIGHT_PX,
    )


def spoken_sentences(banner: str, rows: Iterable[SentenceRow]) -> tuple[str, ...]:
    """Write what a voice is given: the banner first, and what is not stated said as that."""
    return tuple(spoken_text(one) for one in _sentences(banner, rows))


def _sentences(banner: str, rows: Iterable[SentenceRow]) -> Iterator[str]:
    yield banner
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            yield f"{group}."
        one = row.statement
        # Before the words, so that nobody hears a finding and then that it does not count
        if one.decision == "rejected":
            yield f"Rejected: {one.text}"
        elif one.why:
            yield f"Not stated, because {one.why}: {one.text}"
        else:
            yield f"{'Critical: ' if one.critical else ''}{one.text}"


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.speech", js="speech.js", css="speech.css")
