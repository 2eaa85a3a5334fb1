"""One slice decoded alone: equal to that of the whole volume, through every offset table, and no other is touched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medmm.domain.errors import InputError, StateError
from medmm.domain.study import Study, Volume
from medmm.imaging import attach_pixels, keep_at_most, read_studies
from medmm.imaging.dicom.multi_frame import MultiFrameImage
from medmm.imaging.frame_cache import AHEAD_OF_READERS, CACHE, DEFAULT_BYTES
from medmm.imaging.frames import Slices
from tests.dicom_files import film_file, mr_file
from tests.enhanced_files import axial, enhanced_file
from tests.mr_intakes import study

FRAMES = 6
CODED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
Change = Callable[[pydicom.Dataset, list[bytes]], None]


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    CACHE.reset()
    AHEAD_OF_READERS.reset()
    yield
    AHEAD_OF_READERS.finish()
    CACHE.reset()
    keep_at_most(DEFAULT_BYTES)


def image(path: Path, syntax: str = ExplicitVRLittleEndian, change: Change | None = None) -> Path:
    """An enhanced image of frames in reverse order of position, marked 0 to 5 from foot to head, coded anew."""
    enhanced_file(path, [axial(6.0 * n, n) for n in reversed(range(FRAMES))])
    made = pydicom.dcmread(path)
    if syntax in CODED:
        made.compress(syntax, generate_instance_uid=False)
        if change is not None:
            frames = list(generate_frames(made.PixelData, number_of_frames=FRAMES))
            change(made, frames)
            made["PixelData"].is_undefined_length = True
    else:
        made.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            list(made.iterall())  # parsed before their bytes are said to be in another order
            made.set_original_encoding(False, False)
            made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    made.save_as(
        path,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return path


def volume(path: Path) -> Volume:
    (only,) = study(path).volumes
    return only


def assert_equal(found: Volume) -> None:
    """Every slice alone is that of all, in any order."""
    whole = found.pixels()
    for index in reversed(range(found.shape_zyx[0])):
        frame = found.frame(index)
        assert frame.dtype == whole.dtype == np.float32
        assert np.array_equal(frame, whole[index]), index


def put(made: pydicom.Dataset, data: bytes) -> None:
    made.PixelData = data


def bot(made: pydicom.Dataset, frames: list[bytes]) -> None:
    put(made, encapsulate(frames, has_bot=True))


def no_bot(made: pydicom.Dataset, frames: list[bytes]) -> None:
    put(made, encapsulate(frames, has_bot=False))


def fragments(made: pydicom.Dataset, frames: list[bytes]) -> None:
    put(made, encapsulate(frames, fragments_per_frame=2, has_bot=True))


def fragments_no_bot(made: pydicom.Dataset, frames: list[bytes]) -> None:
    put(made, encapsulate(frames, fragments_per_frame=2, has_bot=False))


def extended(made: pydicom.Dataset, frames: list[bytes]) -> None:
    data, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    put(made, data)


def zeros(made: pydicom.Dataset, frames: list[bytes]) -> None:
    data = encapsulate(frames, has_bot=True)
    put(made, data[:8] + bytes(4 * FRAMES) + data[8 + 4 * FRAMES :])


def one_entry(made: pydicom.Dataset, frames: list[bytes]) -> None:
    data = encapsulate(frames, has_bot=False)
    put(made, data[:4] + (4).to_bytes(4, "little") + bytes(4) + data[8:])


def shifted(made: pydicom.Dataset, frames: list[bytes]) -> None:
    data = bytearray(encapsulate(frames, has_bot=True))
    data[12:16] = (int.from_bytes(data[12:16], "little") + 6).to_bytes(4, "little")
    put(made, bytes(data))


def extended_zeros(made: pydicom.Dataset, frames: list[bytes]) -> None:
    extended(made, frames)
    made.ExtendedOffsetTable = bytes(8 * FRAMES)


@pytest.mark.parametrize("change", [bot, no_bot, fragments, extended], ids=lambda f: f.__name__)
@pytest.mark.parametrize("syntax", CODED, ids=lambda uid: uid.name)
def test_a_coded_frame_is_found_by_its_table_or_its_fragments(
    tmp_path: Path, syntax: str, change: Change
) -> None:
    found = volume(image(tmp_path / "image.dcm", syntax, change))
    assert_equal(found)
    marks = found.signal()[:, 0, 0]
    assert list(marks) == list(range(FRAMES))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_fragments_without_a_table_are_told_apart_by_the_end_of_a_jpeg_image(
    tmp_path: Path, syntax: str
) -> None:
    assert_equal(volume(image(tmp_path / "image.dcm", syntax, fragments_no_bot)))


@pytest.mark.parametrize(
    "change", [zeros, one_entry, shifted, extended_zeros], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("syntax", CODED, ids=lambda uid: uid.name)
def test_a_table_that_contradicts_the_fragments_is_not_followed(
    tmp_path: Path, syntax: str, change: Change
) -> None:
    found = volume(image(tmp_path / "image.dcm", syntax, change))
    assert list(found.signal()[:, 0, 0]) == list(
        range(FRAMES)
    )  # with pydicom alone: no picture, or the first for all
    assert_equal(found)


def test_run_lengths_in_more_fragments_than_frames_are_refused(tmp_path: Path) -> None:
    path = image(tmp_path / "image.dcm", RLELossless, fragments_no_bot)
    (intake,) = read_studies([path], patient_secret=b"x")
    assert isinstance(intake.outcome, InputError)
    assert "fragments" in intake.outcome.problem
    assert "PixelData" in intake.outcome.where["tag"]


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian],
    ids=lambda uid: uid.name,
)
def test_an_uncompressed_frame_is_read_at_its_place(tmp_path: Path, syntax: str) -> None:
    path = image(tmp_path / "image.dcm", syntax)
    assert_equal(volume(path))
    assert (MultiFrameImage.opened(path) is None) is (syntax == ExplicitVRBigEndian)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, *CODED], ids=lambda uid: uid.name)
def test_no_other_frame_is_decoded(tmp_path: Path, syntax: str) -> None:
    path = image(tmp_path / "image.dcm", syntax)
    found = volume(path)
    whole = found.pixels()
    opened = MultiFrameImage.opened(path)
    assert opened is not None
    data = bytearray(path.read_bytes())
    kept = FRAMES - 1 - 2  # the frame of slice 2: frames are stored from head to foot
    for number in range(FRAMES):
        if number == kept:
            continue
        if opened.coded is None:
            size = 2 * 64 * 64
            data[opened.start + number * size : opened.start + (number + 1) * size] = b"\x55" * size
        else:
            (fragment,) = opened.coded.frames[number]
            place = opened.coded.base + fragment.start + 8
            data[place : place + fragment.length] = b"\x55" * fragment.length
    path.write_bytes(data)
    assert np.array_equal(found.frame(2), whole[2])
    if syntax in CODED:
        with pytest.raises(InputError) as caught:
            found.frame(3)
        assert caught.value.where["path"] == str(path)
        assert caught.value.where["frame"] == "3"
        assert caught.value.remedy
        assert np.array_equal(found.frame(2), whole[2])


def test_a_frame_that_is_cut_off_leaves_those_before_it_readable(tmp_path: Path) -> None:
    path = image(tmp_path / "image.dcm")
    found = volume(path)
    whole = found.pixels()
    path.write_bytes(path.read_bytes()[: -64 * 64])
    with pytest.raises(InputError, match="frame 6"):
        found.frame(0)
    assert np.array_equal(found.frame(1), whole[1])


def test_bits_beside_the_values_are_judged_over_all_frames(tmp_path: Path) -> None:
    path = image(tmp_path / "image.dcm")
    made = pydicom.dcmread(path)
    cells = np.frombuffer(made.PixelData, "<u2").reshape(FRAMES, 64, 64).copy()
    cells[4, ::2, ::3] |= 0x8000  # as an overlay plane that nothing in the header explains
    made.PixelData = cells.tobytes()
    made.save_as(path)
    assert_equal(volume(path))


def test_frames_without_numbers_are_in_order_of_position(tmp_path: Path) -> None:
    """As studies that an early release kept: their frames are counted along the normal, whatever their order in the file."""
    path = image(tmp_path / "image.dcm")
    early = replace(volume(path), frame_numbers=())
    made = replace(study(path), volumes=(early,))
    (kept,) = attach_pixels(made, {early.sha256: path}.__getitem__).volumes
    assert list(kept.signal()[:, 0, 0]) == list(range(FRAMES))
    assert_equal(kept)


def test_gdcm_decodes_one_frame(tmp_path: Path) -> None:
    pytest.importorskip("gdcm")
    path = image(tmp_path / "image.dcm")
    code = """
