"""The draft in the words of a model from outside: it proposes, the reading decides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from medmm.domain.draft import (
    CLAIMS,
    Assertion,
    Case,
    Draft,
    Evidence,
    ExtentEvidence,
    Fate,
    Proposal,
    SentenceRecord,
    Statement,
)
from medmm.domain.errors import ConfigError, InputError, MedmmError, Unavailable
from medmm.domain.instruction import Instruction, Pictures
from medmm.domain.plain_text import clean
from medmm.domain.reading import Reading, Side
from medmm.domain.study import Notice
from medmm.domain.vocabulary import finding_term
from medmm.drafting.phrases import phrases_of
from medmm.drafting.sentences import Sentence
from medmm.drafting.writers.instructions import instruction_for
from medmm.drafting.writers.outside_words import plain_words, refuses, words_in
from medmm.drafting.writers.proposals import objection, sentence_records
from medmm.drafting.writers.protocol import Growing, unseen
from medmm.drafting.writers.rules import RuleWriter, refuse_other_study, written
from medmm.language.english import foreign_words

MOST_SENTENCES = 100
MOST_CHARACTERS = 400  # of one sentence; of a longer one nothing is kept
KEPT_CHARACTERS = 160  # of a sentence that was proposed in an answer that failed
STRANGE_WORD = "a word of it belongs neither to its finding nor to the plain words of a report"
PLACED = "its place in the volume is to be named, which comes from what was marked"
BESIDE = "its finding is never stated without the sentence beside it"
SURER = "it states as present what an outside model's draft calls possible at most"
SAYS_NOTHING = "it says nothing"
FOREIGN = "it answers in another language than English"
TOO_LONG = "it says more than 100 sentences, or one of more than 400 characters"
REFUSES = "it refuses to answer"
NAMES_NOTHING = "it names none of the findings that were read"
NOTHING_TO_WORD = Notice(
    code="writer-nothing-to-word",
    text="No finding was read, so the outside model was not asked; fixed rules wrote this draft.",
)
NOT_READY = Notice(
    code="writer-not-ready",
    text="The outside model of the settings is not there; fixed rules wrote this draft.",
)


def not_ready(error: MedmmError) -> Notice:
    """Say in a draft by rules why the outside model of the settings could not be asked."""
    return Notice(
        code="writer-failed",
        text="The outside model of the settings could not be asked: "
        f"{error.problem}. Fixed rules wrote this draft.",
    )


class ProposingModel(Protocol):
    """A model from outside that says in free text what it takes a picture for."""

    @property
    def name(self) -> str:
        """The name that stands in drafts."""
        ...

    @property
    def pictures(self) -> Pictures:
        """Which pictures it may be shown: all only if it runs on this machine."""
        ...

    def propose(self, case: Case, reading: Reading, instruction: Instruction) -> Iterator[Proposal]:
        """Yield what it proposes, one sentence after another, as they come.

        A sentence that names several findings is a proposal for each. Only `instruction` may
        leave this machine.

        Raises: Unavailable if it can't answer now; ConfigError if its answer can't be used;
            InputError if it can't take what it is given.
        """
        ...


class OutsideWriter:
    """Writes drafts in the words of a model from outside.

    What is stated of each finding is what the rules state, whatever the model says: every suspected
    finding as possible, every one that is ruled out as not suspected. The model may word that, in
    the plain words of a report and no others. Whatever else it says is kept as it was proposed,
    with the reason why it is not stated. If it fails, the draft by rules stands and says so.
    """

    def __init__(self, model: ProposingModel, names: Collection[str] = ()) -> None:
        self.model, self._names = model, names

    @property
    def name(self) -> str:
        """Its name in drafts and reports."""
        return self.model.name

    def write(self, case: Case, reading: Reading, growing: Growing = unseen) -> Draft:
        """Draft a case; see `Writer.write`.

        What is told while it is written is what the rules state, in the model's words as far as
        they have come and can stand; what the model says beside that is shown to nobody then.
        """
        refuse_other_study(case, reading)
        if not reading.findings:
            return RuleWriter(NOTHING_TO_WORD).write(case, reading)
        heard: list[Proposal] = []
        try:
            instruction, shown = instruction_for(
                case, reading, pictures=self.model.pictures, names=self._names
            )
            for proposal in self.model.propose(case, reading, instruction):
                heard.append(_bounded(proposal, len(heard), self.name))
                if growing is not unseen:
                    growing(self._worded_draft(heard, case, reading))
        except (InputError, ConfigError, Unavailable) as error:
            return _by_rules(case, reading, self.name, error.problem, heard)
        if (fault := fault_of(heard, reading)) is not None:
            return _by_rules(case, reading, self.name, fault, heard)
        return self._worded_draft(
            heard, case, reading, warnings=shown, sentences=partial(_records, heard, case, reading)
        )

    def _worded_draft(
        self, heard: Sequence[Proposal], case: Case, reading: Reading, **beside: Any
    ) -> Draft:
        last = {said.finding: said for said in heard}
        return written(
            case,
            reading,
            self.name,
            wording=lambda sentence: worded(sentence, last.get(sentence.finding)),
            **beside,
        )


def fault_of(heard: Sequence[Proposal], reading: Reading) -> str | None:
    """Say why an answer as a whole can't be used; None if it can."""
    texts = tuple(dict.fromkeys(said.text for said in heard))
    if not texts:
        return SAYS_NOTHING
    if foreign_words(" ".join(texts)):
        return FOREIGN
    if not any(said.finding and reading.finding(said.finding) for said in heard):
        return REFUSES if refuses(texts) else NAMES_NOTHING
    return None


