"""Stored values to grey: order of the steps, polarity, windows, decoders, lying sizes."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openjpeg
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from medmm.domain.errors import InputError
from medmm.domain.study import Study
from medmm.imaging import decodable_syntaxes, read_studies
from medmm.imaging.dicom import gdcm
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.pixels import check_grid, display, stored_values
from tests.dicom_files import FILM, MR_SLICE, SAYS_FRONTAL, dataset, film_file, picture, write


def grey(stored: np.ndarray, **changes: Any) -> np.ndarray:
    return display(stored, dataset(FILM, stored, **changes), Path("made"))


def lut(values: list[int], first: int, bits: int) -> Dataset:
    table = Dataset()
    table.LUTDescriptor = [len(values), first, bits]
    table["LUTDescriptor"].VR = "US"
    table.LUTData = np.array(values, np.uint16).tobytes()
    table["LUTData"].VR = "OW"
    return table


def test_a_linear_window_maps_its_ends_to_black_and_white() -> None:
    shown = grey(
        np.array([[0, 1000, 1500, 2000, 4095]], np.uint16), WindowCenter=1500, WindowWidth=1001
    )
    np.testing.assert_allclose(shown, [[0, 0.0005, 0.5005, 1, 1]], atol=6e-4)
    assert shown.dtype == np.float32


def test_the_rescale_comes_before_the_window() -> None:
    changes = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 0, "WindowWidth": 1001}
    shown = grey(np.array([[200, 500, 800]], np.uint16), **changes)
    np.testing.assert_allclose(shown, [[0, 0.5, 1]], atol=1e-3)


def test_a_modality_lut_comes_before_a_voi_lut() -> None:
    changes = {
        "ModalityLUTSequence": [lut([3, 2, 1, 0], 0, 8)],
        "VOILUTSequence": [lut([0, 10, 20, 255], 0, 8)],
    }
    shown = grey(np.array([[0, 1, 2, 3]], np.uint16), **changes)
    np.testing.assert_allclose(shown, [[1, 20 / 255, 10 / 255, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverts"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),  # one inversion, stated twice
        ("MONOCHROME2", "INVERSE", True),
    ],
)
def test_polarity(photometric: str, shape: str | None, inverts: bool) -> None:
    shown = grey(picture(), PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    plain = grey(picture())
    np.testing.assert_allclose(shown, 1 - plain if inverts else plain, atol=1e-6)


def test_polarity_tags_that_contradict_each_other_are_said(tmp_path: Path) -> None:
    path = film_file(
        tmp_path, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY"
    )
    assert "polarity-tags" in warnings_of(path)


def warnings_of(path: Path) -> set[str]:
    (intake,) = read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert isinstance(intake.outcome, Study), intake.outcome
    return {notice.code for notice in intake.outcome.warnings}


def test_of_several_windows_the_first_is_applied_and_said(tmp_path: Path) -> None:
    several = {"WindowCenter": [2048, 100], "WindowWidth": [4096, 50]}
    np.testing.assert_array_equal(grey(picture(), **several), grey(picture()))
    assert warnings_of(film_file(tmp_path, **several)) == {"several-windows"}


def test_without_a_window_the_range_of_values_is_shown(tmp_path: Path) -> None:
    none = {"WindowCenter": None, "WindowWidth": None}
    shown = grey(picture(), **none)
    assert (shown.min(), shown.max()) == (0, 1)
    eight_bit = (picture() // 32).astype(np.uint8)
    np.testing.assert_allclose(grey(eight_bit, BitsStored=8, **none), eight_bit / 255, atol=1e-6)
    assert warnings_of(film_file(tmp_path, **none)) == {"window-unknown"}


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_that_can_not_be_applied_is_left_out_and_said(tmp_path: Path, width: int) -> None:
    assert warnings_of(film_file(tmp_path, WindowWidth=width)) == {
        "window-unusable",
        "window-unknown",
    }


def test_signed_values_and_sigmoid_window() -> None:
    stored = np.array([[-1000, 0, 1000]], np.int16)
    shown = grey(stored, BitsStored=16, WindowCenter=0, WindowWidth=1000, VOILUTFunction="SIGMOID")
    np.testing.assert_allclose(shown, [[1 / (1 + np.exp(4)), 0.5, 1 / (1 + np.exp(-4))]], atol=1e-3)


def compressed(tmp_path: Path, syntax: str, frame: bytes, bits: int = 12) -> Path:
    made = dataset(
        FILM, picture() if bits > 8 else (picture() // 16).astype(np.uint8), BitsStored=bits
    )
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return write(tmp_path / "film.dcm", made)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless, JPEG2000Lossless])
def test_lossless_syntaxes_decode_to_the_stored_values(tmp_path: Path, syntax: str) -> None:
    made = dataset(FILM)
    made.compress(syntax)
    values, _ = stored_values(write(tmp_path / "film.dcm", made))
    np.testing.assert_array_equal(values[0], picture())


def test_baseline_jpeg_decodes_within_its_loss_and_says_so(tmp_path: Path) -> None:
    eight_bit = (picture() // 16).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(eight_bit).save(buffer, "JPEG", quality=95)
    path = compressed(tmp_path, JPEGBaseline8Bit, buffer.getvalue(), bits=8)
    values, _ = stored_values(path)
    assert np.abs(values[0].astype(int) - eight_bit).max() <= 3
    assert "lossy" in warnings_of(path)


def test_a_missing_decoder_is_an_error_whose_remedy_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdcm, "installed", lambda: False)
    with pytest.raises(InputError, match="no decoder here") as caught:
        stored_values(compressed(tmp_path, JPEGLosslessSV1, b"\xff\xd8\xff\xd9"))
    assert "medmm[codecs]" in caught.value.remedy
    lossless = {row.uid: row for row in decodable_syntaxes()}[str(JPEGLosslessSV1)]
    assert not lossless.decodes
    assert lossless.remedy


def test_the_list_of_syntaxes_says_what_decodes_here() -> None:
    table = {row.uid: row for row in decodable_syntaxes()}
    core = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.5", str(JPEG2000Lossless), str(JPEGLSLossless))
    assert all(table[uid].decodes and not table[uid].remedy for uid in core)
    assert table[str(JPEGLosslessSV1)].decodes == gdcm.installed()


@pytest.fixture
def lossless_jpeg(demo_films: Path) -> Path:
    """A nuclear image of pydicom-data in JPEG Lossless."""
    if not gdcm.installed():
        pytest.skip("the extra `codecs` is not installed")
    return demo_films / "JPEG-LL.dcm"


def test_lossless_jpeg_is_decoded(lossless_jpeg: Path) -> None:
    values, _ = stored_values(lossless_jpeg)
    assert (values.shape, values.dtype.name) == ((1, 1024, 256), "int16")
    assert values.max() > values.min() >= 0


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_lossless_jpeg_that_is_cut_short_is_an_error(
    lossless_jpeg: Path, tmp_path: Path, kept: float
) -> None:
    made = pydicom.dcmread(lossless_jpeg)
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    made.PixelData = encapsulate([frame[: int(len(frame) * kept)]])
    path = tmp_path / "cut.dcm"
    made.save_as(path)
    with pytest.raises(InputError) as caught:
        stored_values(path)
    assert caught.value.remedy


def test_what_comes_back_in_another_size_is_refused(lossless_jpeg: Path) -> None:
    with pytest.raises(InputError, match="another size"):
        gdcm.decode(lossless_jpeg, (1, 512, 512))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import os; os.abort()", "can't decode"),
        ("import time; time.sleep(60)", "longer"),
        ("input(); print('{')", "answer"),
    ],
)
def test_a_worker_that_dies_hangs_or_babbles_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(body)
    monkeypatch.setattr(gdcm, "WORKER", worker)
    monkeypatch.setattr(gdcm, "TIMEOUT_S", 1)
    with fresh_worker(monkeypatch), pytest.raises(InputError, match=words):
        gdcm.decode(tmp_path / "film.dcm", (1, 2, 2))


@contextmanager
def fresh_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[gdcm.Worker]:
    """A worker of this test's own, which ends with it."""
    worker = gdcm.Worker()
    monkeypatch.setattr(gdcm, "_worker", worker)
    try:
        yield worker
    finally:
        worker.close()


