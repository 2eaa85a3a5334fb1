"""A larger language model of a folder: any causal LM of transformers, without code.

It comes from safetensors alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from medmm.models.installed_model_checks import check_decoder, read_tokenizer
from medmm.models.installed_models import Adopted
from medmm.models.report_model.multimodal.grammar import BOS, EOS, PAD, special_tokens
from medmm.models.report_model.quiet_transformers import quiet
from medmm.models.weights.model_folder import files_of


def decoder_folder(decoder: str | Path, adopted: Adopted | None = None) -> Path:
    """Return the folder that a recipe's `decoder:` means.

    It is an adopted name, whose digests are checked, or a path.
    """
    if adopted is not None and str(decoder) in adopted.rows():
        return adopted.open(str(decoder), task="decoder").folder
    return Path(decoder).expanduser()


def load_decoder(
    folder: Path, *, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load the causal language model of a folder, in `dtype`, and its tokenizer.

    Local files alone are read.

    Raises: InputError if the folder holds what no model needs, lacks something, or its tensors do
        not fit its config.
    """
    files_of(folder)
    check_decoder(folder)
    with quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    return model.eval(), read_tokenizer(folder)


def with_special_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, findings: Sequence[str]
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Add the grammar's tokens behind the vocabulary of both, with an embedding row each.

    Padding moves to the left.

    Beginning, end and padding are the tokenizer's own where it has them. New rows are drawn around
    the mean of the old ones (Hewitt, 2021, "Initializing new word embeddings for pretrained
    language models").
    """
    ends = {"pad_token": PAD, "bos_token": BOS, "eos_token": EOS}
    lacking = {role: token for role, token in ends.items() if getattr(tokenizer, role) is None}
    named = [token for token in special_tokens(findings) if token not in ends.values()]
    tokenizer.add_special_tokens(lacking)
    tokenizer.add_tokens(named, special_tokens=True)
    tokenizer.padding_side = "left"
    rows = max(tokenizer.get_vocab().values()) + 1
    if rows > model.get_input_embeddings().num_embeddings:
        with quiet():
            model.resize_token_embeddings(rows, mean_resizing=True)
    for role in ("pad", "bos", "eos"):
        number = getattr(tokenizer, f"{role}_token_id")
        setattr(model.config, f"{role}_token_id", number)
        setattr(model.generation_config, f"{role}_token_id", number)
    return model, tokenizer
