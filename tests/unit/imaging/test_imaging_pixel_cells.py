"""What stored values mean: bits of cells, padding, far-off values, look-up tables, real-world values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from medmm.domain.errors import InputError
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.padding import (
    Padding,
    padded,
    signal_range_of,
    stated_padding,
    without_background,
)
from medmm.imaging.dicom.pixel_cells import values_in
from medmm.imaging.dicom.pixels import display, shown, signal
from medmm.imaging.dicom.rescale import LookUpTable, on_scale, rescaled
from tests.dicom_files import FILM, MR_SLICE, dataset, picture


def tags(**elements: Any) -> Tags:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return Tags(made)


def of_bits(allocated: int, stored: int, high: int, signed: int = 0, **more: Any) -> Tags:
    bits = {
        "BitsAllocated": allocated,
        "BitsStored": stored,
        "HighBit": high,
        "PixelRepresentation": signed,
    }
    return tags(**bits, **more)


@given(st.data(), st.sampled_from([8, 16, 32]), st.booleans())
def test_values_come_out_of_whatever_bits_hold_them(
    data: st.DataObject, allocated: int, signed: bool
) -> None:
    stored = data.draw(st.integers(2, allocated))
    high = data.draw(st.integers(stored - 1, allocated - 1))
    low = -(2 ** (stored - 1)) if signed else 0
    values = np.array(
        data.draw(st.lists(st.integers(low, low + 2**stored - 1), min_size=4, max_size=40))
    )
    cells = ((values & (2**stored - 1)) << (high + 1 - stored)).astype(f"u{allocated // 8}")
    found = values_in(
        cells.view(f"i{allocated // 8}" if signed else cells.dtype)[np.newaxis],
        of_bits(allocated, stored, high, signed),
    )
    np.testing.assert_array_equal(found[0].astype(np.int64), values)


def test_bits_of_stated_overlays_are_left_out() -> None:
    plain = picture(32, 32)
    cells = plain | np.where(np.indices(plain.shape)[0] % 2, 1 << 14, 0).astype(np.uint16)
    element = of_bits(16, 12, 11)
    element.dataset.add_new(0x60000100, "US", 16)
    element.dataset.add_new(0x60000102, "US", 14)
    np.testing.assert_array_equal(values_in(cells, element), plain)
    element.dataset[0x60000102].value = 3
    with pytest.raises(InputError, match="overlay plane lies in bits of the values"):
        values_in(cells, element)


def test_a_picture_deeper_than_it_says_is_refused_and_stray_bits_are_not() -> None:
    deep = (picture(32, 32).astype(int) * 3).astype(np.uint16)
    with pytest.raises(InputError, match="more than the 12 bits"):
        values_in(deep, of_bits(16, 12, 11))
    np.testing.assert_array_equal(values_in(deep, of_bits(16, 12, 11), coded=True), deep)
    stray = picture(32, 32)
    stray[5, 7] |= 1 << 15
    np.testing.assert_array_equal(values_in(stray, of_bits(16, 12, 11)), picture(32, 32))


def test_values_at_bit_0_under_another_high_bit_are_refused() -> None:
    with pytest.raises(InputError, match="HighBit"):
        values_in(picture(32, 32), of_bits(16, 12, 15))


@pytest.mark.parametrize(
    ("elements", "wanted"),
    [
        ({"PixelPaddingValue": 7}, Padding(7, 7)),
        ({"PixelPaddingValue": 7, "PixelPaddingRangeLimit": 3}, Padding(3, 7)),
        ({"PixelPaddingValue": -2000, "BitsStored": 16}, Padding(63536, 63536)),
        (
            {"PixelPaddingValue": 63536, "BitsStored": 16, "PixelRepresentation": 1},
            Padding(-2000, -2000),
        ),
        ({"PixelPaddingValue": 63536}, Padding(63536, 63536)),  # wider than the values
        (
            {"PixelPaddingValue": b"\x30\xf8", "BitsStored": 16, "PixelRepresentation": 1},
            Padding(-2000, -2000),
        ),
        ({"PixelPaddingValue": 0xABC0, "HighBit": 15}, Padding(0xABC, 0xABC)),
        ({"PixelPaddingValue": None}, None),
        ({}, None),
    ],
)
def test_padding_is_read_as_the_cells_hold_it(
    elements: dict[str, Any], wanted: Padding | None
) -> None:
    base = {"BitsAllocated": 16, "BitsStored": 12, "PixelRepresentation": 0}
    assert stated_padding(tags(**{**base, **elements})) == wanted


@pytest.mark.parametrize("wrong", ["none", 70000, -40000, 1.5])
def test_padding_that_is_no_value_of_a_cell_is_an_error(wrong: object) -> None:
    element = tags(BitsAllocated=16, BitsStored=12)
    element.dataset.add_new(0x00280120, "LO", str(wrong))
    with pytest.raises(InputError, match="PixelPaddingValue"):
        stated_padding(element)


def test_padding_that_is_a_value_like_others_counts_from_the_edge_alone() -> None:
    values = np.arange(64, dtype=np.int16).reshape(8, 8) - 30
    values[0], values[4, 4] = 0, 0
    mask = padded(values, Padding(0, 0))
    assert mask is not None
    assert mask[0].all()
    assert not mask[4, 4]
    values[0] = values[4, 4] = -2000
    mask = padded(values, Padding(-2000, -2000))
    assert mask is not None
    assert mask[4, 4]


def head(fill: float, *, inside: bool = False) -> np.ndarray:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    noise = np.random.default_rng(1).normal(0, 8, x.shape)
    values = np.clip(np.where(np.hypot(x / 0.7, y / 0.8) < 1, 400 + 200 * x, 0) + noise, 0, None)
    where = np.hypot(x, y) < 0.2 if inside else np.hypot(x, y) > 1
    return np.where(where, fill, values).astype(np.float32)


@pytest.mark.parametrize("fill", [-32768, -1024, -2000, 32767, 65535, -1e9])
def test_far_off_values_at_the_edge_are_background_and_within_a_reason_to_hold(fill: float) -> None:
    limits = signal_range_of(head(fill))
    assert limits is not None
    assert limits.background
    plain = without_background(head(0))
    np.testing.assert_allclose(without_background(head(fill)), plain, atol=1)
    within = signal_range_of(head(fill, inside=True))
    assert (within is not None and within.foreign) == (abs(fill) > 3000)


@pytest.mark.parametrize("fill", [0, 1, 20, 700])
def test_air_and_bright_tissue_are_not_far_off(fill: float) -> None:
    assert signal_range_of(head(fill)) is None


@given(st.integers(-30000, 30000), st.floats(0.01, 100))
def test_background_is_found_in_every_unit(offset: int, scale: float) -> None:
    values = (head(-5000) * scale).astype(np.float32)
    found = signal_range_of(values)
    assert found is not None
    assert found.background


def test_nothing_but_padding_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing but padding"):
        without_background(np.full((2, 8, 8), np.nan, np.float32))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": None, "WindowWidth": None}])
def test_padding_is_black_and_changes_nothing_else(
    photometric: str, window: dict[str, None]
) -> None:
    stored = picture().astype(np.int16)
    changes = {"BitsStored": 16, "PhotometricInterpretation": photometric, **window}
    plain = display(stored, dataset(FILM, stored, **changes), Path("made"))
    rim = np.zeros(stored.shape, bool)
    rim[:20], rim[:, -20:] = True, True
    least, most = stored[~rim].min(), stored[~rim].max()
    stored[21, 0], stored[21, 1] = stored.min(), stored.max()
    with_rim = np.where(rim, -32768, stored).astype(np.int16)
    padded_film = dataset(FILM, with_rim, PixelPaddingValue=-32768, **changes)
    made = shown(with_rim, padded_film, Path("made"))
    assert made.grey[rim].max() == 0
    assert made.background is not None
    np.testing.assert_array_equal(made.background, rim)
    assert least < most
    kept = ~rim
    kept[21, :2] = False
    np.testing.assert_allclose(made.grey[kept], plain[kept], atol=1e-3)


def test_the_signal_of_padding_is_nan() -> None:
    stored = picture(64, 64).astype(np.int16)
    stored[:8] = -999
    found = signal(
        stored, dataset(MR_SLICE, stored, PixelPaddingValue=-999, RescaleSlope=2), Path("made")
    )
    assert np.isnan(found[:8]).all()
    np.testing.assert_array_equal(found[8:], 2 * stored[8:])


def table(count: int, first: int, bits: int, data: object) -> Tags:
    item = Dataset()
    item.LUTDescriptor = [count, first, bits]
    item.LUTData = data
    return Tags(item)


def test_tables_of_bytes_and_words_and_without_a_sign() -> None:
    of_words = LookUpTable.of(
        table(3, 65534, 16, np.array([5, 6, 40000], "<u2").tobytes()), signed=True
    )
    np.testing.assert_array_equal(
        of_words.apply(np.array([-9, -2, -1, 0, 9])), [5, 5, 6, 40000, 40000]
    )
    of_bytes = LookUpTable.of(table(3, 0, 8, bytes([0, 10, 255, 0])), signed=False)
    np.testing.assert_array_equal(of_bytes.apply(np.array([0, 1, 2])), [0, 10, 255])
    assert of_bytes.range == (0, 255)


@pytest.mark.parametrize(
    ("bits", "largest", "wanted"),
    [
        (16, 4095, (0, 4095)),
        (16, 60000, (0, 65535)),
        (10, 4095, (0, 4095)),
        (12, 4000, (0, 4095)),
        (0, 9, (0, 9)),
    ],
)
def test_a_table_is_shown_over_its_own_range_where_its_bits_lie(
    bits: int, largest: int, wanted: tuple[int, int]
) -> None:
    assert LookUpTable.of(table(2, 0, bits, [0, largest]), signed=False).range == wanted


@pytest.mark.parametrize(
    "wrong", [table(4, 0, 16, [1, 2]), table(2, 0, 16, b"\x01"), table(1, 0, 16, [1, 2])]
)
def test_a_table_that_is_cut_short_is_an_error(wrong: Tags) -> None:
    with pytest.raises(InputError, match="look-up table"):
        LookUpTable.of(wrong, signed=False)


def mapping(first: int, last: int, **more: Any) -> Dataset:
    item = Dataset()
    item.add_new(0x00409216, "US", first)
    item.add_new(0x00409211, "US", last)
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def test_real_world_values_stand_in_where_no_rescale_says_the_scale() -> None:
    stored = np.array([[0, 10, 20]], np.uint16)
    line = mapping(0, 15, RealWorldValueSlope=0.5, RealWorldValueIntercept=1.0)
    np.testing.assert_allclose(
        on_scale(stored, tags(RealWorldValueMappingSequence=[line]), None), [[1, 6, 11]]
    )
    stated = tags(RealWorldValueMappingSequence=[line], RescaleSlope=3, RescaleIntercept=0)
    np.testing.assert_allclose(on_scale(stored, stated, None), [[0, 30, 60]])
    identity = tags(RealWorldValueMappingSequence=[line], RescaleSlope=1, RescaleIntercept=0)
    np.testing.assert_allclose(on_scale(stored, identity, None), [[1, 6, 11]])
    parts = [
        mapping(0, 9, RealWorldValueSlope=2.0, RealWorldValueIntercept=0.0),
        mapping(10, 11, RealWorldValueLUTData=[7.0, 8.0]),
    ]
    found = on_scale(
        stored, tags(RealWorldValueMappingSequence=parts), np.array([[False, False, True]])
    )
    np.testing.assert_allclose(found[0, :2], [0, 7])
    with pytest.raises(InputError, match="only some of the values"):
        on_scale(stored, tags(RealWorldValueMappingSequence=parts), None)


@pytest.mark.parametrize("items", [[], [Dataset()], [mapping(0, 9, RealWorldValueLUTData=[1.0])]])
def test_a_mapping_that_maps_nothing_is_an_error_unless_the_rescale_says_the_scale(
    items: list[Dataset],
) -> None:
    stored = np.array([[0, 1]], np.uint16)
    with pytest.raises(InputError, match="Real World Value Mapping"):
        on_scale(stored, tags(RealWorldValueMappingSequence=items), None)
    said = tags(RealWorldValueMappingSequence=items, RescaleSlope=1)
    np.testing.assert_array_equal(on_scale(stored, said, None), stored)


def test_a_slope_or_an_intercept_alone_is_applied() -> None:
    stored = np.array([[1, 2]], np.uint16)
    np.testing.assert_allclose(rescaled(stored, tags(RescaleSlope=3)), [[3, 6]])
    np.testing.assert_allclose(rescaled(stored, tags(RescaleIntercept=-3)), [[-2, -1]])
