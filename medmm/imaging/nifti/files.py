"""The second door: NIfTI files to a `Volume` with an LPS affine in mm.

NIfTI-1 and NIfTI-2, plain or in gzip.

Sizes are held against the real bytes before anything of that size is allocated. Source: NIfTI-1 and
NIfTI-2 headers (nifti1.h, nifti2.h); voxel axes (i, j, k) are column, row and slice here.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.study import Affine, Notice, Sequence, SequenceRole, Volume
from medmm.imaging.dicom.content_uids import content_uid
from medmm.imaging.dicom.files import LIBRARY_ERRORS, MAX_INFLATED_BYTES, content_of, opened
from medmm.imaging.dicom.geometry import plausible_spacing
from medmm.imaging.dicom.padding import SignalRange, signal_range_of, without_background
from medmm.imaging.dicom.pixels import MAX_DECODED_BYTES, Shown
from medmm.imaging.gate.rules import SMALLEST_MR_PX, Refusal

GZIP = b"\x1f\x8b"
SUFFIXES = (".nii", ".nii.gz")
HEAD_BYTES = 544  # a NIfTI-2 header and its extension flag; a NIfTI-1 header has 348
CHUNK_BYTES = 2**20
# A NIfTI file is not a DICOM object. PS3.3 A.8 keeps this class for converted pictures.
CONVERTED = "1.2.840.10008.5.1.4.1.1.7.3"
UNSTATED = Refusal(
    code="nifti-unstated",
    reason="a NIfTI file states neither modality nor body part nor patient: a person must look "
    "whether it is a brain MR",
    held=True,
)
_NOT_GREY = Refusal(
    code="colour", reason="not evaluable: the values are colours or complex numbers, not grey"
)
_SEVERAL = Refusal(code="frames", reason="not evaluable: several volumes in one file")
_SMALL = Refusal(
    code="too-small", reason=f"not evaluable: the longest side is under {SMALLEST_MR_PX} pixels"
)
NOTICES = (
    Notice(
        code="nifti",
        text="A NIfTI file states no modality, body part or date; a release takes it for a brain "
        "MR.",
    ),
    Notice(
        code="no-patient-id",
        text="The image names no patient ID; a person must confirm the patient.",
    ),
    Notice(
        code="age-unknown",
        text="The age is not stated or impossible; the models were made for adults.",
    ),
    Notice(
        code="date-unknown",
        text="The image states no usable date; dated facts of a record stay out.",
    ),
)
ORIENTATION_UNKNOWN = Notice(
    code="orientation-unknown",
    text="Orientation unknown: the header states none, or one that can't be relied on; no side "
    "is named.",
)
_SPACING_UNKNOWN = Notice(
    code="spacing-unknown",
    text="Spacing unknown: the header states no usable voxel size; nothing is in mm.",
)
_UNIT_ASSUMED = Notice(
    code="spacing-unit", text="The header names no unit of length; its voxel size was taken as mm."
)
_PLAIN_AXES = Notice(
    code="orientation-plain",
    text="The header states axes to the right, to the front and to the head, as programs also "
    "write that know no orientation; it was taken at its word, and a side rests on it.",
)
_WINDOW = Notice(
    code="window-unknown", text="No window is stated; the whole range of values is shown."
)
# xyzt_units & 7: unknown, metre, millimetre, micrometre
_MM_PER = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiFile:
    """An opened file: its digest, what its header says, and where its values lie."""

    path: Path
    sha256: str
    version: int
    gzipped: bool
    shape_zyx: tuple[int, int, int]
    volumes: int
    dtype: np.dtype[Any]
    start: int
    slope: float
    intercept: float
    window: tuple[float, float] | None
    affine_lps_mm: Affine | None
    spacing_zyx_mm: tuple[float | None, float | None, float | None]
    notices: tuple[Notice, ...]
    # What the header says of the grid, to be relied on or not
    matrix_mm: NDArray[np.float64] = field(compare=False)

    @property
    def value_bytes(self) -> int:
        """Bytes that all values take."""
        return math.prod(self.shape_zyx) * self.volumes * self.dtype.itemsize

    @property
    def grey(self) -> bool:
        """Whether the values are integers or real numbers that numpy keeps everywhere."""
        return self.dtype.kind in "iuf" and self.dtype.itemsize <= 8

    @property
    def encoding(self) -> str:
        """The format in words."""
        return f"NIfTI-{self.version}{' in gzip' if self.gzipped else ''}, {self.dtype.name}"


@contextmanager
def nifti_border(path: Path) -> Iterator[None]:
    """Translate what nibabel, zlib and the disk raise. Raises: InputError."""
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        yield
    except (*LIBRARY_ERRORS, HeaderDataError, WrapStructError) as error:
        raise InputError(
            f"can't read this file as NIfTI: {type(error).__name__}",
            remedy="send the original file again; it may be cut short or not NIfTI",
            path=str(path),
        ) from error


def is_nifti(path: Path) -> bool:
    """Tell whether a file is read as NIfTI: by content, else by name; DICOM stays DICOM.

    Raises: InputError if it can't be opened.
    """
    with opened(path) as file:
        head = file.read(4096)
    if head[128:132] == b"DICM":
        return False
    if path.name.lower().endswith(SUFFIXES):
        return True
    try:
        return _version(_head(head)) is not None
    except zlib.error:  # gzip by its first bytes alone
        return False


def _head(data: bytes) -> bytes:
    if data[:2] == GZIP:
        return zlib.decompressobj(31).decompress(data, HEAD_BYTES)
    return data[:HEAD_BYTES]


def _version(head: bytes) -> int | None:
    """Return 1 or 2 by the size of the header and its magic; None if it is not NIfTI."""
    sizes = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    if 348 in sizes and head[344:348] in (b"n+1\0", b"ni1\0"):
        return 1
    if 540 in sizes and head[4:8] in (b"n+2\0", b"ni2\0"):
        return 2
    return None


def open_nifti(path: Path) -> NiftiFile:
    """Read header and size; the values are counted and let go.

    Raises: InputError if it is too large, no NIfTI, cut short, or claims more than it holds.
    """
    file, data = _opened(path)
    for _ in _values(file, data):
        pass
    return file


def _opened(path: Path) -> tuple[NiftiFile, bytes]:
    """Read what the header says and the bytes of the file.

    Raises: InputError if it is too large or not NIfTI.
    """
    data = content_of(path)
    with nifti_border(path):
        head = _head(data)
        version = _version(head)
        if version is None:
            raise InputError("not a NIfTI file", remedy="send the original file", path=str(path))
        if b"ni" in (head[344:346], head[4:6]):
            raise InputError(
                "a NIfTI header without its values, which are in another file",
                remedy="send both as one file (.nii)",
                path=str(path),
            )
        return _understood(path, data, _header(head, version), version), data


def _header(head: bytes, version: int) -> Any:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    kind, size = (Nifti1Header, 348) if version == 1 else (Nifti2Header, 540)
    return kind(head[:size], check=False)


def _understood(path: Path, data: bytes, header: Any, version: int) -> NiftiFile:
    shape = tuple(int(n) for n in header["dim"][1 : int(header["dim"][0]) + 1])
    if not 2 <= len(shape) <= 7 or min(shape) < 1:
        raise InputError(
            f"a grid of {shape} is not an image",
            remedy="send an image with two or three axes",
            path=str(path),
        )
    i, j, k = (*shape, 1)[:3]
    dtype = header.get_data_dtype()
    slope, intercept = header.get_slope_inter()
    low, high = float(header["cal_min"]), float(header["cal_max"])
    affine, spacing, notices = _geometry(header)
    mm = _MM_PER.get(int(header["xyzt_units"]) & 7, 1.0)
    return NiftiFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        version=version,
        gzipped=data[:2] == GZIP,
        shape_zyx=(k, j, i),
        volumes=math.prod(shape[3:]),
        dtype=dtype,
        start=max(int(header["vox_offset"]), 352 if version == 1 else 544),
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        window=(low, high) if math.isfinite(high - low) and high > low else None,
        affine_lps_mm=affine,
        spacing_zyx_mm=spacing,
        notices=notices,
        matrix_mm=header.get_best_affine() * np.array([[mm], [mm], [mm], [1.0]]),
    )


def _values(file: NiftiFile, data: bytes) -> Iterator[bytes]:
    """Yield the values' bytes in chunks, once the file's real size bears out its claim.

    Raises: InputError if the header claims more than there can be, or if more or less comes.
    """
    where = {"path": str(file.path)}
    end = file.start + file.value_bytes
    room = (
        min(max(MAX_INFLATED_BYTES, 30 * len(data)), MAX_DECODED_BYTES)
        if file.gzipped
        else len(data)
    )
    if end > room:
        raise InputError(
            f"the header claims {end} bytes where {room} can be",
            remedy="send the file again; it is cut short or its header is wrong",
            **where,
        )
    if not file.gzipped:
        yield data[file.start : end]
        return
    place = 0
    with nifti_border(file.path):
        for chunk in _inflated(data):
            yield chunk[max(0, file.start - place) : max(0, end - place)]
            place += len(chunk)
            if place > end + CHUNK_BYTES:
                raise InputError(
                    "it inflates beyond what its header claims",
                    remedy="send the original file",
                    **where,
                )
    if place < end:
        raise InputError("the values are cut short", remedy="send the file again", **where)


def _inflated(data: bytes) -> Iterator[bytes]:
    """Inflate a gzip file of one or several members in chunks of at most 1 MiB.

    Raises: zlib.error or EOFError if it is damaged.
    """
    rest = data
    while rest[:2] == GZIP:
        member = zlib.decompressobj(31)
        while not member.eof:
            chunk = member.decompress(rest, CHUNK_BYTES)
            rest = member.unconsumed_tail
            if not chunk and not member.eof and not rest:
                raise EOFError("gzip ends early")
            yield chunk
        rest = member.unused_data


def _geometry(
    header: Any,
) -> tuple[Affine | None, tuple[float | None, float | None, float | None], tuple[Notice, ...]]:
    """Compute the affine to LPS in mm, the spacing in mm, and what is to be said of them.

    Spacing is of slices, rows and columns.

    The affine counts where the code of sform or qform is above 0 (NIfTI-1 header, qform_code and
    sform_code), both name the same directions, and it agrees with the voxel size.
    """
    unit = int(header["xyzt_units"]) & 7
    mm = _MM_PER.get(unit, 1.0)
    x, y, z = (abs(float(v)) * mm for v in header["pixdim"][1:4])
    in_plane = plausible_spacing((y, x))
    steps = z if 0.01 <= z <= 100 else None
    affine = _stated_affine(header, np.array([x, y, z]) / mm)
    lps = None
    if affine is not None and in_plane and steps:
        matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
        matrix[:3] *= mm
        lps = tuple((float(r[0]), float(r[1]), float(r[2]), float(r[3])) for r in matrix)
    rows = (
        (ORIENTATION_UNKNOWN, lps is None),
        (_SPACING_UNKNOWN, in_plane is None),
        (_UNIT_ASSUMED, in_plane is not None and unit not in (1, 2, 3)),
        (_PLAIN_AXES, lps is not None and affine is not None and _is_plain(affine)),
    )
    row, column = in_plane or (None, None)
    return lps, (steps, row, column), tuple(notice for notice, holds in rows if holds)


def _stated_affine(header: Any, zooms: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the affine to RAS in the header's unit if it can be relied on."""
    from nibabel.orientations import aff2axcodes

    stated = [
        form for form, code in (header.get_sform(coded=True), header.get_qform(coded=True)) if code
    ]
    if not stated or not all(_credible(form, zooms) for form in stated):
        return None
    if len({aff2axcodes(form) for form in stated}) > 1:
        return None
    return np.asarray(stated[0], dtype=np.float64)


