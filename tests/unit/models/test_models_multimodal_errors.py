"""What does not fit together is refused by a typed error with a remedy, before anything is computed of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from medmm.domain.errors import ConfigError, InputError
from medmm.models.report_model.multimodal import MedMMConfig, MedMMForConditionalGeneration
from tests.tiny_multimodal import (
    TEXT,
    fact,
    film,
    inputs,
    record,
    text_config,
    tiny_config,
    tiny_model,
    tiny_processor,
    volume,
)

ENCODER = {"spatial_dims": 2, "layers": [1, 1, 1, 1], "widths": [8, 8, 16, 16]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"connector": "conv"}, "connector 'conv'"),
        ({"connector_size": 0}, "connector_size 0"),
        ({"encoders": {"a": {**ENCODER, "spatial_dims": 4}}}, "spatial_dims"),
        ({"encoders": {"a": {"layers": [1, 1, 1, 1]}}}, "spatial_dims"),
        ({"encoders": {"a": ENCODER, "b": ENCODER}}, "each at most once"),
        ({"encoders": {"a": {**ENCODER, "stages": 5}}}, "encoder 'a'"),
        ({"encoders": {"a": {**ENCODER, "stages": 0}}}, "encoder 'a'"),
        ({"encoders": {"a": {**ENCODER, "widths": [8, 8]}}}, "encoder 'a'"),
        ({"encoders": {"a": {**ENCODER, "layers": [1, 1, 1]}}}, "encoder 'a'"),
        ({"encoders": {"a": {**ENCODER, "widths": [8, 8, "x", 8]}}}, "encoder 'a'"),
        ({"image_token_id": 4}, "same token"),
        ({"text_config": {"hidden_size": 32}}, "names no model_type"),
        ({"text_config": "llama"}, "names no model_type"),
        ({"text_config": {"model_type": "nothing-known"}}, "'nothing-known'"),
        ({"text_config": {"model_type": "llama", "hidden_size": "wide"}}, "text_config of 'llama'"),
        ({"text_config": {"model_type": "llama", "hidden_size": 33}}, "text_config of 'llama'"),
        ({"findings": ("nodule", "nodule")}, "findings names something twice"),
        ({"record_codes": ("a|1", "a|1")}, "record_codes names something twice"),
        ({"record_units": ("mg", "mg")}, "record_units names something twice"),
    ],
)
def test_a_configuration_that_no_model_can_have_is_refused(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        tiny_config(**change)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"text_config": {"model_type": "clip_vision_model"}},
            "no causal language model .* 'clip_vision_model'",
        ),
        ({"text_config": text_config(hidden_act="bogus")}, "no causal language model"),
        (
            {"connector": "perceiver", "text_config": text_config(hidden_size=30, head_dim=16)},
            "heads of attention",
        ),
    ],
)
def test_parts_that_do_not_join_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MedMMForConditionalGeneration(tiny_config(**change))


def test_a_configuration_is_the_same_after_a_round_trip() -> None:
    config = tiny_config(finding_loss_weight=0.5)
    again = MedMMConfig.from_dict(copy.deepcopy(config.to_dict()))
    assert again.to_dict() == config.to_dict()
    given = tiny_config(text_config={"model_type": "qwen2", **TEXT})
    assert given.text_config.model_type == "qwen2"
    assert MedMMConfig().text_config.model_type == "llama"
    assert (MedMMConfig().image_tokens(2), MedMMConfig().image_tokens(3)) == (10, 28)
    assert tiny_config(connector="perceiver").image_tokens(3) == 5


def broken(**changes: Any) -> Any:
    """A call with inputs of which something was changed."""
    given = inputs()
    for name, change in changes.items():
        given[name] = change(given.get(name))
    return tiny_model()(**given)


def one_token_to(old: int, new: int, row: int) -> Any:
    def change(ids: torch.Tensor) -> torch.Tensor:
        place = int((ids[row] == old).nonzero()[0])
        return ids.index_put((torch.tensor(row), torch.tensor(place)), torch.tensor(new))

    return change


def moved(old: int, source: int, target: int) -> Any:
    """A placeholder of one case is another's: their sum is still right."""

    def change(ids: torch.Tensor) -> torch.Tensor:
        return one_token_to(13, old, target)(one_token_to(old, 6, source)(ids))

    return change


CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "no images for placeholders": ({"pixel_values": lambda _: None}, "image placeholders"),
    "no records for placeholders": ({"record_ids": lambda _: None}, "record placeholders"),
    "no values for a record": ({"record_values": lambda _: None}, "record placeholders"),
    "an image placeholder too few": ({"input_ids": one_token_to(3, 6, 0)}, "image placeholders"),
    "a record placeholder too few": ({"input_ids": one_token_to(4, 6, 0)}, "record placeholders"),
    "an image too few": ({"pixel_values": lambda p: p[:1]}, "image placeholders"),
    "an image too many": ({"pixel_values": lambda p: p[[0, 1, 1]]}, "image placeholders"),
    "an image token of another case": ({"input_ids": moved(3, 0, 2)}, "image placeholders"),
    "a fact of another case": ({"input_ids": moved(4, 0, 2)}, "record placeholders"),
    "records of other cases": ({"record_ids": lambda r: r.flip(0)}, "record placeholders"),
    "records of too few cases": (
        {"record_ids": lambda r: r[:2], "record_values": lambda r: r[:2]}, "for 3 sequences"),
    "a column too few": ({"record_ids": lambda r: r[..., :2]}, "records of shape"),
    "values of other facts": ({"record_values": lambda r: r[:, :1]}, "records of shape"),
    "a code of another model": ({"record_ids": lambda r: r + 50}, "does not embed"),
    "a negative code": ({"record_ids": lambda r: r - 5}, "does not embed"),
    "coloured images": ({"pixel_values": lambda p: p.expand(-1, 3, -1, -1)}, "images of shape"),
    "images without a channel": ({"pixel_values": lambda p: p[:, 0]}, "images of shape"),
    "labels of another length": ({"labels": lambda _: torch.zeros(3, 4, dtype=torch.long)}, "labels of shape"),
    "labels of other findings": ({"finding_labels": lambda _: torch.ones(2, 5)}, "finding labels of shape"),
    "no ids": ({"input_ids": lambda _: None}, "or none of them"),
    "ids of one sequence": ({"input_ids": lambda ids: ids[0]}, "token ids of shape"),
    "embeddings beside ids": ({"inputs_embeds": lambda _: torch.zeros(3, 4, 32)}, "at once"),
    "embeddings beside images": (
        {"input_ids": lambda _: None, "inputs_embeds": lambda _: torch.zeros(3, 4, 32)}, "at once"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_inputs_that_do_not_fit_are_refused(name: str) -> None:
    changes, words = CALLS[name]
    with pytest.raises(InputError, match=words) as caught:
        broken(**changes)
    assert caught.value.remedy


def test_the_changed_calls_are_broken_by_the_change_alone() -> None:
    assert broken().finding_logits.shape == (2, 3)


def test_an_image_without_an_encoder_is_refused() -> None:
    model = tiny_model(tiny_config(encoders={"film": ENCODER}))
    given = tiny_processor()(["the heart"], [volume()])
    with pytest.raises(ConfigError, match="no encoder for 3D images"):
        model(**given)
    assert model(**tiny_processor()(["the heart"], [film()])).finding_logits.shape == (1, 3)


def test_placeholders_beyond_the_vocabulary_are_refused_until_it_has_grown() -> None:
    model = tiny_model(tiny_config(image_token_id=64, record_token_id=65))
    with pytest.raises(ConfigError, match="resize_token_embeddings"):
        model(input_ids=torch.tensor([[1, 6]]))
    model.resize_token_embeddings(66, mean_resizing=False)
    assert model(input_ids=torch.tensor([[1, 6]])).logits.shape == (1, 2, 66)


def test_a_model_without_encoders_reads_records_and_text() -> None:
    model = tiny_model(tiny_config(encoders={}))
    given = tiny_processor()(["the heart"], None, [record(fact(1))])
    assert model(**given).finding_logits is None
    with pytest.raises(ConfigError, match="no encoder for 2D images"):
        model(**tiny_processor()(["the heart"], [film()]))


def test_embeddings_alone_are_an_input_too() -> None:
    model, given = tiny_model(), inputs()
    mask = given.pop("attention_mask")
    embeddings, _ = model.embedded(**given)
    assert torch.equal(
        model(inputs_embeds=embeddings, attention_mask=mask).logits,
        model(attention_mask=mask, **given).logits,
    )
