"""Inputs of the shared faults that ask what stored values mean and how frames make volumes, and others of the same kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from medmm import Assistant
from medmm.config import Settings
from medmm.domain.read_task import ReadTask
from medmm.domain.reading import ReadResult, Side
from medmm.domain.study import NotEvaluable, Study
from tests.shared_faults import generated

Values = NDArray[np.int64]
Change = Callable[[Dataset, Values, int, NDArray[np.bool_]], NDArray[np.generic]]


@pytest.fixture(scope="module")
def heads(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(shared_data, "mr_encodings", tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="module")
def films(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(shared_data, "film_encodings", tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def stacks(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(shared_data, "enhanced_stacks", tmp_path_factory.mktemp("stacks"))


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    with Assistant(Settings(data_dir=tmp_path_factory.mktemp("data"), writer="rules")) as opened:
        yield opened


def read(assistant: Assistant, path: Path, task: ReadTask | None = None) -> ReadResult:
    (result,) = assistant.read([path], task=task)
    return result


def lesion(result: ReadResult) -> tuple[float, float | None, Side | None]:
    """Probability, volume in ml (or share of the head in % where there is none) and side of the one finding of a head."""
    assert result.study is not None, result
    assert result.reading is not None
    (finding,) = result.reading.findings
    sizes = {m.name: m.value for m in result.reading.measurements}
    size = sizes.get("lesion volume", sizes.get("lesion share of head"))
    return finding.probability, size, finding.extent.side if finding.extent else None


def codes(study: Study | None) -> set[str]:
    assert study is not None
    return {notice.code for notice in study.warnings}


@pytest.fixture(scope="module")
def plain(assistant: Assistant, heads: Path) -> tuple[float, float | None, Side | None]:
    found = lesion(read(assistant, heads / "plain"))
    assert found[0] > 0.95
    assert found[2] is Side.LEFT
    return found


def assert_as(
    found: tuple[float, float | None, Side | None], wanted: tuple[float, float | None, Side | None]
) -> None:
    assert found[0] == pytest.approx(wanted[0], abs=0.01)
    assert found[1] == pytest.approx(wanted[1], rel=0.03)
    assert found[2] is wanted[2]


@pytest.mark.parametrize("name", ["padded", "highbit15"])
def test_encodings_of_a_head_give_the_figures_of_the_plain_one(
    assistant: Assistant, heads: Path, plain: tuple[float, float | None, Side | None], name: str
) -> None:
    result = read(assistant, heads / name)
    assert_as(lesion(result), plain)
    assert "background-assumed" not in codes(result.study)  # the header states it


def test_a_mosaic_whose_image_type_lost_the_word_is_held(assistant: Assistant, heads: Path) -> None:
    refused = read(assistant, heads / "mosaic_unnamed").not_evaluable
    assert isinstance(refused, NotEvaluable)
    assert (refused.held, refused.reason_code) == (True, "mosaic")
    assert "1152 x 1152 mm" in refused.reason


def test_a_mosaic_without_its_spacing_is_held_by_its_tiles(
    assistant: Assistant, heads: Path, tmp_path: Path
) -> None:
    made = pydicom.dcmread(heads / "mosaic_unnamed" / "00.dcm")
    made.PixelSpacing = [0.36, 0.36]
    made.save_as(tmp_path / "0.dcm")
    refused = read(assistant, tmp_path / "0.dcm").not_evaluable
    assert refused is not None
    assert (refused.held, refused.reason_code) == (True, "mosaic")


def test_interleaved_stacks_are_one_volume_with_the_figures_of_one_stack(
    assistant: Assistant, stacks: Path
) -> None:
    one, three = (read(assistant, stacks / f"{name}.dcm") for name in ("one_stack", "interleaved"))
    assert three.study is not None
    (volume,) = three.study.volumes
    assert (volume.shape_zyx, volume.spacing_z_mm) == ((24, 128, 128), 5.0)
    assert lesion(three) == lesion(one)
    assert codes(three.study) - codes(one.study) == {"stacks-joined"}
    assert "slices-left-out" not in codes(three.study)


def test_the_word_mosaic_counts_for_nothing_where_every_frame_has_its_place(
    assistant: Assistant, stacks: Path, tmp_path: Path
) -> None:
    made = pydicom.dcmread(stacks / "one_stack.dcm")
    made.ImageType = ["ORIGINAL", "PRIMARY", "FLUID_ATTENUATED", "MOSAIC"]
    made.save_as(tmp_path / "0.dcm")
    assert lesion(read(assistant, tmp_path / "0.dcm")) == lesion(
        read(assistant, stacks / "one_stack.dcm")
    )


def ratio(result: ReadResult) -> float | None:
    assert result.study is not None, result
    assert result.reading is not None
    return next(
        (m.value for m in result.reading.measurements if m.name == "cardiothoracic ratio"), None
    )


def probabilities(result: ReadResult) -> dict[str, float]:
    assert result.reading is not None, result
    return {finding.name: finding.probability for finding in result.reading.findings}


@pytest.mark.parametrize("name", ["highbit15", "lut16_data12", "lut16_data10"])
def test_encodings_of_a_film_give_the_figures_of_the_plain_one(
    assistant: Assistant, films: Path, name: str
) -> None:
    found, wanted = read(assistant, films / f"{name}.dcm"), read(assistant, films / "a0_plain.dcm")
    assert probabilities(found) == pytest.approx(probabilities(wanted), abs=0.005)
    assert ratio(found) == ratio(wanted)
    assert ("voi-lut-bits" in codes(found.study)) == name.startswith("lut")


@pytest.mark.parametrize("name", ["pad_no_window", "pad_window"])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("stated", [True, False])
def test_the_rim_of_a_film_is_black(
    assistant: Assistant, films: Path, tmp_path: Path, name: str, photometric: str, stated: bool
) -> None:
    made = pydicom.dcmread(films / f"{name}.dcm")
    cells = made.pixel_array
    rim = cells == 65535
    if photometric == "MONOCHROME1":
        made.PhotometricInterpretation, cells = (
            photometric,
            np.where(rim, 65535, 4095 - cells.astype(np.int64)),
        )
        made.PixelData = cells.astype(np.uint16).tobytes()
    if not stated:
        del made.PixelPaddingValue
    made.save_as(tmp_path / "film.dcm")
    result = read(assistant, tmp_path / "film.dcm")
    assert result.study is not None, result
    grey = result.study.volumes[0].pixels()[0]
    assert grey[rim].max() == 0
    assert grey[~rim].max() > 0.9
    assert ("background-assumed" in codes(result.study)) is not stated
    found, wanted = ratio(result), ratio(read(assistant, films / "a0_plain.dcm"))
    assert found is None or wanted is None or found == pytest.approx(wanted, abs=0.05)


def signed(ds: Dataset, bits: int = 16) -> None:
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 1


def range_limit(ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]) -> NDArray[np.generic]:
    signed(ds)
    ds.add_new(0x00280120, "SS", -32768)
    ds.add_new(0x00280121, "SS", -32000)
    return np.where(outside, np.random.default_rng(z).integers(-32768, -32000, v.shape), v).astype(
        np.int16
    )


def written_unsigned(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    signed(ds)
    ds.add_new(0x00280120, "US", 63536)
    return np.where(outside, -2000, v).astype(np.int16)


def white_is_small(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    ds.PhotometricInterpretation = "MONOCHROME1"
    ds.add_new(0x00280120, "US", 0)
    return np.where(outside, 0, 4095 - v).astype(np.uint16)


def untagged_low(ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]) -> NDArray[np.generic]:
    signed(ds)
    return np.where(outside, -32768, v).astype(np.int16)


def untagged_near(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    signed(ds)
    return np.where(outside, -1024, v).astype(np.int16)


def untagged_high(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    ds.BitsStored, ds.HighBit = 16, 15
    return np.where(outside, 65535, v).astype(np.uint16)


def wider_than_stored(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    ds.add_new(0x00280120, "US", 63536)
    return np.where(outside, 63536, v).astype(np.uint16)


def overlay(ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]) -> NDArray[np.generic]:
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 13)
    drawn = np.zeros(v.shape, bool)
    drawn[40:80, 60:90] = True
    return (v | np.where(drawn, 1 << 13, 0)).astype(np.uint16)


def overlay_unstated(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    cells = overlay(ds, v, z, outside)
    del ds[0x60000102]
    return cells


def sign_not_extended(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    signed(ds, 12)
    ds.RescaleSlope, ds.RescaleIntercept = 1, 500
    return ((v - 500) & 0xFFF).astype(np.uint16)


def shifted_and_signed(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    signed(ds, 12)
    ds.HighBit, ds.RescaleSlope, ds.RescaleIntercept = 14, 1, 500
    return (((v - 500) & 0xFFF) << 3).astype(np.uint16)


def slope_a_slice(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    ds.RescaleSlope, ds.RescaleIntercept = 0.3 + 0.1 * z, 10
    return np.clip((v - 10) / (0.3 + 0.1 * z), 0, 4095).astype(np.uint16)


def slope_alone(ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]) -> NDArray[np.generic]:
    ds.RescaleSlope = 0.3 + 0.1 * z
    return np.clip(v / (0.3 + 0.1 * z), 0, 4095).astype(np.uint16)


def real_world(ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]) -> NDArray[np.generic]:
    item = Dataset()
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 0.3 + 0.1 * z, 10.0
    item.add_new(0x00409216, "US", 0)
    item.add_new(0x00409211, "US", 4095)
    ds.RealWorldValueMappingSequence = [item]
    return np.clip((v - 10) / (0.3 + 0.1 * z), 0, 4095).astype(np.uint16)


def real_world_table(
    ds: Dataset, v: Values, z: int, outside: NDArray[np.bool_]
) -> NDArray[np.generic]:
    item = Dataset()
    item.RealWorldValueLUTData = [2.0 * n for n in range(1024)]
    item.add_new(0x00409216, "US", 0)
    item.add_new(0x00409211, "US", 1023)
    ds.RealWorldValueMappingSequence = [item]
    ds.add_new(0x00280120, "US", 4095)
    return np.where(outside, 4095, v).astype(np.uint16)


CHANGES = [
    range_limit,
    written_unsigned,
    white_is_small,
    untagged_low,
    untagged_near,
    untagged_high,
    wider_than_stored,
    overlay,
    overlay_unstated,
    sign_not_extended,
    shifted_and_signed,
    slope_a_slice,
    slope_alone,
    real_world,
    real_world_table,
]


def changed(heads: Path, folder: Path, change: Change) -> Path:
    """The plain head with its slices changed; `outside` is what lies beyond the circle of the scan."""
    n, side = 24, 128
    _, y, x = np.mgrid[-1 : 1 : n * 1j, -1 : 1 : side * 1j, -1 : 1 : side * 1j]
    folder.mkdir(exist_ok=True)
    for z, path in enumerate(sorted((heads / "plain").glob("*.dcm"))):
        ds = pydicom.dcmread(path)
        cells = change(ds, ds.pixel_array.astype(np.int64), z, np.hypot(x[z], y[z]) > 1)
        ds.PixelData = cells.tobytes()
        ds.save_as(folder / path.name)
    return folder


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_other_encodings_of_the_same_kinds_give_the_plain_figures(
    assistant: Assistant,
    heads: Path,
    tmp_path: Path,
    plain: tuple[float, float | None, Side | None],
    change: Change,
) -> None:
    result = read(assistant, changed(heads, tmp_path / "head", change))
    assert_as(lesion(result), plain)
    assert ("background-assumed" in codes(result.study)) == change.__name__.startswith("untagged")
    assert result.study is not None
    assert result.study.volumes[0].pixels()[12, 0, 0] < 0.05  # a corner, outside the circle


@pytest.mark.parametrize(
    "sequence", ["PixelValueTransformationSequence", "RealWorldValueMappingSequence"]
)
def test_a_scale_for_each_frame_is_applied(
    assistant: Assistant, stacks: Path, tmp_path: Path, sequence: str
) -> None:
    ds = pydicom.dcmread(stacks / "interleaved.dcm")
    values, frames = ds.pixel_array.astype(float), []
    slope, intercept = ("RescaleSlope", "RescaleIntercept")
    if sequence.startswith("Real"):
        slope, intercept = "RealWorldValueSlope", "RealWorldValueIntercept"
    for z, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        setattr(item, slope, 0.3 + 0.1 * z)
        setattr(item, intercept, 0.0)
        setattr(group, sequence, [item])
        frames.append(np.clip(np.rint(values[z] / (0.3 + 0.1 * z)), 0, 4095))
    ds.PixelData = np.stack(frames).astype(np.uint16).tobytes()
    ds.save_as(tmp_path / "0.dcm")
    assert_as(
        lesion(read(assistant, tmp_path / "0.dcm")),
        lesion(read(assistant, stacks / "one_stack.dcm")),
    )


@pytest.mark.parametrize("background", [None, -32768.0, -1024.0, -2000.0, 65535.0, float("nan")])
def test_background_of_a_nifti_head_is_no_signal(
    assistant: Assistant, heads: Path, tmp_path: Path, background: float | None
) -> None:
    """Arrays are read by their task: a released file has no role."""
    slices = [pydicom.dcmread(path).pixel_array for path in sorted((heads / "plain").glob("*.dcm"))]
    values = np.stack(slices).astype(np.float32)
    _, y, x = np.mgrid[-1:1:24j, -1:1:128j, -1:1:128j]
    affine = np.array([[-1.8, 0, 0, 115], [0, -1.8, 0, 115], [0, 0, 5, -60], [0, 0, 0, 1.0]])
    folders = {}
    for name, fill in (("plain", None), ("filled", background)):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        array = values if fill is None else np.where(np.hypot(x, y) > 1, fill, values)
        nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), folders[name] / "flair.nii.gz")
    if background is not None and np.isnan(background):
        refused = read(assistant, folders["filled"], ReadTask.BRAIN_LESION).not_evaluable
        assert refused is not None
        assert refused.reason_code == "not-finite"
        return
    found, wanted = (
        read(assistant, folders[name], ReadTask.BRAIN_LESION) for name in ("filled", "plain")
    )
    assert_as(lesion(found), lesion(wanted))
    assert ("background-assumed" in codes(found.study)) is (background is not None)


def test_two_films_in_one_picture_are_held(
    assistant: Assistant, films: Path, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(films / "a0_plain.dcm")
    film = ds.pixel_array
    soft = (4095 * np.sqrt(film / 4095)).astype(np.uint16)
    for name, cells in (
        ("beside", np.concatenate([film, soft], 1)),
        ("squeezed", np.concatenate([film, soft], 1)[:, ::2]),
    ):
        ds.Rows, ds.Columns = cells.shape
        ds.PixelData = cells.tobytes()
        ds.save_as(tmp_path / f"{name}.dcm")
        refused = read(assistant, tmp_path / f"{name}.dcm").not_evaluable
        assert refused is not None, name
        assert refused.held or refused.reason_code == "picture-other", name


@pytest.mark.parametrize(
    "orientation",
    [["F", "R"], ["F", "L"], ["H", "L"], ["F", "A"], ["L", "H"], ["A", "H"], ["L", "A"]],
)
def test_a_film_stored_otherwise_than_upright_is_held(
    assistant: Assistant, films: Path, tmp_path: Path, orientation: list[str]
) -> None:
    ds = pydicom.dcmread(films / "a0_plain.dcm")
    ds.PatientOrientation = orientation
    ds.save_as(tmp_path / "film.dcm")
    refused = read(assistant, tmp_path / "film.dcm").not_evaluable
    assert refused is not None
    assert (refused.held, refused.reason_code) == (True, "view-contradiction")


def _damage_table(ds: Dataset) -> None:
    ds.VOILUTSequence[0].LUTData = ds.VOILUTSequence[0].LUTData[:100]


def _damage_descriptor(ds: Dataset) -> None:
    ds.VOILUTSequence[0].LUTDescriptor = [17, 0, 16]


def _damage_padding(ds: Dataset) -> None:
    ds.add_new(0x00280120, "LO", "none")


def _damage_padding_range(ds: Dataset) -> None:
    ds.add_new(0x00280120, "SL", -70000)


def _damage_limit(ds: Dataset) -> None:
    ds.add_new(0x00280121, "US", 7)


def _damage_high_bit(ds: Dataset) -> None:
    ds.HighBit = 7


def _damage_high_bit_beyond(ds: Dataset) -> None:
    ds.HighBit = 16


def _damage_slope(ds: Dataset) -> None:
    ds.add_new(0x00281053, "LO", "steep")


def _damage_right_aligned(ds: Dataset) -> None:
    ds.HighBit = 15


def _damage_bits(ds: Dataset) -> None:
    ds.BitsStored, ds.HighBit = 10, 9


@pytest.mark.parametrize(
    "damage",
    [
        _damage_table,
        _damage_descriptor,
        _damage_padding,
        _damage_padding_range,
        _damage_limit,
        _damage_high_bit,
        _damage_high_bit_beyond,
        _damage_slope,
        _damage_right_aligned,
        _damage_bits,
    ],
    ids=lambda damage: damage.__name__.removeprefix("_damage_"),
)
def test_damaged_forms_are_errors_of_the_sender(
    assistant: Assistant, films: Path, tmp_path: Path, damage: Callable[[Dataset], None]
) -> None:
    source = (
        "lut16_data12"
        if "table" in damage.__name__ or "descriptor" in damage.__name__
        else "a0_plain"
    )
    ds = pydicom.dcmread(films / f"{source}.dcm")
    damage(ds)
    ds.save_as(tmp_path / "film.dcm", enforce_file_format=False)
    result = read(assistant, tmp_path / "film.dcm")
    assert result.study is None
    assert result.problem, result


@pytest.mark.parametrize("damage", ["fewer groups", "empty mapping", "mapping without slope"])
def test_damaged_frames_are_errors_of_the_sender(
    assistant: Assistant, stacks: Path, tmp_path: Path, damage: str
) -> None:
    ds = pydicom.dcmread(stacks / "one_stack.dcm")
    if damage == "fewer groups":
        ds.PerFrameFunctionalGroupsSequence = list(ds.PerFrameFunctionalGroupsSequence)[:20]
    else:
        ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = (
            [] if damage == "empty mapping" else [Dataset()]
        )
    ds.save_as(tmp_path / "0.dcm")
    result = read(assistant, tmp_path / "0.dcm")
    assert result.study is None
    assert result.problem, result
