"""What the record does to a draft: fact by fact, and never a finding that the reading does not bear out."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.draft import Assertion, Case, Opinion, Section
from medmm.domain.reading import Reading
from medmm.domain.record import FactKind
from medmm.domain.record_influence import Change
from medmm.drafting import LanguageWriter, influence
from medmm.drafting.record_influence import changes, said_of_image
from tests.factories import make_case, make_context, make_fact, make_reading
from tests.language_models import Told, say
from tests.property.test_grounding_mirror import READINGS

PRESENT, POSSIBLE, ABSENT = Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT
FAILURE, FEVER, AGE = "Condition/c1", "Observation/o1", "Patient/p1#age"


def believing(case: Case) -> Opinion:
    """Claims a large heart where the record says heart failure; its probabilities follow the facts."""
    ids = {fact.id for fact in (case.context.facts if case.context else ())}
    heart = 0.3 + 0.4 * (FAILURE in ids) + 0.01 * (FEVER in ids)
    written = (
        say("Cardiomegaly", PRESENT if heart >= 0.5 else ABSENT, probability=heart),
        say("Pneumothorax", ABSENT),
    )
    return Opinion(
        proposals=written,
        probability={"Cardiomegaly": heart, "Hernia": 0.1 + 0.02 * (FEVER in ids)},
    )


def model() -> Told:
    return Told(by_case=believing, reads=frozenset({FAILURE, FEVER, AGE}))


def test_each_fact_is_weighed_by_what_is_said_without_it() -> None:
    found = influence(make_case(), make_reading(measurements=()), model())
    assert [(f.fact_id, f.shift, f.finding, f.changes) for f in found.facts[:3]] == [
        (
            FAILURE,
            0.4,
            "Cardiomegaly",
            (Change(finding="Cardiomegaly", before=None, after=POSSIBLE),),
        ),
        (FEVER, 0.02, "Hernia", ()),
        (AGE, 0.0, None, ()),
    ]
    unread = found.facts[3:]
    assert {f.fact_id for f in unread} == {f.id for f in make_context().facts} - {
        FAILURE,
        FEVER,
        AGE,
    }
    assert all((f.shift, f.finding, f.changes) == (None, None, ()) for f in unread)
    assert found.changes == (Change(finding="Cardiomegaly", before=None, after=POSSIBLE),)
    assert found.changes[0].claims


def test_a_fact_is_weighed_with_what_was_measured() -> None:
    told, reading = model(), make_reading()
    influence(make_case(), reading, told)
    assert told.measurements == reading.measurements != ()


def test_the_three_drafts_are_those_of_image_record_and_both() -> None:
    case, reading = make_case(), make_reading()
    found = influence(case, reading, model())
    writer = LanguageWriter(model())
    assert found.both == writer.write(case, reading)
    assert found.image_only == writer.write(replace(case, context=None), reading)
    assert {s.section for s in found.image_only.statements} == {Section.FINDINGS}
    assert {s.section for s in found.record_only.statements} == {Section.CLINICAL_INFORMATION}
    assert found.record_only.statements == tuple(
        s for s in found.both.statements if s.section is Section.CLINICAL_INFORMATION
    )


def test_by_rules_the_record_changes_nothing_that_is_said_of_the_image() -> None:
    found = influence(make_case(), make_reading(), None)
    assert (found.changes, found.facts, found.both.writer) == ((), (), "rule-writer")
    assert said_of_image(found.both) == said_of_image(found.image_only) != {}


def test_a_language_model_that_sees_no_film_weighs_no_fact() -> None:
    blind = Told(blind=True, reads=frozenset({FAILURE}))
    found = influence(make_case(), make_reading(), blind)
    assert found.both.writer == "rule-writer"
    assert {f.fact_id for f in found.facts} == {f.id for f in make_context().facts}
    assert all(f.shift is None for f in found.facts)
    assert influence(make_case(context=None), make_reading(), model()).facts == ()


@settings(max_examples=60)
@given(
    READINGS,
    st.sampled_from(["Pneumothorax", "Cardiomegaly", "Hernia", "Mass"]),
    st.sampled_from([PRESENT, POSSIBLE]),
)
def test_no_fact_makes_a_finding_seen_that_the_reading_does_not_suspect(
    reading: Reading, finding: str, said: Assertion
) -> None:
    def credulous(case: Case) -> Opinion:
        told = any(fact.label == "Lie" for fact in (case.context.facts if case.context else ()))
        return Opinion(
            proposals=(say(finding, said),) if told else (),
            probability={finding: 0.99 if told else 0.01},
        )

    case = make_case(context=make_context((make_fact(FactKind.CONDITION, "Lie", id="c"),)))
    found = influence(case, reading, Told(by_case=credulous, reads=frozenset({"c"})))
    suspected = {f.name for f in reading.findings if f.suspected}
    for change in (*found.changes, *found.facts[0].changes):
        assert not change.claims or change.finding in suspected
    assert (found.facts[0].shift, found.facts[0].finding) == (0.98, finding)


def test_changes_name_every_difference_once_and_only_new_claims_claim() -> None:
    before = {"Mass": ABSENT, "Nodule": POSSIBLE, "Hernia": PRESENT, "Edema": PRESENT}
    after = {"Mass": PRESENT, "Nodule": PRESENT, "Effusion": POSSIBLE, "Edema": PRESENT}
    found = changes(before, after)
    assert [(c.finding, c.before, c.after, c.claims) for c in found] == [
        ("Effusion", None, POSSIBLE, True),
        ("Hernia", PRESENT, None, False),
        ("Mass", ABSENT, PRESENT, True),
        ("Nodule", POSSIBLE, PRESENT, False),
    ]
