"""Typed access to header elements: what is missing or malformed is None, not an error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import DA

from medmm.imaging.dicom.files import LIBRARY_ERRORS, quiet

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_LONGEST_TEXT = 1024


class Tags:
    """The elements of one dataset by keyword (PS3.6)."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def _values(self, keyword: str, keep: type) -> tuple[Any, ...]:
        """Return the values of an element, or of its text if `keep` is str.

        They are empty if the element is missing or malformed.
        """
        with quiet:
            try:
                value = self.dataset.get(keyword)
                values = (
                    value if isinstance(value, MultiValue | list | tuple | Sequence) else [value]
                )
                return tuple(str(v) if keep is str else v for v in values if v is not None)
            except LIBRARY_ERRORS:  # an element that can't be decoded says nothing: it is unknown
                return ()

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return all values as text without control characters and direction marks."""
        return tuple(
            _CONTROL.sub(" ", text[:_LONGEST_TEXT]).strip() for text in self._values(keyword, str)
        )

    def text(self, keyword: str) -> str | None:
        """Return the first value as cleaned text; None if missing or empty."""
        return next((text for text in self.texts(keyword) if text), None)

    def word(self, keyword: str) -> str:
        """Return the first value in capitals with `_` as space; empty if missing."""
        return (self.text(keyword) or "").upper().replace("_", " ")

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return all values as finite numbers; empty if one of them is not a number."""
        try:
            numbers = tuple(float(text) for text in self.texts(keyword))
        except ValueError:
            return ()
        return numbers if all(math.isfinite(n) for n in numbers) else ()

    def number(self, keyword: str) -> float | None:
        """Return the first value as a finite number; None if missing or malformed."""
        return next(iter(self.numbers(keyword)), None)

    def element_number(self, group: int, element: int) -> float | None:
        """Return the first value of an element by its tag, for groups that repeat.

        Returns: None if it is missing or malformed.
        """
        with quiet:
            try:
                value = self.dataset[group, element].value
                number = float(value[0] if isinstance(value, MultiValue | list) else value)
            except LIBRARY_ERRORS:  # not there, or no number
                return None
        return number if math.isfinite(number) else None

    def raw(self, keyword: str) -> Any:
        """Return an element's value as pydicom gives it; None if missing or malformed."""
        with quiet:
            try:
                return self.dataset.get(keyword)
            except LIBRARY_ERRORS:
                return None

    def private_number(self, creator: str, group: int, element: int) -> float | None:
        """Return the first value of a private element by its creator, as a finite number.

        Source: PS3.5 7.8.1. Returns: None if there is none.
        """
        with quiet:
            try:
                value = self.dataset.private_block(group, creator)[element].value
                number = float(value[0] if isinstance(value, MultiValue | list) else value)
            except LIBRARY_ERRORS:  # not there, or bytes of an unknown VR: it says nothing
                return None
        return number if math.isfinite(number) else None

    def date(self, keyword: str) -> date | None:
        """Parse a DA value, also in the ACR-NEMA form yyyy.mm.dd (PS3.5 section 6.2)."""
        try:
            text = (self.text(keyword) or "").replace(".", "")
            value = DA(text) if len(text) == 8 else None
            return date(value.year, value.month, value.day) if value else None
        except LIBRARY_ERRORS:
            return None

    def items(self, keyword: str) -> Iterator[Tags]:
        """Yield the items of a sequence; none if it is missing or malformed."""
        for item in self._values(keyword, Dataset):
            if isinstance(item, Dataset):
                yield Tags(item)

    def count(self, keyword: str) -> int:
        """Count the values of an element or the items of a sequence; 0 if malformed."""
        return len(self._values(keyword, Dataset))

    def item(self, keyword: str, index: int) -> Tags | None:
        """Return one item of a sequence, counted from 0; None if it is missing."""
        with quiet:
            try:
                item = self.dataset.get(keyword)[index]
            except LIBRARY_ERRORS:  # no such element, no sequence, or too short
                return None
        return Tags(item) if isinstance(item, Dataset) else None

    def first_item(self, keyword: str) -> Tags | None:
        """Return the first item of a sequence."""
        return next(self.items(keyword), None)
