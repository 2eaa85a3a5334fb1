"""One step of a reader: done, told if it fails, and what may be outdated read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from medmm.domain.errors import MedmmError
from ui import left_page, presenter

FAILED = "failed"
WAYS, DEAD_LETTERS = "ways", "dead letters"  # where the open report went; all that was given up
WENT = "went"  # whether this session has acted, or came to its case by itself


@contextmanager
def told() -> Iterator[None]:
    """Show an error with its remedy in place of a traceback.

    What may be outdated is read again.
    """
    try:
        yield
    except MedmmError as error:
        if left_page.ended(error):
            left_page.keep_words()
            st.rerun()
        forget()
        st.error("  \n".join(presenter.error_lines(error)))


def forget() -> None:
    """Have case, worklist and critical results read again, since something may have changed."""
    for name in (
        "opened",
        "worklist",
        "critical",
        "critical_case",
        "told_cases",
        "events",
        "signing",
        "amending",
        "report_of",
        WAYS,
        DEAD_LETTERS,
    ):
        st.session_state.pop(name, None)


def acted(verb: Callable[[], object]) -> None:
    """Do a verb in a callback, and have the case read again; the page tells what failed.

    A callback draws nothing itself: where a part of the page is drawn anew, Streamlit does not say
    where that would stand.
    """
    tried(verb)
    st.session_state[WENT] = True
    forget()


def tried(verb: Callable[[], object]) -> None:
    """Do a verb in a callback that changes no case; the page tells what failed."""
    st.session_state.pop(FAILED, None)
    try:
        verb()
    except MedmmError as error:
        if left_page.ended(error):
            left_page.keep_words()  # the run that follows says it
            return
        st.session_state[FAILED] = presenter.error_lines(error)


def kept_after(name: str, verb: Callable[[], object]) -> None:
    """Do a verb in a callback, and keep what it gives in the session under a name."""
    found: list[object] = []
    acted(lambda: found.append(verb()))
    if found:
        st.session_state[name] = found[0]


def show_failed() -> None:
    """Show what went wrong in the last step of the reader, until the next one.

    The page may run again by itself at once, as when the viewer has followed to a sentence. Its
    place is always there: what stands below would be made anew otherwise, the viewer too.
    """
    with st.container():
        if lines := st.session_state.get(FAILED):
            st.error("  \n".join(lines))
