"""A study that passed the gate, its pixels, and what did not pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError, StateError
from medmm.domain.read_task import ReadTask as ReadTask  # programs know it by this place
from medmm.domain.stored_frame import StoredFrame

FIRST_ZONE = timedelta(hours=14)  # no clock is further ahead of UTC (IANA time zone database)
LAST_ZONE = timedelta(hours=12)  # and none further behind
BURNED_IN = "burned-in-annotation"  # the gate's word for text in the pixels
Affine = tuple[tuple[float, float, float, float], ...]


class Modality(Enum):
    """DICOM Modality (0008,0060) after grouping: CR and DX are both projection radiographs."""

    RADIOGRAPH = "DX"
    MR = "MR"


class View(Enum):
    """Projection of a radiograph (DICOM View Position (0018,5101), PS3.3 C.8.7.1)."""

    PA = "PA"
    AP = "AP"
    LATERAL = "LATERAL"
    UNKNOWN = "UNKNOWN"


FRONTAL_VIEWS = (View.PA, View.AP, View.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a reader must know: a short stable `code` and a sentence."""

    code: str
    text: str


class SpacingMeaning(Enum):
    """Where the stated pixel spacing of an image holds (PS3.3 10.7.1)."""

    PATIENT = "in the patient"
    CALIBRATED = "calibrated"
    DETECTOR = "at the detector"
    UNSTATED = "unstated"


