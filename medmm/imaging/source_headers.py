"""The DICOM headers of a study's images, for what is sent back beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pydicom.dataset import Dataset

from medmm.domain.study import Volume
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.nifti.files import CONVERTED


def source_headers(volumes: Iterable[Volume], path_of: Callable[[str], Path]) -> dict[str, Dataset]:
    """Read the headers of images, without their pixels.

    Args:
        path_of: gives the path of a file by its SHA-256.

    Returns: headers by SOP Instance UID; none of what came as NIfTI.
    Raises: InputError if a file can't be read; IntegrityError if a kept file was altered.
    """
    files = dict.fromkeys(
        digest
        for volume in volumes
        if volume.sop_class_uid != CONVERTED
        for digest in volume.file_sha256s or (volume.sha256,)
    )
    headers = (open_dicom(path_of(digest)).header for digest in files)
    return {str(header.SOPInstanceUID): header for header in headers}
