"""Tables as CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

# What begins so is run as a formula, or splits a cell (OWASP, CSV injection)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Cell = str | int | float | None


def csv_text(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write a table as CSV (RFC 4180) in text.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; a number is left
    as one. What is unknown is an empty cell.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([_cell(one) for one in row] for row in (headers, *rows))
    return text.getvalue()


def shown_rows(rows: Iterable[Mapping[str, Cell]]) -> list[dict[str, str | int | float]]:
    """Make the rows of a table on a page, whose toolbar saves them as CSV too."""
    return [{name: _cell(value) for name, value in row.items()} for row in rows]


def _cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.lstrip(" ").startswith(FORMULA) else value
