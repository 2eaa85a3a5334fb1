"""Saved and opened again: one folder of safetensors, the Auto classes, bf16, adapters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
)

import medmm.models
from medmm.domain.errors import ConfigError
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMImageProcessor,
    MedMMProcessor,
)
from tests.tiny_multimodal import (
    TEXT_MODELS,
    film,
    inputs,
    text_config,
    tiny_config,
    tiny_model,
    tiny_processor,
)

OURS = (
    "encoders", "connector", "connector_size", "record_codes", "record_units", "findings", "image_token_id",
    "record_token_id", "finding_loss_weight", "tie_word_embeddings",
)  # fmt: skip


def logits(model: Any, given: dict[str, Any] | None = None) -> torch.Tensor:
    with torch.no_grad():
        return model(**(given or inputs())).logits


@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("model_type", TEXT_MODELS)
def test_a_saved_model_opens_with_identical_logits(
    model_type: str, tied: bool, connector: str, tmp_path: Path
) -> None:
    config = tiny_config(model_type, text={"tie_word_embeddings": tied}, connector=connector)
    model = tiny_model(config)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) is tied
    model.save_pretrained(tmp_path)
    opened, report = MedMMForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values()), report
    given = inputs(tiny_processor(config))
    assert torch.equal(logits(opened, given), logits(model, given))
    assert (opened.get_output_embeddings().weight is opened.get_input_embeddings().weight) is tied
    assert {k: getattr(opened.config, k) for k in OURS} == {
        k: getattr(model.config, k) for k in OURS
    }
    assert type(opened.config.text_config) is type(config.text_config)
    assert opened.generation_config.suppress_tokens == [3, 4]


def test_the_folder_holds_safetensors_and_json_alone(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    tiny_processor().save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert "model.safetensors" in names
    assert {Path(name).suffix for name in names} <= {".safetensors", ".json", ".jinja"}
    for path in tmp_path.glob("*.json"):
        assert "auto_map" not in path.read_text()
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "medmm"


def test_the_auto_classes_open_it_without_foreign_code(tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path)
    tiny_processor().save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), MedMMConfig)
    assert isinstance(AutoProcessor.from_pretrained(tmp_path), MedMMProcessor)
    assert isinstance(AutoImageProcessor.from_pretrained(tmp_path), MedMMImageProcessor)
    for kind in (AutoModelForCausalLM, AutoModelForImageTextToText):
        opened = kind.from_pretrained(tmp_path)
        assert isinstance(opened, MedMMForConditionalGeneration)
        assert torch.equal(logits(opened), logits(model))
        assert isinstance(kind.from_config(tiny_config()), MedMMForConditionalGeneration)


def test_the_room_gives_the_classes_when_they_are_asked_for() -> None:
    for kind in (MedMMConfig, MedMMForConditionalGeneration, MedMMImageProcessor, MedMMProcessor):
        assert getattr(medmm.models, kind.__name__) is kind
    with pytest.raises(AttributeError, match="MedMMNothing"):
        _ = medmm.models.MedMMNothing


def test_parts_that_a_folder_lacks_start_as_new_ones_do(tmp_path: Path) -> None:
    config = tiny_config(connector="perceiver")
    model = tiny_model(config)
    kept = {k: v for k, v in model.state_dict().items() if not k.startswith("connectors.")}
    model.save_pretrained(tmp_path, state_dict=kept)
    opened, report = MedMMForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert {name.split(".")[0] for name in report["missing_keys"]} == {"connectors"}
    queries = opened.connectors["film"].queries
    assert 0.01 < queries.std() < 0.03
    assert torch.isfinite(logits(opened, inputs(tiny_processor(config)))).all()


def floats(module: nn.Module) -> set[torch.dtype]:
    tensors = [*module.parameters(), *module.buffers()]
    return {t.dtype for t in tensors if t.is_floating_point()}


@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
def test_in_bf16_the_encoders_stay_exact(connector: str, tmp_path: Path) -> None:
    config = tiny_config(connector=connector)
    model, given = tiny_model(config), inputs(tiny_processor(config))
    model.encoders["film"].trunk.bn1.running_mean.fill_(1.2345678)
    model.save_pretrained(tmp_path)
    half = MedMMForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert floats(half.encoders) == {torch.float32}
    assert torch.equal(
        half.encoders["film"].trunk.bn1.running_mean, model.encoders["film"].trunk.bn1.running_mean
    )
    assert floats(half.connectors) | floats(half.record) | floats(half.finding_tokens) == {
        torch.bfloat16
    }
    assert half.language_model.lm_head.weight.dtype == torch.bfloat16
    assert torch.allclose(logits(half, given).float(), logits(model, given), atol=0.1)
    out = half(**given, labels=given["input_ids"], finding_labels=torch.ones(2, 3))
    out.loss.backward()
    assert torch.equal(out.finding_logits, model(**given).finding_logits)
    assert half.generate(**given, max_new_tokens=3).shape[0] == 3
    half.save_pretrained(tmp_path / "half")
    again = MedMMForConditionalGeneration.from_pretrained(tmp_path / "half")
    assert floats(again.encoders) == {torch.float32}
    assert torch.equal(logits(again, given), logits(half, given))


def test_a_language_model_of_bf16_stands_beside_parts_of_fp32() -> None:
    model = MedMMForConditionalGeneration(tiny_config(text={"dtype": "bfloat16"})).eval()
    assert torch.isfinite(logits(model)).all()


def test_more_words_can_be_taught_and_are_kept(tmp_path: Path) -> None:
    model = tiny_model()
    before = logits(model)
    model.resize_token_embeddings(70, mean_resizing=False)
    assert torch.allclose(logits(model)[..., :64], before, atol=1e-6)
    model.save_pretrained(tmp_path)
    opened = MedMMForConditionalGeneration.from_pretrained(tmp_path)
    assert opened.config.text_config.vocab_size == 70
    assert torch.equal(logits(opened), logits(model))


def test_an_encoder_and_a_language_model_learned_elsewhere_can_be_put_in(tmp_path: Path) -> None:
    text = AutoModelForCausalLM.from_config(text_config())
    text.save_pretrained(tmp_path)
    model, other = tiny_model(seed=1), tiny_model(seed=2)
    model.language_model = AutoModelForCausalLM.from_pretrained(tmp_path)
    model.encoders["film"].load_state_dict(other.encoders["film"].state_dict())
    given = inputs()
    assert torch.equal(model(**given).finding_logits, other(**given).finding_logits)
    assert torch.equal(model.get_output_embeddings().weight, text.lm_head.weight)


@pytest.fixture
def peft() -> Any:
    return pytest.importorskip("peft")


def one_step(model: nn.Module) -> set[str]:
    """Names of the parameters that one step of learning changed."""
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1.0)
    given = inputs()
    model(**given, labels=given["input_ids"]).loss.backward()
    optimiser.step()
    return {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}


def test_adapters_learn_alone_and_merge(peft: Any, tmp_path: Path) -> None:
    model = tiny_model()
    plain = logits(model)
    adapted = peft.get_peft_model(
        model,
        peft.LoraConfig(
            r=2, target_modules=r".*language_model.*\.(q_proj|v_proj)", init_lora_weights=False
        ),
    )
    changed = one_step(adapted)
    assert changed
    assert all("lora_" in name and "language_model" in name for name in changed)
    learned = logits(adapted)
    assert not torch.allclose(learned, plain, atol=1e-3)
    adapted.save_pretrained(tmp_path / "adapter")
    assert {p.suffix for p in (tmp_path / "adapter").iterdir()} <= {".safetensors", ".json", ".md"}
    again = peft.PeftModel.from_pretrained(tiny_model(), tmp_path / "adapter")
    assert torch.allclose(logits(again), learned, atol=1e-6)
    merged = adapted.merge_and_unload()
    assert isinstance(merged, MedMMForConditionalGeneration)
    merged.save_pretrained(tmp_path / "merged")
    opened = MedMMForConditionalGeneration.from_pretrained(tmp_path / "merged")
    assert torch.equal(logits(opened), logits(merged))
    assert torch.allclose(logits(opened), learned, atol=1e-5)


def test_adapters_around_the_language_model_alone_merge_too(peft: Any, tmp_path: Path) -> None:
    model = tiny_model()
    for part in model.children():
        part.requires_grad_(False)
    lora = peft.LoraConfig(
        r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    model.language_model = peft.get_peft_model(model.language_model, lora)
    assert all("lora_" in name for name in one_step(model))
    learned = logits(model)
    assert model.generate(**inputs(), max_new_tokens=2, min_new_tokens=2).shape[0] == 3
    model.language_model = model.language_model.merge_and_unload()
    model.save_pretrained(tmp_path)
    assert torch.allclose(
        logits(MedMMForConditionalGeneration.from_pretrained(tmp_path)), learned, atol=1e-5
    )


def test_a_folder_of_another_architecture_is_refused(tmp_path: Path) -> None:
    AutoModelForCausalLM.from_config(text_config()).save_pretrained(tmp_path)
    for kind in (MedMMConfig, MedMMForConditionalGeneration):
        with pytest.raises(ConfigError, match="'llama' is not a multimodal model's"):
            kind.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="None is not a multimodal model's"):
        MedMMConfig.from_pretrained(tmp_path)


def test_the_processor_opens_as_it_was_saved(tmp_path: Path) -> None:
    processor = tiny_processor()
    processor.save_pretrained(tmp_path)
    for kind in (MedMMProcessor, AutoProcessor):
        opened = kind.from_pretrained(tmp_path)
        assert list(opened.record_codes) == list(processor.record_codes)
        assert list(opened.record_units) == list(processor.record_units)
        assert (opened.film_tokens, opened.volume_tokens) == (
            processor.film_tokens,
            processor.volume_tokens,
        )
        assert opened.image_processor.size_px == processor.image_processor.size_px == 32
        assert opened.image_processor.size_voxels == processor.image_processor.size_voxels == 16
        one, other = inputs(processor), inputs(opened)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[k], other[k]) for k in one)
    alone = AutoImageProcessor.from_pretrained(tmp_path)
    assert torch.equal(
        alone([film()])["pixel_values"], processor.image_processor([film()])["pixel_values"]
    )