def test_one_worker_decodes_file_after_file_and_is_made_anew_after_one_that_failed(
    lossless_jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(lossless_jpeg.read_bytes()[:3000])
    with fresh_worker(monkeypatch) as worker:
        first, _ = stored_values(lossless_jpeg)
        process = worker.process
        np.testing.assert_array_equal(stored_values(lossless_jpeg)[0], first)
        assert worker.process is process
        with pytest.raises(InputError, match="can't decode"):
            gdcm.decode(broken, (1, 1024, 256))
        assert worker.process is None
        np.testing.assert_array_equal(stored_values(lossless_jpeg)[0], first)
        assert process is not None
        assert process.poll() is not None
        assert worker.process is not None
        worker.process.kill()  # as the kernel does where memory is short
        np.testing.assert_array_equal(stored_values(lossless_jpeg)[0], first)


def test_threads_get_their_own_picture_back(lossless_jpeg: Path, tmp_path: Path) -> None:
    made, whole = pydicom.dcmread(lossless_jpeg), stored_values(lossless_jpeg)[0]
    paths = [lossless_jpeg, tmp_path / "wrong.dcm"] * 4
    made.Rows, made.Columns = 256, 1024  # a lie: it is refused, while another thread reads on
    made.save_as(paths[1])

    def read(path: Path) -> object:
        try:
            return stored_values(path)[0]
        except InputError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        for path, values in zip(paths, pool.map(read, paths), strict=True):
            if path == lossless_jpeg:
                np.testing.assert_array_equal(values, whole)
            else:
                assert isinstance(values, InputError)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_coded_frame_that_lies_about_its_size_is_not_decoded(tmp_path: Path, syntax: str) -> None:
    made = dataset(FILM)
    made.compress(syntax)
    data = bytearray(made.PixelData)
    if syntax == JPEG2000Lossless:
        start = data.index(b"\xff\x51")
        struct.pack_into(">II", data, start + 6, 40000, 40000)
        struct.pack_into(">II", data, start + 22, 40000, 40000)
        frame = bytes(data[data.index(b"\xff\x4f\xff\x51") :])
        assert openjpeg.get_parameters(frame)["rows"] == 40000
    else:
        struct.pack_into(">HH", data, data.index(b"\xff\xf7") + 5, 60000, 60000)
    made.PixelData = bytes(data)
    with pytest.raises(InputError, match="another size"):
        stored_values(write(tmp_path / "film.dcm", made))


def header_of(path: Path, **changes: Any) -> Path:
    made = dataset(FILM)
    for keyword, value in changes.items():
        if value is None:
            del made[keyword]
        else:
            setattr(made, keyword, value)
    return write(path, made)


@pytest.mark.parametrize(
    "changes",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 300},
        {"Rows": 0},
        {"Rows": None},
        {"BitsAllocated": None},
        {"BitsAllocated": 24},
        {"BitsStored": 20},
        {"NumberOfFrames": 0},
        {"NumberOfFrames": 1_000_000},
        {"SamplesPerPixel": 3},
        {"PhotometricInterpretation": None},
        {"PixelData": None},
    ],
)
def test_a_header_that_lies_is_refused_before_decoding_with_bounded_memory(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = header_of(tmp_path / "film.dcm", **changes)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            check_grid(open_dicom(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * path.stat().st_size + 2**20


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_fewer_coded_frames_than_stated_are_an_error(tmp_path: Path, syntax: str) -> None:
    made = dataset(MR_SLICE, np.stack([picture(64, 64)] * 2), NumberOfFrames=2)
    made.compress(syntax)
    made.NumberOfFrames = 3
    (intake,) = read_studies(
        write(tmp_path / "few.dcm", made), patient_secret=b"x", kinds=SAYS_FRONTAL
    )
    assert isinstance(intake.outcome, InputError)


def test_a_decoder_that_never_ends_is_stopped_by_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lossless_jpeg: Path
) -> None:
    text = gdcm.WORKER.read_text(encoding="utf-8")
    worker = tmp_path / "worker.py"
    worker.write_text(text.replace("    import gdcm\n", "    while True:\n        pass\n"))
    monkeypatch.setattr(gdcm, "WORKER", worker)
    monkeypatch.setattr(gdcm, "WORK_S", 0.2)
    with fresh_worker(monkeypatch), pytest.raises(InputError, match="processor time"):
        stored_values(lossless_jpeg)