def _credible(form: Any, zooms: NDArray[np.float64]) -> bool:
    """Tell whether axes are finite, orthogonal and as long as the voxel size says."""
    matrix = np.asarray(form, dtype=np.float64)
    if not np.isfinite(matrix).all() or zooms.min() <= 0:
        return False
    axes = matrix[:3, :3] / zooms
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=0.02))


def _is_plain(affine: NDArray[np.float64]) -> bool:
    """Tell whether the axes run to the right, front and head without a turn.

    Programs write that too if they know nothing better.
    """
    axes = affine[:3, :3]
    return bool(np.allclose(axes, np.diag(np.abs(np.diag(axes))), atol=1e-6))


def judge_nifti(file: NiftiFile) -> Refusal | None:
    """Judge a file by its header alone.

    What is not refused is held as `UNSTATED` until a person says what it is.
    """
    if not file.grey:
        return _NOT_GREY
    if file.volumes > 1:
        return _SEVERAL
    return _SMALL if max(file.shape_zyx[1:]) < SMALLEST_MR_PX else None


def load_nifti(path: Path) -> NDArray[np.float32]:
    """Load display-ready values, shape (slices, rows, columns), float32, 0 black to 1 white.

    See `shown_nifti`.
    """
    return shown_nifti(path).grey


