"""Small DICOM files made for tests: a chest film and an MR slice of nobody, with any element changed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, MRImageStorage

FILM = {
    "SOPClassUID": ComputedRadiographyImageStorage,
    "SOPInstanceUID": "1.2.3.3",
    "StudyInstanceUID": "1.2.3.1",
    "SeriesInstanceUID": "1.2.3.2",
    "Modality": "CR",
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
    "PatientOrientation": ["L", "F"],
    "PatientID": "ZZ-1",
    "PatientName": "ZZTEST^FILM",
    "PatientBirthDate": "19600102",
    "PatientSex": "F",
    "AcquisitionDate": "20200304",
    "AcquisitionTime": "101112",
    "TimezoneOffsetFromUTC": "+0100",
    "PixelSpacing": [0.2, 0.2],
    "PixelSpacingCalibrationType": "GEOMETRY",
    "PhotometricInterpretation": "MONOCHROME2",
    "WindowCenter": 2048,
    "WindowWidth": 4096,
}
MR_SLICE = {
    "SOPClassUID": MRImageStorage,
    "SOPInstanceUID": "1.2.4.3",
    "StudyInstanceUID": "1.2.4.1",
    "SeriesInstanceUID": "1.2.4.2",
    "Modality": "MR",
    "BodyPartExamined": "BRAIN",
    "PatientID": "ZZ-2",
    "PatientAge": "040Y",
    "AcquisitionDate": "20200304",
    "PixelSpacing": [0.5, 0.75],
    "SliceThickness": 5,
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "ImagePositionPatient": [-10, -20, 30],
    "PhotometricInterpretation": "MONOCHROME2",
    "WindowCenter": 2048,
    "WindowWidth": 4096,
}


def picture(rows: int = 256, columns: int = 260) -> NDArray[np.uint16]:
    """A smooth 12-bit picture without symmetry."""
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    return (4095 * (0.2 * y + 0.7 * x**2)).astype(np.uint16)


def dataset(
    base: dict[str, Any], pixels: NDArray[np.generic] | None = None, **changes: Any
) -> Dataset:
    """A dataset from a base; an element set to None is left out."""
    made = Dataset()
    with disable_value_validation():  # also values that no device should write
        for keyword, value in {**base, **changes}.items():
            if value is not None:
                setattr(made, keyword, value)
    pixels = picture() if pixels is None else pixels
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PixelRepresentation = (
        1,
        int(np.issubdtype(pixels.dtype, np.signedinteger)),
    )
    made.BitsAllocated = 8 * pixels.dtype.itemsize
    made.BitsStored = min(made.BitsAllocated, changes.get("BitsStored", 12))
    made.HighBit = made.BitsStored - 1
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OW"
    made.preamble, made.file_meta = bytes(128), FileMetaDataset()
    made.file_meta.FileMetaInformationGroupLength = 0  # counted when written
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = base["SOPClassUID"]
    made.file_meta.MediaStorageSOPInstanceUID = "1.2.3.3"
    return made


def file_bytes(made: Dataset) -> bytes:
    """The dataset as the bytes of a DICOM file."""
    buffer = BytesIO()
    with disable_value_validation():
        made.save_as(buffer, enforce_file_format=False)  # also what the format forbids
    return buffer.getvalue()


def write(path: Path, made: Dataset) -> Path:
    """Write the dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file_bytes(made))
    return path


@dataclass(frozen=True, slots=True)
class SaysKind:
    """Takes every film for one of this kind; stands in for the network."""

    kind: str
    sure: bool = False

    def kind_of(self, grey: NDArray[np.float32]) -> str:
        assert grey.ndim == 2
        return self.kind

    def surely_frontal(self, grey: NDArray[np.float32]) -> bool:
        assert grey.ndim == 2
        return self.sure


SAYS_FRONTAL = SaysKind("frontal")


def film_file(
    folder: Path, name: str = "film.dcm", pixels: NDArray[np.generic] | None = None, **changes: Any
) -> Path:
    """A chest film on disk."""
    return write(folder / name, dataset(FILM, pixels, **changes))


def mr_file(
    folder: Path,
    name: str,
    z_mm: float,
    pixels: NDArray[np.generic] | None = None,
    **changes: Any,
) -> Path:
    """An axial MR slice on disk at a height; a picture that isn't given starts with the height, to tell slices apart."""
    if pixels is None:
        pixels = picture(64, 64)
        pixels[0, :2] = int(z_mm)
    made = {
        "ImagePositionPatient": [-10, -20, z_mm],
        "SOPInstanceUID": f"1.2.4.3.{zlib.crc32(name.encode())}",
        **changes,
    }
    return write(folder / name, dataset(MR_SLICE, pixels, **made))
