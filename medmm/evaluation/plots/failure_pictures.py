"""Pictures of the test subjects that a volume network read worst.

They show what readers drew, what it found, and where the two differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medmm.domain.errors import needed
from medmm.training.data.mr_sets import OutlinedVolume
from medmm.training.validation_metrics import dice

CELL_PX, GAP_PX, LINE_PX = 200, 4, 18
MARGIN = 0.3  # around what was drawn and found, of its longer side
# Apart for the colour-blind too (Okabe and Ito)
LABEL_TINTS = ((230, 159, 0), (86, 180, 233), (0, 158, 115))
BOTH, MISSED, EXTRA, OTHER = (110, 110, 110), (60, 140, 255), (255, 150, 60), (230, 90, 200)
DIFFERENCES = (("both", BOTH), ("missed", MISSED), ("too much", EXTRA), ("other label", OTHER))
Plane = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A volume with the labels (slices, rows, columns) that were found on it."""

    outlined: OutlinedVolume
    found: NDArray[np.uint8]

    @property
    def slice_index(self) -> int:
        """The slice with most voxels wrong."""
        return int((self.outlined.labels != self.found).sum((1, 2)).argmax())

    @property
    def title(self) -> str:
        """Subject, phase, slice and overlap of all that is labelled, in words."""
        one = self.outlined
        overlap = dice(self.found > 0, one.labels > 0)
        return f"{one.subject} {one.part}".strip() + (
            f"   slice {self.slice_index + 1} of {len(one.labels)}, Dice of the whole "
            f"volume {overlap:.2f}"
        )


def write(path: Path, failures: Sequence[Failure], labels: Sequence[str], *, pixels: bool) -> None:
    """Write one picture, a row a subject.

    `pixels` says whether the subject's own image is shown beside the labels.
    """
    columns = [*(("image",) if pixels else ()), "drawn", "found", "difference"]
    width, height = (
        (CELL_PX + GAP_PX) * len(columns),
        (CELL_PX + LINE_PX + GAP_PX) * len(failures) + 2 * LINE_PX,
    )
    sheet = Image.new("RGB", (width, height), "black")
    pen = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        pen.text((column * (CELL_PX + GAP_PX) + 4, 3), name, fill="white")
    for row, failure in enumerate(failures):
        top = LINE_PX + row * (CELL_PX + LINE_PX + GAP_PX)
        pen.text((4, top + 3), failure.title, fill="white")
        for column, plane in enumerate(_planes(failure, pixels=pixels)):
            sheet.paste(_cell(plane), (column * (CELL_PX + GAP_PX), top + LINE_PX))
    _legend(pen, height - LINE_PX, labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _planes(failure: Failure, *, pixels: bool) -> list[Plane]:
    """Cut out the slice (rows, columns, rgb): image if asked for, drawn, found, difference."""
    z, one = failure.slice_index, failure.outlined
    drawn, found = one.labels[z], failure.found[z]
    part = cut((drawn > 0) | (found > 0))
    planes = [_tinted(drawn[part], LABEL_TINTS), _tinted(found[part], LABEL_TINTS)]
    wrong = np.select(
        [(drawn > 0) & (drawn == found), found == 0, drawn == 0, drawn != found],
        [1, 2, 3, 4],
        default=0,
    )
    wrong[(drawn == 0) & (found == 0)] = 0
    planes.append(_tinted(wrong[part], [tint for _, tint in DIFFERENCES]))
    return [_grey(one, z)[part], *planes] if pixels else planes


def cut(marked: Plane) -> tuple[slice, slice]:
    """Return the square part of a slice around what is marked, within the slice."""
    places = np.argwhere(marked)
    low, high = places.min(0), places.max(0) + 1
    side = int(np.ceil((high - low).max() * (1 + 2 * MARGIN)))
    begin = [
        max(0, min(int(c - side / 2), n - side))
        for c, n in zip((low + high) / 2, marked.shape, strict=True)
    ]
    rows, columns = (slice(b, min(b + side, n)) for b, n in zip(begin, marked.shape, strict=True))
    return rows, columns


def _tinted(values: Plane, tints: Sequence[tuple[int, int, int]]) -> Plane:
    return np.asarray([(0, 0, 0), *tints], dtype=np.uint8)[values]


def _grey(outlined: OutlinedVolume, z: int) -> Plane:
    signals = dict(zip(outlined.sequences, outlined.signals, strict=True))
    signal = needed(signals.get("flair", outlined.signals[0]), "the signal of the first sequence")
    low, high = np.percentile(signal, (0.5, 99.5))
    grey = (np.clip((signal[z] - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _cell(plane: Plane) -> Image.Image:
    """Scale a slice to a cell, its voxels plain squares."""
    picture = Image.fromarray(np.ascontiguousarray(plane))
    scale = CELL_PX / max(picture.size)
    picture = picture.resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.NEAREST
    )
    cell = Image.new("RGB", (CELL_PX, CELL_PX))
    cell.paste(picture, ((CELL_PX - picture.width) // 2, (CELL_PX - picture.height) // 2))
    return cell


def _legend(pen: ImageDraw.ImageDraw, top: int, labels: Sequence[str]) -> None:
    left = 4.0
    for name, tint in (*zip(labels, LABEL_TINTS, strict=False), *DIFFERENCES):
        pen.text((left, top + 3), name, fill=tint)
        left += pen.textlength(name) + 14
