"""The draft in a language model's words, held to what the reading bears out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from medmm.domain.draft import Assertion, Case, Draft, Opinion, Written
from medmm.domain.reading import Reading
from medmm.domain.study import Notice
from medmm.domain.vocabulary import finding_term
from medmm.domain.wording import Polarity, findings_named, named_side, numbers_named
from medmm.drafting.image_statements import Sentence
from medmm.drafting.rule_writer import RuleWriter, written

Permitted = Mapping[str, frozenset[Assertion]]
CLAIMS = frozenset({Assertion.PRESENT, Assertion.POSSIBLE})
_POLARITY = {
    Assertion.PRESENT: Polarity.AFFIRMED,
    Assertion.POSSIBLE: Polarity.HEDGED,
    Assertion.ABSENT: Polarity.DENIED,
}
NOT_SEEN = Notice(
    code="language-model-saw-nothing",
    text="The language model found no film that it reads; fixed rules wrote this draft.",
)


class LanguageModel(Protocol):
    """Says of each finding, in its own words, what a film shows; it may know the record."""

    @property
    def name(self) -> str:
        """The name that stands in drafts."""
        ...

    def opinions(self, cases: Sequence[Case], permitted: Permitted) -> list[Opinion] | None:
        """What it says of each case: at most one sentence a finding, and of a finding only what is permitted.

        The cases are of one study. None where the study holds no image that the model reads.
        """
        ...

    def facts_read(self, case: Case) -> frozenset[str]:
        """The ids of the facts that it reads of a case's record."""
        ...


class LanguageWriter:
    """Writes drafts in a language model's words.

    The reading decides what may be said (a claim needs a suspected finding, a denial one that is ruled out); the language
    model decides what is said of that, and how. So neither the record nor a slip of the language model makes a finding seen.
    A critical finding that is suspected is stated in any case, by rule if need be.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """Its name in drafts and reports."""
        return self.model.name

    def write(self, case: Case, reading: Reading) -> Draft:
        """Draft a case; see `Writer.write`."""
        opinions = self.model.opinions([case], permitted(reading))
        if opinions is None:
            return written(case, reading, RuleWriter().name, warnings=(NOT_SEEN,))
        heard = {one.finding: one for one in opinions[0].written}
        return written(
            case,
            reading,
            self.name,
            wording=lambda sentence: worded(sentence, heard.get(sentence.finding or "")),
            unsaid=tuple(_unsaid(reading, heard)),
        )


def permitted(reading: Reading) -> dict[str, frozenset[Assertion]]:
    """What may be said of each finding of a reading; of any other finding nothing may."""
    return {
        f.name: CLAIMS if f.suspected else frozenset({Assertion.ABSENT}) if f.ruled_out else frozenset()
        for f in reading.findings
    }


def worded(sentence: Sentence, said: Written | None) -> Sentence | None:
    """A sentence in the language model's words; None where it says nothing of a finding that is not critical.

    The rule's own words stay where the model's name another finding, a side or a number, or say it otherwise than coded,
    and where a side is to be named: a side comes from a region, never from a token.
    """
    claimed = sentence.assertion in CLAIMS
    if said is None or (said.assertion in CLAIMS) != claimed:
        critical = sentence.finding is not None and finding_term(sentence.finding).critical
        return sentence if critical else None
    if sentence.side is not None or not sound(said):
        return sentence
    return replace(sentence, text=said.text, assertion=said.assertion, generation=said.generation)


def sound(said: Written) -> bool:
    """Whether a text names its finding and no other, as coded, and neither side nor number."""
    named = findings_named(said.text)
    return (
        named == {said.finding: _POLARITY[said.assertion]}
        and named_side(said.text) is None
        and not numbers_named(said.text)
    )


def _unsaid(reading: Reading, heard: Mapping[str, Written]) -> list[str]:
    suspected = [f for f in reading.findings if f.suspected and not finding_term(f.name).critical]
    left = sorted(
        f"{finding_term(f.name).words} ({f.probability:.2f})"
        for f in suspected
        if f.name not in heard or heard[f.name].assertion not in CLAIMS
    )
    return [f"suspected by score alone, not stated by the language model: {', '.join(left)}"] if left else []
