"""Folders of tiny random models: a decoder of transformers, and a multimodal model as the training pipeline leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMImageProcessor,
    MedMMProcessor,
)
from medmm.models.report_model.multimodal.grammar import BOS, EOS, PAD, special_tokens
from medmm.models.report_model.multimodal.processing import IMAGE, MEASUREMENT, RECORD
from medmm.training.weights_export import write_json, write_manifest

LINES = [
    "No pneumothorax is seen.",
    "The heart is enlarged.",
    "Small pleural effusion on the left.",
] * 3
FINDINGS = ("Pneumothorax", "Effusion", "Nodule")
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
         "num_key_value_heads": 1, "max_position_embeddings": 256}  # fmt: skip
SIZE_PX = 32


@cache
def _bpe(special: tuple[str, ...]) -> str:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(LINES, trainer)
    return bpe.to_str()


def foreign_tokenizer() -> PreTrainedTokenizerFast:
    """A vocabulary with tokens of its own at the front, and no padding."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_bpe(("<|begin|>", "<|end|>", "<|user|>"))),
        bos_token="<|begin|>",
        eos_token="<|end|>",
    )


def decoder_folder(
    folder: Path, *, model_type: str = "llama", shard: str = "1GB", **changes: Any
) -> Path:
    """A causal language model with a few more rows of embeddings than tokens, in `folder`."""
    torch.manual_seed(0)
    tokenizer = foreign_tokenizer()
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
    sizes = {
        **SIZES,
        "vocab_size": len(tokenizer) + 3,
        "tie_word_embeddings": True,
        **ids,
        **changes,
    }
    AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **sizes)).save_pretrained(
        folder, max_shard_size=shard
    )
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# card\n")
    return folder


def medmm_tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_bpe(tuple(special_tokens(FINDINGS)))),
        pad_token=PAD, bos_token=BOS, eos_token=EOS, padding_side="left",
    )  # fmt: skip


def report_folder(
    folder: Path, *, manifest: bool = True, measurements: Mapping[str, float] | None = None
) -> Path:
    """A multimodal model with calibration and manifest, in `folder`; it may know measurements."""
    torch.manual_seed(0)
    tokenizer = medmm_tokenizer()
    if measurements:
        tokenizer.add_special_tokens({"additional_special_tokens": [MEASUREMENT]})
    at = tokenizer.convert_tokens_to_ids
    text = {
        **SIZES,
        "vocab_size": len(tokenizer),
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config = MedMMConfig(
        encoders={
            "film": {
                "spatial_dims": 2,
                "size": SIZE_PX,
                "layers": [1] * 4,
                "widths": [8, 8, 16, 16],
            }
        },
        text_config=AutoConfig.for_model("llama", tie_word_embeddings=True, **text),
        connector_size=2,
        findings=FINDINGS,
        image_token_id=at(IMAGE),
        record_token_id=at(RECORD),
        measurements=measurements,
        measurement_token_id=at(MEASUREMENT) if measurements else None,
    )
    MedMMForConditionalGeneration(config).half().save_pretrained(folder)
    processor = MedMMProcessor(
        MedMMImageProcessor(size_px=SIZE_PX),
        tokenizer,
        film_tokens=config.image_tokens(2),
        record_units=("1",),
        measurements=measurements,
    )
    processor.save_pretrained(folder)
    write_json(folder / "preprocessing.json", {"size_px": SIZE_PX})
    claim = {"head": 0.5, "language": 0.5, "intercept": 0.0, "threshold": 0.3, "present": 0.6}
    heads = {"Nodule": {"slope": 1.0, "intercept": 0.0, "threshold": 0.3, "rule_out": None}}
    write_json(folder / "calibration.json", {"claim": claim, "heads": heads})
    (folder / "card.md").write_text("# card\n")
    if manifest:
        write_manifest(
            folder, name="chest-report", licence="test terms", research_only=True, inputs={}
        )
    return folder
