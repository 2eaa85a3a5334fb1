"""MR images in the multimodal model: prepared as in live use, through the trunk of the volume family, each by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.study import SequenceRole
from medmm.models.mr.brain_lesion import BrainLesionModel
from medmm.models.mr.preprocessing import (
    Grid,
    MrImage,
    Preparation,
    batched,
    of_one_shape,
    prepare_sequences,
)
from medmm.models.mr.resampling import sequences_on_grid
from medmm.models.mr.volume_network import presence_logits
from medmm.models.mr.volume_segmenter import VolumeSegmenter
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMProcessor,
)
from medmm.models.report_model.multimodal.volume_encoder import (
    VolumeEncoder,
    encoder_row,
    preparation_of,
    put_in,
)
from medmm.models.weights.catalogue import open_weights, row_named
from tests.factories import make_mr_study
from tests.tiny_multimodal import (
    FINDINGS,
    MR_ENCODER,
    MR_GRID,
    fact,
    film,
    measurement,
    mr_config,
    mr_image,
    record,
    tiny_config,
    tiny_model,
    tiny_processor,
    volume,
)
from tests.volume_models import Planted

CLOSE = {"atol": 2e-5, "rtol": 1e-4}
T1, FLAIR, T1C = SequenceRole.T1, SequenceRole.FLAIR, SequenceRole.T1_CONTRAST
CASES: dict[str, list[Any]] = {
    "text": ["question : effusion", "the heart", "no effusion : the heart is normal"],
    "images": [mr_image(1, slices=4), None, mr_image(3, slices=7)],
    "records": [record(fact(1), fact(2)), record(fact(4)), None],
    "measurements": [
        [measurement(40.0)],
        None,
        [measurement(60.0), measurement(0.6, "cardiothoracic ratio")],
    ],
}


def alone(row: int) -> dict[str, Any]:
    return {name: [values[row]] for name, values in CASES.items()}


def bright(flair: Any) -> Any:
    return (flair > 850).astype(np.uint8)


# ---- preparation ----------------------------------------------------------------------------------------------


def test_mr_images_are_those_of_prepare_sequences_bit_for_bit() -> None:
    image = mr_image(1)
    found = tiny_processor(mr_config()).image_processor([image])["pixel_values"]
    wanted, _ = prepare_sequences([image.signals[T1], image.signals[FLAIR]], Grid(side_px=16), None)
    assert torch.equal(found[0], wanted)


def test_a_missing_sequence_is_the_stand_in_again() -> None:
    image, preparation = mr_image(1), Preparation.of(MR_GRID)
    without = preparation.prepared(replace(image, signals={FLAIR: image.signals[FLAIR]}))
    assert torch.equal(without[0], without[1])
    assert torch.equal(without[1], preparation.prepared(image)[1])


@pytest.mark.parametrize("missing", [(T1C,), (T1, T1C)])
def test_of_a_study_the_model_is_shown_what_the_lesion_network_is_shown(
    missing: tuple[SequenceRole, ...],
) -> None:
    made, weights = make_mr_study(), shipped("brain-lesion")
    made = replace(
        made, sequences=tuple(chosen for chosen in made.sequences if chosen.role not in missing)
    )
    planted, preparation = Planted(bright, of=1), Preparation.of(preparation_of(weights))
    replace(BrainLesionModel.open(weights, torch.device("cpu")), segmenter=planted).read(made)
    flair = made.chosen(FLAIR)
    assert flair is not None
    signals, _ = sequences_on_grid(made, FLAIR, flair, preparation.sequences)
    assert set(signals) == {T1, FLAIR, T1C} - set(missing)
    live, _ = prepare_sequences(planted.asked[0][0], preparation.grid, planted.asked[0][1])
    assert torch.equal(preparation.prepared(MrImage(signals=signals)), live)


@pytest.mark.parametrize(
    ("row", "signals"),
    [(MR_GRID, {T1: 0}), ({**MR_GRID, "stand_in": None}, {FLAIR: 0}), (MR_GRID, {})],
)
def test_where_nothing_stands_in_the_image_is_refused(row: Any, signals: Any) -> None:
    image = MrImage(signals={role: mr_image().signals[role] for role in signals})
    with pytest.raises(InputError, match="an MR image without") as caught:
        Preparation.of(row).prepared(image)
    assert caught.value.remedy


@given(st.integers(0, 99), st.sampled_from([0, 1, 2]))
@settings(max_examples=10)
def test_the_mirrored_patient_is_prepared_as_the_mirror_image(seed: int, axis: int) -> None:
    image = mr_image(seed)
    mirrored = MrImage(signals={r: np.flip(s, axis).copy() for r, s in image.signals.items()})
    one, other = (Preparation.of(MR_GRID).prepared(i) for i in (image, mirrored))
    assert torch.allclose(one.flip(axis + 1), other, atol=1e-4)


@given(st.lists(st.tuples(*[st.integers(1, 6)] * 3), min_size=1, max_size=4))
def test_volumes_of_any_shapes_come_back_from_their_batch(
    shapes: list[tuple[int, int, int]],
) -> None:
    volumes = [torch.randn(2, *shape) for shape in shapes]
    batch = batched(volumes)
    assert batch.shape == (len(shapes), 2, *(max(sizes) for sizes in zip(*shapes, strict=True)))
    parts = of_one_shape(batch)
    found = list(parts[0]) if len(set(shapes)) == 1 else [part[0] for part in parts]
    assert all(torch.equal(a, b) for a, b in zip(found, volumes, strict=True))


def test_a_map_of_nothing_but_nan_stays_whole() -> None:
    parts = of_one_shape(torch.full((1, 2, 3, 4, 5), torch.nan))
    assert [part.shape for part in parts] == [(1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    "change", [{"sequences": ["T9"]}, {"stand_in": "T9"}, {"spacing_zyx_mm": None}]
)
def test_a_preparation_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no preparation of volumes"):
        Preparation.of({**MR_GRID, **change})


def test_kinds_of_images_do_not_mix_and_go_to_those_who_take_them() -> None:
    processor = tiny_processor(mr_config())
    with pytest.raises(InputError, match="among others"):
        processor.image_processor([mr_image(), film()])
    with pytest.raises(InputError, match="takes MR images"):
        processor.image_processor([volume()])
    with pytest.raises(ConfigError, match="takes no MR images"):
        tiny_processor().image_processor([mr_image()])


# ---- the encoder ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_a_batch_of_several_shapes_gives_what_its_cases_give_alone(
    connector: str, padding_side: str
) -> None:
    config = mr_config(connector=connector)
    processor, model = tiny_processor(config, padding_side=padding_side), tiny_model(config)
    batch = processor(**CASES)
    assert torch.isnan(batch["pixel_values"][0, :, 4:]).all()
    with torch.no_grad():
        together = model(**batch)
        for row in range(3):
            kept = batch["attention_mask"][row] == 1
            single = model(**processor(**alone(row)))
            assert torch.allclose(together.logits[row][kept], single.logits[0], **CLOSE)
            if row != 1:
                assert torch.allclose(
                    together.finding_logits[row // 2], single.finding_logits[0], **CLOSE
                )
    assert torch.isfinite(together.logits).all()


def test_kept_maps_give_what_the_volumes_give() -> None:
    config = mr_config()
    model, given = tiny_model(config), dict(tiny_processor(config)(**CASES))
    with torch.no_grad():
        whole = model(**given)
        maps = model.encoder(3)(given.pop("pixel_values"))
        assert torch.equal(model(**given, encoded_values=maps).logits, whole.logits)


def test_every_sequence_and_every_slice_is_seen() -> None:
    config = mr_config()
    model, image = tiny_model(config), mr_image(1)
    pixels = tiny_processor(config).image_processor([image])["pixel_values"]
    with torch.no_grad():
        plain, _ = model.encode(pixels)
        for channel, place in ((0, 0), (1, 0), (0, 4), (1, 4)):
            changed = pixels.clone()
            changed[0, channel, place] = changed[0, channel, place].flip(0)
            assert not torch.allclose(model.encode(changed)[0], plain, **CLOSE)


def test_the_surest_slice_speaks_for_the_finding_that_presence_names() -> None:
    model = tiny_model(mr_config())
    encoder = model.encoder(3)
    with torch.no_grad():
        encoded = encoder(torch.randn(2, 2, 5, 16, 16))
        logits = encoder.finding_logits(encoded)
        slices = presence_logits(encoder.presence, encoded)
        means = encoder.head(encoded).flatten(2).mean(2)
    place = FINDINGS.index("nodule")
    assert slices.shape == (2, 5)
    assert torch.equal(logits[:, place], slices.max(1).values)
    others = [n for n in range(len(FINDINGS)) if n != place]
    assert torch.equal(logits[:, others], means[:, others])


def test_films_and_mr_images_have_an_encoder_each_in_one_model() -> None:
    encoder = {"spatial_dims": 2, "layers": [1, 1, 1, 1], "widths": [8, 8, 16, 16]}
    config = mr_config(encoders={"film": encoder, "mr": MR_ENCODER})
    processor, model = tiny_processor(config), tiny_model(config)
    for image in (film(), mr_image()):
        out = model(**processor(["the heart"], [image], None, [[measurement()]]))
        assert out.finding_logits.shape == (1, 3)


def test_text_teaches_trunk_connector_and_embedding_unless_the_trunk_is_frozen() -> None:
    config = mr_config()
    given = dict(tiny_processor(config)(**CASES))
    labels = torch.where(
        (given["input_ids"] > 5) & (given["input_ids"] < 63), given["input_ids"], -100
    )
    for frozen in (False, True):
        model = tiny_model(config)
        model.encoder(3).trunk.requires_grad_(not frozen)
        model(**given, labels=labels).loss.backward()
        learned = {
            n
            for n, p in model.named_parameters()
            if p.grad is not None and bool(p.grad.abs().sum() > 0)
        }
        assert any(n.startswith("encoders.mr.trunk.0.") for n in learned) is not frozen
        assert {
            "connectors.mr.places",
            "measurement.side.weight",
            "record.code.weight",
        } - learned == {
            "measurement.side.weight"  # no side was given
        }
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_batch_writes_what_its_cases_write_alone(use_cache: bool) -> None:
    config = mr_config()
    processor, model = tiny_processor(config), tiny_model(config)
    settings: dict[str, Any] = {
        "max_new_tokens": 6,
        "min_new_tokens": 6,
        "pad_token_id": 0,
        "use_cache": use_cache,
    }
    together = model.generate(**processor(**CASES), do_sample=False, **settings)[:, -6:]
    for row in range(3):
        single = model.generate(**processor(**alone(row)), do_sample=False, **settings)[0, -6:]
        assert torch.equal(together[row], single)
    beams = model.generate(
        **processor(**CASES), num_beams=2, num_return_sequences=2, do_sample=False, **settings
    )
    single = model.generate(**processor(**alone(2)), num_beams=2, do_sample=False, **settings)
    assert torch.equal(beams[4, -6:], single[0, -6:])


@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
def test_saved_and_opened_it_gives_identical_logits(connector: str, tmp_path: Path) -> None:
    config = mr_config(connector=connector)
    model, processor = tiny_model(config), tiny_processor(config)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    opened, report = MedMMForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values()), report
    assert opened.config.encoders == config.encoders
    assert opened.config.measurements == config.measurements
    assert opened.config.measurement_token_id == config.measurement_token_id
    again = MedMMProcessor.from_pretrained(tmp_path)(**CASES)
    given = processor(**CASES)
    assert set(given) == set(again)
    assert all(torch.equal(given[k].nan_to_num(-9.0), again[k].nan_to_num(-9.0)) for k in given)
    with torch.no_grad():
        assert torch.equal(opened(**again).logits, model(**given).logits)
    assert opened.generation_config.suppress_tokens == [3, 4, 63]


def test_in_bf16_the_trunk_stays_exact(tmp_path: Path) -> None:
    config = mr_config()
    tiny_model(config).save_pretrained(tmp_path)
    half = MedMMForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in half.encoders.parameters()} == {torch.float32}
    assert {p.dtype for p in half.measurement.parameters()} == {torch.bfloat16}
    assert torch.isfinite(half(**tiny_processor(config)(**CASES)).logits).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "u-net"}, "kind 'u-net'"),
        ({"sequences": []}, "name its sequences"),
        ({"sequences": ["T1", "T1"]}, "name its sequences"),
        ({"norm": "layer"}, "name its sequences"),
        ({"channels": [4]}, "as many levels"),
        ({"kernels": [[1, 3], [3, 3]]}, "as many levels"),
        ({"strides": [[1, 1, 1], [1, 0, 2]]}, "as many levels"),
        ({"spatial_dims": 2}, "as many levels"),
        ({"presence": "mass"}, "presence of 'mass'"),
        ({"strides": [[1, 1, 1], [2, 2, 2]]}, "no stride along z"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        mr_config(encoders={"mr": {**MR_ENCODER, **change}})
    assert caught.value.remedy


@pytest.mark.parametrize("key", ["sequences", "channels", "kernels", "strides", "norm"])
def test_an_encoder_that_lacks_a_part_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"without {key}"):
        mr_config(encoders={"mr": {k: v for k, v in MR_ENCODER.items() if k != key}})


def test_two_encoders_of_volumes_are_one_too_many_and_other_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match="each at most once"):
        tiny_config(encoders={"volume": {"spatial_dims": 3}, "mr": {**MR_ENCODER}})
    with pytest.raises(InputError, match="images of shape"):
        tiny_model(mr_config()).encode(torch.zeros(1, 1, 4, 16, 16))


def test_a_configuration_with_tuples_is_the_same_after_a_round_trip() -> None:
    row = {
        **MR_ENCODER,
        "kernels": ((1, 3, 3), (3, 3, 3)),
        "strides": ((1, 1, 1), (1, 2, 2)),
        "channels": (4, 8),
    }
    config = mr_config(encoders={"mr": row})
    again = MedMMConfig.from_dict(config.to_dict())
    assert again.encoders == config.encoders == mr_config().encoders


# ---- the weights that ship ------------------------------------------------------------------------------------

SHIPPED = {"brain-lesion": (6, 60, 50), "hippocampus": (36, 50, 30), "cardiac": (5, 90, 80)}


def shipped(name: str) -> Any:
    return open_weights(row_named(name))


def shipped_image(name: str) -> MrImage:
    draw, preparation = np.random.default_rng(7), Preparation.of(preparation_of(shipped(name)))
    signals = {
        role: draw.random(SHIPPED[name]).astype(np.float32) for role in preparation.sequences
    }
    return MrImage(signals=signals, spacing_zyx_mm=(1.0, 1.2, 1.2))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_features_of_a_shipped_trunk_are_those_of_its_network_in_live_use(
    name: str, tmp_path: Path
) -> None:
    weights, image = shipped(name), shipped_image(name)
    presence = "nodule" if name == "brain-lesion" else None
    config = mr_config(encoders={"mr": encoder_row(weights, presence=presence)})
    model = tiny_model(config)
    put_in(model.encoder(3), weights)
    processor = tiny_processor(config)
    processor.image_processor.mr = preparation_of(weights)
    live = replace(VolumeSegmenter.open(weights, torch.device("cpu")), flips=())
    maps: list[torch.Tensor] = []
    live.network.trunk[-1].register_forward_hook(lambda _module, _inputs, out: maps.append(out))
    labelled = live.read([image.signals[r] for r in image.signals], image.spacing_zyx_mm)
    with torch.no_grad():
        pixels = processor.image_processor([image])["pixel_values"]
        encoded = model.encoder(3)(pixels)
        logits = model.encoder(3).finding_logits(encoded)
    assert len(maps) == 1
    torch.testing.assert_close(
        encoded, maps[0], rtol=1e-4, atol=1e-4
    )  # live use lays its maps out channels last
    if labelled.presence is not None:
        assert float(logits[0, -1].sigmoid()) == pytest.approx(labelled.presence.max(), abs=1e-5)
    model.save_pretrained(tmp_path)
    opened = MedMMForConditionalGeneration.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(opened.encoder(3)(pixels), encoded)


def test_a_trunk_of_another_build_is_refused() -> None:
    with pytest.raises(ConfigError, match="differs from hippocampus in channels"):
        put_in(
            VolumeEncoder({**encoder_row(shipped("hippocampus")), "channels": [4, 4, 4, 4]}, ()),
            shipped("hippocampus"),
        )
    row = encoder_row(shipped("cardiac"), presence="nodule")
    with pytest.raises(ConfigError, match="differs from cardiac in presence"):
        put_in(VolumeEncoder(row, FINDINGS), shipped("cardiac"))
