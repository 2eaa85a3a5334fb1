"""One picture as it is stored: exact 16-bit values, and how they are to be shown.

`Volume.frame` gives grey after the window; a viewer in which a reader moves the window needs the
values before it. Source: PS3.3 C.11.1 (Modality LUT), C.11.2 (VOI LUT).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError

Values = NDArray[np.integer]  # uint16 or int16
LARGEST = 2**16 - 1
LUT_WHITE = 255  # the grey that a look-up table gives for white


class WindowFunction(Enum):
    """How a window turns values into grey: VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window over values after slope and intercept, in their unit."""

    name: str
    center: float
    width: float
    function: WindowFunction = WindowFunction.LINEAR

    def __post_init__(self) -> None:
        least = 1.0 if self.function is WindowFunction.LINEAR else 0.0
        fits = self.width >= least if least else self.width > 0
        if not (fits and np.isfinite([self.center, self.width]).all()):
            raise InputError(
                f"a window of centre {self.center} and width {self.width} can't be applied",
                remedy="give a width above 0, of a LINEAR window of at least 1",
            )

    @classmethod
    def of_range(cls, low: float, high: float, name: str = "whole range") -> Window:
        """Make the window that shows `low` black and `high` white, and between them a line."""
        width = high - low if high > low else 1.0
        function = WindowFunction.LINEAR_EXACT
        return cls(name=name, center=low + width / 2, width=width, function=function)

    def grey(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Apply the window; return grey of 0 to 1 in the shape of `values`.

        Source: PS3.3 C.11.2.1.2.1 (linear), C.11.2.1.3.1 (sigmoid), C.11.2.1.3.2 (linear exact).
        """
        numbers = np.asarray(values, dtype=np.float64)
        if self.function is WindowFunction.SIGMOID:
            with np.errstate(over="ignore"):  # far below the window it is 0
                return np.asarray(1 / (1 + np.exp(-4 * (numbers - self.center) / self.width)))
        exact = self.function is WindowFunction.LINEAR_EXACT
        center, width = (self.center, self.width) if exact else (self.center - 0.5, self.width - 1)
        ramp = (numbers - center) / max(width, 1e-12) + 0.5
        grey = np.clip(ramp, 0, 1)
        grey[numbers <= center - width / 2] = 0
        grey[numbers > center + width / 2] = 1
        return np.asarray(grey)


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyTable:
    """A VOI look-up table: grey of 0 to 255 for values from `first` on, one apart.

    Values beyond its ends take the grey of the end; parts of one are cut off.
    """

    first: int
    greys: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.greys or not all(0 <= grey <= LUT_WHITE for grey in self.greys):
            raise InputError(
                "a look-up table without greys, or with some beyond 0 to 255",
                remedy="scale its values to its own range first",
            )

    def grey(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Look up the grey of every value, 0 to 1, in the shape of `values`."""
        places = np.clip(np.asarray(values, dtype=np.float64) - self.first, 0, len(self.greys) - 1)
        table = np.asarray(self.greys, dtype=np.float64) / LUT_WHITE
        return np.asarray(table[places.astype(np.int64)])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrame:
    """The stored values of one picture, before any window.

    Attributes:
        values: (rows, columns), uint16 or int16, read-only; 8-bit values are widened.
        slope, intercept: a value is stored value times slope plus intercept, in `unit`.
        unit: as the header names it, "" if it names none.
        inverted: whether small values are shown white (MONOCHROME1, or Presentation LUT Shape
            INVERSE): grey is turned over after window or table.
        windows: those that can be applied, the one that is shown first; at least one.
        table: VOI look-up table, which is shown before any window; None if there is none.
        background: where nothing was measured, of the shape of `values`, which is black at every
            window; None if everything was.
        exact: False where values did not fit in 16 bits: then each is off by at most half a slope,
            and those far beyond the window are cut off.
    """

    values: Values
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    inverted: bool = False
    windows: tuple[Window, ...]
    table: GreyTable | None = None
    background: NDArray[np.bool_] | None = None
    exact: bool = True

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype.name not in ("uint16", "int16"):
            raise InputError(
                f"stored values of {self.values.dtype.name} with {self.values.ndim} axes",
                remedy="give uint16 or int16 in rows and columns",
            )
        if (
            not self.windows
            or not self.slope
            or not np.isfinite([self.slope, self.intercept]).all()
        ):
            raise InputError(
                "a stored frame needs a window, and a slope other than 0",
                remedy="show the range of its values where no window is stated",
            )
        self.values.setflags(write=False)
        if self.background is not None:
            self.background.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        """Compare pixel for pixel; stored values of another type are others."""
        if not isinstance(other, StoredFrame):
            return NotImplemented
        mine, theirs = (
            (one.slope, one.intercept, one.unit, one.inverted, one.windows, one.table, one.exact)
            for one in (self, other)
        )
        return (
            mine == theirs
            and self.values.dtype == other.values.dtype
            and np.array_equal(self.values, other.values)
            and (self.background is None) == (other.background is None)
            and (
                self.background is None
                or other.background is None
                or np.array_equal(self.background, other.background)
            )
        )

    @classmethod
    def of_grey(cls, grey: NDArray[np.float32]) -> StoredFrame:
        """Make a frame of display-ready grey, 0 to 1, of which no stored values are known."""
        return cls(
            values=np.rint(np.clip(grey, 0, 1) * LARGEST).astype(np.uint16),
            slope=1 / LARGEST,
            windows=(Window.of_range(0.0, 1.0),),
            exact=False,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.values.nbytes + (0 if self.background is None else self.background.nbytes)

    def sent(self) -> SentFrame:
        """Return the frame as a viewer gets it, which is told of no mask.

        Where background is, a stored value stands that no signal has and that lies as far beyond
        the darkest one as 16 bits allow, so that it is black at every usual window. The others are
        moved for that, and `intercept` with them: slope and intercept give the same values.
        """
        if self.background is None:
            return SentFrame(frame=self, background_value=None)
        signal = self.values[~self.background].astype(np.int32)
        low, high = (int(signal.min()), int(signal.max())) if signal.size else (0, 0)
        black = LARGEST if self._dark_is_high else 0
        shift = low if black else high - LARGEST
        values = np.full(self.values.shape, black, dtype=np.uint16)
        values[~self.background] = (signal - shift).astype(np.uint16)
        frame = replace(
            self,
            values=values,
            intercept=self.intercept + self.slope * shift,
            table=self._table_with_black(low, high),
            background=None,
        )
        room = high - low < LARGEST
        return SentFrame(frame=frame, background_value=black if room else None)

    @property
    def _dark_is_high(self) -> bool:
        """Whether larger stored values are shown darker."""
        return (self.slope < 0) != self.inverted

    def _table_with_black(self, low: int, high: int) -> GreyTable | None:
        """Give a look-up table, whose ends go on, a black end beyond the signal."""
        if self.table is None:
            return None
        ends = sorted(end * self.slope + self.intercept for end in (low, high))
        first, last = int(np.floor(ends[0])), int(np.ceil(ends[1]))
        if last - first > LARGEST:
            return self.table
        shown = np.rint(self.table.grey(np.arange(first, last + 1.0)) * LUT_WHITE)
        greys = [int(grey) for grey in shown]
        if self.inverted:  # dark is then white before it is turned over
            return GreyTable(first=first, greys=(*greys, LUT_WHITE))
        return GreyTable(first=first - 1, greys=(0, *greys))

    def grey(self, window: Window | None = None) -> NDArray[np.float32]:
        """Show the picture in a window; return (rows, columns), 0 black to 1 white.

        Without a window it is the look-up table, else the first window: then it is what
        `Volume.frame` gives, as near as 16 bits say it.
        """
        levels = np.arange(2**16, dtype=np.int64) + int(np.iinfo(self.values.dtype).min)
        shown = self._grey_of(levels * self.slope + self.intercept, window).astype(np.float32)
        grey: NDArray[np.float32] = shown[self.values.astype(np.int64) - int(levels[0])]
        if self.background is not None:
            grey[self.background] = 0
        return grey

    def _grey_of(self, values: NDArray[np.floating], window: Window | None) -> NDArray[np.float64]:
        way = window or self.table or self.windows[0]
        grey = way.grey(values)
        return 1 - grey if self.inverted else grey


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFrame:
    """A frame without a mask of its background.

    Attributes:
        background_value: the stored value that marks where nothing was measured; None if nothing
            does, or a signal has it too.
    """

    frame: StoredFrame
    background_value: int | None
