"""Every sentence that a language model proposes is kept, with what became of it and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import (
    Assertion,
    CheckedDraft,
    Draft,
    Fate,
    Generation,
    Outcome,
    Proposal,
    ScoreEvidence,
    Section,
    SentenceRecord,
    Severity,
)
from medmm.domain.errors import InputError
from medmm.domain.reading import Reading, Side
from medmm.drafting import LanguageWriter, RuleWriter
from medmm.drafting.writers import proposals
from medmm.grounding import CHECKS, check
from tests.factories import (
    MODEL,
    make_case,
    make_finding,
    make_reading,
    make_region,
)
from tests.language_models import NAME, Told, make_generation, say
from tests.property.test_grounding_mirror import READINGS
from tests.unit.drafting.test_drafting_language_writer import heard

PRESENT, POSSIBLE, ABSENT = Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT
REPORTED = Assertion.REPORTED
STATED, REPLACED, WITHHELD = Fate.STATED, Fate.REPLACED, Fate.WITHHELD
READING = make_reading(
    findings=(
        make_finding("Effusion", 0.95, region=make_region(Side.LEFT)),
        make_finding("Pneumothorax", 0.4),
        make_finding("Nodule", 0.5),
        make_finding("Mass", 0.2),
        make_finding("Hernia", 0.01),
    ),
    measurements=(),
)


def drafted(*said: Proposal, reading: Reading = READING) -> Draft:
    return LanguageWriter(Told(*said)).write(make_case(context=None), reading)


def only(draft: Draft) -> SentenceRecord:
    (record,) = draft.sentences
    return record


CASES = {
    "said so": (say("Nodule", POSSIBLE), STATED, ""),
    "denied so": (say("Hernia", ABSENT), STATED, ""),
    "a side": (say("Effusion", POSSIBLE), REPLACED, proposals.SIDED),
    "too sure": (say("Nodule", PRESENT), REPLACED, proposals.TOO_SURE),
    "unlikely": (say("Nodule", PRESENT, probability=0.4), REPLACED, proposals.UNLIKELY),
    "never": (say("Nodule", PRESENT, probability=0.0), REPLACED, proposals.UNLIKELY),
    "other finding": (
        say("Nodule", POSSIBLE, "Possible mass."),
        REPLACED,
        proposals.OTHER_FINDING,
    ),
    "no words": (say("Nodule", POSSIBLE, ""), REPLACED, proposals.OTHER_FINDING),
    "more": (
        say("Nodule", POSSIBLE, "Possible nodule. The gown is blue."),
        REPLACED,
        proposals.OTHER_CLAUSE,
    ),
    "its own side": (
        say("Nodule", POSSIBLE, "Possible left nodule."),
        REPLACED,
        proposals.NAMES_SIDE,
    ),
    "a number": (
        say("Nodule", POSSIBLE, "Possible 3 cm nodule."),
        REPLACED,
        proposals.NAMES_NUMBER,
    ),
    "comparing": (
        say("Nodule", POSSIBLE, "Possible unchanged nodule."),
        REPLACED,
        proposals.COMPARES,
    ),
    "denied though critical": (say("Pneumothorax", ABSENT), REPLACED, proposals.SUSPECTED),
    "denied": (say("Nodule", ABSENT), WITHHELD, proposals.SUSPECTED),
    "claimed": (say("Hernia", PRESENT), WITHHELD, proposals.RULED_OUT),
    "undecided": (say("Mass", POSSIBLE), WITHHELD, proposals.UNDECIDED),
    "not read": (say("Fibrosis", POSSIBLE), WITHHELD, proposals.NOT_READ),
    "reported": (say("Hernia", REPORTED, "Hernia."), WITHHELD, proposals.NO_CLAIM),
    "of nothing": (
        Proposal(finding=None, assertion=PRESENT, text="Fine.", generation=make_generation()),
        WITHHELD,
        proposals.NO_FINDING,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_sentence_says_what_became_of_it(name: str) -> None:
    said, fate, reason = CASES[name]
    draft = drafted(*([said] if said.finding == "Nodule" else [say("Nodule", POSSIBLE), said]))
    record = draft.sentences[-1]
    assert (record.proposal, record.fate, record.reason) == (said, fate, reason)
    stands = next((s for s in draft.decidable if s.id == record.statement_id), None)
    if fate is WITHHELD:
        assert record.statement_id == ("u2" if name == "denied" else None)
    else:
        assert stands in draft.statements
    if stands is not None:
        assert stands.finding == said.finding
        assert (stands.text == said.text) is (fate is STATED)


def test_a_sentence_is_bound_to_the_evidence_of_its_finding() -> None:
    effusion, mass, none = drafted(
        say("Effusion", POSSIBLE), say("Mass", POSSIBLE), say("Fibrosis", POSSIBLE)
    ).sentences
    assert (effusion.probability, mass.probability, none.probability) == (0.95, 0.2, None)
    assert effusion.region is not None
    assert effusion.region.side is Side.LEFT
    assert (mass.region, none.region, none.evidence) == (None, None, ())
    (score,) = mass.evidence
    assert isinstance(score, ScoreEvidence)
    assert score.model == MODEL.name


def test_the_last_of_two_sentences_of_a_finding_counts_and_the_first_is_kept() -> None:
    first, last = say("Nodule", ABSENT), say("Nodule", POSSIBLE)
    one, other = drafted(first, last).sentences
    assert (one.proposal, one.fate, one.reason) == (first, REPLACED, proposals.SAID_AGAIN)
    assert (other.proposal, other.fate) == (last, STATED)
    assert one.statement_id == other.statement_id


def test_what_a_model_said_is_kept_where_rules_wrote_the_draft_instead() -> None:
    reading = make_reading(findings=(make_finding("Nodule", 0.5),), measurements=())
    draft = drafted(say("Nodule", ABSENT), reading=reading)
    assert draft.writer == RuleWriter().name
    assert (only(draft).fate, only(draft).reason) == (REPLACED, proposals.SUSPECTED)
    assert only(draft).statement_id == "s1"


def test_what_rules_write_has_no_proposals() -> None:
    assert RuleWriter().write(make_case(), READING).sentences == ()


def test_a_draft_goes_by_another_id_where_something_else_was_withheld() -> None:
    one, other = (
        drafted(say("Nodule", POSSIBLE), say("Mass", said)) for said in (POSSIBLE, ABSENT)
    )
    assert one.statements == other.statements
    assert one.id != other.id


def test_the_checks_judge_what_was_not_stated_as_if_it_were() -> None:
    case = make_case(context=None)
    said = (say("Nodule", PRESENT), say("Hernia", ABSENT), say("Fibrosis", POSSIBLE))
    checked = check(drafted(*said), case, READING)
    too_sure, stated, not_read = checked.draft.sentences
    failed = {v.check for v in too_sure.verdicts if v.outcome is Outcome.FAILED}
    assert failed == {"G10"}
    assert [v.check for v in too_sure.verdicts] == [c.number for c in CHECKS if c.of_sentences]
    assert {v.statement_id for v in too_sure.verdicts} == {"p1"}
    assert {v.severity for v in too_sure.verdicts} == {Severity.INFORMS}
    assert (stated.verdicts, not_read.verdicts) == ((), ())
    assert {v.statement_id for v in checked.verdicts} == {s.id for s in checked.draft.decidable}


@settings(max_examples=100)
@given(READINGS, heard())
def test_whatever_is_said_nothing_of_it_is_lost(
    reading: Reading, said: tuple[Proposal, ...]
) -> None:
    draft = LanguageWriter(Told(*said)).write(make_case(), reading)
    assert tuple(record.proposal for record in draft.sentences) == said
    by_id = {s.id: s for s in draft.decidable}
    for record in draft.sentences:
        stands = by_id.get(record.statement_id or "")
        if record.fate is STATED:
            assert stands is not None
            own = record.proposal
            assert (stands.text, stands.generation) == (own.text, own.generation)
        elif record.fate is REPLACED:
            assert stands in draft.statements
        assert bool(record.reason) is (record.fate is not STATED)
    worded = [s for s in draft.statements if s.generation and s.section is Section.FINDINGS]
    stated = [r.statement_id for r in draft.sentences if r.fate is STATED]
    assert sorted(s.id for s in worded) == sorted(str(one) for one in stated)
    checked = check(draft, make_case(), reading)
    assert from_json(CheckedDraft, json.loads(json.dumps(to_json(checked)))) == checked


# ---- writers that say no more than their words ----------------------------------------------------------


def test_a_writer_that_says_no_probability_is_held_by_the_reading_alone() -> None:
    bare = Generation(model=NAME)
    sure = replace(say("Nodule", PRESENT, "There is pulmonary nodule."), generation=bare)
    careful = replace(say("Nodule", POSSIBLE), generation=bare)
    assert only(drafted(sure)).reason == proposals.TOO_SURE
    draft = drafted(careful)
    assert only(draft).fate is STATED
    stated = next(s for s in draft.statements if s.finding == "Nodule")
    assert stated.generation == bare
    assert (bare.mean_probability, bare.probability, bare.threshold) == (None, None, None)
    assert from_json(Generation, to_json(bare)) == bare


def test_tokens_without_log_probabilities_are_kept_and_a_wrong_number_of_these_is_refused() -> None:
    assert Generation(model=NAME, tokens=("a", "b")).mean_probability is None
    with pytest.raises(InputError, match="differ in number"):
        Generation(model=NAME, tokens=("a", "b"), log_probabilities=(-0.1,))


# ---- what a record must hold ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"fate": STATED, "statement_id": None, "reason": ""},
        {"fate": STATED, "statement_id": "s1", "reason": "why"},
        {"fate": REPLACED, "statement_id": None, "reason": "why"},
        {"fate": REPLACED, "statement_id": "s1", "reason": ""},
        {"fate": WITHHELD, "statement_id": None, "reason": ""},
    ],
)
def test_a_record_says_where_its_sentence_went_or_why_it_did_not(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SentenceRecord(id="p1", proposal=say("Nodule", POSSIBLE), evidence=(), **wrong)  # type: ignore[arg-type]


def test_a_record_of_a_statement_that_is_not_there_is_refused() -> None:
    draft = drafted(say("Nodule", POSSIBLE))
    lost = replace(draft.sentences[0], statement_id="s99")
    with pytest.raises(InputError, match="does not have"):
        replace(draft, sentences=(lost,))
