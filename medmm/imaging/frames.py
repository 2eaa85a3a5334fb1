"""One slice of a volume, decoded alone, bit for bit as in the volume's `pixels()`.

What was shown last is kept up to a bound of bytes (`keep_at_most`), and the slices that a reader
comes to next are decoded ahead. Files are told apart by what the file system says of them, so a
file that was replaced is read anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from medmm.domain.stored_frame import StoredFrame
from medmm.domain.study import Volume
from medmm.imaging.dicom.files import dicom_border
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.multi_frame import MultiFrameImage, naming
from medmm.imaging.dicom.pixels import display
from medmm.imaging.dicom.stored_frames import stored_frame
from medmm.imaging.film import load_film, load_stored_film
from medmm.imaging.frame_cache import AHEAD, AHEAD_OF_READERS, CACHE
from medmm.imaging.mr.stacking import frame_header, frame_order, load_slices, load_stored
from medmm.imaging.nifti.files import CONVERTED
from medmm.imaging.nifti.slices import NiftiSlices

Grey = NDArray[np.float32]


class Kept(Protocol):
    """What the cache keeps of a slice: grey, or a frame before its window."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        ...


T = TypeVar("T", bound=Kept)
_BYTES_OF_SHOWN = 4  # of a pixel that is kept, at most
_SMALL_BYTES = 4096  # about what is kept of a file beside its slices
# A volume that has to be decoded whole is kept where it takes at most the cache's bytes over this
_SHARE = 2


