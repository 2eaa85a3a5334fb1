"""Label maps as the bytes of NIfTI files, and what ties them to their source.

The grid is that of the array that was read, or that of a series of images. NIfTI counts in RAS,
DICOM in LPS (PS3.3 C.7.6.2.1.1): x and y change their sign. What a DICOM Segmentation (PS3.3 A.51)
asks of its source, images, frames and frame of reference, stands beside it in JSON, since NIfTI has
no place for it.
"""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.grid import source_frames
from medmm.domain.reading import LabelMap, Reading
from medmm.domain.study import Affine, Volume

LABEL_INTENT = 1002  # NIFTI_INTENT_LABEL (nifti1.h)
SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT: the scanner's own coordinates (nifti1.h)
# Of the smallest voxel size, up to which a qform may differ from the affine anywhere on the grid
AGREE = 0.1
Json = dict[str, Any]


def label_map_bytes(label_map: LabelMap, source: bytes) -> bytes:
    """Make the NIfTI file of a label map (uint8) on the very grid of the array that was read.

    Args:
        source: the file that was read, from which shape, axes, affines, codes and units come.
    """
    header = _header(source)
    header.set_data_dtype("uint8")
    for key, value in {
        "scl_slope": 1,
        "scl_inter": 0,
        "cal_min": 0,
        "cal_max": 0,
        "intent_code": LABEL_INTENT,
    }.items():
        header[key] = value
    for key in {"descrip", "aux_file", "intent_name", "data_type", "db_name"} & set(header.keys()):
        header[key] = b""  # free text of the source may name a patient
    header["vox_offset"] = len(header.binaryblock) + 4
    # Label maps lie as NIfTI does: columns run fastest, then rows, then slices. Four zero bytes: no
    # extension follows.
    content = header.binaryblock + bytes(4) + label_map.array().tobytes()
    return gzip.compress(content, mtime=0)


def series_label_map(
    label_map: LabelMap, volume: Volume, reading: Reading, file: str
) -> tuple[bytes, Json]:
    """Make the NIfTI file of a label map on the grid of a series, and what ties the two.

    Args:
        file: the name that the NIfTI file will have.
    """
    image = _image(label_map.array(), volume)
    quaternion = bool(image.header["qform_code"])
    about = _about(label_map, volume, reading, file, quaternion=quaternion)
    return gzip.compress(image.to_bytes(), mtime=0), about


def no_affine(volume: Volume) -> str | None:
    """Say why a volume has no affine; None if it has one."""
    if volume.affine_lps_mm is not None:
        return None
    if volume.spacing_yx_mm is None:
        return "it is not stated where the slices lie in the patient, or they lie in several planes"
    if volume.shape_zyx[0] == 1:
        return "a single slice states no thickness"
    return "slices are missing or uneven, or images of several contrasts are among them"


def file_stem(name: str) -> str:
    """Make the name of a label map that of a file: it can be no path."""
    return re.sub("[^a-z0-9-]", "-", name.lower())


def _header(data: bytes) -> Any:
    """Read the header of a NIfTI-1 or NIfTI-2 file, plain or in gzip."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    head = zlib.decompressobj(31).decompress(data, 540) if data[:2] == b"\x1f\x8b" else data[:540]
    second = 540 in (int.from_bytes(head[:4], order) for order in ("little", "big"))
    return Nifti2Header(head, check=False) if second else Nifti1Header(head[:348], check=False)


def _image(labels_zyx: NDArray[np.uint8], volume: Volume) -> Any:
    """Make the NIfTI image, voxels (column, row, slice), with the volume's affine if known.

    A qform turns and scales alone: where slices are stacked at a slant it would be false, and only
    the sform is set.
    """
    from nibabel.nifti1 import Nifti1Image

    affine = None if volume.affine_lps_mm is None else ras(volume.affine_lps_mm)
    image = Nifti1Image(labels_zyx.transpose(2, 1, 0), affine)
    header = image.header
    header.set_intent(LABEL_INTENT)
    if affine is None:  # sizes of 1 in unknown units: nothing is said of mm
        header.set_sform(None, 0)
        header.set_qform(None, 0)
        return image
    header.set_xyzt_units("mm")
    header.set_sform(affine, SCANNER)
    header.set_qform(affine, SCANNER, strip_shears=True)
    if _furthest(header.get_qform(), affine, labels_zyx.shape) > AGREE * min(header.get_zooms()):
        header.set_qform(None, 0)
        header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    return image


def ras(affine_lps_mm: Affine) -> NDArray[np.float64]:
    """Turn an affine to RAS in mm, as NIfTI counts."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(affine_lps_mm, dtype=np.float64)


def _furthest(
    one: NDArray[np.float64], other: NDArray[np.float64], shape_zyx: tuple[int, ...]
) -> float:
    """Measure how far apart two affines put a corner of the grid at most, in mm."""
    z, y, x = (count - 1 for count in shape_zyx)
    corners = np.array(
        [(i, j, k, 1) for i in (0, x) for j in (0, y) for k in (0, z)], dtype=np.float64
    )
    return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())


def _about(
    label_map: LabelMap, volume: Volume, reading: Reading, file: str, *, quaternion: bool
) -> Json:
    """Say what ties a mask to its source, for a reader and for a DICOM Segmentation.

    Axes and units are in the names.
    """
    why = no_affine(volume)
    forms = ["sform", "qform"] if quaternion else ["sform"]
    return {
        "file": file,
        "label_map": label_map.name,
        "labels": {str(value): label for value, label in enumerate(label_map.labels, start=1)},
        "models": [{"name": m.name, "manifest_sha256": m.manifest_sha256} for m in reading.models],
        "study_uid": reading.study_uid,
        "series_uid": volume.series_uid,
        "sop_class_uid": volume.sop_class_uid,
        "frame_of_reference_uid": volume.frame_of_reference_uid,
        "sequence": volume.sequence.role.value if volume.sequence else None,
        "shape_zyx": list(volume.shape_zyx),
        "spacing_yx_mm": list(volume.spacing_yx_mm) if volume.spacing_yx_mm else None,
        "spacing_z_mm": volume.spacing_z_mm,
        "affine_lps_mm": [list(row) for row in volume.affine_lps_mm]
        if volume.affine_lps_mm
        else None,
        "affine_in": forms if why is None else [],
        "no_affine": why,
        "slices": _slices(volume),
    }


def _slices(volume: Volume) -> list[Json]:
    """Name the image and frame of every slice, in the order of the slices.

    It is empty for a file that names no images.
    """
    if not volume.frame_numbers and len(volume.sop_uids) != volume.shape_zyx[0]:
        return []
    return [
        {
            "sop_uid": frame.sop_uid,
            "frame_number": frame.frame_number,
            "position_lps_mm": list(frame.position_lps_mm) if frame.position_lps_mm else None,
        }
        for frame in source_frames(volume)
    ]
