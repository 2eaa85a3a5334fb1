"""What people are shown: a film under a heat-map as bytes, values and units in print.

The bytes are of grey or RGB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medmm.domain.certainty import certainty_of
from medmm.domain.draft import Generation, MeasurementEvidence, Statement, Verdict
from medmm.domain.plain_text import clean
from medmm.domain.reading import Extent, Region
from medmm.domain.record import Quantity
from medmm.domain.report import Reader
from medmm.domain.study import Affine
from medmm.domain.suspicion import Standing, Suspicion
from medmm.domain.vocabulary import measurement_terms

T = TypeVar("T", bound=np.generic)
ALSO_NOTE = (
    "A score reaches its operating point. It stands in the report only if a reader accepts or "
    "edits it."
)
# Sine of some 20 degrees: a direction that an edge's letters name beside the main one
OBLIQUE = 0.34
SQUARE = 0.01  # pixels that differ less from a square are shown as squares
# Anchors of a perceptually ordered map from dark purple over orange to light yellow (after
# matplotlib's inferno, CC0).
ANCHORS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    dtype=np.float32,
)

# UCUM codes and parts of them (UCUM 2.2, print symbols); data for machines keep the code.
WHOLE_UNITS = {"1": "", "[pH]": "", "a": "years", "mo": "months", "wk": "weeks", "d": "days"}
UNIT_PARTS = {
    "Cel": "°C", "[degF]": "°F", "mm[Hg]": "mmHg", "cm[H2O]": "cmH2O", "[IU]": "IU", "[iU]": "IU",
    "m[IU]": "mIU", "u[IU]": "µIU", "k[IU]": "kIU", "[in_i]": "in", "[ft_i]": "ft", "[lb_av]": "lb",
    "[oz_av]": "oz", "10*3": "10³", "10*6": "10⁶", "10*9": "10⁹", "10*12": "10¹²", "m2": "m²",
    "cm2": "cm²", "{1.73_m2}": "1.73 m²", "ug": "µg", "umol": "µmol", "uL": "µL", "um": "µm",
    "us": "µs", "ukat": "µkat",
}  # fmt: skip


def unit_words(ucum: str) -> str:
    """Print a UCUM unit ("Cel" as "°C"); what the tables do not know stays as written."""
    if ucum in WHOLE_UNITS:
        return WHOLE_UNITS[ucum]
    return clean("/".join(UNIT_PARTS.get(part, part) for part in ucum.split("/")))


def quantity_words(value: Quantity) -> str:
    """Write a value with comparator and unit, all digits and no exponent."""
    return (
        f"{value.comparator or ''}{value.written or digits(value.value)} {unit_words(value.unit)}"
    ).strip()


def figures(numbers: tuple[float, ...], least_decimals: int) -> tuple[str, ...]:
    """Write numbers of one quantity with the same decimals.

    There are so many that none is rounded away (by 5 % or 0.004, 4 at most).
    """
    for decimals in range(least_decimals, 5):
        texts = tuple(f"{number:.{decimals}f}" for number in numbers)
        if all(
            abs(float(t) - n) <= max(0.05 * abs(n), 0.004)
            for t, n in zip(texts, numbers, strict=True)
        ):
            break
    return tuple(text.removeprefix("-") if float(text) == 0 else text for text in texts)


def measured_words(
    name: str, unit: str, value: float, interval: tuple[float, float]
) -> tuple[str, str]:
    """Write a measured value and its interval, each with its unit.

    Decimals are those of its row of the vocabulary.
    """
    term = measurement_terms().get(name)
    number, low, high = figures((value, *interval), term.decimals if term else 2)
    after = f" {unit_words(unit)}".rstrip()
    return f"{number}{after}", f"{low} to {high}{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRow:
    """One line of a table of measurements, all of it as it is printed."""

    statement: str
    name: str
    side: str
    value: str
    interval: str


def measurement_rows(statements: Iterable[Statement]) -> tuple[MeasurementRow, ...]:
    """List what a draft states as measured, with 95 % intervals, in the statements' order."""
    return tuple(
        MeasurementRow(
            statement=statement.id,
            name=term.words if (term := measurement_terms().get(item.name)) else item.name,
            side=statement.side.value if statement.side else "",
            value=words[0],
            interval=words[1],
        )
        for statement in statements
        if statement.summarises is None
        for item in statement.evidence
        if isinstance(item, MeasurementEvidence)
        for words in [measured_words(item.name, item.unit, item.value, item.interval)]
    )


