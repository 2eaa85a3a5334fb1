"""One step of a reader: done, told if it fails, and what may be outdated read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from medmm.domain.errors import MedmmError
from ui import presenter


@contextmanager
def told() -> Iterator[None]:
    """Show an error with its remedy in place of a traceback.

    What may be outdated is read again.
    """
    try:
        yield
    except MedmmError as error:
        forget()
        st.error("  \n".join(presenter.error_lines(error)))


def forget() -> None:
    """Have case and worklist read again, since something may have changed."""
    for name in ("opened", "worklist", "events", "signing", "amending", "report_of"):
        st.session_state.pop(name, None)


def acted(verb: Callable[[], object]) -> None:
    """Do a verb, say what went wrong, and read the case again."""
    with told(), st.spinner("Working …"):
        verb()
        forget()
