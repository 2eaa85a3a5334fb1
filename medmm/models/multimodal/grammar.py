"""The grammar of a draft: section, then for each finding what is said of it, then its words.

    <findings> <Pneumothorax> <absent> No pneumothorax. <end> <Effusion> <nothing> … </s>

Findings come in a fixed order, so that nothing is said twice and nothing is forgotten. What may be said of a finding is
given from outside (what the reading bears out); the language model chooses among it, and finds the words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerFast

from medmm.domain.draft import Assertion

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
    """The token of a finding of the vocabulary."""
    return f"<{name}>"


def special_tokens(findings: Sequence[str]) -> list[str]:
    """All tokens that are no words, in the order of their ids (padding is 0)."""
    named = [finding_token(name) for name in findings]
    return [PAD, BOS, EOS, "<image>", "<record>", SECTION, END, *SAID.values(), *named]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The ids of a tokenizer's special tokens."""

    findings: tuple[str, ...]
    finding_ids: tuple[int, ...]
    said_ids: Mapping[Assertion | None, int]
    section: int
    end: int
    eos: int
    words_from: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast, findings: Sequence[str]) -> Grammar:
        """The grammar that a tokenizer and the findings of a model give."""
        at = tokenizer.convert_tokens_to_ids
        return cls(
            findings=tuple(findings),
            finding_ids=tuple(at([finding_token(name) for name in findings])),
            said_ids={said: at(token) for said, token in SAID.items()},
            section=at(SECTION),
            end=at(END),
            eos=at(EOS),
            words_from=len(special_tokens(findings)),
        )


class Decider:
    """Decides what is said of one finding from the language model's scores of the four assertions."""

    def said(self, row: int, finding: str, scores: Mapping[Assertion | None, float]) -> Assertion | None:
        """The assertion for `finding` in the draft `row` of a batch."""
        raise NotImplementedError


class MostLikely(Decider):
    """What the language model finds likeliest, with no one to hold it back: for training and tests."""

    def said(self, row: int, finding: str, scores: Mapping[Assertion | None, float]) -> Assertion | None:
        """The assertion of the highest score."""
        return max(scores, key=lambda said: scores[said])


class GrammarProcessor(LogitsProcessor):
    """Lets `generate` write nothing but the grammar; what is said of each finding a decider decides.

    One object serves one call of `generate`, whose prompts all have `prompt_length` tokens.
    """

    def __init__(self, grammar: Grammar, decider: Decider, prompt_length: int) -> None:
        self.grammar, self.decider, self.prompt_length = grammar, decider, prompt_length
        self.next_finding: dict[int, int] = {}
        self.words: dict[int, int] = {}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (b, vocabulary) in which what may not follow is -inf."""
        allowed = torch.full_like(scores, float("-inf"))
        for row, written in enumerate(input_ids[:, self.prompt_length :].tolist()):
            self._allow(row, written[-1] if written else None, scores[row], allowed[row])
        return allowed

    def _allow(self, row: int, last: int | None, scores: Tensor, allowed: Tensor) -> None:
        grammar = self.grammar
        if last is None:
            self.next_finding[row] = 0
            allowed[grammar.section] = 0.0
        elif last in (grammar.section, grammar.end, grammar.said_ids[None]):
            place = self.next_finding[row]
            allowed[grammar.finding_ids[place] if place < len(grammar.finding_ids) else grammar.eos] = 0.0
        elif last in grammar.finding_ids:
            finding = grammar.findings[self.next_finding[row]]
            self.next_finding[row] += 1
            self.words[row] = 0
            heard = {said: float(scores[at]) for said, at in grammar.said_ids.items()}
            said = self.decider.said(row, finding, heard)
            allowed[grammar.said_ids[said]] = scores[grammar.said_ids[said]]
        elif last == grammar.eos or last < grammar.section:
            allowed[:] = scores
        else:
            self._allow_word(row, scores, allowed)

    def _allow_word(self, row: int, scores: Tensor, allowed: Tensor) -> None:
        grammar = self.grammar
        if self.words[row] < MOST_WORD_TOKENS:
            allowed[grammar.words_from :] = scores[grammar.words_from :]
        if self.words[row] > 0:
            allowed[grammar.end] = scores[grammar.end]
        self.words[row] += 1
