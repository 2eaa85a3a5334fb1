"""What networks read off the pixels: probabilities, regions, measurements and masks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.frame_reference import FrameReference
from medmm.domain.input_figures import InputFigures
from medmm.domain.promise import AlarmRule, Promise, Withheld
from medmm.domain.record import Coding
from medmm.domain.study import NotEvaluable, Notice, Study


class Side(Enum):
    """A side of the patient, never of the picture."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"

    @property
    def mirrored(self) -> Side:
        """The side after the film is mirrored."""
        return {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT, Side.BILATERAL: Side.BILATERAL}[self]

    @property
    def phrase(self) -> str:
        """The side in words, said as the patient's."""
        return "both sides" if self is Side.BILATERAL else f"patient's {self.value} side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a finding's evidence lies: a class-activation map, not a lesion outline.

    Attributes:
        peak_xy: place of the strongest activation, fractions of the film (0,0 top left).
        box_xyxy: box around the strong part, fractions of the film.
        heat: small grid of rows, 0 to 255, for display.
        side: the patient's side, None if the film's orientation is unknown.
        image: the film it lies on; None in readings of earlier releases, which did not say.
    """

    peak_xy: tuple[float, float]
    box_xyxy: tuple[float, float, float, float]
    heat: tuple[tuple[int, ...], ...]
    side: Side | None
    image: FrameReference | None = None

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box_xyxy
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1) or not all(
            0 <= v <= 1 for v in self.peak_xy
        ):
            raise InputError(
                f"region box {self.box_xyxy} is not within the film",
                remedy="give fractions of 0 to 1",
            )


class ImageHalf(Enum):
    """A half of the slices as arrays lie, by columns, for volumes without orientation.

    It is not a side of the patient.
    """

    LOW_COLUMNS = "first columns"
    HIGH_COLUMNS = "last columns"
    BOTH = "both halves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Where one label of a `LabelMap` lies in its volume.

    Attributes:
        label_map: name of the label map.
        label: name of the label in it.
        volume_sha256: the volume whose grid the map has.
        slices: first and last slice index (0-based, inclusive) with the label.
        slice_count: number of slices with the label.
        centroid_index_zyx: centroid of the label in voxels.
        centroid_lps_mm: the same in patient coordinates; None if the volume's geometry is
            unknown.
        image_half: the half of the columns that holds at least nine tenths of it; BOTH if
            neither does.
        side: the patient's side; None if orientation is unknown or the label has no side.
    """

    label_map: str
    label: str
    volume_sha256: str
    slices: tuple[int, int]
    slice_count: int
    centroid_index_zyx: tuple[float, float, float]
    centroid_lps_mm: tuple[float, float, float] | None = None
    image_half: ImageHalf | None = None
    side: Side | None = None

    def __post_init__(self) -> None:
        first, last = self.slices
        if not 0 <= first <= last or not 1 <= self.slice_count <= last - first + 1:
            raise InputError(
                f"slices {self.slices} do not hold {self.slice_count} slices",
                remedy="count from the label map",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of the vocabulary with its calibrated probability.

    `threshold` is the operating point on the calibrated scale; below `rule_out` the finding is not
    suspected, and None says that no score is low enough to deny it. `codings` may be empty, never
    invented. `model` names the network that gave it; None means the reading's first. `extent` is
    where it lies in a volume, as `region` is on a film. `promise` is what calibration promises of
    claims of it; None: nothing. `withheld` says why nothing is said of it, whatever the
    probability. `own_probability` is what the network itself gave, where a site's calibration took
    its place.
    """

    name: str
    probability: float
    threshold: float
    rule_out: float | None = None
    codings: tuple[Coding, ...] = ()
    region: Region | None = None
    model: str | None = None
    extent: Extent | None = None
    promise: Promise | None = None
    withheld: Withheld | None = None
    own_probability: float | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.probability <= 1 and 0 < self.threshold < 1):
            raise InputError(
                f"probability {self.probability} or threshold {self.threshold} is out of range",
                remedy="calibrate the network again",
                finding=self.name,
            )
        if self.rule_out is not None and not 0 < self.rule_out <= self.threshold:
            raise InputError(
                f"rule-out point {self.rule_out} is not above 0 and at most the operating point "
                f"{self.threshold}",
                remedy="calibrate the network again",
                finding=self.name,
            )

    @property
    def suspected(self) -> bool:
        """Whether the probability reaches the operating point, and may be spoken of."""
        return self.probability >= self.threshold and self.withheld is None

    @property
    def ruled_out(self) -> bool:
        """Whether the probability lies below the rule-out point, and may be spoken of."""
        return (
            self.rule_out is not None and self.probability < self.rule_out and self.withheld is None
        )

    @property
    def undecided(self) -> bool:
        """Whether the probability says neither."""
        return not self.suspected and not self.ruled_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A measured quantity with its UCUM unit and 95 % interval (same unit).

    Attributes:
        side: the patient's side of what was measured, where that is known.
        extents: the labels that it was measured on.
        model: the network whose outlines it was measured on; None in readings of earlier releases,
            and of a number that was made of two networks' measurements.
    """

    name: str
    value: float
    unit: str
    interval: tuple[float, float]
    codings: tuple[Coding, ...] = ()
    side: Side | None = None
    extents: tuple[Extent, ...] = ()
    model: str | None = None

    def __post_init__(self) -> None:
        low, high = self.interval
        if not low <= self.value <= high:
            raise InputError(
                f"{self.name} {self.value} lies outside its own interval",
                remedy="check the measuring code",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A binary mask on the source image's grid, as run lengths, the first run background.

    Runs are in row-major order.

    `image` is the film whose grid it has; None in readings of earlier releases, which did not say.
    """

    name: str
    shape_yx: tuple[int, int]
    runs: tuple[int, ...]
    image: FrameReference | None = None

    @classmethod
    def from_array(
        cls, name: str, mask: NDArray[np.bool_], image: FrameReference | None = None
    ) -> Mask:
        """Pack a boolean array of shape (rows, columns)."""
        flat = np.asarray(mask, dtype=bool).ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        edges = np.concatenate([[0, 0] if flat[0] else [0], changes, [flat.size]])
        return cls(
            name=name,
            shape_yx=(mask.shape[0], mask.shape[1]),
            runs=tuple(np.diff(edges).tolist()),
            image=image,
        )

    def array(self) -> NDArray[np.bool_]:
        """Build the boolean array of shape (rows, columns)."""
        flat = np.zeros(sum(self.runs), dtype=bool)
        ends = list(itertools.accumulate(self.runs))
        for start, stop in zip(ends[::2], ends[1::2], strict=False):
            flat[start:stop] = True
        return flat.reshape(self.shape_yx)

    def __post_init__(self) -> None:
        if sum(self.runs) != self.shape_yx[0] * self.shape_yx[1]:
            raise InputError(
                "mask runs do not fill its grid",
                remedy="pack it with Mask.from_array",
                mask=self.name,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMap:
    """Labels on the grid of a source volume: 0 is background, n the n-th of `labels`.

    As in DICOM SEG LABELMAP, PS3.3 C.8.20.

    Attributes:
        volume_sha256: the volume whose grid it has.
        runs: (label, number of voxels) in row-major order of (slices, rows, columns).
    """

    name: str
    volume_sha256: str
    shape_zyx: tuple[int, int, int]
    labels: tuple[str, ...]
    runs: tuple[tuple[int, int], ...]

    @classmethod
    def from_array(
        cls, name: str, volume_sha256: str, labels: tuple[str, ...], values: NDArray[np.integer]
    ) -> LabelMap:
        """Pack label values, shape (slices, rows, columns)."""
        flat = np.asarray(values).ravel()
        starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
        lengths = np.diff(np.append(starts, flat.size))
        runs = tuple((int(v), int(n)) for v, n in zip(flat[starts], lengths, strict=True))
        z, y, x = values.shape
        return cls(
            name=name, volume_sha256=volume_sha256, shape_zyx=(z, y, x), labels=labels, runs=runs
        )

    def array(self) -> NDArray[np.uint8]:
        """Build the array of label values, shape (slices, rows, columns), uint8."""
        values, lengths = np.asarray(self.runs, dtype=np.int64).T
        return np.repeat(values.astype(np.uint8), lengths).reshape(self.shape_zyx)

    def plane(self, index_z: int) -> NDArray[np.uint8]:
        """Build the label values of one slice, shape (rows, columns), without the others."""
        rows, columns = self.shape_zyx[1:]
        values, lengths = np.asarray(self.runs, dtype=np.int64).T
        ends = np.cumsum(lengths)
        first, last = index_z * rows * columns, (index_z + 1) * rows * columns
        part = slice(*np.searchsorted(ends, (first, last), side="right") + np.array([0, 1]))
        shown = np.minimum(ends[part], last) - np.maximum((ends - lengths)[part], first)
        plane = np.repeat(values[part].astype(np.uint8), np.maximum(shown, 0))
        return np.asarray(plane.reshape(rows, columns))

    def voxels_by_slice(self, label: str) -> NDArray[np.int64]:
        """Count the voxels of a label in every slice, shape (slices,)."""
        values, lengths = np.asarray(self.runs, dtype=np.int64).T
        slices, rows, columns = self.shape_zyx
        of_label = values == (self.labels.index(label) + 1 if label in self.labels else -1)
        ends = np.cumsum(lengths)
        before = np.cumsum(lengths * of_label)
        borders = np.arange(1, slices + 1) * rows * columns
        run = np.searchsorted(ends, borders)  # the run in which a slice ends
        up_to = before[run] - of_label[run] * (ends[run] - borders)
        return np.diff(up_to, prepend=0)

    def __post_init__(self) -> None:
        if sum(map(itemgetter(1), self.runs)) != math.prod(self.shape_zyx):
            raise InputError(
                "label runs do not fill their grid",
                remedy="pack it with LabelMap.from_array",
                mask=self.name,
            )
        if not all(0 <= value <= len(self.labels) for value in set(map(itemgetter(0), self.runs))):
            raise InputError("a label of no name", remedy="name every label", mask=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which weights gave a result: the catalogue name and the digest of their manifest."""

    name: str
    manifest_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much an image shows of what a reading looks at.

    Attributes:
        of: what should be shown whole: "head", "heart", "hippocampus", "lungs".
        extents_mm: how far what is shown of it reaches, by direction; without a direction whose
            scale is unknown.
        shortfalls: what is missing, in words; empty if all of it is shown, as far as that can be
            told.
    """

    of: str
    volume_sha256: str
    extents_mm: tuple[tuple[str, float], ...] = ()
    shortfalls: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing speaks against its being shown whole."""
        return not self.shortfalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the reading models saw in one study.

    `volumes_read` are the digests of the volumes that the models looked at. Drafts rest on
    `findings` and `measurements`, where each is stated once, by the first model that states it;
    what later models say of the same stands in `other_findings` and `other_measurements`, each
    with its model, and is never averaged. `alarm` decides whether the study may carry claims at
    all of the network that it names; None: each finding decides for itself. `other_alarms` are
    those of later models, each over its own findings.
    `input_figures` say what was read in a few figures; None where nobody counted them.
    """

    study_uid: str
    models: tuple[ModelIdentity, ...] = ()
    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    masks: tuple[Mask, ...] = ()
    label_maps: tuple[LabelMap, ...] = ()
    warnings: tuple[Notice, ...] = ()
    volumes_read: tuple[str, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    other_findings: tuple[Finding, ...] = ()
    other_measurements: tuple[Measurement, ...] = ()
    alarm: AlarmRule | None = None
    other_alarms: tuple[AlarmRule, ...] = ()
    input_figures: InputFigures | None = None

    def finding(self, name: str) -> Finding | None:
        """Return the finding of this name, if the models report it."""
        return next((f for f in self.findings if f.name == name), None)

    @property
    def alarms(self) -> tuple[AlarmRule, ...]:
        """The alarm rule of every model that has one."""
        return (*((self.alarm,) if self.alarm else ()), *self.other_alarms)

    def model_of(self, finding: Finding) -> str | None:
        """Name the network that gave a finding; None if the reading names none."""
        return finding.model or (self.models[0].name if self.models else None)

    def measurement(self, name: str, side: Side | None = None) -> Measurement | None:
        """Return the measurement of this name, if one was made; of this side, if one is given."""
        return next(
            (m for m in self.measurements if m.name == name and side in (None, m.side)), None
        )

    def label_map(self, name: str, volume_sha256: str) -> LabelMap | None:
        """Return the label map of this name on the grid of this volume, if there is one."""
        found = (m for m in self.label_maps if (m.name, m.volume_sha256) == (name, volume_sha256))
        return next(found, None)

    @property
    def extents(self) -> tuple[Extent, ...]:
        """Every place in a volume that a finding or a measurement names."""
        found = tuple(f.extent for f in self.findings if f.extent is not None)
        return found + tuple(extent for m in self.measurements for extent in m.extents)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What became of one study of a path: a reading, a refusal, or an unreadable file.

    `problem` is set where the bytes could not be read as a study at all (then `not_evaluable` is
    None too).
    """

    path: str
    study: Study | None = None
    reading: Reading | None = None
    not_evaluable: NotEvaluable | None = None
    problem: str | None = None

    @classmethod
    def of(
        cls, path: str, outcome: Study | NotEvaluable | InputError, read: Callable[[Study], Reading]
    ) -> ReadResult:
        """Read the study of an outcome at the door; pass on the rest."""
        if isinstance(outcome, NotEvaluable):
            return cls(path=path, not_evaluable=outcome)
        if isinstance(outcome, InputError):
            return cls(path=path, problem=str(outcome))
        try:
            return cls(path=path, study=outcome, reading=read(outcome))
        except InputError as error:  # pixels that only show their damage when decoded
            return cls(path=path, problem=str(error))
