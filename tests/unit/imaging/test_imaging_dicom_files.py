"""The border to pydicom: quiet, thread-safe, bounded, and every library error translated."""

from __future__ import annotations

import logging
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medmm.domain.errors import InputError
from medmm.domain.study import Study
from medmm.imaging import read_studies
from medmm.imaging.dicom.files import (
    LIBRARY_ERRORS,
    UNDECODED,
    dicom_border,
    open_dicom,
    settle_syntax,
)
from tests.dicom_files import FILM, SAYS_FRONTAL, dataset, file_bytes, film_file, write

# element (0008,1140) SQ of undefined length, and an item of undefined length: as deep as wanted
_OPEN = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "kind", [*LIBRARY_ERRORS, RecursionError, UnicodeDecodeError, KeyError, PermissionError]
)
def test_every_library_error_becomes_an_input_error(kind: type[Exception]) -> None:
    error = (
        UnicodeDecodeError("ascii", b"", 0, 1, "x")
        if kind is UnicodeDecodeError
        else kind("ZZNAME in it")
    )
    with pytest.raises(InputError) as caught, dicom_border(Path("some.dcm")):
        raise error
    assert caught.value.__cause__ is error
    assert "ZZNAME" not in str(caught.value)


def test_the_border_names_the_errors_of_pydicom_and_pillow() -> None:
    assert {InvalidDicomError, BytesLengthException, Image.DecompressionBombError} <= set(
        LIBRARY_ERRORS
    )


@pytest.mark.parametrize("depth", [600, 20_000])
def test_deep_nesting_is_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.dcm"
    data = file_bytes(dataset(FILM))
    start = data.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(data[:start] + _OPEN * depth + data[start:])
    with pytest.raises(InputError):
        open_dicom(path)


@pytest.mark.parametrize("keyword", ["PixelData", "ImageComments"])
def test_a_length_of_3_gb_reads_no_more_than_the_file_has(tmp_path: Path, keyword: str) -> None:
    data = bytearray(file_bytes(dataset(FILM, ImageComments="x" * 100)))
    if keyword == "PixelData":
        at = data.index(b"\xe0\x7f\x10\x00OW") + 8
    else:
        at = data.index(b"\x20\x00\x00\x40LT") + 4
        data[at : at + 4] = b"UT\0\0\0\0\0\0"
        at += 4
    data[at : at + 4] = (3 * 2**30).to_bytes(4, "little")
    path = tmp_path / "long.dcm"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        (intake,) = read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(intake.outcome, InputError)
    assert peak < 10 * len(data) + 2**20


def test_a_deflated_film_is_read_and_a_deflate_bomb_is_not(tmp_path: Path) -> None:
    made = dataset(FILM)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    good = write(tmp_path / "good.dcm", made)
    (intake,) = read_studies(good, patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert isinstance(intake.outcome, Study)
    data = good.read_bytes()
    body = data.index(b"1.2.840.10008.1.2.1.99") + 22
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = b"".join([*(deflater.compress(bytes(2**20)) for _ in range(70)), deflater.flush()])
    bomb = tmp_path / "bomb.dcm"
    bomb.write_bytes(data[:132] + data[132:body] + zeros)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="inflates beyond"):
            open_dicom(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**23


def test_a_file_without_prefix_is_read_and_said(tmp_path: Path) -> None:
    data = file_bytes(dataset(FILM))
    path = tmp_path / "bare"
    path.write_bytes(data[data.index(b"\x08\x00\x16\x00UI") :])
    (intake,) = read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert isinstance(intake.outcome, Study)
    assert [notice.code for notice in intake.outcome.warnings] == ["no-dicm-prefix"]


def test_a_dicomdir_is_skipped_with_its_reason(tmp_path: Path) -> None:
    path = film_file(tmp_path, "DICOMDIR", SOPClassUID="1.2.840.10008.1.3.10")
    (intake,) = read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert getattr(intake.outcome, "reason_code", None) == "dicomdir"


def test_values_of_a_record_reach_no_log_and_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    film_file(tmp_path, PatientBirthDate="ZZSECRET", StudyDate="ZZSECRET", PatientAge="ZZSECRET")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(read_studies(tmp_path, patient_secret=b"x", kinds=SAYS_FRONTAL))
    assert not any("ZZSECRET" in str(warning.message) for warning in caught)
    assert "ZZ" not in caplog.text


def test_eight_threads_read_what_one_reads(tmp_path: Path) -> None:
    paths = [
        film_file(
            tmp_path,
            f"{i}.dcm",
            StudyInstanceUID=f"1.2.3.{i}",
            StudyDate="nonsense",
            PatientAge="old",
        )
        for i in range(24)
    ]
    alone = [list(read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(
            pool.map(
                lambda path: list(read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)),
                paths,
            )
        )
    assert together == alone
    with pytest.warns(UserWarning, match="still heard"):  # the mute is lifted again
        warnings.warn("still heard", UserWarning, stacklevel=1)


@pytest.mark.parametrize("syntax", sorted(UNDECODED))
def test_a_syntax_that_nothing_decodes_is_none_whatever_else_is_imported(syntax: str) -> None:
    """Pynetdicom adds some to pydicom's dictionary."""
    import pynetdicom  # noqa: F401

    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(ValueError, match="no transfer syntax"):
        settle_syntax(header)
