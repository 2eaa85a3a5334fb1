"""Stored values with what shows them: windows, look-up table, inversion, background.

`pixels.shown` gives grey; this gives what stands before it, so that a viewer can move the window.
Both read the same elements by the same functions, and a property test holds them together.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from medmm.domain.errors import InputError
from medmm.domain.stored_frame import (
    LARGEST,
    LUT_WHITE,
    GreyTable,
    StoredFrame,
    Values,
    Window,
    WindowFunction,
)
from medmm.imaging.dicom.files import dicom_border
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.pixels import (
    background_of,
    by_header,
    full_range,
    inverted,
    usable_window,
    value_ends,
)
from medmm.imaging.dicom.rescale import rescale_of, rescaled, voi_table

SCALED = 3 * 2**14  # steps of scaled values: of 16 bits a quarter is left for background
_NAME = re.compile(r"[\w .,:/+%()-]{1,32}")
_UNIT = re.compile(r"[A-Za-z0-9%/^._-]{1,16}")
_FUNCTIONS = {
    "": WindowFunction.LINEAR,
    "LINEAR": WindowFunction.LINEAR,
    "LINEAR EXACT": WindowFunction.LINEAR_EXACT,
    "SIGMOID": WindowFunction.SIGMOID,
}


def stored_frame(stored: NDArray[np.generic], dataset: Dataset, path: Path) -> StoredFrame:
    """Return one picture (rows, columns) before its window, as `display` would show it.

    Raises: InputError if a look-up table, a window function or the padding of the header can't be
        applied.
    """
    tags = Tags(dataset)
    with dicom_border(path, "display"):
        background, _ = background_of(stored, tags)
        ends = value_ends(stored, background)
        limits = full_range(stored, tags) if ends is None or _shallow(tags) else ends
        low, high = sorted(float(v) for v in rescaled(limits, tags))
        fitted = fitted_to_16_bits(*_numbers(stored, tags), background)
        return StoredFrame(
            values=fitted.values,
            slope=fitted.slope,
            intercept=fitted.intercept,
            unit=_unit(tags),
            inverted=inverted(tags),
            windows=(*_windows(tags), Window.of_range(low, high)),
            table=_table(tags),
            background=background,
            exact=fitted.exact,
        )


def _shallow(tags: Tags) -> bool:
    """Tell whether the whole range of bits is shown, as of pictures of at most 8 bits."""
    return by_header(tags) and not usable_window(tags) and not tags.count("VOILUTSequence")


def _numbers(stored: NDArray[np.generic], tags: Tags) -> tuple[NDArray[Any], float, float]:
    """Return values with slope and intercept; a Modality LUT is applied, since it is no line."""
    if tags.first_item("ModalityLUTSequence") is not None:
        return rescaled(stored, tags), 1.0, 0.0
    slope, intercept = rescale_of(tags)
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    return (stored, slope, intercept) if slope else (np.zeros_like(stored), 1.0, intercept)


def fitted_to_16_bits(
    values: NDArray[Any],
    slope: float,
    intercept: float,
    background: NDArray[np.bool_] | None = None,
    ends: tuple[float, float] | None = None,
) -> StoredFrame:
    """Make a frame of values that may be wider than 16 bits; its only window is their range.

    Whole numbers stay exact where they span at most 65,535; others are scaled over their range.

    Args:
        values: (rows, columns), of any kind of real number.
        background: where values do not count.
        ends: the least and greatest value that are told apart; those of `values` without it.
    """
    signal = values if background is None else values[~background]
    if ends is None:
        ends = (float(signal.min()), float(signal.max())) if signal.size else (0.0, 0.0)
    low, high = ends
    darkest, brightest = sorted((low * slope + intercept, high * slope + intercept))
    window = Window.of_range(darkest, brightest)

    def frame(kept: Values, times: float, plus: float, *, exact: bool) -> StoredFrame:
        return StoredFrame(
            values=kept,
            slope=slope * times,
            intercept=intercept + slope * plus,
            windows=(window,),
            background=background,
            exact=exact,
        )

    if values.dtype.kind in "iub" and values.dtype.itemsize <= 2:
        unsigned = values.dtype.kind in "ub"
        return frame(values.astype(np.uint16 if unsigned else np.int16), 1.0, 0.0, exact=True)
    numbers = values.astype(np.float64)
    if background is not None:
        numbers[background] = low
    if high - low <= LARGEST and _whole(signal):
        plus = 0.0 if low >= 0 and high <= LARGEST else low
        within = not signal.size or bool(low <= signal.min() and signal.max() <= high)
        kept = np.clip(numbers - plus, 0, LARGEST).astype(np.uint16)
        return frame(kept, 1.0, plus, exact=within)
    step = (high - low) / SCALED or 1.0
    kept = np.rint(np.clip((numbers - low) / step, 0, SCALED)).astype(np.uint16)
    return frame(kept, step, low, exact=False)


def _whole(signal: NDArray[Any]) -> bool:
    return signal.dtype.kind in "iub" or bool((signal == np.rint(signal)).all())


def _windows(tags: Tags) -> tuple[Window, ...]:
    """List the windows of the header; none if the first can't be applied.

    Raises: InputError if the header names a function that the standard does not.
    """
    if not usable_window(tags):
        return ()
    word = tags.word("VOILUTFunction")
    if word not in _FUNCTIONS:
        raise InputError(
            "image header not consistent: VOILUTFunction",
            remedy="export the image again",
            tag="VOILUTFunction",
        )
    function = _FUNCTIONS[word]
    least = 1.0 if function is WindowFunction.LINEAR else np.nextafter(0, 1)
    names = tags.texts("WindowCenterWidthExplanation")
    pairs = zip(tags.numbers("WindowCenter"), tags.numbers("WindowWidth"), strict=False)
    return tuple(
        Window(name=_name(names, index), center=center, width=width, function=function)
        for index, (center, width) in enumerate(pairs)
        if width >= least
    )


def _name(names: tuple[str, ...], index: int) -> str:
    stated = names[index] if index < len(names) else ""
    return stated if _NAME.fullmatch(stated) else f"window {index + 1}"


def _table(tags: Tags) -> GreyTable | None:
    table = voi_table(tags)
    if table is None:
        return None
    low, high = table.range
    greys = np.clip((table.values - low) / max(high - low, 1e-12), 0, 1) * LUT_WHITE
    return GreyTable(first=table.first, greys=tuple(int(grey) for grey in np.rint(greys)))


def _unit(tags: Tags) -> str:
    """Name the unit by Rescale Type (0028,1054); "" where that is unspecified (US)."""
    stated = tags.text("RescaleType") or ""
    return stated if _UNIT.fullmatch(stated) and stated != "US" else ""
