"""Whether all that a header says of left and right agrees; if not, no side is named.

Source: PS3.3 C.7.6.1.1.1 (Patient Orientation), C.7.6.2.1.1 (Image Orientation Patient), C.7.3.1
(Laterality), C.8.11.1 and 10.5 (Image and Frame Laterality).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydicom.datadict import dictionary_description

from medmm.domain.study import Affine, Notice
from medmm.imaging.dicom.header import Tags

# Axis in LPS, direction
AXES = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "H": (2, 1), "F": (2, -1)}
ALONG = 0.5  # cosine from which a direction counts as along an axis
ONE_SIDE = ("ImageLaterality", "Laterality", "FrameLaterality")
DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "StudyDescription")
_LEFT = r"\b(LEFT|LINKS|LINKE[RSN]?|GAUCHE|IZQUIERD[AO]|ESQUERD[AO]|SINISTR[AO])\b"
_RIGHT = r"\b(RIGHT|RECHTS|RECHTE[RSN]?|DROITE?|DERECH[AO]|DIREIT[AO]|DESTR[AO])\b"


def side_conflicts(
    tags: Tags, affine_lps_mm: Affine | None = None, shape_yx: tuple[int, int] = (1, 1)
) -> Iterator[str]:
    """Yield in words what a header contradicts of its own left and right.

    Args:
        affine_lps_mm: of an MR volume: one that lies wholly on a side may not be called one of the
            other.
        shape_yx: rows and columns of its slices.
    """
    axes = tags.numbers("ImageOrientationPatient")
    letters = tags.texts("PatientOrientation")
    if len(axes) == 6 and len(letters) == 2:
        pairs = ((letters[0], axes[:3]), (letters[1], axes[3:]))
        if any(_against(letter, axis) for letter, axis in pairs):
            yield "Patient Orientation and Image Orientation (Patient) contradict each other"
    stated = dict(_stated_sides(tags))
    if {"L", "R"} <= set(stated.values()):
        yield f"{' and '.join(map(dictionary_description, stated))} name different sides"
    lies = _side_of(affine_lps_mm, shape_yx)
    if lies and stated and set(stated.values()) == {"R" if lies == "L" else "L"}:
        yield (
            f"{dictionary_description(next(iter(stated)))} names another side than that on "
            "which the slices lie"
        )


def side_notice(conflicts: Sequence[str]) -> tuple[Notice, ...]:
    """Say that no side is named and why; return nothing if nothing contradicts."""
    words = "; ".join(dict.fromkeys(conflicts))
    return (Notice(code="side-conflict", text=f"{words}: no side is named."),) if words else ()


def _against(letter: str, axis: Sequence[float]) -> bool:
    """Tell whether a letter's direction is opposite to an axis, or plainly across it."""
    index, direction = AXES.get(letter.upper()[:1], (None, 0))
    return index is not None and axis[index] * direction < -ALONG


def _stated_sides(tags: Tags) -> Iterator[tuple[str, str]]:
    """Yield the elements that name one side, and which."""
    for keyword in ONE_SIDE:
        if tags.word(keyword) in ("L", "R"):
            yield keyword, tags.word(keyword)
    for keyword in DESCRIPTIONS:
        sides = {
            side
            for side, words in (("L", _LEFT), ("R", _RIGHT))
            if re.search(words, tags.word(keyword))
        }
        if len(sides) == 1 and "LAT" not in tags.word(keyword):  # a left lateral names a projection
            yield keyword, sides.pop()


def _side_of(affine: Affine | None, shape_yx: tuple[int, int]) -> str | None:
    """Return the side on which a slice lies wholly.

    Returns: None if it reaches over the middle, or nothing says where it lies.
    """
    if affine is None:
        return None
    rows, columns = shape_yx
    across = [
        affine[0][3] + affine[0][0] * x + affine[0][1] * y
        for x in (0, columns - 1)
        for y in (0, rows - 1)
    ]
    return "L" if min(across) > 0 else "R" if max(across) < 0 else None
