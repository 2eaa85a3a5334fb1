"""Multimodal models of a few thousand random parameters, and cases for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, PreTrainedTokenizerFast

from medmm.domain.draft import Assertion
from medmm.domain.record import ClinicalContext, Coding, Fact, FactKind, FactStatus, Quantity
from medmm.models.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMImageProcessor,
    MedMMProcessor,
)
from medmm.models.multimodal.processing import IMAGE, RECORD

SPECIAL = ("<pad>", "<s>", "</s>", IMAGE, RECORD, "<unk>")
WORDS = ("no", "effusion", "the", "heart", "is", "normal", "question", ":")
VOCABULARY = (*SPECIAL, *WORDS, *(f"w{n}" for n in range(64 - len(SPECIAL) - len(WORDS))))
SIZE_PX, SIZE_VOXELS = 32, 16
CODES, UNITS = ("http://loinc.org|718-7", "sex|female"), ("g/dL", "a")
FINDINGS = ("effusion", "pneumothorax", "nodule")
STUDY_AT = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
TEXT = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
TEXT_MODELS = ("llama", "qwen2", "gemma")


def text_config(model_type: str = "llama", **changes: Any) -> Any:
    if model_type == "gpt2":
        return AutoConfig.for_model(
            "gpt2", vocab_size=64, n_embd=32, n_layer=2, n_head=2, n_positions=256, bos_token_id=1, eos_token_id=2
        )
    return AutoConfig.for_model(model_type, **{**TEXT, "tie_word_embeddings": False, **changes})


def tiny_config(model_type: str = "llama", *, text: dict[str, Any] | None = None, **changes: Any) -> MedMMConfig:
    encoder = {"layers": [1, 1, 1, 1], "widths": [8, 8, 16, 16]}
    given: dict[str, Any] = {
        "encoders": {"film": {"spatial_dims": 2, **encoder}, "volume": {"spatial_dims": 3, **encoder}},
        "text_config": text_config(model_type, **(text or {})),
        "connector_size": 2,
        "record_codes": CODES,
        "record_units": UNITS,
        "findings": FINDINGS,
        "image_token_id": VOCABULARY.index(IMAGE),
        "record_token_id": VOCABULARY.index(RECORD),
    }
    return MedMMConfig(**{**given, **changes})


def tiny_model(config: MedMMConfig | None = None, *, seed: int = 0) -> MedMMForConditionalGeneration:
    """A model in evaluation mode, every parameter moved off its start so that nothing is hidden by a zero."""
    torch.manual_seed(seed)
    model = MedMMForConditionalGeneration(config or tiny_config()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def tiny_processor(config: MedMMConfig | None = None, *, padding_side: str = "left") -> MedMMProcessor:
    config = config or tiny_config()
    words = Tokenizer(models.WordLevel({w: n for n, w in enumerate(VOCABULARY)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=[IMAGE, RECORD], padding_side=padding_side,
    )  # fmt: skip
    return MedMMProcessor(
        MedMMImageProcessor(size_px=SIZE_PX, size_voxels=SIZE_VOXELS),
        tokenizer,
        record_codes=config.record_codes,
        record_units=config.record_units,
        film_tokens=config.image_tokens(2),
        volume_tokens=config.image_tokens(3),
    )


def film(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((40, 50)).astype(np.float32)


def volume(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((9, 20, 24)).astype(np.float32)


def fact(number: int, **changes: Any) -> Fact:
    """A haemoglobin of some day before the study."""
    given: dict[str, Any] = {
        "id": f"Observation/o{number:05d}",
        "kind": FactKind.OBSERVATION,
        "label": "Hemoglobin",
        "status": FactStatus.ACTIVE,
        "codings": (Coding(system="http://loinc.org", code="718-7"),),
        "value": Quantity(value=10.0 + number % 7, unit="g/dL", low=12.0, high=16.0),
        "when": STUDY_AT - timedelta(days=1 + number),
        "source": f"entry[{number}]",
    }
    return Fact(**{**given, **changes})


def record(*facts: Fact, as_of: datetime | None = STUDY_AT) -> ClinicalContext:
    return ClinicalContext(patient_key="ZZ1", as_of=as_of, facts=facts)


def age(years: float) -> Fact:
    return fact(
        0,
        id="Patient#age",
        kind=FactKind.DEMOGRAPHIC,
        label="Age at the study",
        codings=(),
        value=Quantity(value=years, unit="a"),
        when=None,
    )


def inputs(processor: MedMMProcessor | None = None, **images_and_records: Any) -> dict[str, Any]:
    """Three cases: a film and a record, a film alone, a record alone."""
    given: dict[str, Any] = {
        "text": ["question : effusion", "the heart", "no effusion : the heart is normal"],
        "images": [film(1), film(2), None],
        "records": [record(fact(1), fact(2)), None, record(fact(3))],
    }
    return dict((processor or tiny_processor())(**{**given, **images_and_records}))


class MostLikely:
    """Decides for what the language model finds likeliest, with no one to hold it back."""

    def said(self, row: int, finding: str, scores: Mapping[Assertion | None, float]) -> Assertion | None:
        return max(scores, key=lambda said: scores[said])
