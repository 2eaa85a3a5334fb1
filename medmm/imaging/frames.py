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

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Volume
from medmm.imaging.dicom.files import dicom_border
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.multi_frame import MultiFrameImage, naming
from medmm.imaging.dicom.pixels import display
from medmm.imaging.film import load_film
from medmm.imaging.frame_cache import AHEAD, AHEAD_OF_READERS, CACHE
from medmm.imaging.mr.stacking import frame_header, frame_order, load_slices
from medmm.imaging.nifti.files import CONVERTED
from medmm.imaging.nifti.slices import NiftiSlices

Grey = NDArray[np.float32]
_SMALL_BYTES = 4096  # about what is kept of a file beside its slices
# A volume that has to be decoded whole is kept where it takes at most the cache's bytes over this
_SHARE = 2


def keep_at_most(limit_bytes: int) -> None:
    """Set how many bytes of decoded slices this process keeps; 0 keeps none."""
    CACHE.bound(limit_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """The slices of one volume in its order, one at a time: the `frame_loader` of a `Volume`.

    Attributes:
        decode: decodes one of them: `film_slice`, `stack_slice` or `nifti_slice`.
        files: SHA-256 of each file, one for every slice or one for all; `path_of` gives the path of
            one when it is opened.
        frame_numbers: as in `Volume`.
        count: how many slices there are.
    """

    decode: Callable[[Slices, Path, int], Grey]
    files: tuple[str, ...]
    frame_numbers: tuple[int, ...] = ()
    count: int
    path_of: Callable[[str], Path]

    def __call__(self, index: int) -> Grey:
        """Return one slice as `Volume.frame` does, and decode its neighbours ahead."""
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

    def _kept(self, index: int) -> Grey:
        path = self.path_of(self.files[index if len(self.files) > 1 else 0])
        return CACHE.get(self.key(path, index), lambda: _sized(self.decode(self, path, index)))


def with_frames(volume: Volume, path_of: Callable[[str], Path]) -> Volume:
    """Return the same volume, giving its slices one at a time.

    Args:
        path_of: SHA-256 of a file to its path; it is asked when a slice of that file is, and may
            refuse.
    """
    decode = film_slice if volume.sequence is None else stack_slice
    slices = Slices(
        decode=nifti_slice if volume.sop_class_uid == CONVERTED else decode,
        files=volume.file_sha256s or (volume.sha256,),
        frame_numbers=volume.frame_numbers,
        count=volume.shape_zyx[0],
        path_of=path_of,
    )
    return replace(volume, frame_loader=slices)


def film_slice(slices: Slices, path: Path, index: int) -> Grey:
    """Return the picture of a film, shape (rows, columns).

    Raises: InputError, which names the file, if it can't be decoded.
    """
    return load_film(path)[index]


def stack_slice(slices: Slices, path: Path, index: int) -> Grey:
    """Return one MR slice, shape (rows, columns): a file, or a frame of the one file.

    Raises: InputError, which names file and frame.
    """
    if len(slices.files) > 1:
        with naming(path, 0):
            return load_slices([path])[0]
    image = CACHE.get((MultiFrameImage, _identity(path)), lambda: _opened(path))
    if image is None:
        return _of_whole(slices, path, index)
    with image.lock:
        number = _frame_number(slices, image, index)
        values = image.values(number)
        if values is not None:
            with naming(path, number):
                return display(values, frame_header(image.header, number), path)
    return _of_whole(slices, path, index)


def nifti_slice(slices: Slices, path: Path, index: int) -> Grey:
    """Return one slice of a NIfTI file, shape (rows, columns).

    The file is read whole once, because its scale is that of all slices.

    Raises: InputError.
    """
    first: list[Grey] = []

    def opened() -> tuple[NiftiSlices, int]:
        file, stored = NiftiSlices.opened(path)
        if stored.size * np.dtype(np.float32).itemsize <= CACHE.limit_bytes // _SHARE:
            _keep(slices, path, [file.shown(plane) for plane in stored])
        first.append(file.shown(stored[index]))
        return file, _SMALL_BYTES

    file = CACHE.get((NiftiSlices, _identity(path)), opened)
    return first[0] if first else file.shown(file.stored(index))


def _frame_number(slices: Slices, image: MultiFrameImage, index: int) -> int:
    """Return the frame of a slice, counted from 0."""
    if slices.frame_numbers:
        return slices.frame_numbers[index] - 1
    return frame_order(Tags(image.header), image.frames)[index]


def _of_whole(slices: Slices, path: Path, index: int) -> Grey:
    """Return a slice of an image whose slices can't be decoded alone.

    All of them are kept if there is room.
    """
    whole = load_slices([path], slices.frame_numbers)
    if whole.nbytes <= CACHE.limit_bytes // _SHARE:
        _keep(slices, path, whole)
    return whole[index].copy()


def _keep(slices: Slices, path: Path, shown: Sequence[Grey] | Grey) -> None:
    for index, grey in enumerate(shown):
        value, size_bytes = _sized(grey.copy())
        CACHE.put(slices.key(path, index), value, size_bytes)


def _opened(path: Path) -> tuple[MultiFrameImage | None, int]:
    image = MultiFrameImage.opened(path)
    return image, _SMALL_BYTES if image is None else image.size_bytes


def _sized(grey: Grey) -> tuple[Grey, int]:
    """Freeze a slice, since others may be shown it too, and return it with its size."""
    grey.setflags(write=False)
    return grey, grey.nbytes


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