def keep_at_most(limit_bytes: int) -> None:
    """Set how many bytes of decoded slices this process keeps; 0 keeps none."""
    CACHE.bound(limit_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices(Generic[T]):
    """The slices of one volume in its order, one at a time: the `frame_loader` of a `Volume`.

    As `stored_frame_loader` it gives them before their windows.

    Attributes:
        decode: decodes one of them: `film_slice`, `stack_slice`, `nifti_slice`, or before its
            window `stored_film`, `stored_stack_slice`, `stored_nifti_slice`.
        files: SHA-256 of each file, one for every slice or one for all; `path_of` gives the path of
            one when it is opened.
        frame_numbers: as in `Volume`.
        count: how many slices there are.
    """

    decode: Callable[[Slices[T], Path, int], T]
    files: tuple[str, ...]
    frame_numbers: tuple[int, ...] = ()
    count: int
    path_of: Callable[[str], Path]

    def __call__(self, index: int) -> T:
        """Return one slice, and decode its neighbours ahead."""
        found = self._kept(index)
        if found.nbytes * (AHEAD + 1) > CACHE.limit_bytes:
            return found  # what is decoded ahead would not be kept
        AHEAD_OF_READERS.asked(
            (self.decode, self.files, self.frame_numbers), index, self.count, self._kept
        )
        return found

    def key(self, path: Path, index: int) -> Hashable:
        """Return the key under which a slice is kept."""
        return (
            self.decode,
            _identity(path),
            self.frame_numbers,
            index if len(self.files) == 1 else 0,
        )

    def _kept(self, index: int) -> T:
        path = self.path_of(self.files[index if len(self.files) > 1 else 0])
        return CACHE.get(self.key(path, index), lambda: _sized(self.decode(self, path, index)))


def with_frames(volume: Volume, path_of: Callable[[str], Path]) -> Volume:
    """Return the same volume, giving its slices one at a time.

    Args:
        path_of: SHA-256 of a file to its path; it is asked when a slice of that file is, and may
            refuse.
    """
    files, count = volume.file_sha256s or (volume.sha256,), volume.shape_zyx[0]

    def slices(decode: Callable[[Slices[T], Path, int], T]) -> Slices[T]:
        return Slices(
            decode=decode,
            files=files,
            frame_numbers=volume.frame_numbers,
            count=count,
            path_of=path_of,
        )

    grey, stored = film_slice, stored_film
    if volume.sop_class_uid == CONVERTED:
        grey, stored = nifti_slice, stored_nifti_slice
    elif volume.sequence is not None:
        grey, stored = stack_slice, stored_stack_slice
    return replace(volume, frame_loader=slices(grey), stored_frame_loader=slices(stored))


def film_slice(slices: Slices[Grey], path: Path, index: int) -> Grey:
    """Return the picture of a film, shape (rows, columns).

    Raises: InputError, which names the file, if it can't be decoded.
    """
    return load_film(path)[index]


def stored_film(slices: Slices[StoredFrame], path: Path, index: int) -> StoredFrame:
    """Return a film before its window.

    Raises: InputError, which names the file, if it can't be decoded.
    """
    return load_stored_film(path)


def stack_slice(slices: Slices[Grey], path: Path, index: int) -> Grey:
    """Return one MR slice, shape (rows, columns): a file, or a frame of the one file.

    Raises: InputError, which names file and frame.
    """
    return _of_stack(slices, path, index, display, _all_grey)


def stored_stack_slice(slices: Slices[StoredFrame], path: Path, index: int) -> StoredFrame:
    """Return one MR slice before its window; raises as `stack_slice`."""
    return _of_stack(slices, path, index, stored_frame, load_stored)


def _all_grey(path: Path, frame_numbers: Sequence[int]) -> Sequence[Grey]:
    return [grey.copy() for grey in load_slices([path], frame_numbers)]


def _of_stack(
    slices: Slices[T],
    path: Path,
    index: int,
    shown: Callable[[NDArray[np.generic], Dataset, Path], T],
    whole: Callable[[Path, Sequence[int]], Sequence[T]],
) -> T:
    if len(slices.files) > 1:
        with naming(path, 0):
            return whole(path, ())[0]
    image = CACHE.get((MultiFrameImage, _identity(path)), lambda: _opened(path))
    if image is not None:
        with image.lock:
            number = _frame_number(slices, image, index)
            values = image.values(number)
            if values is not None:
                with naming(path, number):
                    return shown(values, frame_header(image.header, number), path)
    return _kept_of(slices, path, whole(path, slices.frame_numbers), index)


def nifti_slice(slices: Slices[Grey], path: Path, index: int) -> Grey:
    """Return one slice of a NIfTI file, shape (rows, columns).

    The file is read whole once, because its scale is that of all slices.

    Raises: InputError.
    """
    return _of_nifti(slices, path, index, NiftiSlices.shown)


def stored_nifti_slice(slices: Slices[StoredFrame], path: Path, index: int) -> StoredFrame:
    """Return one slice of a NIfTI file before its window; otherwise as `nifti_slice`."""
    return _of_nifti(slices, path, index, NiftiSlices.frame)


def _of_nifti(
    slices: Slices[T],
    path: Path,
    index: int,
    shown: Callable[[NiftiSlices, NDArray[Any]], T],
) -> T:
    first: list[T] = []

    def opened() -> tuple[NiftiSlices, int]:
        file, stored = NiftiSlices.opened(path)
        small = stored.size * _BYTES_OF_SHOWN <= CACHE.limit_bytes // _SHARE
        whole = [shown(file, plane) for plane in stored] if small else None
        first.append(
            shown(file, stored[index]) if whole is None else _kept_of(slices, path, whole, index)
        )
        return file, _SMALL_BYTES

    file = CACHE.get((NiftiSlices, shown, _identity(path)), opened)
    return first[0] if first else shown(file, file.stored(index))


def _frame_number(slices: Slices[T], image: MultiFrameImage, index: int) -> int:
    """Return the frame of a slice, counted from 0."""
    if slices.frame_numbers:
        return slices.frame_numbers[index] - 1
    return frame_order(Tags(image.header), image.frames)[index]


def _kept_of(slices: Slices[T], path: Path, whole: Sequence[T], index: int) -> T:
    """Return one of all slices; all of them are kept if there is room."""
    if sum(one.nbytes for one in whole) <= CACHE.limit_bytes // _SHARE:
        for place, one in enumerate(whole):
            value, size_bytes = _sized(one)
            CACHE.put(slices.key(path, place), value, size_bytes)
    return whole[index]


def _opened(path: Path) -> tuple[MultiFrameImage | None, int]:
    image = MultiFrameImage.opened(path)
    return image, _SMALL_BYTES if image is None else image.size_bytes


def _sized(kept: T) -> tuple[T, int]:
    """Freeze a slice, since others may be shown it too, and return it with its size."""
    if isinstance(kept, np.ndarray):
        kept.setflags(write=False)
    return kept, kept.nbytes


def _identity(path: Path) -> Hashable:
    """Identify a file among others and its own earlier content.

    Raises: InputError if it is not there.
    """
    with dicom_border(path):
        state = os.stat(path)
    return (
        str(path),
        state.st_dev,
        state.st_ino,
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
    )