import gdcm, sys
reader = gdcm.ImageReader(); reader.SetFileName(sys.argv[1]); assert reader.Read()
change = gdcm.ImageChangeTransferSyntax(); change.SetInput(reader.GetImage())
change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1)); assert change.Change()
writer = gdcm.ImageWriter(); writer.SetFileName(sys.argv[1]); writer.SetFile(reader.GetFile())
writer.SetImage(change.GetOutput()); assert writer.Write()
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    found = volume(path)
    assert list(found.signal()[:, 0, 0]) == list(range(FRAMES))
    assert_equal(found)


def series(folder: Path, slices: int = 8) -> Volume:
    for n in range(slices):
        mr_file(folder, f"{n}.dcm", 5.0 * (slices - n))
    return volume(folder)


def test_a_slice_of_a_series_opens_its_file_alone(tmp_path: Path) -> None:
    found = series(tmp_path / "series")
    assert_equal(found)
    CACHE.clear()
    AHEAD_OF_READERS.finish()
    whole = found.pixels()
    middle = min(range(8), key=lambda n: abs(float(found.signal()[n, 0, 0]) - 20.0))
    for path in (tmp_path / "series").iterdir():
        if round(float(pydicom.dcmread(path).ImagePositionPatient[2])) != 20:
            path.unlink()
    assert np.array_equal(found.frame(middle), whole[middle])


