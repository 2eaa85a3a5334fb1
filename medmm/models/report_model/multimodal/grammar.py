"""The grammar of a draft: section, then for each finding what is said, then its words.

    <findings> <Pneumothorax> <absent> No pneumothorax. <end> <Effusion> <nothing> … </s>

Findings come in a fixed order, so that nothing is said twice and nothing is forgotten. What may be
said of a finding is given from outside (what the reading bears out); the language model chooses
among it, and finds the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerFast

from medmm.domain.draft import Assertion
from medmm.domain.errors import ConfigError, needed

PAD, BOS, EOS = "<pad>", "<s>", "</s>"
SECTION, END = "<findings>", "<end>"
SAID: dict[Assertion | None, str] = {
    Assertion.PRESENT: "<present>",
    Assertion.POSSIBLE: "<possible>",
    Assertion.ABSENT: "<absent>",
    None: "<nothing>",
}
MOST_WORD_TOKENS = 24


def finding_token(name: str) -> str:
    """Return the token of a finding of the vocabulary."""
    return f"<{name}>"


def special_tokens(findings: Sequence[str]) -> list[str]:
    """List all tokens that are not words, in the order of their ids (padding is 0)."""
    named = [finding_token(name) for name in findings]
    return [PAD, BOS, EOS, "<image>", "<record>", SECTION, END, *SAID.values(), *named]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The ids of a tokenizer's special tokens; every other token below `tokens` is a word."""

    findings: tuple[str, ...]
    finding_ids: tuple[int, ...]
    said_ids: Mapping[Assertion | None, int]
    section: int
    end: int
    eos: int
    pad: int
    no_words: frozenset[int]
    tokens: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast, findings: Sequence[str]) -> Grammar:
        """Build the grammar of a tokenizer and a model's findings.

        Raises: ConfigError if it lacks a token.
        """
        at, known = tokenizer.convert_tokens_to_ids, tokenizer.get_vocab()
        needed = special_tokens(findings)[len((PAD, BOS, EOS)) :]
        lacking = [token for token in needed if token not in known]
        if lacking or tokenizer.eos_token_id is None or tokenizer.pad_token_id is None:
            raise ConfigError(
                "the tokenizer lacks tokens of the grammar: "
                f"{', '.join(lacking) or 'end of sequence or padding'}",
                remedy="add them with medmm.models.report_model.base_models.with_special_tokens "
                "before training",
            )
        tokens = max(known.values()) + 1
        gaps = set(range(tokens)) - set(known.values())
        added = {
            number for number, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        return cls(
            findings=tuple(findings),
            finding_ids=tuple(at([finding_token(name) for name in findings])),
            said_ids={said: at(token) for said, token in SAID.items()},
            section=at(SECTION),
            end=at(END),
            eos=tokenizer.eos_token_id,
            pad=tokenizer.pad_token_id,
            no_words=frozenset(gaps | added | {*tokenizer.all_special_ids, *at(needed)}),
            tokens=tokens,
        )

    def words(self, width: int) -> Tensor:
        """Mark, (width,), the ids that are words: not special, not a row that only fills up."""
        words = torch.arange(width) < self.tokens
        words[[number for number in self.no_words if number < width]] = False
        return words


class Decider(Protocol):
    """Decides what is said of a finding from the language model's scores of assertions.

    There are four of them.
    """

    def said(
        self, row: int, finding: str, scores: Mapping[Assertion | None, float]
    ) -> Assertion | None:
        """Choose the assertion for `finding` in the draft `row` of a batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One finished sentence: ids of its words and their log-probabilities among those allowed."""

    row: int
    finding: str
    said: Assertion
    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]


class GrammarProcessor(LogitsProcessor):
    """Lets `generate` write nothing but the grammar; a decider decides what is said.

    One object serves one greedy call of `generate`, whose prompts all have `prompt_length` tokens.
    Each sentence is handed to `on_sentence` as soon as it is finished, so a reader need not wait
    for the rest.
    """

    def __init__(
        self,
        grammar: Grammar,
        decider: Decider,
        prompt_length: int,
        on_sentence: Callable[[Spoken], None],
    ) -> None:
        self.grammar, self.decider, self.prompt_length, self.on_sentence = (
            grammar,
            decider,
            prompt_length,
            on_sentence,
        )
        self.written: dict[int, SentencePosition] = {}
        self.expected: Tensor | None = None
        self.words: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Set scores (b, vocabulary) of what may not follow to -inf."""
        allowed = torch.full_like(scores, float("-inf"))
        if self.words is None:
            self.words = self.grammar.words(scores.shape[1]).to(scores.device)
        length = input_ids.shape[1] - self.prompt_length
        heard = (
            None
            if self.expected is None
            else self.expected.gather(1, input_ids[:, -1:])[:, 0].tolist()
        )
        for row, last in enumerate(input_ids[:, -1].tolist()):
            sentence = self.written.setdefault(row, SentencePosition())
            if length == 0:
                allowed[row, self.grammar.section] = 0.0
                continue
            self._allow(
                row,
                sentence,
                last,
                needed(heard, "what the step before expected")[row],
                scores[row],
                allowed[row],
            )
        self.expected = allowed.float().log_softmax(-1)
        return allowed

    def _allow(
        self,
        row: int,
        sentence: SentencePosition,
        last: int,
        log_probability: float,
        scores: Tensor,
        allowed: Tensor,
    ) -> None:
        grammar = self.grammar
        if last in grammar.finding_ids:
            heard = {said: float(scores[at]) for said, at in grammar.said_ids.items()}
            sentence.said = self.decider.said(row, grammar.findings[sentence.place], heard)
            allowed[grammar.said_ids[sentence.said]] = 0.0
        elif last in (grammar.section, grammar.end, grammar.said_ids[None]):
            if last != grammar.section:
                self._finish(row, sentence)
                sentence = self.written[row]
            more = sentence.place < len(grammar.finding_ids)
            allowed[grammar.finding_ids[sentence.place] if more else grammar.eos] = 0.0
        elif last in (grammar.eos, grammar.pad):  # end of sequence and what pads behind it
            allowed[:] = scores
        else:
            if last not in grammar.no_words:
                sentence.ids.append(last)
                sentence.log_probabilities.append(log_probability)
            if len(sentence.ids) < MOST_WORD_TOKENS:
                words = needed(self.words, "the tokens of words")
                allowed[words] = scores[words]
            if sentence.ids:
                allowed[grammar.end] = scores[grammar.end]

    def _finish(self, row: int, sentence: SentencePosition) -> None:
        """Hand a sentence on, if there is one, and go to the next finding."""
        if sentence.said is not None:
            self.on_sentence(
                Spoken(
                    row=row,
                    finding=self.grammar.findings[sentence.place],
                    said=sentence.said,
                    ids=tuple(sentence.ids),
                    log_probabilities=tuple(sentence.log_probabilities),
                )
            )
        self.written[row] = SentencePosition(place=sentence.place + 1)


@dataclass(slots=True, kw_only=True)
class SentencePosition:
    """Where a draft stands: at which finding, what is said of it, and the words so far."""

    place: int = 0
    said: Assertion | None = None
    ids: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
