"""A foreign decoder becomes the language model: its tensors, medmm's tokens behind its vocabulary, the same grammar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList

from medmm.domain.errors import ConfigError, InputError, IntegrityError
from medmm.models.installed_models import Adopted
from medmm.models.report_model.base_models import decoder_folder as found_folder
from medmm.models.report_model.base_models import load_decoder, with_special_tokens
from medmm.models.report_model.multimodal.grammar import (
    Grammar,
    GrammarProcessor,
    Spoken,
    special_tokens,
)
from tests.model_folders import FINDINGS, LINES, decoder_folder, foreign_tokenizer, medmm_tokenizer
from tests.tiny_multimodal import MostLikely

GPT2 = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 128}


@pytest.mark.parametrize(
    ("kind", "changes"), [("llama", {}), ("qwen2", {"tie_word_embeddings": False}), ("gpt2", GPT2)]
)
def test_a_decoder_writes_nothing_but_the_grammar(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    model, tokenizer = load_decoder(decoder_folder(tmp_path / kind, model_type=kind, **changes))
    old = model.get_input_embeddings().weight.detach().clone()
    model, tokenizer = with_special_tokens(model, tokenizer, FINDINGS)
    assert torch.equal(
        model.get_input_embeddings().weight[: len(foreign_tokenizer())],
        old[: len(foreign_tokenizer())],
    )
    grammar = Grammar.of(tokenizer, FINDINGS)
    assert min(grammar.finding_ids) > len(foreign_tokenizer()) > grammar.eos
    assert tokenizer.decode(tokenizer(LINES[0])["input_ids"]) == LINES[0]

    spoken: list[Spoken] = []
    start = torch.tensor([[tokenizer.bos_token_id]] * 2)
    torch.manual_seed(1)
    with torch.no_grad():  # a model that would rather say special tokens than words
        model.get_input_embeddings().weight.add_(
            torch.randn_like(model.get_input_embeddings().weight)
        )
    out = model.generate(
        input_ids=start,
        attention_mask=torch.ones_like(start),
        logits_processor=LogitsProcessorList(
            [GrammarProcessor(grammar, MostLikely(), 1, spoken.append)]
        ),
        max_new_tokens=100,
        do_sample=False,
        pad_token_id=grammar.pad,
        eos_token_id=grammar.eos,
    )
    for row in out[:, 1:].tolist():
        tokens = tokenizer.convert_ids_to_tokens(row)
        assert tokens[0] == "<findings>"
        named = [token for token in tokens if token in ("<Pneumothorax>", "<Effusion>", "<Nodule>")]
        assert named == ["<Pneumothorax>", "<Effusion>", "<Nodule>"]
        assert grammar.eos in row
    special = set(tokenizer.all_special_ids) | set(
        tokenizer.convert_tokens_to_ids(special_tokens(FINDINGS)[3:])
    )
    assert spoken
    assert not any(set(sentence.ids) & special for sentence in spoken)
    assert all(number < grammar.tokens for sentence in spoken for number in sentence.ids)


def test_words_are_what_is_no_special_token_wherever_these_stand() -> None:
    ours = Grammar.of(medmm_tokenizer(), FINDINGS)
    first = len(special_tokens(FINDINGS))
    assert ours.words(ours.tokens + 2).tolist() == [
        first <= n < ours.tokens for n in range(ours.tokens + 2)
    ]
    tokenizer = foreign_tokenizer()
    with pytest.raises(ConfigError, match="<findings>"):
        Grammar.of(tokenizer, FINDINGS)


def test_the_same_tokens_are_added_once(tmp_path: Path) -> None:
    model, tokenizer = with_special_tokens(*load_decoder(decoder_folder(tmp_path / "x")), FINDINGS)
    rows, tokens = model.get_input_embeddings().num_embeddings, len(tokenizer)
    model, tokenizer = with_special_tokens(model, tokenizer, FINDINGS)
    assert (model.get_input_embeddings().num_embeddings, len(tokenizer)) == (rows, tokens)
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert model.config.vocab_size == rows
    assert tokenizer.padding_side == "left"


def test_a_decoder_is_named_by_path_or_adopted_name(tmp_path: Path) -> None:
    adopted = Adopted(tmp_path / "models")
    folder = decoder_folder(tmp_path / "tiny")
    with adopted.adding(folder, name=None, licence=None):
        pass
    assert found_folder("tiny", adopted) == adopted.folder / "tiny"
    assert found_folder(str(folder), adopted) == folder
    (adopted.folder / "tiny" / "config.json").write_text("{}")
    with pytest.raises(IntegrityError):
        found_folder("tiny", adopted)


def test_a_folder_with_code_is_not_loaded(tmp_path: Path) -> None:
    folder = decoder_folder(tmp_path / "x")
    (folder / "modeling_x.py").write_text("raise SystemExit")
    with pytest.raises(InputError, match="is code"):
        load_decoder(folder)
    with pytest.raises(InputError, match="can't be read"):
        load_decoder(tmp_path / "nowhere")
