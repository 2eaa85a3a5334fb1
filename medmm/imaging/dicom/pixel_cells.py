"""Pixel cells to stored values: where a value's bits lie, its sign, and what lies beside.

A cell has Bits Allocated bits; the value takes Bits Stored of them up to High Bit (PS3.5 8.1.1).
What lies beside it is no part of it: overlay planes in ACR-NEMA and early DICOM (PS3.3 C.9.2,
retired), a lost sign, or a padding value that is wider than the values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.padding import Padding, stated_padding

_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_BITS_ALLOCATED, _BIT_POSITION, _OVERLAY_DATA = 0x0100, 0x0102, 0x3000
_REMEDY = "export the image again"


def high_bit(tags: Tags) -> int:
    """Return High Bit (0028,0102), or Bits Stored - 1 if it is missing.

    Nearly every image has that value.
    """
    stated = tags.number("HighBit")
    return int(tags.number("BitsStored") or 0) - 1 if stated is None else int(stated)


def bits_fit(tags: Tags) -> bool:
    """Tell whether a cell has room for Bits Stored bits up to High Bit."""
    stored, allocated = (
        int(tags.number(keyword) or 0) for keyword in ("BitsStored", "BitsAllocated")
    )
    stated = tags.number("HighBit")
    return (stated is None or stated % 1 == 0) and stored - 1 <= high_bit(tags) < allocated


def values_in(cells: NDArray[Any], tags: Tags, *, coded: bool = False) -> NDArray[Any]:
    """Return the stored values of cells, of the same shape and type.

    A padding value wider than the values stays as it is.

    Args:
        coded: whether the cells were compressed: loss may carry values a little beyond the largest.
    Raises: InputError if the bits that hold something are not those that the header names, and
        no overlay explains it.
    """
    stored, allocated = int(tags.number("BitsStored") or 0), 8 * cells.dtype.itemsize
    shift = high_bit(tags) + 1 - stored
    if cells.dtype.kind not in "iu" or not 0 < stored <= allocated or stored + shift > allocated:
        return cells
    padding = stated_padding(tags)
    overlays = _overlay_bits(tags, range(shift, shift + stored))
    above = allocated - stored - shift
    # An arithmetic shift keeps the sign
    values = (cells << above) >> (above + shift) if above or shift else cells
    values = values.astype(cells.dtype, copy=False)
    if shift:
        _check_low_bits(cells, values, shift, stored, overlays, padding)
    elif above and not np.array_equal(values, cells):
        values = _beside(cells, values, stored, overlays, padding, coded=coded)
    return values


def alone_suffices(cells: NDArray[Any], tags: Tags) -> bool:
    """Tell whether `values_in` needs the cells of one frame alone to give its values.

    It does where no bit beside those of the values is in use.
    """
    stored, allocated = int(tags.number("BitsStored") or 0), 8 * cells.dtype.itemsize
    shift = high_bit(tags) + 1 - stored
    if cells.dtype.kind not in "iu" or not 0 < stored <= allocated or stored + shift > allocated:
        return True
    if shift:
        return not (cells & cells.dtype.type((1 << shift) - 1)).any()
    above = allocated - stored
    return not above or np.array_equal((cells << above) >> above, cells)


def _beside(
    cells: NDArray[Any],
    values: NDArray[Any],
    stored: int,
    overlays: int,
    padding: Padding | None,
    *,
    coded: bool,
) -> NDArray[Any]:
    """Read cells of which some hold more than a value: padding, a lost sign, overlays.

    What nothing in the header explains is an overlay where the values without it are the smoother
    picture; otherwise the picture is deeper than it says, and would come out folded: it is as it
    was coded, or refused. Raises: InputError.
    """
    more = values != cells
    if padding is not None:
        wide = more & padding.holds(cells)
        values = np.where(wide, cells, values)
        more &= ~wide
    unsigned = cells.view(f"u{cells.dtype.itemsize}")
    explained = (1 << stored) - 1 | overlays
    if not (more & ((unsigned & ~unsigned.dtype.type(explained)) != 0)).any():
        return values
    if _roughness(values, more) > _roughness(cells, more):
        if coded:
            return cells
        raise InputError(
            f"values need more than the {stored} bits that Bits Stored states",
            remedy=_REMEDY,
            tag="BitsStored",
        )
    return values


def _check_low_bits(
    cells: NDArray[Any],
    values: NDArray[Any],
    shift: int,
    stored: int,
    overlays: int,
    padding: Padding | None,
) -> None:
    """Refuse bits in use below the values if all cells could be values at bit 0 after all.

    Raises: InputError if that is so.
    """
    low = cells & cells.dtype.type((1 << shift) - 1)
    if not (low & ~cells.dtype.type(overlays & ((1 << shift) - 1))).any():
        return
    signed = cells.dtype.kind == "i"
    least, most = (
        (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    )
    beyond = (cells < least) | (cells > most)
    if padding is not None:
        beyond &= ~(padding.holds(cells) | padding.holds(values))
    if not beyond.any():
        raise InputError(
            "image header not consistent: HighBit; the values lie in the lowest bits",
            remedy=_REMEDY,
            tag="HighBit",
        )


def _overlay_bits(tags: Tags, used: range) -> int:
    """Return the bits of a cell in which the header places overlay planes.

    Raises: InputError if values lie there too.
    """
    bits = 0
    for group in _OVERLAY_GROUPS:
        held = (group, _BIT_POSITION) in tags.dataset and (group, _OVERLAY_DATA) not in tags.dataset
        position = tags.element_number(group, _BIT_POSITION) if held else None
        # 1: a plane of its own, left out
        several = held and (tags.element_number(group, _BITS_ALLOCATED) or 1) > 1
        if position is None or not several or position < 0 or position % 1:
            continue
        if int(position) in used:
            raise InputError(
                "image header not consistent: an overlay plane lies in bits of the values",
                remedy=_REMEDY,
                tag="OverlayBitPosition",
            )
        bits |= 1 << int(position)
    return bits


def _roughness(picture: NDArray[Any], of: NDArray[np.bool_]) -> float:
    """Compute the mean step between pixels along rows where one of the two is in `of`."""
    pairs = of[..., 1:] | of[..., :-1]
    if not pairs.any():
        return 0.0
    left, right = (
        picture[..., :-1][pairs].astype(np.float64),
        picture[..., 1:][pairs].astype(np.float64),
    )
    return float(np.abs(right - left).mean())
