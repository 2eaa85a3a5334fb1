"""Label maps as NIfTI files: on the very grid of the array that was read, or on the grid of a series of images.

Beside the latter a JSON file ties slices to images. NIfTI counts in RAS, DICOM in LPS (PS3.3 C.7.6.2.1.1): x and y change
their sign. What a DICOM Segmentation (PS3.3 A.51) asks of its source, images, frames and frame of reference, stands in the JSON
file, since NIfTI has no place for it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError, Unavailable
from medmm.domain.grid import source_frames
from medmm.domain.reading import LabelMap, Reading
from medmm.domain.study import Affine, Study, Volume
from medmm.files import write_atomically

LABEL_INTENT = 1002  # NIFTI_INTENT_LABEL (nifti1.h)
SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT: the scanner's own coordinates (nifti1.h)


AGREE = 0.1  # of the smallest voxel size, up to which a qform may differ from the affine anywhere on the grid
Json = dict[str, Any]


def write_label_map(label_map: LabelMap, arrays_dir: Path, out_dir: Path) -> Path:
    """Write a label map as NAME.nii.gz (uint8), with shape, axes, affines, their codes and units of its source.

    Args:
        arrays_dir: the folder that was read; its file with the digest of the label map's volume is the source.

    Raises: InputError if that file is there no more, Unavailable if the folder can't be written.
    """
    header = _header(_source(label_map, arrays_dir))
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
    # Label maps lie as NIfTI does: columns run fastest, then rows, then slices. Four zero bytes: no extension follows.
    content = header.binaryblock + bytes(4) + label_map.array().tobytes()
    return put(out_dir / f"{file_stem(label_map.name)}.nii.gz", gzip.compress(content, mtime=0))


def write_series_label_maps(reading: Reading, study: Study, out_dir: Path) -> dict[str, Path]:
    """Write each label map of a reading of images into a folder of its study, NAME.nii.gz and NAME.json.

    The folder goes by a digest of the study's UID: a UID of the input never becomes a path. Returns: the NIfTI files by
    name; where several maps have one name, those of the later ones carry a part of their volume's digest.

    Raises: InputError if a volume is none of the study, Unavailable if the folder can't be written.
    """
    folder = out_dir / hashlib.sha256(study.uid.encode()).hexdigest()[:16]
    often = Counter(label_map.name for label_map in reading.label_maps)
    written: dict[str, Path] = {}
    for label_map in reading.label_maps:
        volume = study.volume(label_map.volume_sha256)
        if volume is None or volume.shape_zyx != label_map.shape_zyx:
            raise InputError(
                "a label map of no volume of its study",
                remedy="read the study again",
                label_map=label_map.name,
            )
        name = (
            f"{label_map.name}-{volume.sha256[:16]}"
            if often[label_map.name] > 1
            else label_map.name
        )
        written[name] = _write(label_map, volume, reading, folder / f"{file_stem(name)}.nii.gz")
    return written


def no_affine(volume: Volume) -> str | None:
    """Why a volume has no affine, in words; None where it has one."""
    if volume.affine_lps_mm is not None:
        return None
    if volume.spacing_yx_mm is None:
        return "it is not stated where the slices lie in the patient, or they lie in several planes"
    if volume.shape_zyx[0] == 1:
        return "a single slice states no thickness"
    return "slices are missing or uneven, or images of several contrasts are among them"


def file_stem(name: str) -> str:
    """The name of a label map as that of a file: it can be no path."""
    return re.sub("[^a-z0-9-]", "-", name.lower())


def put(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; a link that waits under the name is replaced, not followed.

    Raises: Unavailable if the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise Unavailable(
            f"a mask can't be written: {type(error).__name__}",
            remedy="make the folder writable",
            path=str(path),
        ) from error
    return path


def _source(label_map: LabelMap, arrays_dir: Path) -> bytes:
    """The bytes that were read. Raises: InputError if no file of the folder holds them."""
    cause: OSError | None = None
    try:
        for path in sorted(arrays_dir.iterdir()):
            if path.name.lower().endswith((".nii", ".nii.gz")) and path.is_file():
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() == label_map.volume_sha256:
                    return data
    except OSError as error:
        cause = error
    raise InputError(
        "the file that was read is there no more, or was changed",
        remedy="read the folder again",
        path=str(arrays_dir),
        sha256=label_map.volume_sha256,
    ) from cause


def _header(data: bytes) -> Any:
    """The header of a NIfTI-1 or NIfTI-2 file, plain or in gzip."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    head = zlib.decompressobj(31).decompress(data, 540) if data[:2] == b"\x1f\x8b" else data[:540]
    second = 540 in (int.from_bytes(head[:4], order) for order in ("little", "big"))
    return Nifti2Header(head, check=False) if second else Nifti1Header(head[:348], check=False)


def _write(label_map: LabelMap, volume: Volume, reading: Reading, path: Path) -> Path:
    image = _image(label_map.array(), volume)
    about = _about(
        label_map, volume, reading, path.name, quaternion=bool(image.header["qform_code"])
    )
    put(
        path.with_name(f"{path.name.removesuffix('.nii.gz')}.json"),
        json.dumps(about, indent=1).encode() + b"\n",
    )
    return put(path, gzip.compress(image.to_bytes(), mtime=0))


def _image(labels_zyx: NDArray[np.uint8], volume: Volume) -> Any:
    """The NIfTI image, voxels (column, row, slice), with sform and qform of the volume, or with neither.

    A qform turns and scales alone: where slices are stacked at a slant it would be false, and only the sform is set.
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
    """The affine to RAS in mm, as NIfTI counts."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(affine_lps_mm, dtype=np.float64)


def _furthest(
    one: NDArray[np.float64], other: NDArray[np.float64], shape_zyx: tuple[int, ...]
) -> float:
    """The largest distance in mm between the places that two affines give a corner of the grid."""
    z, y, x = (count - 1 for count in shape_zyx)
    corners = np.array(
        [(i, j, k, 1) for i in (0, x) for j in (0, y) for k in (0, z)], dtype=np.float64
    )
    return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())


def _about(
    label_map: LabelMap, volume: Volume, reading: Reading, file: str, *, quaternion: bool
) -> Json:
    """What ties a mask to its source, for a reader and for a DICOM Segmentation; axes and units are in the names."""
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
    """The image and frame of every slice, in the order of the slices; empty for a file that names no images."""
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
