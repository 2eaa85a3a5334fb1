"""A film that passed the gate as a `Volume`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmm.domain.stored_frame import StoredFrame
from medmm.domain.study import View, Volume
from medmm.imaging.built_volume import Built
from medmm.imaging.dicom.acquisition_time import study_time
from medmm.imaging.dicom.anatomy import view_of
from medmm.imaging.dicom.equipment import scanner_of
from medmm.imaging.dicom.files import DicomFile
from medmm.imaging.dicom.geometry import (
    ORIENTATION_UNKNOWN,
    film_affine,
    film_spacing,
    film_spacing_meaning,
    patient_left_on,
    pixel_aspect,
)
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.laterality import side_conflicts, side_notice
from medmm.imaging.dicom.newest_image import order_of
from medmm.imaging.dicom.pixels import display, stored_values, voi_notices
from medmm.imaging.dicom.stored_frames import stored_frame


def load_film(path: Path) -> NDArray[np.float32]:
    """Load display-ready pixels of one radiograph, shape (1, rows, columns).

    Raises: InputError if the file can't be read.
    """
    stored, dataset = stored_values(path)
    return display(stored[:1], dataset, path)


def load_stored_film(path: Path) -> StoredFrame:
    """Load one radiograph before its window. Raises: InputError if the file can't be read."""
    stored, dataset = stored_values(path)
    return stored_frame(stored[0], dataset, path)


def film(file: DicomFile) -> Built:
    """Build the volume of a radiograph."""
    tags = Tags(file.header)
    view = view_of(tags) or View.UNKNOWN
    spacing, notices = film_spacing(tags)
    conflict = side_notice(list(side_conflicts(tags)))
    left = None if view is View.LATERAL or conflict else patient_left_on(tags)
    notices = (*notices, *voi_notices(tags), *conflict)
    if left is None and view is not View.LATERAL and not conflict:
        notices = (*notices, ORIENTATION_UNKNOWN)
    volume = Volume(
        series_uid=tags.text("SeriesInstanceUID") or "",
        sop_class_uid=tags.text("SOPClassUID") or "",
        sop_uids=(tags.text("SOPInstanceUID") or "",),
        sha256=file.sha256,
        shape_zyx=(1, int(tags.number("Rows") or 0), int(tags.number("Columns") or 0)),
        affine_lps_mm=None if conflict else film_affine(tags, spacing),
        spacing_yx_mm=spacing,
        spacing_meaning=film_spacing_meaning(tags),
        pixel_aspect=pixel_aspect(spacing, tags),
        patient_left_on=left,
        view=view,
        file_sha256s=(file.sha256,),
        acquired=study_time(tags)[0],
        scanner=scanner_of(tags),
        loader=partial(load_film, file.path),
    )
    return Built(volume=volume, notices=notices, order=order_of(tags))
