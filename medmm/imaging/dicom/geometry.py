"""Where pixels lie in the patient, or that it is unknown: nothing here is guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Affine, Notice, SpacingMeaning
from medmm.imaging.dicom.functional_groups import Frame
from medmm.imaging.dicom.header import Tags

# Pixel spacing of films and MR slices; beyond it is a wrong entry
SMALLEST_MM, LARGEST_MM = 0.01, 10.0
EVEN = 0.02  # steps between slices may differ by this part of their mean
# Sine of the angle between step and normal up to which slices form a box: 1.1 degrees
SLANT = 0.02
SPACING_UNKNOWN = Notice(
    code="spacing-unknown",
    text="Spacing unknown: the image states no usable pixel spacing; nothing is in mm.",
)
SPACING_AT_DETECTOR = Notice(
    code="spacing-at-detector",
    text="Pixel spacing is that at the detector; the body is magnified, so lengths are too large.",
)
ORIENTATION_UNKNOWN = Notice(
    code="orientation-unknown",
    text="Orientation unknown: the image does not say which edge is left; no side is named.",
)
_LPS = {
    "L": (1, 0, 0),
    "R": (-1, 0, 0),
    "P": (0, 1, 0),
    "A": (0, -1, 0),
    "H": (0, 0, 1),
    "F": (0, 0, -1),
}
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
NOT_SQUARE = Notice(code="pixels-not-square", text="The image's pixels are not square.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where one slice lies: cosines of rows and columns, position of its first pixel.

    Source: PS3.3 C.7.6.2.
    """

    row_lps: tuple[float, float, float]
    column_lps: tuple[float, float, float]
    position_lps_mm: tuple[float, float, float]
    spacing_yx_mm: tuple[float, float]
    thickness_mm: float | None

    @property
    def normal_lps(self) -> NDArray[np.float64]:
        """Unit vector along which slices are stacked: row direction x column direction."""
        return np.cross(self.row_lps, self.column_lps)

    @property
    def depth_mm(self) -> float:
        """Position along the normal."""
        (a, b, c), (d, e, f), (x, y, z) = self.row_lps, self.column_lps, self.position_lps_mm
        return (b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z


def plausible_spacing(values: Sequence[float]) -> tuple[float, float] | None:
    """Return row and column spacing in mm if both are plausible for a film or an MR slice."""
    if len(values) != 2 or not all(SMALLEST_MM <= value <= LARGEST_MM for value in values):
        return None
    return values[0], values[1]


def film_spacing(tags: Tags) -> tuple[tuple[float, float] | None, tuple[Notice, ...]]:
    """Return the pixel spacing of a radiograph in mm, and what a reader must know of it.

    Pixel Spacing counts first, then Imager Pixel Spacing at the detector (PS3.3 10.7.1).
    """
    spacing, notices = plausible_spacing(tags.numbers("PixelSpacing")), []
    imager = plausible_spacing(tags.numbers("ImagerPixelSpacing"))
    if spacing is None and imager is None:
        notices.append(SPACING_UNKNOWN)
    elif spacing is None or (spacing == imager and not tags.text("PixelSpacingCalibrationType")):
        notices.append(SPACING_AT_DETECTOR)
    spacing = spacing or imager
    if not 0.99 < pixel_aspect(spacing, tags) < 1.01:
        notices.append(NOT_SQUARE)
    return spacing, tuple(notices)


def film_spacing_meaning(tags: Tags) -> SpacingMeaning | None:
    """Say where the spacing of `film_spacing` holds; None if there is none.

    Pixel Spacing that differs from that at the detector, or names its calibration, is calibrated;
    alone it does not say (PS3.3 10.7.1.1 and 10.7.1.3).
    """
    spacing = plausible_spacing(tags.numbers("PixelSpacing"))
    imager = plausible_spacing(tags.numbers("ImagerPixelSpacing"))
    if spacing is None:
        return SpacingMeaning.DETECTOR if imager else None
    if tags.text("PixelSpacingCalibrationType") or (imager and spacing != imager):
        return SpacingMeaning.CALIBRATED
    return SpacingMeaning.DETECTOR if imager else SpacingMeaning.UNSTATED


def pixel_aspect(spacing_yx_mm: tuple[float, float] | None, tags: Tags) -> float:
    """Return the height of a pixel over its width, 1 if nothing states it.

    Spacing counts first, then Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7).
    """
    vertical, horizontal = spacing_yx_mm or (*tags.numbers("PixelAspectRatio"), 0, 0)[:2]
    usable = vertical > 0 and horizontal > 0 and 0.1 <= vertical / horizontal <= 10
    return vertical / horizontal if usable else 1.0


def film_affine(tags: Tags, spacing_yx_mm: tuple[float, float] | None) -> Affine | None:
    """Compute a radiograph's affine from its spacing and Patient Orientation.

    Voxel (column, row, slice) to LPS in mm, 4 x 4. The origin is the film's first pixel: a
    projection says in which directions it runs, not where in the patient it lies. The third axis is
    the unit normal. A direction of several letters (LF) is oblique by an angle that is not stated,
    so there is none.

    Returns: None unless both are known and exact.
    """
    along_rows, along_columns = (
        _LPS.get(value.upper()) for value in (*tags.texts("PatientOrientation"), "", "")[:2]
    )
    if (
        spacing_yx_mm is None
        or along_rows is None
        or along_columns is None
        or np.dot(along_rows, along_columns)
    ):
        return None
    row, column = np.array(along_rows, dtype=float), np.array(along_columns, dtype=float)
    axes = (row * spacing_yx_mm[1], column * spacing_yx_mm[0], np.cross(row, column), np.zeros(3))
    return _matrix(axes)


def _matrix(columns: Sequence[NDArray[np.float64]]) -> Affine:
    """Build a 4 x 4 affine from four columns of three."""
    matrix = np.vstack([np.column_stack(columns), [0, 0, 0, 1]])
    return tuple((float(r[0]), float(r[1]), float(r[2]), float(r[3])) for r in matrix)


def patient_left_on(tags: Tags) -> str | None:
    """Name the image edge that shows the patient's left on an upright frontal film.

    Patient Orientation (0020,0020) names the direction of rows, then of columns, of the stored
    pixels (PS3.3 C.7.6.1.1.1): rows toward L with columns toward F put the patient's left on the
    image's right. Field of View Horizontal Flip tells what was done before; Patient Orientation
    already holds after it.

    Returns: "left" or "right"; None if it is not stated.
    """
    along_rows, along_columns = _directions(tags)
    if along_columns != "F":
        return None
    return {"L": "right", "R": "left"}.get(along_rows)


def film_lies(tags: Tags) -> str | None:
    """Say how a film lies by Patient Orientation; return None if that is unknown.

    Returns: "frontal", "lateral", "upside down", "rotated" or "other".
    """
    along_rows, along_columns = _directions(tags)
    if along_rows not in _LPS or along_columns not in _LPS:
        return None
    if along_columns in "HF" and along_rows in "LRAP":
        upright = "frontal" if along_rows in "LR" else "lateral"
        return upright if along_columns == "F" else "upside down"
    return "rotated" if along_rows in "HF" and along_columns in "LRAP" else "other"


def _directions(tags: Tags) -> tuple[str, str]:
    values = tags.texts("PatientOrientation")
    if len(values) != 2:
        return "", ""
    first, second = (value.upper()[:1] for value in values)
    return first, second


def field_of_view_mm(tags: Tags) -> tuple[float, float] | None:
    """Return height and width of a picture in mm; None if its pixel spacing is not stated."""
    spacing = plausible_spacing(tags.numbers("PixelSpacing")) or next(
        iter(_group_spacings(tags)), None
    )
    rows, columns = tags.number("Rows"), tags.number("Columns")
    return (
        None
        if spacing is None or not rows or not columns
        else (rows * spacing[0], columns * spacing[1])
    )


def _group_spacings(tags: Tags) -> Iterator[tuple[float, float]]:
    """Yield pixel spacing as functional groups state it, the shared ones first."""
    for group in _GROUPS:
        item = tags.first_item(group)
        measures = item.first_item("PixelMeasuresSequence") if item else None
        spacing = plausible_spacing(measures.numbers("PixelSpacing")) if measures else None
        if spacing is not None:
            yield spacing


def frame_numbers(tags: Tags, sequence: str, keyword: str) -> tuple[float | None, ...]:
    """Return an element's values from each functional group of an image that states it."""
    groups = (item.first_item(sequence) for name in _GROUPS for item in tags.items(name))
    return tuple(group.number(keyword) for group in groups if group is not None)


def in_places(tags: Tags) -> bool:
    """Tell whether the frames of an image are slices, each at a place of its own."""
    frames = int(tags.number("NumberOfFrames") or 1)
    planes = frame_planes(tags, frames) if frames > 1 else ()
    return (
        None not in planes
        and len({plane.position_lps_mm for plane in planes if plane}) == len(planes) > 1
    )


def plane_of(tags: Tags) -> Plane | None:
    """Return the plane of a single-frame slice.

    Returns: None if an element is missing or its axes are not orthonormal.
    """
    return make_plane(
        orientation=tags.numbers("ImageOrientationPatient"),
        position=tags.numbers("ImagePositionPatient"),
        spacing=tags.numbers("PixelSpacing"),
        thickness=tags.number("SliceThickness"),
    )


def frame_planes(tags: Tags, frames: int) -> tuple[Plane | None, ...]:
    """Return the planes of an enhanced multi-frame image from its functional groups.

    Source: PS3.3 C.7.6.16.2.
    """
    shared = tags.first_item("SharedFunctionalGroupsSequence")
    own = list(tags.items("PerFrameFunctionalGroupsSequence"))
    if len(own) != frames:
        return (None,) * frames
    return tuple(_frame_plane([group for group in (item, shared) if group]) for item in own)


def _frame_plane(groups: Sequence[Tags]) -> Plane | None:
    def numbers(sequence: str, keyword: str) -> tuple[float, ...]:
        items = (group.first_item(sequence) for group in groups)
        return next((found for item in items if item and (found := item.numbers(keyword))), ())

    thickness = numbers("PixelMeasuresSequence", "SliceThickness")
    return make_plane(
        orientation=numbers("PlaneOrientationSequence", "ImageOrientationPatient"),
        position=numbers("PlanePositionSequence", "ImagePositionPatient"),
        spacing=numbers("PixelMeasuresSequence", "PixelSpacing"),
        thickness=thickness[0] if thickness else None,
    )


def make_plane(
    *,
    orientation: Sequence[float],
    position: Sequence[float],
    spacing: Sequence[float],
    thickness: float | None,
) -> Plane | None:
    """Build a plane; return None unless its cosines are orthonormal and all else is there."""
    usable = plausible_spacing(spacing)
    if len(orientation) != 6 or len(position) != 3 or usable is None:
        return None
    r, c = orientation[:3], orientation[3:]
    products = (
        sum(a * a for a in r) - 1,
        sum(b * b for b in c) - 1,
        sum(a * b for a, b in zip(r, c, strict=True)),
    )
    if not all(abs(product) <= 1e-3 for product in products):
        return None
    row, column = (r[0], r[1], r[2]), (c[0], c[1], c[2])
    return Plane(
        row_lps=row,
        column_lps=column,
        position_lps_mm=(position[0], position[1], position[2]),
        spacing_yx_mm=usable,
        thickness_mm=thickness if thickness is not None and 0 < thickness < 100 else None,
    )


def parallel(one: Plane, other: Plane) -> bool:
    """Tell whether two planes share axes and spacing."""
    axes = zip((*one.row_lps, *one.column_lps), (*other.row_lps, *other.column_lps), strict=True)
    spacings = zip(one.spacing_yx_mm, other.spacing_yx_mm, strict=True)
    return all(abs(a - b) <= 1e-3 for a, b in axes) and all(
        abs(a - b) <= 1e-3 * b for a, b in spacings
    )


def stack_affine(planes: Sequence[Plane]) -> Affine | None:
    """Compute the affine of slices in order of position: voxel to LPS in mm, 4 x 4.

    The voxel is (column, row, slice).

    None unless all are parallel and their first pixels lie evenly spaced on one line. A single
    slice takes its thickness as its third extent.
    """
    first, last = planes[0], planes[-1]
    if not all(parallel(first, plane) for plane in planes):
        return None
    origin = np.array(first.position_lps_mm)
    if len(planes) == 1:
        if first.thickness_mm is None:
            return None
        step = first.normal_lps * first.thickness_mm
    else:
        step = (np.array(last.position_lps_mm) - origin) / (len(planes) - 1)
        length = float(np.linalg.norm(step))
        ideal = origin + np.arange(len(planes))[:, None] * step
        actual = np.array([plane.position_lps_mm for plane in planes])
        if length < SMALLEST_MM or np.abs(actual - ideal).max() > max(EVEN * length, 1e-3):
            return None
    columns = (
        np.array(first.row_lps) * first.spacing_yx_mm[1],
        np.array(first.column_lps) * first.spacing_yx_mm[0],
        step,
        origin,
    )
    return _matrix(columns)


def sheared(affine_lps_mm: Affine) -> bool:
    """Tell whether slices are stacked at a slant to their planes, as of a tilted gantry.

    Then their grid is not a box.
    """
    axes = np.array(affine_lps_mm)[:3, :3]
    normal = np.cross(axes[:, 0], axes[:, 1])
    step = axes[:, 2]
    along = float(np.dot(step, normal) / (np.linalg.norm(step) * np.linalg.norm(normal)))
    return bool(1 - along * along > SLANT**2)


def skips(affine_lps_mm: Affine, tags: Tags | Frame) -> bool:
    """Tell whether slices lie a multiple of Spacing Between Slices (0018,0088) apart.

    Then slices are missing, every second one for instance.

    A stated spacing below the slice thickness counts as a gap, which some writers put there, and
    says nothing.
    """
    stated, thickness = tags.number("SpacingBetweenSlices"), tags.number("SliceThickness")
    if stated is None or thickness is None or stated < max(0.95 * thickness, SMALLEST_MM):
        return False
    times = float(np.linalg.norm(np.array(affine_lps_mm)[:3, 2])) / stated
    return times > 1.5 and abs(times - round(times)) <= EVEN * times
