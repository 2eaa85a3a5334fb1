"""Files made to exhaust a reader: each is refused by a typed error, and costs no more than its own size asks for.

Every file is read in a process forked for it (tests/read_apart.py); `pytest -s` prints what each cost.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom_files import FILM, MR_SLICE, dataset, file_bytes, picture

ROOT = Path(__file__).resolve().parents[3]
MOST_MB = 300
LONGEST_S = 30  # generous: a machine that is busy with other things is no fault of the reader
ITEM, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
UNDEFINED = b"\xff\xff\xff\xff"
FILM_BYTES = file_bytes(dataset(FILM))
SLICE_BYTES = file_bytes(dataset(MR_SLICE, picture(64, 64)))
CODED = (RLELossless, JPEGBaseline8Bit, JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1)


def length(data: bytes) -> bytes:
    return struct.pack("<I", len(data))


def before_patient(more: bytes) -> bytes:
    """The film with bytes put in before its Patient's Name."""
    at = FILM_BYTES.index(b"\x10\x00\x10\x00PN")
    return FILM_BYTES[:at] + more + FILM_BYTES[at:]


def coded(base: dict[str, Any], syntax: str, pixel_data: bytes, **changes: Any) -> bytes:
    made = dataset(base, picture(64, 64), **changes)
    for keyword in ("Rows", "Columns"):
        setattr(made, keyword, changes.get(keyword, getattr(made, keyword)))
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = pixel_data
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return file_bytes(made)


