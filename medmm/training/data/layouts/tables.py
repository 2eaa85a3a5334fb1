"""Tables of public sets, plain or gzip CSV; errors name table, column and line."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from medmm.domain.errors import InputError

GZIP = b"\x1f\x8b"
_OLDEST_YEARS = 120


def find_table(folder: Path, *patterns: str) -> Path:
    """Find the first table that matches one of the patterns, plain before gzip.

    Raises: InputError if there is none.
    """
    for pattern in patterns:
        for suffix in ("", ".gz"):
            if found := sorted(folder.glob(pattern + suffix)):
                return found[-1]
    raise InputError(
        f"no table {' or '.join(patterns)}",
        remedy="name the folder that holds it, as distributed",
        path=str(folder),
    )


def read_rows(path: Path, columns: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the lines of a table by column.

    Raises: InputError if it can't be read, if a column is missing, or if a line ends before one of
        `columns`.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
        with gzip.open(path) if packed else path.open("rb") as raw:
            lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            yield from _checked(csv.DictReader(lines), path, tuple(columns))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            "a table can't be read", remedy="fetch it again", path=str(path)
        ) from error


def _checked(
    reader: csv.DictReader[str], path: Path, columns: Sequence[str]
) -> Iterator[dict[str, str]]:
    if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise InputError(
            f"the table has no column {', '.join(missing)}",
            remedy="give the table as distributed",
            path=str(path),
        )
    for row in reader:
        if any(row[name] is None for name in columns) or any(row.get(None) or ()):
            raise InputError(
                "a line has another number of columns than the head",
                remedy="fetch the table again",
                path=str(path),
                line=str(reader.line_num),
            )
        yield {name: row[name] or "" for name in reader.fieldnames or ()}


def grade(row: dict[str, str], label: str, path: Path) -> float | None:
    """Read a label of a line: 1, 0, -1, or None if it is empty.

    Raises: InputError for anything else.
    """
    text = row[label].strip()
    if not re.fullmatch(r"(-?1|0)(\.0+)?|", text):
        raise InputError(
            f"a label {label} is not 1, 0, -1 or empty", remedy="correct the table", path=str(path)
        )
    return float(text) if text else None


def age_years(text: str) -> float | None:
    """Parse an age in years ("58", "058Y"); return None if it is not one of a human life."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)Y?", text.strip())
    age = float(match[1]) if match else None
    return age if age is not None and age <= _OLDEST_YEARS else None


def sex(text: str) -> str | None:
    """Return "F" or "M"; None if neither is stated."""
    return {"f": "F", "female": "F", "m": "M", "male": "M"}.get(text.strip().lower())
