"""A slice with the outlines of its labels; letters at the edges only if they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from medmm.domain.draft import CheckedDraft, ExtentEvidence
from medmm.domain.label_location import largest_slice
from medmm.domain.reading import Extent, LabelMap, Reading, Side
from medmm.domain.study import Study, Volume
from medmm.presentation.film_picture import grey_bytes
from medmm.presentation.orientation import STORED, Edges, edge_letters, turned

OUTLINE_NOTE = (
    "Outlines are what a network marked. Slices are counted from 1 in the order of the volume."
)
LONGEST_PX = 640
SMALL_PX = 200  # below it outlines are one pixel wide, and letters could not be read
# Apart in hue and lightness, also for the colour-blind (after Okabe and Ito).
COLOURS = ((240, 228, 66), (86, 180, 233), (230, 100, 40), (0, 190, 140), (204, 121, 167))
INK, SHADOW = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSlice:
    """One label map on its volume, with the slice that shows most of it.

    `labels` are those that statements rest on, `statements` these statements. `side` is the
    patient's side of all of these labels; None if they have none, or several.
    """

    volume: Volume
    label_map: LabelMap
    labels: tuple[str, ...]
    index_z: int
    statements: tuple[str, ...]
    side: Side | None = None

    @property
    def title(self) -> str:
        """What is outlined, on which series."""
        series = f" on {self.volume.sequence.role.value}" if self.volume.sequence else ""
        return f"{self.label_map.name}{series}"

    def caption(self, index_z: int) -> str:
        """Say which slice is shown, of what, and what the outlines are."""
        side = f", {self.side.phrase}" if self.side else ""
        unknown = "" if self.volume.affine_lps_mm else f" {STORED}"
        slices = slice_title(self.volume, index_z)
        labels, statements = ", ".join(self.labels), ", ".join(self.statements)
        outlined = f"{labels}, outlined by a network ({statements})"
        return f"{self.title}{side}, {slices}: {outlined}.{unknown}"


def slice_title(volume: Volume, index_z: int) -> str:
    """Say which slice of a volume it is, counted from 1."""
    return f"slice {index_z + 1} of {volume.shape_zyx[0]}"


def marked_slices(
    study: Study, reading: Reading | None, draft: CheckedDraft | None
) -> tuple[MarkedSlice, ...]:
    """List what the statements of a draft are marked on, each label map once, in order."""
    named: dict[tuple[str, str], list[tuple[str, Extent]]] = {}
    for statement in draft.statements if draft else ():
        for item in statement.evidence:
            if isinstance(item, ExtentEvidence) and statement.summarises is None:
                key = (item.extent.label_map, item.extent.volume_sha256)
                named.setdefault(key, []).append((statement.id, item.extent))
    found = (_marked(study, reading, pairs) for pairs in named.values()) if reading else ()
    return tuple(one for one in found if one is not None)


def _marked(study: Study, reading: Reading, named: list[tuple[str, Extent]]) -> MarkedSlice | None:
    """Find the slice of a label map; None if volume, map or labelled voxels are missing.

    Then check G8 failed and says so.
    """
    extents = [extent for _, extent in named]
    volume = study.volume(extents[0].volume_sha256)
    label_map = reading.label_map(extents[0].label_map, extents[0].volume_sha256)
    if volume is None or label_map is None:
        return None
    labels = tuple(label for label in label_map.labels if label in {e.label for e in extents})
    index_z = largest_slice(label_map, *labels)
    sides = {extent.side for extent in extents}
    if index_z is None:
        return None
    return MarkedSlice(
        volume=volume,
        label_map=label_map,
        labels=labels,
        index_z=index_z,
        statements=tuple(dict.fromkeys(number for number, _ in named)),
        side=sides.pop() if len(sides) == 1 else None,
    )


def slice_picture(
    volume: Volume,
    index_z: int,
    label_map: LabelMap | None = None,
    labels: Sequence[str] = (),
    window: tuple[float, float] = (0.0, 1.0),
    longest_px: int = LONGEST_PX,
) -> NDArray[np.uint8]:
    """Draw one slice as readers look at it, as RGB (rows, columns, 3).

    The patient's right is on the left if that is known.

    Labels are outlined, each in its colour with its name on top. Letters stand at the edges only if
    the affine says so. A small picture, for terminals, has neither names nor letters.
    """
    grey = turned(volume.frame(index_z), volume.affine_lps_mm)
    times = max(1, longest_px // max(grey.shape))
    grey = np.repeat(np.repeat(grey, times, 0), times, 1)
    small = grey_bytes(grey, longest_px, window, volume.pixel_aspect)
    picture = np.repeat(small[..., None], 3, axis=2)
    values = label_map.array()[index_z] if label_map is not None else np.zeros(grey.shape, np.uint8)
    shown = _to_shape(turned(values, volume.affine_lps_mm), small.shape)
    legend = []
    for label in labels if label_map is not None else ():
        number = label_map.labels.index(label) if label_map else 0
        colour = COLOURS[number % len(COLOURS)]
        picture[_outline(shown == number + 1, 2 if longest_px >= SMALL_PX else 1)] = colour
        legend.append((label, colour))
    return (
        _lettered(picture, edge_letters(volume.affine_lps_mm), legend)
        if longest_px >= SMALL_PX
        else picture
    )


def _to_shape(values: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Find the nearest label for every pixel of a picture of this shape."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, values.shape, strict=True))
    return values[rows][:, columns]


def _outline(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Find the rim of a mask inside it: no pixel beyond the label is drawn over."""
    inner = np.pad(mask, 2)
    core = inner.copy()
    for step in range(1, width + 1):
        for axis in (0, 1):
            core &= np.roll(inner, step, axis) & np.roll(inner, -step, axis)
    return mask & ~core[2:-2, 2:-2]


def _lettered(
    picture: NDArray[np.uint8], edges: Edges, legend: list[tuple[str, tuple[int, int, int]]]
) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    rows, columns = picture.shape[:2]
    size = max(12, max(rows, columns) // 24)
    font = ImageFont.load_default(size)

    def write(
        place: tuple[float, float], text: str, anchor: str, colour: tuple[int, int, int] = INK
    ) -> None:
        draw.text(
            place, text, fill=colour, font=font, anchor=anchor, stroke_width=2, stroke_fill=SHADOW
        )

    write((4, rows / 2), edges.left, "lm")
    write((columns - 4, rows / 2), edges.right, "rm")
    write((columns / 2, 3), edges.top, "ma")
    write((columns / 2, rows - 3), edges.bottom or "orientation unknown", "md")
    for line, (label, colour) in enumerate(legend):
        write((4, 3 + line * size * 1.2), label, "la", colour)
    return np.asarray(image)


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Write the picture as a PNG file."""
    target = BytesIO()
    Image.fromarray(rgb).save(target, format="PNG", compress_level=6)
    return target.getvalue()