def deflated(inflated_mb: int, *, floods: bytes = b"") -> bytes:
    """A deflated file of a thousandth of its inflated size; or one whose elements are `floods`."""
    made = dataset(FILM)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = file_bytes(made)
    body = data.index(b"1.2.840.10008.1.2.1.99") + 22
    deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = FILM_BYTES.index(b"\x08\x00\x16\x00UI")
    start = deflater.compress(FILM_BYTES[first : FILM_BYTES.index(b"\x10\x00\x10\x00PN")] + floods)
    start += deflater.flush(zlib.Z_FULL_FLUSH)
    zeros = deflater.compress(bytes(2**20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return data[:body] + start + zeros * inflated_mb + deflater.flush()


def of_65535(syntax: str | None) -> bytes:
    if syntax:
        return coded(FILM, syntax, encapsulate([b"\0" * 100]), Rows=65535, Columns=65535)
    made = dataset(FILM)
    made.Rows = made.Columns = 65535
    return file_bytes(made)


def of_3_gb(keyword: str) -> bytes:
    data = bytearray(file_bytes(dataset(FILM, ImageComments="x" * 100)))
    if keyword == "PixelData":
        at = data.index(b"\xe0\x7f\x10\x00OW") + 8
    else:
        at = data.index(b"\x20\x00\x00\x40LT") + 4
        data[at : at + 4] = b"UT\0\0\0\0\0\0"
        at += 4
    data[at : at + 4] = struct.pack("<I", 3 * 2**30)
    return bytes(data)


def elements(count: int) -> bytes:
    """Private elements without a value, 8 bytes each."""
    numbers, made = np.arange(count), np.zeros((count, 4), "<u2")
    made[:, 0], made[:, 1] = 0x0011 + 2 * (numbers >> 16), numbers & 0xFFFF
    made[:, 2] = int.from_bytes(b"LO", "little")
    return made.tobytes()


def blank_jpeg(side: int) -> bytes:
    data = BytesIO()
    Image.new("L", (side, side)).save(data, "JPEG")
    return data.getvalue()


def rle_of_runs(runs: int) -> bytes:
    """An RLE frame whose two segments are runs of 128 zeros."""
    segment = b"\x81\x00" * runs
    return struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2


def nested(depth: int) -> bytes:
    """Referenced Image Sequences in each other, of undefined length."""
    return before_patient((b"\x08\x00\x40\x11SQ\0\0" + UNDEFINED + ITEM + UNDEFINED) * depth)


def frame_items(count: int) -> bytes:
    at = SLICE_BYTES.index(b"\xe0\x7f\x10\x00OW")
    sequence = b"\x00\x52\x30\x92SQ\0\0" + UNDEFINED + (ITEM + bytes(4)) * count + END
    return SLICE_BYTES[:at] + sequence + SLICE_BYTES[at:]


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "2 MB deflated, 2 GB inflated": (lambda: deflated(2048), "inflates beyond"),
    "1 MB deflated, 1 GB inflated": (lambda: deflated(1024), "inflates beyond"),
    "5 MB of empty elements, deflated": (
        lambda: deflated(0, floods=elements(700_000)),
        "more elements",
    ),
    "65535 x 65535": (lambda: of_65535(None), "the header claims"),
    **{f"65535 x 65535, {s.name}": (lambda s=s: of_65535(s), "the header claims") for s in CODED},  # type: ignore[misc]
    "pixels of 3 GB by their length": (lambda: of_3_gb("PixelData"), "cut short"),
    "a text of 3 GB by its length": (lambda: of_3_gb("ImageComments"), "EOFError"),
    "500 nested sequences": (lambda: nested(500), "nested too deep"),
    **{
        f"100,000 empty frames, {s.name}": (
            lambda s=s: coded(MR_SLICE, s, (ITEM + bytes(4)) * 100_001, NumberOfFrames=100_000),  # type: ignore[misc]
            "more elements",
        )
        for s in CODED
    },
    "40,000 empty frames, RLE": (
        lambda: coded(MR_SLICE, RLELossless, (ITEM + bytes(4)) * 40_001, NumberOfFrames=40_000),
        "decode",
    ),
    "100,000 frames without pixels": (
        lambda: file_bytes(dataset(MR_SLICE, picture(64, 64), NumberOfFrames=100_000)),
        "the header claims",
    ),
    "100,000 items for frames": (lambda: frame_items(100_000), "more elements"),
    "5 MB of empty elements": (lambda: before_patient(elements(700_000)), "more elements"),
    "5 MB of empty elements behind the pixels": (
        lambda: SLICE_BYTES + elements(700_000),
        "more elements",
    ),
    "a JPEG of 13,000 x 13,000 that says 256 x 256": (
        lambda: coded(
            FILM, JPEGBaseline8Bit, encapsulate([blank_jpeg(13_000)]), Rows=256, Columns=256
        ),
        "another size",
    ),
    "10 MB of runs for a small picture": (
        lambda: coded(
            FILM, RLELossless, encapsulate([rle_of_runs(2_500_000)]), Rows=256, Columns=256
        ),
        "more run lengths",
    ),
}


def read_apart(*paths: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.read_apart", *map(str, paths)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        said = json.loads(line)
        path = Path(said["file"])
        cost = f"{path.stat().st_size / 1024:9.0f} kB {said['seconds']} s {said['grown_mb']} MB"
        sys.stdout.write(f"{path.name:<52}{cost} {said['outcome']}\n")
        yield said


def held_to_the_limits(said: dict[str, Any]) -> None:
    assert not said["outcome"].startswith("crash"), said
    assert said["grown_mb"] < MOST_MB, said
    assert said["seconds"] < LONGEST_S, said


def test_every_bomb_is_refused_by_name_in_little_memory(tmp_path: Path) -> None:
    for name, (make, _) in BOMBS.items():
        (tmp_path / name).write_bytes(make())
    found = {
        Path(said["file"]).name: said for said in read_apart(*(tmp_path / name for name in BOMBS))
    }
    assert set(found) == set(BOMBS)
    for name, (_, words) in BOMBS.items():
        held_to_the_limits(found[name])
        assert found[name]["outcome"].startswith("InputError"), found[name]
        assert words in found[name]["outcome"], found[name]


def test_what_is_nested_by_stated_lengths_is_never_opened(tmp_path: Path) -> None:
    inner = b""
    for _ in range(500):
        item = ITEM + length(inner) + inner
        inner = b"\x08\x00\x40\x11SQ\0\0" + length(item) + item
    path = tmp_path / "nested.dcm"
    path.write_bytes(before_patient(inner))
    (said,) = read_apart(path)
    held_to_the_limits(said)
    assert said["outcome"] == "read"


def test_the_limits_would_notice_a_reader_that_takes_all(tmp_path: Path) -> None:
    """An honest film of 60 MB needs more than the limit, so that staying under it means something."""
    path = tmp_path / "large.dcm"
    made: Dataset = dataset(FILM, picture(6000, 5000))
    path.write_bytes(file_bytes(made))
    (said,) = read_apart(path)
    assert said["outcome"] == "read"
    assert said["grown_mb"] > MOST_MB


def test_files_of_the_corpus_that_lie_about_their_size_are_refused(
    shared_data: Path, tmp_path: Path
) -> None:
    for shard, wanted in (("wrong", "size/"), ("objects", ("oob_", "bulk_"))):
        with tarfile.open(shared_data / "dicom" / f"{shard}.tar.xz") as archive:
            members = [
                m for m in archive.getmembers() if m.name.removeprefix("./").startswith(wanted)
            ]
            archive.extractall(tmp_path, members=members, filter="data")
    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(paths) >= 10
    for said in read_apart(*paths):
        held_to_the_limits(said)
        assert said["outcome"].startswith(("InputError", "refused")), said
