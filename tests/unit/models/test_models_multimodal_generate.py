"""Generation: with and without the cache, in batches and one by one, with beams; placeholders are never written."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.tiny_multimodal import (
    TEXT_MODELS,
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

NEW = 8


def written(model: Any, given: dict[str, Any], **changes: Any) -> torch.Tensor:
    settings = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, **changes}
    out = model.generate(**given, **settings)
    return out[:, given["input_ids"].shape[1] :]


@pytest.mark.parametrize("model_type", TEXT_MODELS)
@pytest.mark.parametrize("image", [film, volume])
def test_with_the_cache_and_without_it_the_same_is_written(model_type: str, image: Any) -> None:
    config = tiny_config(model_type)
    given, model = (
        inputs(tiny_processor(config), images=[image(1), image(2), None]),
        tiny_model(config),
    )
    cached = written(model, given, use_cache=True)
    assert cached.shape == (3, NEW)
    assert torch.equal(cached, written(model, given, use_cache=False))


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_a_left_padded_batch_writes_what_its_cases_write_alone(model_type: str) -> None:
    config = tiny_config(text_config=text_config(model_type))
    processor, model = tiny_processor(config), tiny_model(config)
    texts = ["question : effusion", "the heart", "no effusion : the heart is normal"]
    images, records = [film(1), None, film(3)], [record(fact(1), fact(2)), record(fact(4)), None]
    together = written(model, dict(processor(texts, images, records)), pad_token_id=0)
    for row, case in enumerate(zip(texts, images, records, strict=True)):
        alone = written(model, dict(processor(*([part] for part in case))), pad_token_id=0)
        assert torch.equal(together[row], alone[0])


def test_another_image_or_record_is_written_about_otherwise() -> None:
    model, processor = tiny_model(), tiny_processor()
    one, other, third = (
        model.generate(
            **processor(["effusion :"], [image], [context]), max_new_tokens=1, output_logits=True,
            return_dict_in_generate=True,
        ).logits[0]
        for image, context in ((film(1), record(fact(3))), (film(2), record(fact(3))), (film(1), record(fact(4))))
    )  # fmt: skip
    assert not torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(one, third, atol=1e-5)


@pytest.mark.parametrize("use_cache", [True, False])
def test_beams_carry_each_case_with_its_own_image(use_cache: bool) -> None:
    model, given = tiny_model(), inputs()
    found = written(model, given, num_beams=3, num_return_sequences=2, use_cache=use_cache)
    assert found.shape == (6, NEW)
    alone = tiny_processor()(["the heart"], [film(2)], [None])
    assert torch.equal(written(model, dict(alone), num_beams=3, use_cache=use_cache)[0], found[2])


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_placeholder_is_never_written(use_cache: bool) -> None:
    model, given = tiny_model(), inputs()
    with torch.no_grad():  # a head to which all tokens are alike
        model.get_output_embeddings().weight.zero_()
    found = written(model, given, use_cache=use_cache, do_sample=True, num_return_sequences=8)
    assert not torch.isin(found, torch.tensor([3, 4])).any()


def test_sampling_is_the_seeds() -> None:
    model, given, found = tiny_model(), inputs(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(written(model, given, do_sample=True))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_language_models_end_ends_it() -> None:
    model, given = tiny_model(), inputs()
    assert model.generation_config.eos_token_id == 2
    first = written(model, given)[:, :1]
    assert int(first[0]) != 2
    assert (
        written(model, given, eos_token_id=int(first[0]), min_new_tokens=0, pad_token_id=0)[
            0, 1:
        ].sum()
        == 0
    )
