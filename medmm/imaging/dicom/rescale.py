"""Stored values to the scale that the header states.

That is Modality LUT or rescale (PS3.3 C.11.1), or Real World Value Mapping (C.7.6.16.2.11).

Look-up tables are read here too, those for showing (C.11.2) among them: their descriptors and data
often contradict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.imaging.dicom.header import Tags

_REMEDY = "export the image again"
_FIRST = ("RealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueFirstValueMapped")
_LAST = ("RealWorldValueLastValueMapped", "DoubleFloatRealWorldValueLastValueMapped")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpTable:
    """A look-up table: `values` for inputs from `first` on; inputs beyond take its ends.

    Attributes:
        bits: of each value as the descriptor states.
    """

    first: int
    bits: int
    values: NDArray[np.float64]

    @classmethod
    def of(cls, item: Tags, *, signed: bool, little_endian: bool = True) -> LookUpTable:
        """Read LUT Descriptor (0028,3002) and LUT Data (0028,3006).

        Args:
            signed: whether the inputs are; the first one may be written without its sign.
        Raises: InputError if either is missing, or there are not as many values as stated.
        """
        stated, data = item.numbers("LUTDescriptor"), item.raw("LUTData")
        if len(stated) != 3 or any(number % 1 for number in stated) or data is None:
            raise _bad_table("its descriptor or its data are missing")
        count, first, bits = (int(number) for number in stated)
        count = count % 2**16 or 2**16  # 0 stands for 65536
        values = _table_values(data, count, little_endian)
        if values.size != count:
            raise _bad_table(f"{values.size} values where {count} are stated")
        if signed and first >= 2**15:
            first -= 2**16
        return cls(first=first, bits=bits, values=values)

    @property
    def range(self) -> tuple[float, float]:
        """The values shown black and white: the range of the stated bits, or of the table.

        The table's own range counts if the stated bits can't be right.
        """
        if self.bits_lie:
            return float(self.values.min()), float(self.values.max())
        return 0.0, float(2**self.bits - 1)

    @property
    def bits_lie(self) -> bool:
        """Whether the stated bits can't be right for the table.

        They are then not a number of bits, too few for the values, or more than the largest value
        uses.
        """
        largest = float(self.values.max())
        return not (1 <= self.bits <= 16 and 2 ** (self.bits - 1) <= largest < 2**self.bits)

    def apply(self, inputs: NDArray[np.generic]) -> NDArray[np.float64]:
        """Look up the table's value for every input, of the same shape."""
        places = np.clip(np.asarray(inputs, dtype=np.float64) - self.first, 0, self.values.size - 1)
        return np.asarray(self.values[places.astype(np.int64)])


