"""From images, records and text to inputs: the same pixels as anywhere else, one placeholder a token."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.models.film.preprocessing import prepare_film, prepare_volume
from medmm.models.report_model.multimodal.processing import IMAGE, RECORD
from medmm.models.report_model.record_tokens import MOST_FACTS, record_tokens, stacked
from tests.tiny_multimodal import (
    CODES,
    SIZE_PX,
    SIZE_VOXELS,
    UNITS,
    VOCABULARY,
    age,
    fact,
    film,
    inputs,
    record,
    tiny_config,
    tiny_model,
    tiny_processor,
    volume,
)

PLACES = {name: VOCABULARY.index(name) for name in (IMAGE, RECORD, "<s>", "<pad>")}


def counts(given: Any, name: str) -> list[int]:
    return (given["input_ids"] == PLACES[name]).sum(1).tolist()  # type: ignore[no-any-return]


def test_films_are_those_of_prepare_film_bit_for_bit() -> None:
    films = [film(1), film(2)[:, :17].copy()]
    found = tiny_processor().image_processor(films)["pixel_values"]
    assert found.dtype == torch.float32
    assert found.numpy().tobytes() == np.stack([prepare_film(f, SIZE_PX) for f in films]).tobytes()


def test_volumes_are_those_of_prepare_volume_bit_for_bit() -> None:
    volumes = [volume(1), volume(2)[:4].copy()]
    found = tiny_processor()(["the heart"] * 2, volumes)["pixel_values"]
    assert found.shape == (2, 1, *[SIZE_VOXELS] * 3)
    assert (
        found.numpy().tobytes()
        == np.stack([prepare_volume(v, SIZE_VOXELS) for v in volumes]).tobytes()
    )


def test_records_are_those_of_record_tokens() -> None:
    records = [record(fact(1), age(70.0)), None, record(fact(2, marks=("undated",)))]
    found = inputs(records=records)
    ids, values = stacked([record_tokens(r, CODES, UNITS) for r in records])
    assert np.array_equal(found["record_ids"].numpy(), ids)
    assert np.array_equal(found["record_values"].numpy(), values)
    assert counts(found, RECORD) == [2, 0, 1]


@pytest.mark.parametrize("image", [film, volume])
@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
def test_each_case_holds_the_placeholders_of_its_own_image_and_facts(
    connector: str, image: Any
) -> None:
    config = tiny_config(connector=connector)
    found = inputs(tiny_processor(config), images=[image(1), None, image(3)])
    a_image = config.image_tokens(2 if image is film else 3)
    assert a_image == {"perceiver": 2, "pooled": 5 if image is film else 9}[connector] + 3
    assert counts(found, IMAGE) == [a_image, 0, a_image]
    assert counts(found, RECORD) == [2, 0, 1]
    assert len(found["pixel_values"]) == 2


def test_a_case_begins_with_begin_image_and_record() -> None:
    ids = tiny_processor()(["the heart"], [film()], [record(fact(1), fact(2))])["input_ids"][
        0
    ].tolist()
    assert ids == [
        PLACES["<s>"],
        *[PLACES[IMAGE]] * 8,
        *[PLACES[RECORD]] * 2,
        *map(VOCABULARY.index, ("the", "heart")),
    ]


def test_a_tokenizer_without_a_begin_of_sequence_begins_with_the_image() -> None:
    processor = tiny_processor()
    processor.tokenizer.bos_token = None
    assert processor(["the heart"], [film()])["input_ids"][0, 0] == PLACES[IMAGE]


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_where_the_tokenizer_puts_it_and_masked(side: str) -> None:
    found = inputs(tiny_processor(padding_side=side))
    padding = found["input_ids"] == PLACES["<pad>"]
    assert torch.equal(padding, found["attention_mask"] == 0)
    assert padding[:, 0 if side == "left" else -1].tolist() == [False, True, True]


def test_a_full_record_fits() -> None:
    found = tiny_processor()(["effusion"], None, [record(*(fact(n) for n in range(200)))])
    assert counts(found, RECORD) == [MOST_FACTS]
    assert torch.isfinite(tiny_model()(**found).logits).all()


def test_nothing_but_text_is_an_input_too() -> None:
    found = tiny_processor()(["the heart"])
    assert set(found) == {"input_ids", "attention_mask", "record_ids", "record_values"}
    assert found["record_ids"].shape == (1, 0, 3)


@pytest.mark.parametrize(
    ("text", "images", "records"),
    [
        (["the"], [film(), film()], None),
        (["the"], None, [None, None]),
        (["the"], [], None),
        ("the", [film()], None),
        ([f"the {IMAGE}"], None, None),
        ([f"the{RECORD}heart"], [film()], None),
        (["the", "the"], [film(), volume()], None),
        (["the"], [np.zeros(5, np.float32)], None),
        (["the"], [np.zeros((20, 20), np.float32)], None),
        (["the"], [np.full((20, 20), np.nan, np.float32)], None),
        (["the"], [np.full((20, 20, 20), np.inf, np.float32)], None),
        (["the"], [np.zeros((0, 20), np.float32)], None),
        (["the"], [np.zeros((0, 20, 20), np.float32)], None),
    ],
)
def test_what_does_not_fit_is_refused(text: Any, images: Any, records: Any) -> None:
    with pytest.raises(InputError) as caught:
        tiny_processor()(text, images, records)
    assert caught.value.remedy


@pytest.mark.parametrize("images", [[], [[1.0, 2.0]], [film(), volume()]])
def test_the_image_processor_takes_films_or_volumes(images: Any) -> None:
    with pytest.raises(InputError, match="not both"):
        tiny_processor().image_processor(images)


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=25)
def test_a_volume_of_any_shape_becomes_a_cube_of_mean_0_and_spread_1(
    seed: int, z: int, y: int, x: int
) -> None:
    grey = (np.random.default_rng(seed).random((z, y, x)) * 2000 - 1000).astype(np.float32)
    if grey.size < 50:
        return
    cube = prepare_volume(grey, SIZE_VOXELS)
    assert cube.shape == (1, SIZE_VOXELS, SIZE_VOXELS, SIZE_VOXELS)
    assert cube.dtype == np.float32
    assert abs(float(cube.mean())) < 1e-3
    assert float(cube.std()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_volume_gives_the_mirrored_cube(axis: int) -> None:
    plain = volume(5)
    mirrored = prepare_volume(np.flip(plain, axis).copy(), SIZE_VOXELS)
    assert np.allclose(np.flip(mirrored, axis + 1), prepare_volume(plain, SIZE_VOXELS), atol=1e-4)
    assert not np.allclose(mirrored, prepare_volume(plain, SIZE_VOXELS), atol=1e-1)


@pytest.mark.parametrize(("slope", "offset"), [(2000.0, -1000.0), (0.01, 5.0)])
def test_another_scale_of_a_volume_changes_little(slope: float, offset: float) -> None:
    plain = volume(6)
    other = (plain * slope + offset).astype(np.float32)
    assert (
        np.abs(prepare_volume(other, SIZE_VOXELS) - prepare_volume(plain, SIZE_VOXELS)).max() < 1e-2
    )