def test_a_film_has_slice_0(tmp_path: Path) -> None:
    (intake,) = read_studies([film_file(tmp_path)], patient_secret=b"x")
    assert isinstance(intake.outcome, Study)
    assert_equal(intake.outcome.volumes[0])


@pytest.mark.parametrize("index", [-1, 8, 1000])
def test_a_slice_that_is_not_there_is_refused(tmp_path: Path, index: int) -> None:
    with pytest.raises(InputError, match="ask for 0 to 7"):
        series(tmp_path / "series").frame(index)


def test_a_volume_out_of_the_store_without_pixels_has_no_slice(tmp_path: Path) -> None:
    bare = replace(series(tmp_path / "series"), loader=None, frame_loader=None)
    with pytest.raises(StateError, match="not attached"):
        bare.frame(0)


def test_a_kept_file_is_asked_for_when_its_slice_is(tmp_path: Path) -> None:
    found = series(tmp_path / "series")
    paths = dict(_by_digest(tmp_path / "series"))
    asked: list[str] = []

    def path_of(sha256: str) -> Path:
        asked.append(sha256)
        return paths[sha256]

    (kept,) = attach_pixels(study(tmp_path / "series"), path_of).volumes
    assert asked == []
    assert np.array_equal(kept.frame(3), found.pixels()[3])
    assert asked == [found.file_sha256s[3]]