class SequenceRole(Enum):
    """What a series of an MR study shows: its contrast, or what it is there for.

    `CINE_ED` and `CINE_ES` are the two phases of a cine at end-diastole and end-systole.
    """

    T1 = "T1"
    T1_CONTRAST = "T1 post-contrast"
    T2 = "T2"
    FLAIR = "FLAIR"
    DWI = "DWI"
    ADC = "ADC"
    SUSCEPTIBILITY = "susceptibility"
    PERFUSION = "perfusion"
    CINE = "cine"
    CINE_ED = "cine, end-diastole"
    CINE_ES = "cine, end-systole"
    LOCALISER = "localiser"
    DERIVED = "derived"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """The role of one volume and why it was given.

    Attributes:
        reason: the elements that said so, with their values of physics (TE, TR, TI), never text of
            a patient.
        confirmed: whether the pixels bear the role out; None if they can't say, or were not
            looked at.
    """

    role: SequenceRole
    reason: str
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSequence:
    """The volume that stands for a role in a study with several of it, and why this one.

    Attributes:
        unread_sha256s: others of its role that could stand for it as well: other acquisitions,
            which are not read.
        order_known: whether something tells that none of these is newer.
    """

    role: SequenceRole
    volume_sha256: str
    reason: str
    unread_sha256s: tuple[str, ...] = ()
    order_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFilm:
    """The frontal film that is read in a study with several, and why; see `ChosenSequence`."""

    volume_sha256: str
    reason: str
    unread_sha256s: tuple[str, ...] = ()
    order_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedAge:
    """An age at the study as one source states it.

    Attributes:
        source: the element that says so, or "record".
        least_years, most_years: the range it leaves; without an upper end for an age that was
            capped (089Y and above).
    """

    source: str
    least_years: float
    most_years: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTime:
    """When the image was acquired, and which tag said so.

    `precise` is false if only a date is known: then facts of that same day stay out of the
    record's cut. `zone_known` is false if no time zone is stated: then `moment` is the wall
    clock as if it were UTC, and may be hours off.
    """

    moment: datetime
    source_tag: str
    precise: bool
    zone_known: bool = True

    @property
    def earliest(self) -> datetime:
        """The earliest moment that is meant.

        Of a day it is its start, of a wall clock of unknown zone its moment in the first zone.
        """
        start = (
            self.moment
            if self.precise
            else datetime.combine(self.moment.date(), time.min, self.moment.tzinfo)
        )
        return start if self.zone_known else start - FIRST_ZONE

    @property
    def exact(self) -> bool:
        """Whether time of day and time zone are both known."""
        return self.precise and self.zone_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One image or stack on one grid; pixels are loaded when asked.

    Attributes:
        sha256: digest of the file (of the sorted file digests where a volume has several, of that
            of the file and the frame numbers where it has only some frames of it).
        view: projection, for radiographs.
        file_sha256s: digests of its files in the order of `sop_uids`.
        frame_numbers: for a multi-frame image the frame (from 1, as in Referenced Frame Number) of
            each slice of `shape_zyx`; empty if every slice is an image of its own, in the order
            of `sop_uids`.
        frame_of_reference_uid: Frame of Reference UID (0020,0052): affines of two volumes may be
            compared only if both state the same; None if it is not stated.
        shape_zyx: slices, rows, columns (a radiograph has one slice).
        affine_lps_mm: 4 x 4, voxel index (column, row, slice) to patient LPS in mm; None if
            unknown. That of a radiograph has its origin at the first pixel: a projection has no
            position in the patient, only directions.
        spacing_yx_mm: distance of rows, of columns; None if unknown, then nothing in mm is
            stated.
        spacing_meaning: where that spacing holds; None in studies of earlier releases, which did
            not say.
        spacing_z_mm: distance of slice centres; None if unknown or uneven, then nothing is
            measured across slices.
        pixel_aspect: height of a pixel over its width, for showing; masks stay on the grid of
            `shape_zyx`.
        patient_left_on: the image edge ("right" or "left") that shows the patient's left side on a
            frontal film (DICOM PS3.3 C.7.6.1.1.1, Patient Orientation); None if unknown, then no
            side is named.
        acquired: when this image, or the first slice of this stack, was acquired; None if it
            does not say.
        scanner: Manufacturer (0008,0070) and Manufacturer's Model Name (0008,1090); None if
            neither is stated.
        sequence: role of an MR volume; None for a radiograph.
        loader: gives display-ready pixels, float32 (slices, rows, columns), 0 black to 1 white.
        signal_loader: gives the signal on one scale for all slices, without any window, float32,
            same shape.
        frame_loader: gives one slice of what `loader` gives, by its index, and decodes no other.
        stored_frame_loader: gives the same slice before its window.
    """

    series_uid: str
    sop_class_uid: str
    sop_uids: tuple[str, ...]
    sha256: str
    shape_zyx: tuple[int, int, int]
    affine_lps_mm: Affine | None = None
    spacing_yx_mm: tuple[float, float] | None = None
    spacing_z_mm: float | None = None
    pixel_aspect: float = 1.0
    patient_left_on: str | None = None
    view: View = View.UNKNOWN
    file_sha256s: tuple[str, ...] = ()
    frame_numbers: tuple[int, ...] = ()
    frame_of_reference_uid: str | None = None
    acquired: StudyTime | None = None
    scanner: str | None = None
    sequence: Sequence | None = None
    spacing_meaning: SpacingMeaning | None = None
    loader: Callable[[], NDArray[np.float32]] | None = field(
        default=None, compare=False, repr=False
    )
    signal_loader: Callable[[], NDArray[np.float32]] | None = field(
        default=None, compare=False, repr=False
    )
    frame_loader: Callable[[int], NDArray[np.float32]] | None = field(
        default=None, compare=False, repr=False
    )
    stored_frame_loader: Callable[[int], StoredFrame] | None = field(
        default=None, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        if min(self.shape_zyx) < 1:
            raise InputError(
                f"image grid {self.shape_zyx} is empty",
                remedy="send an image with pixels",
                series=self.series_uid,
            )
        if self.patient_left_on not in (None, "left", "right"):
            raise InputError(
                f"patient_left_on is {self.patient_left_on!r}",
                remedy="use 'left', 'right' or None",
                series=self.series_uid,
            )
        if self.spacing_yx_mm is not None and not all(0 < s < 100 for s in self.spacing_yx_mm):
            raise InputError(
                f"spacing_yx_mm {self.spacing_yx_mm} is not plausible",
                remedy="declare it unknown (None) or correct PixelSpacing",
                series=self.series_uid,
            )
        if not 0.01 < self.pixel_aspect < 100:
            raise InputError(
                f"pixel_aspect {self.pixel_aspect} is not plausible",
                remedy="use 1 where nothing usable is stated",
                series=self.series_uid,
            )

    def pixels(self) -> NDArray[np.float32]:
        """Return display-ready pixels, shape `shape_zyx`, float32, 0 black to 1 white.

        Raises: StateError if the volume came out of the store without its pixels.
        """
        return self._loaded(self.loader)

    def frame(self, index: int) -> NDArray[np.float32]:
        """Return one slice of the display-ready pixels, decoded without the others.

        Viewers show it.

        Args:
            index: of the slice, from 0 to `shape_zyx[0] - 1`, in the stored order of the volume:
                `frame(i)` is `pixels()[i]` bit for bit. Of an MR volume the slices run along the
                normal of their plane; a film has slice 0 alone.

        Returns: shape (rows, columns) of `shape_zyx`, float32, 0 black to 1 white, without unit;
            read-only, because it may be kept and given again.
        Raises: InputError if there is no such slice, or it can't be decoded (file and frame are
            named, and other slices stay readable); IntegrityError if a kept file was altered;
            StateError as `pixels`.
        """
        self._refuse_beyond(index)
        if self.frame_loader is None:
            found = self.pixels()[index]
            found.setflags(write=False)
            return found
        found = self.frame_loader(index)
        self._refuse_other_grid(index, found.shape)
        return found

    def stored_frame(self, index: int) -> StoredFrame:
        """Return one slice before its window, decoded without the others.

        A viewer in which a reader moves the window shows it. Of a volume that no file holds it is
        the grey of `frame`, scaled to 16 bits.

        Args:
            index: as in `frame`.

        Raises: as `frame`.
        """
        self._refuse_beyond(index)
        if self.stored_frame_loader is None:
            return StoredFrame.of_grey(self.frame(index))
        found = self.stored_frame_loader(index)
        self._refuse_other_grid(index, found.values.shape)
        return found

    def _refuse_beyond(self, index: int) -> None:
        slices = self.shape_zyx[0]
        if not 0 <= index < slices:
            raise InputError(
                f"the volume has no slice {index}",
                remedy=f"ask for 0 to {slices - 1}",
                sha256=self.sha256,
            )

    def _refuse_other_grid(self, index: int, shape: tuple[int, ...]) -> None:
        if shape != self.shape_zyx[1:]:
            raise InputError(
                f"slice {index} has {shape[0]} x {shape[1]} pixels, the volume "
                f"{self.shape_zyx[1:]}",
                remedy="send the original series",
                sha256=self.sha256,
            )

    def signal(self) -> NDArray[np.float32]:
        """Return the signal that networks measure on, shape `shape_zyx`, float32.

        It is stored values after rescale, on one scale, without a window.

        Display windows may differ from slice to slice; networks must not see them. Raises:
        StateError as `pixels`.
        """
        return self._loaded(self.signal_loader)

    def _loaded(self, loader: Callable[[], NDArray[np.float32]] | None) -> NDArray[np.float32]:
        if loader is None:
            raise self._not_attached()
        return loader()

    def _not_attached(self) -> StateError:
        return StateError(
            "the pixels of this volume are not attached",
            remedy="open the study through Assistant",
            sha256=self.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study of one patient that passed the gate. It names the patient by key only.

    `acquired` is the earliest time of its images: what was recorded after it may not have been
    known to any. `film` names the frontal film that is read, `main_sha256` the volume that the
    reading rests on. `sequences` names, for an MR study, the volume that stands for each role that
    was found; `missing` are roles that the reading of its body part would use and the study lacks.
    `ages` are the patient's age at the study from every source. `burned_in_text` is whether an
    image states text burned into its pixels; None if none does and some don't say.
    """

    uid: str
    patient_key: str
    modality: Modality
    body_part: str
    acquired: StudyTime | None
    volumes: tuple[Volume, ...]
    warnings: tuple[Notice, ...] = ()
    accession_key: str | None = None
    sequences: tuple[ChosenSequence, ...] = ()
    missing: tuple[SequenceRole, ...] = ()
    film: ChosenFilm | None = None
    main_sha256: str | None = None
    ages: tuple[StatedAge, ...] = ()
    burned_in_text: bool | None = None

    def __post_init__(self) -> None:
        if not self.uid or not self.volumes:
            raise InputError(
                "a study needs a UID and at least one image", remedy="send the whole study"
            )

    @property
    def frontal(self) -> Volume | None:
        """The frontal radiograph that is read, if there is one: the chosen one.

        A study of an earlier release names none: there it is the first of PA before AP before
        unknown view.
        """
        if self.film is not None:
            return self.volume(self.film.volume_sha256)
        return min(self.frontals, key=lambda v: FRONTAL_VIEWS.index(v.view), default=None)

    @property
    def frontals(self) -> tuple[Volume, ...]:
        """The frontal radiographs, in the order of the study."""
        return tuple(
            v
            for v in self.volumes
            if self.modality is Modality.RADIOGRAPH and v.view in FRONTAL_VIEWS
        )

    @property
    def image_time(self) -> StudyTime | None:
        """When the image was acquired that the reading rests on, else the study's earliest time."""
        main = self.volume(self.main_sha256) if self.main_sha256 else None
        return main.acquired if main is not None else self.acquired

    def volume(self, sha256: str) -> Volume | None:
        """Return the volume of this digest, if the study has it."""
        return next((v for v in self.volumes if v.sha256 == sha256), None)

    def chosen(self, role: SequenceRole) -> Volume | None:
        """Return the volume that stands for a role, if one was found."""
        return next((self.volume(c.volume_sha256) for c in self.sequences if c.role is role), None)

    @property
    def states_text(self) -> bool | None:
        """Whether its images state text burned into their pixels; None if it is not known.

        Of studies that earlier releases kept, the warning alone says so.
        """
        warned = any(notice.code == BURNED_IN for notice in self.warnings)
        return True if warned else self.burned_in_text

    @property
    def image_sha256s(self) -> tuple[str, ...]:
        """Digests of the files that its volumes were made of, each once, sorted.

        They are what the study is made of, wherever it lay.
        """
        return tuple(
            sorted({digest for v in self.volumes for digest in v.file_sha256s or (v.sha256,)})
        )

    @property
    def orientation_known(self) -> bool:
        """Whether every image says which edge shows the patient's left or carries an affine.

        Films say the former.
        """
        return all(
            v.patient_left_on is not None or v.affine_lps_mm is not None for v in self.volumes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEvaluable:
    """What did not pass the gate, and why: a kept, counted outcome, not an error.

    `reason_code` is stable for machines; `held` means that a person must look before it may go on.
    """

    uid: str | None
    reason_code: str
    reason: str
    held: bool = False
    sha256: str | None = None
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A person looked at what the gate held and lets it pass.

    Attributes:
        file_sha256s: the contents that were looked at; another content under the same UID is held
            again.
        reason_code: what it was held for.
        reason: why it may pass, in the person's words.
        reader_id: who.
    """

    study_uid: str | None
    file_sha256s: tuple[str, ...]
    reason_code: str
    reason: str
    reader_id: str
    at: datetime
