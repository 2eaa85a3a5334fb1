"""The draft in a language model's words, held to what the reading bears out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from medmm.domain.draft import CLAIMS, Assertion, Case, Draft, Opinion, Proposal
from medmm.domain.reading import Measurement, Reading
from medmm.domain.study import Modality, Notice
from medmm.domain.vocabulary import finding_term
from medmm.drafting.sentences import Sentence
from medmm.drafting.writers.proposals import DENIAL, objection, sentence_records
from medmm.drafting.writers.protocol import Growing, unseen
from medmm.drafting.writers.rules import RuleWriter, written

Permitted = Mapping[str, frozenset[Assertion]]
Heard = Mapping[str, Proposal]
Said = Callable[[int, Proposal], None]
SILENT = "the language model does not state it"
DENYING = "the language model denies it"
NOT_SEEN = Notice(
    code="language-model-saw-nothing",
    text="The language model found no film that it reads; fixed rules wrote this draft.",
)
NOT_OF_MR = Notice(
    code="language-model-not-of-mr",
    text="The language model does not write MR; fixed rules wrote this draft.",
)
SAID_NOTHING = Notice(
    code="language-model-said-nothing",
    text="The language model states nothing that the reading bears out; fixed rules wrote this "
    "draft.",
)
NOT_INSTALLED = Notice(
    code="language-model-not-installed",
    text="No language model is installed; fixed rules wrote this draft.",
)


class LanguageModel(Protocol):
    """Says of each finding, in its own words, what a film shows; it may know the record."""

    @property
    def name(self) -> str:
        """The name that stands in drafts."""
        ...

    def opinions(
        self,
        cases: Sequence[Case],
        permitted: Permitted,
        measurements: Sequence[Measurement] = (),
        *,
        said: Said | None = None,
    ) -> list[Opinion] | None:
        """Say of each case at most one sentence a finding, and only what is permitted.

        The cases are of one study, on which `measurements` were made. None if the study holds no
        image that the model reads.

        Args:
            said: told of each sentence as soon as it is written, with the place of its case.
        """
        ...

    def facts_read(self, case: Case) -> frozenset[str]:
        """Return the ids of the facts that it reads of a case's record."""
        ...


class LanguageWriter:
    """Writes drafts in a language model's words.

    The reading decides what may be said (a claim needs a suspected finding, a denial one that is
    ruled out); the language model decides what is said of that, and how. So neither the record nor
    a slip of the language model makes a finding seen. A critical finding that is suspected is
    stated in any case, by rule if need be.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """Its name in drafts and reports."""
        return self.model.name

    def write(self, case: Case, reading: Reading, growing: Growing = unseen) -> Draft:
        """Draft a case; see `Writer.write`.

        MR is written by rules: the language model learned from films alone.
        """
        if case.study.modality is Modality.MR:
            return RuleWriter(NOT_OF_MR).write(case, reading)
        heard: list[Proposal] = []

        def said(place: int, proposal: Proposal) -> None:
            heard.append(proposal)
            growing(_worded_draft(heard, case, reading, self.name))

        measured, told = reading.measurements, None if growing is unseen else said
        opinions = self.model.opinions([case], permitted(reading), measured, said=told)
        if opinions is None:
            return RuleWriter(NOT_SEEN).write(case, reading)
        return in_words_of(opinions[0], case, reading, self.name)


def in_words_of(opinion: Opinion, case: Case, reading: Reading, writer: str) -> Draft:
    """Draft a case as a language model words it, whatever it says; see `LanguageWriter`.

    Args:
        opinion: what the model says of the case.
        reading: that of the case, on which the opinion was given.
        writer: name that stands in the draft.
    """
    draft = _worded_draft(opinion.proposals, case, reading, writer)
    if reading.findings and not draft.statements:  # nothing would be there to decide on or to sign
        return written(
            case,
            reading,
            RuleWriter().name,
            warnings=(SAID_NOTHING,),
            sentences=partial(sentence_records, opinion.proposals, case, reading),
        )
    return draft


def _worded_draft(
    proposals: Sequence[Proposal], case: Case, reading: Reading, writer: str
) -> Draft:
    """Draft a case as a language model words it, be it nothing."""
    heard = {one.finding: one for one in proposals if one.finding is not None}
    return written(
        case,
        reading,
        writer,
        wording=lambda sentence: worded(sentence, heard.get(sentence.finding or "")),
        why_unstated=lambda name: (
            DENYING if name in heard and heard[name].assertion in DENIAL else SILENT
        ),
        unsaid=tuple(_unsaid(reading, heard)),
        sentences=partial(sentence_records, proposals, case, reading),
    )


def permitted(reading: Reading) -> dict[str, frozenset[Assertion]]:
    """Return what may be said of each finding of a reading.

    Of any other finding nothing may be said.
    """
    return {
        f.name: CLAIMS if f.suspected else DENIAL if f.ruled_out else frozenset()
        for f in reading.findings
    }


def worded(sentence: Sentence, said: Proposal | None) -> Sentence | None:
    """Put a sentence in the language model's words; return None if it does not say so.

    It stays all the same if a critical finding is suspected.

    The rule's own words stay where the model's are not sound, where they claim more than the
    calibrated probability of the finding bears, and where a side is to be named: a side comes from
    a region, never from a token.
    """
    claimed = sentence.assertion in CLAIMS
    if (
        said is None
        or said.finding != sentence.finding
        or said.assertion not in (CLAIMS if claimed else DENIAL)
    ):
        return sentence if claimed and _critical(sentence.finding) else None
    if objection(said, sentence.side, sentence.evidence):
        return sentence
    return replace(sentence, text=said.text, assertion=said.assertion, generation=said.generation)


def _critical(finding: str | None) -> bool:
    return finding is not None and finding_term(finding).critical


def _unsaid(reading: Reading, heard: Heard) -> Iterator[str]:
    """Yield findings with a low score that the language model does not deny, said openly."""
    ruled_out = [f.name for f in reading.findings if f.ruled_out]
    undenied = [
        name for name in ruled_out if name not in heard or heard[name].assertion not in DENIAL
    ]
    if undenied:
        words = sorted(finding_term(name).words for name in undenied)
        yield f"low in score, not denied by the language model: {', '.join(words)}"