def slice_words(extent: Extent, slice_total: int | None = None) -> str:
    """Write an extent's slices as people count them: "slices 34 to 61 of 155 (20 of them)".

    They are counted from 1.
    """
    first, last = (index + 1 for index in extent.slices)
    total = f" of {slice_total}" if slice_total else ""
    if first == last:
        return f"slice {first}{total}"
    gaps = "" if extent.slice_count == last - first + 1 else f" ({extent.slice_count} of them)"
    return f"slices {first} to {last}{total}{gaps}"


def extent_words(extent: Extent) -> str:
    """Write in one line where labelled voxels lie."""
    z, y, x = extent.centroid_index_zyx
    centre = f"centre at slice {z + 1:.0f}, row {y + 1:.0f}, column {x + 1:.0f}"
    if extent.centroid_lps_mm is not None:
        centre += " (LPS {}, {}, {} mm)".format(*map(round, extent.centroid_lps_mm))
    side = extent.side.phrase if extent.side else "no side named"
    return (
        f"marked as {extent.label} in {extent.label_map}: {slice_words(extent)}, {centre}, {side}"
    )


def digits(number: float) -> str:
    """Write a number without exponent, with all digits that tell it from its neighbours."""
    text = format(Decimal(float.__repr__(float(number))), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def grey_bytes(
    grey: NDArray[np.float32],
    longest_px: int,
    window: tuple[float, float] = (0.0, 1.0),
    aspect: float = 1.0,
) -> NDArray[np.uint8]:
    """Reduce a film to uint8 (rows, columns), its longest side at most `longest_px`.

    Blocks are averaged.

    Args:
        grey: (rows, columns), 0 black to 1 white.
        window: (level shown black, level shown white).
        aspect: height of a pixel over its width; the shorter side of a pixel is stretched to the
            longer.
    """
    tall, wide = max(aspect, 1.0), max(1 / aspect, 1.0)
    if abs(aspect - 1) < SQUARE:
        tall = wide = 1.0
    scale = max(1.0, max(grey.shape[0] * tall, grey.shape[1] * wide) / longest_px)
    small = _averaged(grey, max(1, math.ceil(scale / tall)), max(1, math.ceil(scale / wide)))
    if tall != wide:
        shape = tuple(
            max(1, round(n * by / scale)) for n, by in zip(grey.shape, (tall, wide), strict=True)
        )
        small = resized(small, shape)
    low, high = window
    return np.rint(np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def _averaged(grey: NDArray[np.float32], tall: int, wide: int) -> NDArray[np.float32]:
    """Average blocks of `tall` x `wide` pixels, without what is left over at far edges."""
    tall, wide = min(tall, grey.shape[0]), min(wide, grey.shape[1])
    rows, columns = grey.shape[0] // tall * tall, grey.shape[1] // wide * wide
    blocks = grey[:rows, :columns].reshape(rows // tall, tall, columns // wide, wide)
    return np.asarray(blocks.mean((1, 3)), dtype=np.float32)


def facing(
    grey: NDArray[np.float32], affine_lps_mm: Affine | None
) -> tuple[NDArray[np.float32], tuple[str, str]]:
    """Turn a slice the way readers look at it; name its left and right edge by letters.

    Rows run toward the patient's left or back, columns toward the back or feet (PS3.3 C.7.6.1.1.1
    names the directions); what runs against that is mirrored. As stored, without letters, where the
    affine is unknown.
    """
    edges = edge_letters(affine_lps_mm)
    return turned(grey, affine_lps_mm), (edges.left, edges.right)


def turned(grid: NDArray[T], affine_lps_mm: Affine | None) -> NDArray[T]:
    """Mirror a slice (rows, columns, ...) so that it lies as readers look at it.

    It stays as stored if that is unknown.
    """
    if affine_lps_mm is None:
        return grid
    along, down = (-1 if against else 1 for _, against in _in_plane(affine_lps_mm))
    return grid[::down, ::along]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The patient's direction at each edge of a turned slice ("R", or "RA" if oblique).

    An unknown direction is "".
    """

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""


def edge_letters(affine_lps_mm: Affine | None) -> Edges:
    """Return the letters at the edges of a slice after `turned`, main direction first.

    A second one follows from some 20 degrees on.
    """
    if affine_lps_mm is None:
        return Edges()
    (along, flip_x), (down, flip_y) = _in_plane(affine_lps_mm)
    along, down = -along if flip_x else along, -down if flip_y else down
    return Edges(
        left=_letters(-along), right=_letters(along), top=_letters(-down), bottom=_letters(down)
    )


def _in_plane(affine_lps_mm: Affine) -> list[tuple[NDArray[np.float64], bool]]:
    """Return the direction in which columns count up, and whether it is mirrored; then rows.

    Directions are unit vectors toward L, P, F.
    """
    axes = np.array(affine_lps_mm)[:3, :2] * [[1], [1], [-1]]
    axes = axes / np.linalg.norm(axes, axis=0)
    return [(axis, bool(axis[np.abs(axis).argmax()] < 0)) for axis in axes.T]


def _letters(toward_lpf: NDArray[np.float64]) -> str:
    order = [n for n in np.argsort(-np.abs(toward_lpf)) if abs(toward_lpf[n]) >= OBLIQUE]
    return "".join("LPF"[n] if toward_lpf[n] > 0 else "RAH"[n] for n in order)


def generation_words(generation: Generation) -> str:
    """Say whose words a sentence has; the language model's own numbers stay in its record.

    People see one probability of a finding: two side by side, of which one is not what the other
    is, mislead.
    """
    return f"worded by {generation.model}"


def probability_words(probability: float, threshold: float) -> str:
    """Write a calibrated probability with its operating point and what it means in words."""
    return (
        f"{probability:.2f}, operating point {threshold:.2f}: {certainty_of(probability).meaning}"
    )


def marked_words(one: Suspicion) -> str:
    """Write a suspected finding in the vocabulary's words, marked if it is urgent.

    It is urgent if a reader must be told at once.
    """
    return f"{one.words} (critical)" if one.critical else one.words


def suspicion_words(one: Suspicion) -> str:
    """Write a suspected finding as every list shows it: words, mark, probability.

    If a reader added it, that stands instead.
    """
    if one.probability is None:
        return f"{marked_words(one)}, {Standing.ADDED.value}"
    return f"{marked_words(one)} {one.probability:.2f}"


def suspected_line(listed: Iterable[Suspicion]) -> str:
    """Write the one list in one line: what is stated, then what is suspected and not stated.

    Returns: "" if it is empty.
    """
    parts: dict[bool, list[str]] = {False: [], True: []}
    for one in listed:
        if not one.rejected:
            parts[one.standing is Standing.NOT_STATED].append(suspicion_words(one))
    also = f"{Standing.NOT_STATED.value}: {', '.join(parts[True])}" if parts[True] else ""
    return "; ".join(filter(None, (", ".join(parts[False]), also)))


def unstated_words(one: Suspicion) -> str:
    """Write a suspected finding that a draft of an earlier release does not mention."""
    if one.probability is None or one.threshold is None:
        return f"{marked_words(one)}; not stated: {one.why}"
    return (
        f"{marked_words(one)} {probability_words(one.probability, one.threshold)}; not stated: "
        f"{one.why}"
    )


def own_mark(by: Reader | None, *, coded: bool = False) -> str:
    """Mark a reader's own words: whose they are, and whether they are free text."""
    return f"added by {by.name if by else 'a reader'}{'' if coded else ', free text'}"


def mark_words(verdict: Verdict) -> str:
    """Say what a check has against a reader's own words: a question, not a refusal."""
    return f"{verdict.check}: {verdict.reason}. Look again."


def colours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map values of 0 to 1 to RGB (…, 3) of 0 to 255."""
    place = np.clip(values, 0, 1) * (len(ANCHORS) - 1)
    lower = np.minimum(place.astype(int), len(ANCHORS) - 2)
    part = (place - lower)[..., None]
    return np.asarray(ANCHORS[lower] * (1 - part) + ANCHORS[lower + 1] * part, dtype=np.float32)


def heat_overlay(
    picture: NDArray[np.uint8], region: Region, opacity: float = 0.5
) -> NDArray[np.uint8]:
    """Lay the heat of a region over a grey picture, as RGB (rows, columns, 3).

    Where there is no heat the film stays grey.
    """
    heat = resized(np.asarray(region.heat, dtype=np.float32) / np.float32(255), picture.shape)
    cover = np.clip(opacity * heat * 1.5, 0, opacity)[..., None]
    base = np.repeat(picture[..., None].astype(np.float32), 3, axis=2)
    return np.rint(base * (1 - cover) + colours(heat) * cover).astype(np.uint8)


def resized(grid: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resize a small grid bilinearly to `shape` (rows, columns), sampled at cell centres."""
    out = grid
    for axis in (0, 1):
        size = out.shape[axis]
        place = np.clip((np.arange(shape[axis]) + 0.5) / shape[axis] * size - 0.5, 0, size - 1)
        lower = np.minimum(place.astype(int), max(size - 2, 0))
        part = (place - lower).reshape((-1, 1) if axis == 0 else (1, -1))
        upper = np.minimum(lower + 1, size - 1)
        out = np.take(out, lower, axis) * (1 - part) + np.take(out, upper, axis) * part
    return out.astype(np.float32)
