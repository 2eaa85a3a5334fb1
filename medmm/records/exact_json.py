"""JSON taken apart and put together again with every number as it was written.

A float would make 7.00 of a quantity into 7.0, which says less.

Source: FHIR R4, section 2.24.0.1, decimal.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any


class ExactJson:
    """Keeps the text of each number beside a mark that nobody else can know."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        self._marked = re.compile(f'"{self._mark}([^"\\\\]*)"')

    def parse(self, content: bytes) -> Any:
        """Parse a document; a number becomes a string with the mark.

        Raises: ValueError if it is no JSON; RecursionError if it is nested too deeply.
        """
        return json.loads(
            content, parse_float=self._kept, parse_int=self._kept, parse_constant=_refused
        )

    def write(self, value: Any) -> bytes:
        """Write what `parse` gave, or a part of it, on one line."""
        return self._marked.sub(r"\1", json.dumps(value, ensure_ascii=False)).encode()

    def number(self, value: Any) -> str | None:
        """Give the text of a number that `parse` gave; None of anything else."""
        marked = isinstance(value, str) and value.startswith(self._mark)
        return value.removeprefix(self._mark) if marked else None

    def _kept(self, text: str) -> str:
        return self._mark + text


def _refused(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")
