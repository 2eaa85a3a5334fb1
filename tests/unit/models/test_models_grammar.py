"""Under the grammar `generate` writes well-formed drafts, whatever the parameters of the model are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LogitsProcessorList, PreTrainedTokenizerFast

from medmm.domain.draft import Assertion
from medmm.domain.record import ClinicalContext
from medmm.models.report_model.chest_report import ClaimRule, RuledDecider
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMImageProcessor,
    MedMMProcessor,
)
from medmm.models.report_model.multimodal.grammar import (
    BOS,
    EOS,
    MOST_WORD_TOKENS,
    PAD,
    SAID,
    Decider,
    Grammar,
    GrammarProcessor,
    Spoken,
    finding_token,
    special_tokens,
)
from tests.factories import make_context
from tests.tiny_multimodal import MostLikely

FINDINGS = ("Pneumothorax", "Effusion", "Cardiomegaly")
PRESENT, POSSIBLE, ABSENT = Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT
SENTENCES = (
    "No pneumothorax is seen.",
    "There may be a small pleural effusion.",
    "The heart is enlarged.",
)
SEEDS = range(6)
RECORDS = [make_context(), None, make_context(())]


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of three sentences."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=special_tokens(FINDINGS),
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=PAD, bos_token=BOS, eos_token=EOS, padding_side="left"
    )


@cache
def network(seed: int) -> MedMMForConditionalGeneration:
    """A tiny multimodal model with random parameters, sharp enough that seeds differ in what they say."""
    words = tokenizer()
    ids = {
        f"{name}_token_id": words.convert_tokens_to_ids(token)
        for name, token in (("pad", PAD), ("bos", BOS), ("eos", EOS))
    }
    text = {
        "model_type": "llama",
        "vocab_size": len(words),
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.4,
        **ids,
    }
    config = MedMMConfig(
        encoders={
            "film": {
                "spatial_dims": 2,
                "size": 32,
                "layers": [1, 1, 1, 1],
                "widths": [4, 4, 8, 8],
                "stages": 2,
            }
        },
        text_config=text,
        connector_size=2,
        findings=FINDINGS,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        record_token_id=words.convert_tokens_to_ids("<record>"),
        **ids,
    )
    torch.manual_seed(seed)
    model = MedMMForConditionalGeneration(config).eval()
    model.generation_config.update(**ids)
    return model


@cache
def processor() -> MedMMProcessor:
    return MedMMProcessor(
        MedMMImageProcessor(size_px=32), tokenizer(), film_tokens=network(0).config.image_tokens(2)
    )


GRAMMAR = Grammar.of(tokenizer(), FINDINGS)


def film(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((40, 36), dtype=np.float32)


@dataclass(kw_only=True)
class Drafts:
    """What one call of `generate` wrote: ids of each row after the prompt, and the sentences in the order of their end."""

    rows: list[list[int]]
    spoken: list[Spoken] = field(default_factory=list)

    def of(self, row: int) -> list[Spoken]:
        return [s for s in self.spoken if s.row == row]


@torch.inference_mode()
def generated(
    seed: int,
    films: list[np.ndarray],
    decider: Decider,
    *,
    records: list[ClinicalContext | None] | None = None,
    use_cache: bool = True,
) -> Drafts:
    inputs = processor()([""] * len(films), images=films, records=records)
    length, drafts = inputs["input_ids"].shape[1], Drafts(rows=[])
    out = network(seed).generate(
        **inputs,
        logits_processor=LogitsProcessorList(
            [GrammarProcessor(GRAMMAR, decider, length, drafts.spoken.append)]
        ),
        max_new_tokens=len(FINDINGS) * (MOST_WORD_TOKENS + 3) + 2,
        do_sample=False,
        use_cache=use_cache,
    )
    drafts.rows = out[:, length:].tolist()
    return drafts


@cache
def drafts_of(seed: int) -> Drafts:
    """Of three films, the second without a record and the third with an empty one, by what the model finds likeliest."""
    films = [film(seed), film(seed + 1), film(seed + 2)]
    return generated(seed, films, MostLikely(), records=RECORDS)


class Forced:
    """Decides what each row was told, finding by finding, and keeps what it heard."""

    def __init__(self, *rows: tuple[Assertion | None, ...]) -> None:
        self.told = [dict(zip(FINDINGS, said, strict=True)) for said in rows]
        self.heard: list[tuple[int, str]] = []

    def said(
        self, row: int, finding: str, scores: Mapping[Assertion | None, float]
    ) -> Assertion | None:
        assert set(scores) == set(SAID)
        self.heard.append((row, finding))
        return self.told[row][finding]


def parsed(ids: list[int]) -> dict[str, tuple[Assertion | None, list[int]]]:
    """What a draft says of each finding, read by its own little parser; fails on everything that is no draft."""
    left = list(ids)
    assert left.pop(0) == GRAMMAR.section
    found: dict[str, tuple[Assertion | None, list[int]]] = {}
    named = {at: said for said, at in GRAMMAR.said_ids.items()}
    for name in FINDINGS:
        assert tokenizer().convert_ids_to_tokens(left.pop(0)) == finding_token(name)
        said, words = named[left.pop(0)], []
        if said is not None:
            while left[0] != GRAMMAR.end:
                words.append(left.pop(0))
            left.pop(0)
            assert words
        found[name] = (said, words)
    assert left.pop(0) == GRAMMAR.eos
    assert set(left) <= {tokenizer().pad_token_id}
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_draft_is_well_formed_and_its_sentences_are_handed_on(seed: int) -> None:
    drafts = drafts_of(seed)
    for row, ids in enumerate(drafts.rows):
        said = parsed(ids)
        assert [(s.finding, s.said, list(s.ids)) for s in drafts.of(row)] == [
            (name, what, words) for name, (what, words) in said.items() if what is not None
        ]
        for spoken in drafts.of(row):
            assert 1 <= len(spoken.ids) <= MOST_WORD_TOKENS
            assert not set(spoken.ids) & GRAMMAR.no_words
            assert max(spoken.ids) < GRAMMAR.tokens
            assert len(spoken.log_probabilities) == len(spoken.ids)
            assert all(-100 < p <= 1e-6 for p in spoken.log_probabilities)


def test_the_seeds_say_different_things() -> None:
    said = {tuple(s.said for s in drafts_of(seed).of(0)) for seed in SEEDS}
    assert len(said) > 1  # or the test above looks at one draft only


FORCED = [(ABSENT, None, PRESENT), (None, None, None), (POSSIBLE, PRESENT, ABSENT)]


@cache
def forced(seed: int) -> tuple[Forced, Drafts]:
    """Two films for each of FORCED, all in one batch."""
    decider = Forced(*FORCED, *FORCED)
    return decider, generated(seed, [film(1)] * len(FORCED) + [film(2)] * len(FORCED), decider)


@pytest.mark.parametrize("said", FORCED)
def test_what_is_said_is_what_was_decided(said: tuple[Assertion | None, ...]) -> None:
    mine = (FORCED.index(said), FORCED.index(said) + len(FORCED))
    for seed in SEEDS:
        decider, drafts = forced(seed)
        for row in mine:
            assert tuple(what for what, _ in parsed(drafts.rows[row]).values()) == said
            assert len(drafts.of(row)) == sum(what is not None for what in said)
        heard = sorted(one for one in decider.heard if one[0] in mine)
        assert heard == sorted((row, name) for row in mine for name in FINDINGS)


def test_a_batch_says_what_its_films_say_one_by_one_with_and_without_cache() -> None:
    for seed in SEEDS[:3]:
        films, together = [film(seed + n) for n in range(3)], drafts_of(seed)
        uncached = generated(seed, films, MostLikely(), records=RECORDS, use_cache=False)
        for row in range(3):
            alone = generated(seed, [films[row]], MostLikely(), records=[RECORDS[row]])
            for other in (alone.of(0), uncached.of(row)):
                assert [(s.finding, s.said, s.ids) for s in other] == [
                    (s.finding, s.said, s.ids) for s in together.of(row)
                ]
                for one, two in zip(other, together.of(row), strict=True):
                    assert one.log_probabilities == pytest.approx(two.log_probabilities, abs=1e-4)


def test_a_sentence_is_handed_on_before_the_next_is_begun() -> None:
    events: list[str] = []

    class Watching(Forced):
        def said(
            self, row: int, finding: str, scores: Mapping[Assertion | None, float]
        ) -> Assertion | None:
            events.append(f"decide {finding}")
            return super().said(row, finding, scores)

    inputs = processor()([""], images=[film(0)])
    grammar = GrammarProcessor(
        GRAMMAR,
        Watching((PRESENT, None, ABSENT)),
        inputs["input_ids"].shape[1],
        lambda spoken: events.append(f"spoken {spoken.finding}"),
    )
    network(0).generate(
        **inputs,
        logits_processor=LogitsProcessorList([grammar]),
        max_new_tokens=90,
        do_sample=False,
    )
    assert events == [
        "decide Pneumothorax",
        "spoken Pneumothorax",
        "decide Effusion",
        "decide Cardiomegaly",
        "spoken Cardiomegaly",
    ]


def test_log_probabilities_are_those_of_the_model_among_the_words_that_were_allowed() -> None:
    decider = Forced((PRESENT, ABSENT, POSSIBLE))
    drafts = generated(0, [film(0)], decider)
    inputs = processor()([""], images=[film(0)])
    prompt, ids = inputs["input_ids"], drafts.rows[0]
    whole = torch.cat([prompt, torch.tensor([ids])], 1)
    with torch.inference_mode():
        model = network(0)
        logits = (
            model(
                input_ids=whole,
                attention_mask=torch.ones_like(whole),
                pixel_values=inputs["pixel_values"],
            )
            .logits[0]
            .float()
        )
    first = drafts.spoken[0]
    place = prompt.shape[1] + 3  # section, finding, assertion, then the first word
    assert whole[0, place] == first.ids[0]
    words = GRAMMAR.words(logits.shape[-1])
    expected = logits[place - 1].masked_fill(~words, float("-inf")).log_softmax(-1)[first.ids[0]]
    assert first.log_probabilities[0] == pytest.approx(float(expected), abs=1e-4)


RULE = ClaimRule(head=0.5, language=1.0, intercept=0.0, threshold=0.3, present=0.6)
PERMITTED = [frozenset(), frozenset({ABSENT}), frozenset({PRESENT, POSSIBLE})]


@cache
def ruled(seed: int) -> tuple[RuledDecider, Drafts]:
    """A film for each of PERMITTED, and one whose reading knows no finding, all in one batch."""
    permitted = [*(dict.fromkeys(FINDINGS, may) for may in PERMITTED), {}]
    decider = RuledDecider(RULE, FINDINGS, None, permitted)
    films = [film(seed)] * len(PERMITTED) + [film(seed + 1)]
    return decider, generated(seed, films, decider)


@pytest.mark.parametrize("may", PERMITTED)
def test_a_ruled_draft_claims_nothing_that_is_not_permitted(may: frozenset[Assertion]) -> None:
    row = PERMITTED.index(may)
    for seed in SEEDS:
        decider, drafts = ruled(seed)
        assert {s.said for s in drafts.of(row)} <= may
        assert (
            drafts.of(len(PERMITTED)) == []
        )  # nothing is permitted of a finding that the reading does not know
        for spoken in drafts.of(row):
            chance = decider.probability[row, spoken.finding]
            assert (spoken.said is ABSENT) == (chance < RULE.threshold)
            assert (spoken.said is PRESENT) == (chance >= RULE.present)
