"""A table of cases in a page; what is chosen is told by its id.

`st.dataframe` draws on a canvas: its selection is the position of a row, it takes no Enter, and
a screen reader meets an empty picture. This is a table of HTML, in one element of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from medmm.domain.errors import InputError
from medmm.presentation.case_table import Column, TableRow, table_data


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.case-table", js="case_table.js", css="case_table.css")


def show_table(
    columns: Sequence[Column],
    rows: Sequence[TableRow],
    *,
    key: str,
    label: str,
    around_px: int,
    current: str | None = None,
    takes_keys: bool = True,
) -> str | None:
    """Show a table of cases.

    Args:
        label: what the table holds, for who can't see it.
        around_px: the height of the window that is needed beside it.
        current: id of the case whose row the keys begin at.
        takes_keys: whether the keys are this table's when the page opens; of one table of a page.

    Returns: id of the case that was chosen in this run; None if none was.
    Raises: InputError if the browser answers with what is no id.
    """
    data = table_data(
        columns, rows, label=label, around_px=around_px, current=current, takes_keys=takes_keys
    )
    found = _component()(key=key, data=data, on_chosen_change=_noted, height="content")
    chosen = found.get("chosen")
    if chosen is not None and not isinstance(chosen, str):
        raise InputError("the table named no case", remedy="reload the page, then choose again")
    return chosen


def _noted() -> None:
    """Let Streamlit keep an event; the run that follows reads it."""