def worded(sentence: Sentence, said: Proposal | None) -> Sentence:
    """Put a sentence in a model's words where it says the same; else the rule's stand."""
    if (
        said is None
        or sentence.finding is None
        or said.finding != sentence.finding
        or said.assertion is not sentence.assertion
        or outside_objection(said, sentence.side, sentence.evidence)
    ):
        return sentence
    return replace(sentence, text=said.text, generation=said.generation)


def outside_objection(
    said: Proposal, side: Side | None, evidence: Sequence[Evidence]
) -> str | None:
    """Say why a sentence of an outside model can't stand in its own words; None if it can.

    Beside what is asked of the language model's own (`objection`), its words are of a closed list:
    no grammar holds an outside model, and the words may be borrowed from what it read.
    """
    return next(_objections(said, side, evidence), None)


def _objections(said: Proposal, side: Side | None, evidence: Sequence[Evidence]) -> Iterator[str]:
    if (found := objection(said, side, evidence)) is not None:
        yield found
    if said.assertion is Assertion.PRESENT:
        yield SURER
    if any(isinstance(item, ExtentEvidence) for item in evidence):
        yield PLACED
    if said.finding is not None and phrases_of(said.finding).beside:
        yield BESIDE
    name = finding_term(said.finding).words if said.finding is not None else ""
    allowed = plain_words() | set(words_in(name))
    if not set(words_in(said.text)) <= allowed or any(c not in " .,-'’" for c in _signs(said.text)):
        yield STRANGE_WORD


def _records(
    heard: Sequence[Proposal], case: Case, reading: Reading, draft: Draft
) -> tuple[SentenceRecord, ...]:
    """Say what became of each sentence; the rule's words of the same claim reword it."""
    stated = {statement.id: statement for statement in draft.statements}
    records = sentence_records(heard, case, reading, draft, outside_objection)
    return tuple(_reworded(one, stated.get(one.statement_id or "")) for one in records)


def _reworded(record: SentenceRecord, stands: Statement | None) -> SentenceRecord:
    if record.fate is not Fate.REPLACED or stands is None:
        return record
    alike = (record.proposal.assertion in CLAIMS) == (stands.assertion in CLAIMS)
    return replace(record, fate=Fate.REWORDED, words=stands.text) if alike else record


def _signs(text: str) -> Iterator[str]:
    """Yield what is neither a letter nor a digit; digits are numbers, which `objection` finds."""
    return (c for c in text if not c.isalnum())


def _bounded(proposal: Proposal, before: int, name: str) -> Proposal:
    if before >= MOST_SENTENCES or len(proposal.text) > MOST_CHARACTERS:
        raise ConfigError(TOO_LONG, remedy="choose another model, or write by rules", model=name)
    return proposal


def _by_rules(
    case: Case, reading: Reading, name: str, fault: str, heard: Sequence[Proposal]
) -> Draft:
    """Draft by rules, and say whose draft failed and why; what it proposed is kept."""

    def withheld(draft: Draft) -> tuple[SentenceRecord, ...]:
        return tuple(
            SentenceRecord(
                id=f"p{number}",
                proposal=replace(said, text=clean(said.text, KEPT_CHARACTERS)),
                evidence=(),
                fate=Fate.WITHHELD,
                reason=f"the whole answer was put aside: {fault}",
            )
            for number, said in enumerate(heard, start=1)
        )

    notice = Notice(
        code="writer-failed",
        text=f"{name} was to word this draft and could not: {fault}. Fixed rules wrote it.",
    )
    return written(case, reading, RuleWriter().name, warnings=(notice,), sentences=withheld)