def shown_nifti(path: Path) -> Shown:
    """Load display-ready values (slices, rows, columns) and the middle slice's background.

    Scale and intercept come first, then the window cal_min to cal_max; without one the range of the
    whole volume is shown. What is not finite, or far from all other values, is black. Raises:
    InputError.
    """
    file, stored = stored_in(path)
    # Of values that are not finite
    with nifti_border(path), np.errstate(over="ignore", invalid="ignore"):
        limits, scale = limits_and_scale(file, stored)
        far = scale.far
        grey = np.empty(file.shape_zyx, dtype=np.float32)
        for z, plane in enumerate(stored):
            grey[z] = scale.grey(plane)
        none = (
            ~np.isfinite(middle)
            if (middle := stored[len(stored) // 2]).dtype.kind == "f"
            else np.zeros(middle.shape, bool)
        )
        none = none | far.beyond(middle) if far is not None else none
    foreign = limits is not None and limits.foreign
    return Shown(
        grey=grey, background=none if none.any() else None, assumed=far is not None, foreign=foreign
    )


@dataclass(frozen=True, slots=True)
class GreyScale:
    """How stored values of one file become grey: alike for all slices, found in all.

    Attributes:
        far: beyond these limits lies background, which is black; None if there is none.
        shown: what is shown black and white, after scale and intercept of the file.
    """

    times: float
    plus: float
    kind: type[np.float32 | np.float64]
    far: SignalRange | None
    shown: tuple[float, float]

    def black(self, plane: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Find what is black whatever its value, in the shape of a slice; None if nothing is."""
        none = ~np.isfinite(plane) if plane.dtype.kind == "f" else np.zeros(plane.shape, np.bool_)
        if self.far is not None:
            none = none | self.far.beyond(plane)
        return none if none.any() else None

    def grey(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """Convert one slice of stored values to grey, float32, 0 black to 1 white.

        The shape stays.
        """
        scaled: NDArray[Any] = plane.astype(self.kind)
        scaled *= self.times
        scaled += self.plus
        np.nan_to_num(scaled, copy=False, nan=0, posinf=0, neginf=0)
        grey = np.clip(scaled, 0, 1, out=scaled).astype(np.float32)
        if self.far is not None:
            grey[self.far.beyond(plane)] = 0
        return np.asarray(grey, dtype=np.float32)


def limits_and_scale(file: NiftiFile, stored: NDArray[Any]) -> tuple[SignalRange | None, GreyScale]:
    """Find what lies far off in a volume of stored values, and how the volume is shown.

    The volume is (slices, rows, columns).
    """
    limits = (
        signal_range_of(stored, black=-file.intercept / file.slope if file.slope else 0.0)
        if file.grey
        else None
    )
    far = limits if limits is not None and limits.background else None
    low, high = file.window or _range(file, stored, far)
    width = high - low if 0 < high - low < math.inf else 1.0
    kind = np.float32 if file.dtype.kind != "f" and file.dtype.itemsize <= 2 else np.float64
    times, plus = file.slope / width, (file.intercept - low) / width
    return limits, GreyScale(times, plus, kind, far, (low, low + width))


def nifti_signal(path: Path) -> NDArray[np.float32]:
    """Load values after scale and intercept, (slices, rows, columns), without a window.

    What is not finite stays so.

    What lies far from all other values is background, and is at the level of the darkest signal.
    Raises: InputError.
    """
    file, stored = stored_in(path)
    signal = np.empty(file.shape_zyx, dtype=np.float32)
    # Beyond float32 it becomes infinite
    with nifti_border(path), np.errstate(over="ignore", invalid="ignore"):
        for z, plane in enumerate(stored):
            signal[z] = plane.astype(np.float64) * file.slope + file.intercept
    return without_background(signal, finite=False)


def load_nifti_signal(path: Path) -> NDArray[np.float32]:
    """Load `nifti_signal` with what is not finite as background too.

    Raises: InputError if the file can't be read.
    """
    return without_background(nifti_signal(path))


def stored_in(path: Path) -> tuple[NiftiFile, NDArray[Any]]:
    """Read a file and its stored values, shape (slices, rows, columns).

    Raises: InputError if the file can't be read.
    """
    file, data = _opened(path)
    return file, _stored(file, data)


def _stored(file: NiftiFile, data: bytes) -> NDArray[Any]:
    """Read stored values (slices, rows, columns) into memory of the size they fill."""
    raw, place = bytearray(), 0
    for chunk in _values(file, data):
        raw = raw or bytearray(file.value_bytes)
        raw[place : place + len(chunk)] = chunk
        place += len(chunk)
    with nifti_border(file.path):
        return np.frombuffer(raw, dtype=file.dtype).reshape(file.shape_zyx)


def _range(
    file: NiftiFile, stored: NDArray[Any], far: SignalRange | None = None
) -> tuple[float, float]:
    """Return the least and greatest finite value after scaling, without far-off ones.

    Returns: twice the intercept if there is none.
    """
    low, high = value_range(stored, far)
    ends = (low * file.slope + file.intercept, high * file.slope + file.intercept)
    return min(ends), max(ends)


def value_range(stored: NDArray[Any], far: SignalRange | None = None) -> tuple[float, float]:
    """Return the least and greatest finite stored value, without far-off ones.

    Returns: 0 and 0 if there is none.
    """
    planes = stored if stored.dtype.kind != "f" else (plane[np.isfinite(plane)] for plane in stored)
    planes = planes if far is None else (plane[~far.beyond(plane)] for plane in planes)
    ends = [float(end) for p in planes if p.size for end in (p.min(), p.max())]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def nifti_notices(file: NiftiFile) -> tuple[Notice, ...]:
    """Say what a reader must know of a released file, window included."""
    return (*NOTICES, *file.notices, *(() if file.window else (_WINDOW,)))


def nifti_volume(file: NiftiFile) -> Volume:
    """Build the volume of a file; its UIDs come from its content."""
    steps, row, column = file.spacing_zyx_mm
    spacing = (row, column) if row is not None and column is not None else None
    return Volume(
        series_uid=content_uid("series", file.sha256),
        sop_class_uid=CONVERTED,
        sop_uids=(content_uid("image", file.sha256),),
        sha256=file.sha256,
        shape_zyx=file.shape_zyx,
        affine_lps_mm=file.affine_lps_mm,
        spacing_yx_mm=spacing,
        spacing_z_mm=steps if spacing else None,
        pixel_aspect=spacing[0] / spacing[1] if spacing else 1.0,
        file_sha256s=(file.sha256,),
        sequence=Sequence(role=SequenceRole.UNKNOWN, reason="a NIfTI file states no sequence"),
        loader=partial(load_nifti, file.path),
        signal_loader=partial(load_nifti_signal, file.path),
    )