def _table_values(data: object, count: int, little_endian: bool) -> NDArray[np.float64]:
    if isinstance(data, bytes):
        wide = len(data) >= 2 * count
        kind = ("<u2" if little_endian else ">u2") if wide else "u1"
        return np.frombuffer(data[: len(data) // 2 * 2] if wide else data, kind)[
            : _padded(len(data), count, wide)
        ].astype(float)
    try:
        return np.atleast_1d(np.asarray(data, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise _bad_table("its data are not numbers") from error


def _padded(size: int, count: int, wide: bool) -> int:
    """Count the values; a byte that makes the length even is not one."""
    return size // 2 if wide else count if size == count + count % 2 else size


def _bad_table(why: str) -> InputError:
    return InputError(
        f"a look-up table of the image can't be applied: {why}", remedy=_REMEDY, tag="LUTDescriptor"
    )


def voi_table(tags: Tags) -> LookUpTable | None:
    """Read the first VOI LUT if there is one.

    Raises: InputError if it can't be used.
    """
    item = tags.first_item("VOILUTSequence")
    return (
        None
        if item is None
        else LookUpTable.of(item, signed=_signed(tags), little_endian=_little_endian(tags))
    )


def rescaled(values: NDArray[np.generic], tags: Tags) -> NDArray[np.generic]:
    """Apply Modality LUT or rescale to values; return them unchanged if neither is stated.

    A missing slope is 1, a missing intercept 0.

    Raises: InputError if what is stated can't be applied.
    """
    item = tags.first_item("ModalityLUTSequence")
    if item is not None:
        return LookUpTable.of(item, signed=_signed(tags), little_endian=_little_endian(tags)).apply(
            values
        )
    slope, intercept = rescale_of(tags)
    if slope is None and intercept is None:
        return values
    return np.asarray(values, dtype=np.float64) * (1.0 if slope is None else slope) + (
        intercept or 0.0
    )


def on_scale(
    values: NDArray[np.generic], tags: Tags, padding: NDArray[np.bool_] | None
) -> NDArray[np.generic]:
    """Bring values onto one scale for all images of a series.

    They are rescaled, or mapped by Real World Value Mapping if the scale stands only there.

    Args:
        padding: where values are padding, which no mapping needs to hold.
    Raises: InputError if what is stated can't be applied.
    """
    slope, intercept = rescale_of(tags)
    identity = (1.0 if slope is None else slope, intercept or 0.0) == (1.0, 0.0)
    if (
        not identity
        or tags.first_item("ModalityLUTSequence") is not None
        or "RealWorldValueMappingSequence" not in tags.dataset
    ):
        return rescaled(values, tags)
    items = list(tags.items("RealWorldValueMappingSequence"))
    try:
        return _mapped(values, items, padding)
    except InputError:
        if slope is None:
            raise
        return values  # the rescale says that values are on their scale already


def rescale_of(tags: Tags) -> tuple[float | None, float | None]:
    """Return Rescale Slope and Rescale Intercept; None for one that is not stated.

    Raises: InputError if one is not a number.
    """
    found: list[float | None] = []
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        number = tags.number(keyword)
        if number is None and tags.text(keyword) is not None:
            raise InputError(f"image header not consistent: {keyword}", remedy=_REMEDY, tag=keyword)
        found.append(number)
    return found[0], found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapping:
    """One item of Real World Value Mapping: a line or a table, from `first` to `last`."""

    first: float
    last: float
    units: str
    slope: float | None = None
    intercept: float = 0.0
    table: tuple[float, ...] = ()

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.slope is not None:
            return values * self.slope + self.intercept
        return np.asarray(self.table)[
            np.clip(values - self.first, 0, len(self.table) - 1).astype(np.int64)
        ]


def _mapped(
    values: NDArray[np.generic], items: Sequence[Tags], padding: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Map values to real-world values in the units of the first mapping.

    Raises: InputError if a mapping is incomplete or values have none.
    """
    if not items:
        raise _bad_mapping("it is empty")
    mappings = [_mapping(item) for item in items]
    mappings = [one for one in mappings if one.units == mappings[0].units]
    numbers = np.asarray(values, dtype=np.float64)
    if len(mappings) == 1 and mappings[0].slope is not None:
        return mappings[0].apply(numbers)  # a line holds beyond the values for which it is stated
    found = np.full(numbers.shape, np.nan)
    for one in mappings:
        inside = np.isnan(found) & (numbers >= one.first) & (numbers <= one.last)
        found[inside] = one.apply(numbers[inside])
    without = np.isnan(found)
    if padding is not None:
        without &= ~padding
    if without.any():
        raise _bad_mapping("it holds only some of the values")
    return found


def _mapping(item: Tags) -> _Mapping:
    slope, intercept = item.number("RealWorldValueSlope"), item.number("RealWorldValueIntercept")
    table = item.numbers("RealWorldValueLUTData")
    first, last = (
        next((n for k in names if (n := item.number(k)) is not None), None)
        for names in (_FIRST, _LAST)
    )
    code = item.first_item("MeasurementUnitsCodeSequence")
    units = (code.text("CodeValue") or "") if code else ""
    if first is not None and last is not None and first > last:
        first -= 2**16  # a negative value, written without its sign
    if slope:
        ends = (-math.inf if first is None else first, math.inf if last is None else last)
        return _Mapping(
            first=ends[0], last=ends[1], units=units, slope=slope, intercept=intercept or 0.0
        )
    if not table or first is None or last is None:
        raise _bad_mapping("a mapping states neither a slope nor a table")
    if len(table) != last - first + 1:
        raise _bad_mapping(f"{len(table)} values where {last - first + 1:.0f} are stated")
    return _Mapping(first=first, last=last, units=units, table=table)


def _bad_mapping(why: str) -> InputError:
    return InputError(
        f"the scale stands only in Real World Value Mapping, which can't be applied: {why}",
        remedy=_REMEDY,
        tag="RealWorldValueMappingSequence",
    )


def _signed(tags: Tags) -> bool:
    return tags.number("PixelRepresentation") == 1


def _little_endian(tags: Tags) -> bool:
    return tags.dataset.original_encoding[1] is not False
