"""Bytes to JSON: strict if meaning could be lost, else tolerant; bounded in size, depth."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from medmm.domain.errors import InputError
from medmm.domain.record import Omission

LARGEST_BYTES = 64_000_000
# A Bundle of 64 MB holds about 2.6 million; a bomb of 64 MB could hold 30 million
MOST_VALUES = 3_000_000
LONGEST_INTEGER = 400  # digits; a float ends at 309, and Python reads an integer in quadratic time
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}


class JsonNumber(float):
    """A JSON number with its text, because a float may not hold all its digits.

    Source: FHIR R4, section 2.24.0.1, decimal.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> JsonNumber:
        """Return the float nearest to a text."""
        made = super().__new__(cls, text)
        made.text = text
        return made


def parse(data: bytes) -> tuple[list[Any], list[Omission]]:
    """Parse a document to its JSON values and what was tolerated or skipped.

    It holds one value, or one a line of NDJSON.

    Raises: InputError if it is too large, packed, not UTF-8 or UTF-16, no JSON, too deeply nested,
        or names a key twice.
    """
    if len(data) > LARGEST_BYTES:
        raise too_large()
    for start, what in PACKED.items():
        if data.startswith(start):
            raise InputError(f"the record is a {what} file, not JSON", remedy="unpack it first")
    if sum(data.count(sign) for sign in (b",", b"{", b"[")) > MOST_VALUES:
        raise InputError(
            f"the record holds more than {MOST_VALUES} values",
            remedy="send the part of it that is needed",
        )
    text, notes = _text(data)
    try:
        return [_loads(text)], notes
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
            raise _no_json(f"at line {error.lineno}, column {error.colno}") from error
    return _lines(lines, notes)


def too_large() -> InputError:
    """Build the error for a record that is larger than may be read."""
    return InputError(
        f"the record has more than {LARGEST_BYTES} bytes",
        remedy="send the part of it that is needed",
    )


def _lines(lines: list[str], notes: list[Omission]) -> tuple[list[Any], list[Omission]]:
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(_loads(line))
        except json.JSONDecodeError:
            notes.append(Omission(source=f"line {number}", reason="no JSON; the line was not read"))
    if len(values) < 2:
        raise _no_json("neither as one document nor line by line")
    return values, notes


def _text(data: bytes) -> tuple[str, list[Omission]]:
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            "the record is not UTF-8", remedy="export it as UTF-8 (FHIR R4, section 2.6)"
        ) from error
    if encoding.startswith("utf-8"):
        return text, []
    return text, [Omission(source="document", reason=f"read as {encoding}; FHIR asks for UTF-8")]


def _loads(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=JsonNumber,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise InputError(
            "the record is nested too deeply", remedy="send a FHIR R4 Bundle"
        ) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InputError("a key stands twice in one object of the record", remedy="export it again")
    return found


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= LONGEST_INTEGER else JsonNumber(text)


def _constant(name: str) -> NoReturn:
    raise InputError(f"{name} is not a JSON number", remedy="leave the value out")


def _no_json(where: str) -> InputError:
    return InputError(
        f"the record is not JSON ({where})", remedy="send FHIR R4 as JSON; XML is not read"
    )