def _by_digest(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.iterdir():
        yield hashlib.sha256(path.read_bytes()).hexdigest(), path


def test_a_slice_is_kept_and_can_not_be_changed(tmp_path: Path) -> None:
    found = series(tmp_path / "series")
    first = found.frame(3)
    assert found.frame(3) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


def test_the_cache_holds_no_more_than_its_bound(tmp_path: Path) -> None:
    found = series(tmp_path / "series")
    size = found.frame(0).nbytes
    keep_at_most(3 * size)
    for index in range(8):
        found.frame(index)
        AHEAD_OF_READERS.finish()
        assert CACHE.used_bytes <= 3 * size
    keep_at_most(0)
    assert CACHE.used_bytes == 0
    assert_equal(found)
    assert CACHE.used_bytes == 0


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = image(tmp_path / "image.dcm")
    found = volume(path)
    before = found.frame(0)
    made = pydicom.dcmread(path)
    made.PixelData = bytes(len(made.PixelData))
    made.save_as(path)
    assert found.frame(0).max() == 0 < before.max()


def test_who_leafs_through_finds_the_next_slices_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = series(tmp_path / "series")
    decoded: list[str] = []
    original = pydicom.dcmread

    def spy(path: Path, *args: object, **options: object) -> pydicom.Dataset:
        decoded.append(Path(path).name)
        return original(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pydicom, "dcmread", spy)
    found.frame(2)
    AHEAD_OF_READERS.finish()
    assert len(decoded) == 1  # one look is no leafing
    found.frame(3)
    AHEAD_OF_READERS.finish()
    assert len(decoded) == 4  # this one and the next two
    found.frame(4)
    AHEAD_OF_READERS.finish()
    assert len(decoded) == 5
    found.frame(3)
    AHEAD_OF_READERS.finish()
    assert len(decoded) == 6  # back: 2 is kept, 1 is not
    found.frame(7)
    AHEAD_OF_READERS.finish()
    assert len(decoded) == 7  # a jump


def test_an_error_ahead_is_told_when_its_slice_is_asked_for(tmp_path: Path) -> None:
    found = series(tmp_path / "series")
    whole = found.pixels()
    (tmp_path / "series" / "2.dcm").unlink()  # from head to foot by name: slice 5
    for index in (3, 4):
        assert np.array_equal(found.frame(index), whole[index])
        AHEAD_OF_READERS.finish()
    with pytest.raises(InputError):
        found.frame(5)
    assert np.array_equal(found.frame(6), whole[6])


@pytest.mark.parametrize("bound", [0, 40_000, DEFAULT_BYTES])
def test_many_threads_get_the_same_slices(tmp_path: Path, bound: int) -> None:
    keep_at_most(bound)
    volumes = [volume(image(tmp_path / "image.dcm", JPEGLSLossless)), series(tmp_path / "series")]
    wholes = [one.pixels() for one in volumes]
    wrong: list[tuple[int, int]] = []

    def read(seed: int) -> None:
        order = np.random.default_rng(seed)
        for _ in range(60):
            which = int(order.integers(2))
            index = int(order.integers(len(wholes[which])))
            if not np.array_equal(volumes[which].frame(index), wholes[which][index]):
                wrong.append((which, index))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    AHEAD_OF_READERS.finish()
    assert wrong == []


def test_a_value_that_can_not_be_made_is_made_by_the_next_who_asks() -> None:
    def fails() -> tuple[int, int]:
        raise InputError("no", remedy="none")

    with pytest.raises(InputError):
        CACHE.get("key", fails)
    assert CACHE.get("key", lambda: (3, 8)) == 3


def test_nothing_is_decoded_ahead_that_would_not_be_kept(tmp_path: Path) -> None:
    found = volume(image(tmp_path / "image.dcm"))
    keep_at_most(found.frame(0).nbytes)
    decoded = 0

    def counted(index: int) -> np.ndarray:
        nonlocal decoded
        decoded += 1
        return whole[index]

    whole = found.pixels()
    leafed = Slices(
        decode=lambda slices, path, index: counted(index),
        files=("one",),
        count=FRAMES,
        path_of=lambda sha256: tmp_path / "image.dcm",
    )
    for index in range(FRAMES):
        leafed(index)
        AHEAD_OF_READERS.finish()
    assert decoded == FRAMES


def test_a_slice_is_given_where_no_further_thread_can_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = volume(image(tmp_path / "image.dcm"))
    whole = found.pixels()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for index in range(3):
        assert np.array_equal(found.frame(index), whole[index])
    AHEAD_OF_READERS.finish()


def test_an_unreadable_file_ends_the_decoding_ahead_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def load(index: int) -> None:
        raise FileNotFoundError("a path that nobody should see")

    for index in range(3):
        AHEAD_OF_READERS.asked("volume", index, FRAMES, load)
    AHEAD_OF_READERS.finish()
    assert "nobody should see" not in capfd.readouterr().err
