"""The draft in a language model's words: held to the reading, whatever the language model says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm import delivery
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import (
    Assertion,
    CheckedDraft,
    Draft,
    Outcome,
    Proposal,
    ScoreEvidence,
    Section,
    Statement,
)
from medmm.domain.reading import Reading, Side
from medmm.domain.report import Accept, CaseState
from medmm.domain.vocabulary import finding_term, finding_terms
from medmm.drafting import WRITERS, LanguageWriter, RuleWriter, Speakers
from medmm.grounding import check
from medmm.review import sign
from tests.factories import (
    ATTENDING,
    MODEL,
    STUDY_UID,
    make_case,
    make_case_file,
    make_finding,
    make_reading,
    make_region,
)
from tests.language_models import NAME, Told, make_generation, say, sound_text
from tests.property.test_grounding_mirror import READINGS, expected, mirrored

PRESENT, POSSIBLE, ABSENT = Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT
CLAIMS = (PRESENT, POSSIBLE)


def reading_of(*findings: tuple[str, float]) -> Reading:
    """Findings with operating point 0.3 and rule-out point 0.15, without regions."""
    return Reading(
        study_uid=STUDY_UID,
        models=(MODEL,),
        findings=tuple(make_finding(n, p, 0.3) for n, p in findings),
    )


def draft(reading: Reading, *written: Proposal) -> Draft:
    return LanguageWriter(Told(*written)).write(make_case(context=None), reading)


def of(one: Draft, finding: str, section: Section = Section.FINDINGS) -> Statement | None:
    return next((s for s in one.statements if s.finding == finding and s.section is section), None)


def score_of(statement: Statement) -> float:
    return next(e.probability for e in statement.evidence if isinstance(e, ScoreEvidence))


# ---- what may be said -----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [PRESENT, POSSIBLE, ABSENT, Assertion.REPORTED])
@pytest.mark.parametrize(
    ("probability", "may"),
    [(0.9, {PRESENT, POSSIBLE}), (0.2, set()), (0.01, {ABSENT})],
    ids=["high", "middle", "low"],
)
def test_only_what_the_reading_permits_is_said(
    probability: float, may: set[Assertion], said: Assertion
) -> None:
    text = "There is nodule." if said is Assertion.REPORTED else sound_text("Nodule", said)
    one = draft(
        reading_of(("Nodule", probability), ("Effusion", 0.01)),
        say("Nodule", said, text),
        say("Effusion", ABSENT),
    )
    statement = of(one, "Nodule")
    assert (statement.assertion if statement else None) == (said if said in may else None)
    if statement:
        assert (statement.text, statement.generation) == (text, make_generation())


def test_the_model_is_told_what_was_measured() -> None:
    model, reading = Told(say("Nodule", POSSIBLE)), make_reading()
    LanguageWriter(model).write(make_case(context=None), reading)
    assert model.measurements == reading.measurements != ()


def test_what_the_reading_does_not_know_is_never_said() -> None:
    one = draft(
        reading_of(("Nodule", 0.9)),
        say("Nodule", POSSIBLE),
        say("Hernia", PRESENT),
        say("Mass", ABSENT),
    )
    assert {s.finding for s in one.statements} == {"Nodule"}


@st.composite
def heard(draw: st.DrawFn) -> tuple[Proposal, ...]:
    """Sentences on any findings, saying and coding anything."""
    texts = st.sampled_from(
        [
            sound_text(n, a)
            for n in ("Effusion", "Pneumothorax", "Nodule", "Mass")
            for a in (PRESENT, POSSIBLE, ABSENT)
        ]
        + [
            "Unchanged left effusion.",
            "",
            "3 cm nodule.",
            "The lungs are clear.",
            "Two rib fractures; no effusion.",
        ]
    )
    names = draw(st.lists(st.sampled_from(sorted(finding_terms())), unique=True, max_size=16))
    kinds = st.sampled_from(list(Assertion))

    def one(name: str) -> Proposal:
        said, chance = draw(kinds), draw(st.floats(0, 1))
        own = said is not Assertion.REPORTED and draw(st.booleans())
        return say(name, said, sound_text(name, said) if own else draw(texts), chance)

    return tuple(map(one, names))


@settings(max_examples=150)
@given(READINGS, heard())
def test_whatever_a_language_model_says_the_draft_is_borne_out(
    reading: Reading, written: tuple[Proposal, ...]
) -> None:
    one = LanguageWriter(Told(*written)).write(make_case(), reading)
    by_rule = RuleWriter().write(make_case(), reading)
    suspected = {f.name for f in reading.findings if f.suspected}
    ruled_out = {f.name for f in reading.findings if f.ruled_out}
    for statement in one.statements:
        if statement.finding is None:
            continue
        assert statement.finding in (suspected if statement.assertion in CLAIMS else ruled_out)
        same = of(by_rule, statement.finding, statement.section)
        assert same is not None
        assert (same.evidence, same.side) == (statement.evidence, statement.side)
        if statement.generation is None:
            assert (statement.text, statement.assertion) == (same.text, same.assertion)
        elif statement.assertion is PRESENT:
            assert statement.generation.probability >= 0.5
            assert score_of(statement) >= 0.9
    stated = {
        s.finding for s in one.statements if s.section is Section.FINDINGS and s.assertion in CLAIMS
    }
    assert {n for n in suspected if finding_term(n).critical} <= stated
    assert {also.statement.finding for also in one.also_suspected} == suspected - stated
    assert all(
        also.statement == replace(same, id=also.statement.id)
        for also in one.also_suspected
        for same in [of(by_rule, also.statement.finding or "")]
        if same
    )
    assert not any("suspected by" in line for line in one.not_evaluated)
    assert all(
        v.outcome is not Outcome.FAILED or v.check == "G7"
        for v in check(one, make_case(), reading).verdicts
    )


@settings(max_examples=80)
@given(READINGS, st.floats(0, 1))
def test_sound_sentences_stand_and_pass_every_check(reading: Reading, chance: float) -> None:
    said = tuple(
        say(
            f.name,
            (PRESENT if chance >= 0.5 else POSSIBLE) if f.suspected else ABSENT,
            probability=chance,
        )
        for f in reading.findings
    )
    one = LanguageWriter(Told(*said)).write(make_case(), reading)
    checked = check(one, make_case(), reading)
    assert {v.check for v in checked.verdicts if v.outcome is Outcome.FAILED} <= {
        "G7"
    }  # the ratio of `READINGS`
    claimable = {f.name for f in reading.findings if f.suspected}
    decided = [f for f in reading.findings if not f.undecided]
    in_findings = [s for s in one.statements if s.section is Section.FINDINGS and s.finding]
    assert sorted(s.finding or "" for s in in_findings) == sorted(f.name for f in decided)
    for s in in_findings:
        too_sure = chance >= 0.5 and s.finding in claimable and score_of(s) < 0.9
        assert (s.generation is None) == (s.side is not None or too_sure)


# ---- the rule's words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "There is a nodule with effusion.",
        "There is effusion.",
        "There is a nodule on the left.",
        "There is a nodule in the RUL.",
        "There is a nodule of 9 mm.",
        "There is a nodule (2024-05).",
        "There is no nodule.",
        "There is a possible nodule.",
        "There is a new nodule.",
        "There is an unchanged nodule.",
        "Haematoma is seen; there is a nodule.",
        "Something is seen.",
        "",
        " \t",
    ],
)
def test_unsound_words_give_way_to_the_rules(text: str) -> None:
    reading = reading_of(("Nodule", 0.9))
    statement = of(draft(reading, say("Nodule", PRESENT, text)), "Nodule")
    assert statement is not None
    assert (statement.text, statement.assertion, statement.generation) == (
        "Possible pulmonary nodule.",
        POSSIBLE,
        None,
    )


def test_something_else_is_not_smuggled_in_beside_a_denial() -> None:
    reading = reading_of(("Effusion", 0.01))
    for text in ("There is a haematoma, but no effusion.", "Chest drain in place. No effusion."):
        statement = of(draft(reading, say("Effusion", ABSENT, text)), "Effusion")
        assert statement is not None
        assert statement.generation is None
    for text in (
        "There is no effusion.",
        "No haematoma. No effusion.",
        "The costophrenic angles are sharp.",
    ):
        statement = of(draft(reading, say("Effusion", ABSENT, text)), "Effusion")
        assert statement is not None
        assert (statement.text, statement.generation) == (text, make_generation())


def test_present_is_said_only_of_what_is_likelier_than_not() -> None:
    for chance, words in (
        (0.5, "There is pulmonary nodule."),
        (0.49, "Possible pulmonary nodule."),
    ):
        one = draft(reading_of(("Nodule", 0.9)), say("Nodule", PRESENT, probability=chance))
        assert [s.text for s in one.statements] == [words, words]


# ---- what is not said ------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [(), (say("Pneumothorax", ABSENT),)], ids=["nothing", "denied"])
def test_a_suspected_critical_finding_is_stated_in_any_case(said: tuple[Proposal, ...]) -> None:
    one = draft(reading_of(("Pneumothorax", 0.4), ("Nodule", 0.5)), *said)
    assert [(s.section, s.text, s.generation) for s in one.statements] == [
        (Section.FINDINGS, "Possible pneumothorax.", None),
        (Section.IMPRESSION, "Possible pneumothorax.", None),
    ]


def test_a_critical_finding_is_not_denied_against_the_language_model() -> None:
    for said in ((), (say("Pneumothorax", PRESENT),)):
        one = draft(
            reading_of(("Pneumothorax", 0.01), ("Nodule", 0.9)), say("Nodule", POSSIBLE), *said
        )
        assert of(one, "Pneumothorax") is None
        assert "low in score, not denied by the language model: pneumothorax" in one.not_evaluated


def test_what_is_not_stated_stands_beside_the_findings_with_why() -> None:
    reading = reading_of(("Nodule", 0.5), ("Mass", 0.4), ("Effusion", 0.9), ("Hernia", 0.01))
    one = draft(reading, say("Nodule", ABSENT), say("Effusion", PRESENT))
    assert [(a.statement.id, a.statement.text, a.why) for a in one.also_suspected] == [
        ("u1", "Possible pulmonary nodule.", "the language model denies it"),
        ("u2", "Possible lung mass.", "the language model does not state it"),
    ]
    assert (
        one.not_evaluated[0]
        == "low in score, not denied by the language model: diaphragmatic hernia"
    )
    assert not any("nodule" in line or "mass" in line for line in one.not_evaluated)
    assert {s.finding for s in one.statements} == {"Effusion"}


@pytest.mark.parametrize(
    ("probability", "text", "stands"),
    [
        (0.42, "There is airspace disease.", False),
        (0.42, "Airspace disease is likely.", False),
        (0.42, "There may be airspace disease.", True),
        (0.42, "Possible airspace disease.", True),
        (0.6, "There is airspace disease.", False),
        (0.6, "Probable airspace disease.", True),
        (0.9, "There is airspace disease.", True),
        (0.89, "There is airspace disease.", False),
    ],
)
def test_words_follow_the_calibrated_probability_of_the_finding(
    probability: float, text: str, stands: bool
) -> None:
    said = PRESENT if text.startswith("There is") else POSSIBLE
    reading = reading_of(("Lung_Opacity", probability))
    one = draft(reading, say("Lung_Opacity", said, text, probability=0.99))
    statement = of(one, "Lung_Opacity")
    assert statement is not None
    assert statement.text == (text if stands else "Possible lung opacity.")
    assert (statement.generation is not None) == stands
    whatever = replace(
        one, statements=tuple(replace(s, text=text, assertion=said) for s in one.statements)
    )
    g10 = {
        v.outcome
        for v in check(whatever, make_case(context=None), reading).verdicts
        if v.check == "G10"
    }
    assert g10 == {Outcome.PASSED if stands else Outcome.FAILED}


def test_a_draft_is_never_empty_where_something_was_read() -> None:
    one = draft(reading_of(("Nodule", 0.5)))
    assert one.writer == "rule-writer"
    assert (
        one.statements
        == RuleWriter().write(make_case(context=None), reading_of(("Nodule", 0.5))).statements
    )
    assert [w.code for w in one.warnings] == ["language-model-said-nothing"]


def test_a_study_that_it_does_not_read_is_drafted_by_rules_and_says_so() -> None:
    one = LanguageWriter(Told(blind=True)).write(make_case(), make_reading())
    assert (one.writer, one.statements) == (
        "rule-writer",
        RuleWriter().write(make_case(), make_reading()).statements,
    )
    assert [w.code for w in one.warnings] == ["language-model-saw-nothing"]


def test_without_a_language_model_rules_write_and_say_so() -> None:
    one = WRITERS["language-model"].make(Speakers()).write(make_case(), make_reading())
    assert one.writer == "rule-writer"
    assert [w.text for w in one.warnings] == [
        "No language model is installed; fixed rules wrote this draft."
    ]


# ---- sides -------------------------------------------------------------------------------------------------


def test_a_side_comes_from_the_region_and_its_sentence_from_the_rules() -> None:
    reading = Reading(
        study_uid=STUDY_UID,
        models=(MODEL,),
        findings=(make_finding("Effusion", 0.9, region=make_region(Side.RIGHT)),),
    )
    statement = of(draft(reading, say("Effusion", PRESENT)), "Effusion")
    assert statement is not None
    assert (statement.text, statement.side) == ("Possible right pleural effusion.", Side.RIGHT)


@settings(max_examples=60)
@given(READINGS, heard())
def test_a_mirrored_reading_flips_every_side_and_nothing_else(
    reading: Reading, written: tuple[Proposal, ...]
) -> None:
    model = Told(*written)
    straight = LanguageWriter(model).write(make_case(), reading)
    flipped = LanguageWriter(model).write(make_case(), mirrored(reading))
    assert flipped.statements == tuple(expected(s) for s in straight.statements)
    assert flipped.not_evaluated == straight.not_evaluated


# ---- the rest of the way ---------------------------------------------------------------------------------


def whole() -> tuple[Draft, Reading]:
    reading = reading_of(("Effusion", 0.9), ("Nodule", 0.4), ("Pneumothorax", 0.01))
    said = (say("Effusion", PRESENT), say("Nodule", POSSIBLE), say("Pneumothorax", ABSENT))
    return LanguageWriter(Told(*said)).write(make_case(), reading), reading


def test_the_impression_repeats_the_worded_statements() -> None:
    one, _ = whole()
    summaries = [s for s in one.statements if s.section is Section.IMPRESSION]
    assert [s.text for s in summaries] == [
        "There is pleural effusion.",
        "There may be pulmonary nodule.",
    ]
    for summary in summaries:
        source = next(s for s in one.statements if s.id == summary.summarises)
        assert replace(summary, id=source.id, section=source.section, summarises=None) == source


def test_the_same_words_give_the_same_draft_and_other_words_another() -> None:
    one, reading = whole()
    assert whole()[0] == one
    assert one.writer == NAME
    other = LanguageWriter(Told(say("Effusion", PRESENT, "Effusion is seen."))).write(
        make_case(), reading
    )
    assert other.id != one.id


def test_the_language_model_is_told_what_is_permitted() -> None:
    model = Told(say("Nodule", POSSIBLE))
    LanguageWriter(model).write(
        make_case(), reading_of(("Nodule", 0.9), ("Mass", 0.2), ("Hernia", 0.01))
    )
    assert model.permitted == {"Nodule": {PRESENT, POSSIBLE}, "Mass": set(), "Hernia": {ABSENT}}


def test_a_draft_in_its_words_is_stored_signed_and_delivered() -> None:
    one, reading = whole()
    checked = check(one, make_case(), reading)
    assert from_json(CheckedDraft, json.loads(json.dumps(to_json(checked)))) == checked
    accepted = tuple(Accept(s.id) for s in one.statements if s.summarises is None)
    file = make_case_file(CaseState.IN_REVIEW, draft=checked, decisions=accepted)
    report = sign(file, ATTENDING, datetime(2026, 1, 2, 9, 30, tzinfo=UTC))
    assert report.writer == NAME
    for form in ("text", "json", "fhir"):
        given_out = delivery.render(report, None, form)
        assert "There is pleural effusion." in given_out
        assert "There is no pneumothorax." in given_out


def test_a_statement_stored_before_there_was_a_language_model_still_loads() -> None:
    one, _ = whole()
    stored = to_json(one)
    for statement in stored["statements"]:
        del statement["generation"]
    assert all(s.generation is None for s in from_json(Draft, stored).statements)
    reading = to_json(make_reading())
    for finding in reading["findings"]:
        del finding["model"]
    assert from_json(Reading, reading) == make_reading()
