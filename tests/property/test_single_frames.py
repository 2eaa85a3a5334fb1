"""A slice alone is the slice of the whole, bit for bit: made files of many kinds, and every file of the shared corpus.

Its stored values, shown in their window, are that slice within one grey level of 255.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from medmm.domain.errors import InputError
from medmm.domain.stored_frame import StoredFrame
from medmm.domain.study import Study, Volume
from medmm.imaging import keep_at_most, look_at, read_studies
from medmm.imaging.frame_cache import AHEAD_OF_READERS, CACHE, DEFAULT_BYTES
from tests.enhanced_files import FrameSpec, axial, enhanced_file
from tests.nifti_files import head, nifti_file

SIDE = 64
EVERY = 12  # frames of a volume that are compared; of a longer one as many, spread over it
GREY_LEVEL = 1 / 255
SHARDS = ("chest", "mr", "objects", "otherxray", "syntax", "wrong")


@pytest.fixture(autouse=True)
def _no_cache_of_others() -> Iterator[None]:
    CACHE.reset()
    AHEAD_OF_READERS.reset()
    yield
    AHEAD_OF_READERS.finish()
    CACHE.reset()
    keep_at_most(DEFAULT_BYTES)


def compared(volume: Volume) -> int:
    """How many slices were compared, each with that of the whole; what the whole refuses, no slice has to give."""
    try:
        whole = volume.pixels()
    except InputError:
        return 0
    slices = len(whole)
    wanted = sorted({round(float(z)) for z in np.linspace(0, slices - 1, min(slices, EVERY))})
    for index in wanted:
        frame = volume.frame(index)
        assert frame.dtype == whole.dtype
        assert np.array_equal(frame, whole[index]), index
        stored = volume.stored_frame(index)
        assert stored.values.shape == frame.shape
        # the windows of the standard over the stored values give the same grey
        assert np.abs(stored.grey() - frame).max() <= GREY_LEVEL, index
        assert sent_as_shown(stored), index
    return len(wanted)


def sent_as_shown(stored: StoredFrame) -> bool:
    """Whether what a viewer gets shows the same, though no mask of the background goes with it."""
    sent = stored.sent()
    if stored.background is None:
        return sent.frame is stored
    assert ((sent.frame.values == sent.background_value) == stored.background).all()
    return bool(np.abs(sent.frame.grey() - stored.grey()).max() <= GREY_LEVEL)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, dict[str, float]]:
    """What a frame may say of its own values."""
    groups: dict[str, dict[str, float]] = {}
    if draw(st.booleans()):
        groups["FrameVOILUTSequence"] = {
            "WindowCenter": draw(st.sampled_from([40.0, 500.5, 2048.0])),
            "WindowWidth": draw(st.sampled_from([0.0, 1.0, 300.0, 4096.0])),
        }
    if draw(st.booleans()):
        groups["PixelValueTransformationSequence"] = {
            "RescaleSlope": draw(st.sampled_from([0.5, 1.0, 2.25])),
            "RescaleIntercept": draw(st.sampled_from([-1024.0, 0.0, 3.0])),
            "RescaleType": "US",  # type: ignore[dict-item]
        }
    return groups


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(5)),
    groups=st.lists(windows(), min_size=5, max_size=5),
    syntax=st.sampled_from([ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless]),
    kind=st.sampled_from(["<u2", "<i2"]),
    bits=st.sampled_from([(12, 11), (12, 15), (10, 11), (16, 15)]),
    padding=st.sampled_from([None, 0, 63]),
    inverse=st.booleans(),
    stacks=st.booleans(),
)
def test_of_made_images(
    order: list[int],
    groups: list[dict[str, dict[str, float]]],
    syntax: str,
    kind: str,
    bits: tuple[int, int],
    padding: int | None,
    inverse: bool,
    stacks: bool,
) -> None:
    def spec(place: int) -> FrameSpec:
        content = {"FrameContentSequence": {"StackID": str(place % 2)}} if stacks else {}
        return axial(6.0 * place, place, **groups[place], **content)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "image.dcm"
        enhanced_file(path, [spec(place) for place in order])
        made = dcmread(path)
        stored, high = bits
        values = np.frombuffer(made.PixelData, "<u2").reshape(5, SIDE, SIDE) >> (
            12 - min(stored, 12)
        )
        cells = (values << (high + 1 - stored)).astype(kind)
        cells[:, :3] = 0  # a margin, which padding may fill
        made.BitsStored, made.HighBit = stored, high
        made.PixelRepresentation = int(kind == "<i2")
        made.PixelData = cells.tobytes()
        if padding is not None:
            made.PixelPaddingValue = padding
            made["PixelPaddingValue"].VR = "SS" if kind == "<i2" else "US"
        made.PhotometricInterpretation = "MONOCHROME1" if inverse else "MONOCHROME2"
        if syntax != ExplicitVRLittleEndian:
            made.compress(syntax, generate_instance_uid=False)
        made.save_as(path)
        (intake,) = read_studies([path], patient_secret=b"x")
        volumes = (
            intake.outcome.volumes
            if isinstance(intake.outcome, Study)
            else [volume for look in look_at(intake) for volume in look.volumes]
        )
        assert sum(map(compared, volumes)) == 5
        AHEAD_OF_READERS.finish()


@settings(max_examples=30, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "<i2", ">i2", "<u2", "<i4", "<f4", ">f4", "<f8"]),
    name=st.sampled_from(["head.nii", "head.nii.gz"]),
    window=st.sampled_from([None, (100.0, 700.0)]),
    slope=st.sampled_from([(1.0, 0.0), (0.5, -20.0), (0.0, 0.0)]),
    far=st.booleans(),
    bound=st.sampled_from([0, 50_000, DEFAULT_BYTES]),
)
def test_of_made_nifti_files(
    dtype: str,
    name: str,
    window: tuple[float, float] | None,
    slope: tuple[float, float],
    far: bool,
    bound: int,
) -> None:
    values = head(dtype="<f8") / 6
    values = values.astype(dtype)
    if far:
        values[:20] = 0 if "u" in dtype else -20_000
    if dtype[1] == "f":
        values[30, 40, 2] = np.nan
        values[31, 40, 2] = np.inf
    fields = {} if window is None else {"cal_min": window[0], "cal_max": window[1]}
    keep_at_most(bound)
    with TemporaryDirectory() as folder:
        path = nifti_file(
            Path(folder), name, values, scl_slope=slope[0], scl_inter=slope[1], **fields
        )
        (intake,) = read_studies([path], patient_secret=b"x")
        found = [volume for look in look_at(intake) for volume in look.volumes]
        assert sum(map(compared, found)) == 6
        assert CACHE.used_bytes <= bound
        AHEAD_OF_READERS.finish()


@pytest.fixture(scope="module")
def corpus(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for shard in SHARDS:
        with tarfile.open(shared_data / "dicom" / f"{shard}.tar.xz") as archive:
            archive.extractall(folder / shard, filter="data")
    return folder


@pytest.mark.parametrize("shard", SHARDS)
def test_of_the_corpus(corpus: Path, shard: str) -> None:
    """Of accepted studies, and of everything else that can be looked at."""
    places = sorted(
        {
            path.parent if shard == "mr" else path
            for path in (corpus / shard).rglob("*")
            if path.is_file()
        }
    )
    accepted = slices = 0
    for place in places:
        for intake in read_studies([place], patient_secret=b"x"):
            if isinstance(intake.outcome, Study):
                accepted += 1
                slices += sum(map(compared, intake.outcome.volumes))
            else:
                slices += sum(
                    compared(volume) for look in look_at(intake) for volume in look.volumes
                )
    AHEAD_OF_READERS.finish()
    assert slices > 0
