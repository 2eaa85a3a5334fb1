"""What the record says never changes what is said of the image."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.draft import Assertion, CheckedDraft, Outcome, Section, Statement
from medmm.domain.record import ClinicalContext, Coding, Fact, FactKind, FactStatus, Quantity
from medmm.domain.vocabulary import finding_terms
from medmm.drafting import RuleWriter
from medmm.grounding import check
from tests.factories import make_case, make_context, make_reading

LABELS = st.sampled_from(
    [
        *(term.words.capitalize() for term in finding_terms().values()),
        "Heart failure",
        "No pneumothorax",
        "New left pleural effusion, increased since 2020",
        "Cancer of right lung",
        'Quoted "words" and\n a second line',
        "<b>Fracture</b>",
        "Left hip pain 3 of 10",
    ]
) | st.text(min_size=1, max_size=40)
CODES = st.sampled_from([c for term in finding_terms().values() for c in term.codings])
UNITS = st.sampled_from(["mg/L", "1", "%", "10*3/uL", "a", "{score}", "mmol/L", "mm[Hg]", ""])
NUMBERS = st.floats(-1e6, 1e6).map(lambda x: float(f"{x:.4g}"))
QUANTITIES = st.builds(
    Quantity,
    value=NUMBERS,
    unit=UNITS,
    comparator=st.sampled_from([None, "<", ">", "<=", ">="]),
    low=st.none() | NUMBERS,
    high=st.none() | NUMBERS,
)
WHEN = (
    st.none()
    | st.dates(date(1950, 1, 1), date(2026, 1, 1))
    | st.just(datetime(2025, 12, 1, 9, tzinfo=UTC))
)


@st.composite
def contexts(draw: st.DrawFn) -> ClinicalContext:
    kinds = [kind for kind in FactKind if kind is not FactKind.DEMOGRAPHIC]
    facts = [
        Fact(
            id=f"fact/{number}",
            kind=draw(st.sampled_from(kinds)),
            label=draw(LABELS),
            status=draw(st.sampled_from(FactStatus)),
            codings=draw(st.lists(CODES, max_size=1).map(tuple)),
            value=draw(st.none() | QUANTITIES | LABELS),
            when=draw(WHEN),
            marks=draw(st.sampled_from([(), ("implausible value",)])),
            source=f"entry[{number}]",
        )
        for number in range(draw(st.integers(0, 12)))
    ]
    return make_context(tuple(facts))


def of_image(statements: tuple[Statement, ...]) -> list[Statement]:
    """The statements on the image, without their numbers: what is summarised is named by its words."""
    words = {s.id: s.text for s in statements}
    return [
        replace(s, id="-", summarises=words.get(s.summarises or ""))
        for s in statements
        if s.section is not Section.CLINICAL_INFORMATION or s.assertion is not Assertion.REPORTED
    ]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(contexts())
def test_swapping_the_record_changes_no_statement_on_the_image(context: ClinicalContext) -> None:
    with_record = RuleWriter().write(make_case(context=context), make_reading())
    without = RuleWriter().write(make_case(context=None), make_reading())
    assert of_image(with_record.statements) == of_image(without.statements)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(contexts())
def test_reported_statements_pass_every_check(context: ClinicalContext) -> None:
    case = make_case(context=context)
    checked: CheckedDraft = check(RuleWriter().write(case, make_reading()), case, make_reading())
    reported = {s.id for s in checked.statements if s.assertion is Assertion.REPORTED}
    wrong = [
        v for v in checked.verdicts if v.outcome is Outcome.FAILED and v.statement_id in reported
    ]
    assert wrong == []


@settings(max_examples=100, deadline=None, derandomize=True)
@given(contexts())
def test_nothing_entered_in_error_is_stated_and_no_denial_is_lost(context: ClinicalContext) -> None:
    draft = RuleWriter().write(make_case(context=context), make_reading())
    facts = {fact.id: fact for fact in context.facts}
    for statement in draft.statements:
        for item in statement.evidence:
            fact = facts.get(getattr(item, "fact_id", ""))
            if fact is None:
                continue
            assert fact.status is not FactStatus.ENTERED_IN_ERROR
            if fact.status is FactStatus.REFUTED:
                assert statement.text.startswith("Recorded as ruled out:")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(contexts(), st.randoms())
def test_the_order_of_facts_does_not_change_which_are_stated(
    context: ClinicalContext, random: st.random_module
) -> None:
    shuffled = list(context.facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = RuleWriter().write(make_case(context=context), make_reading())
    other = RuleWriter().write(
        make_case(context=replace(context, facts=tuple(shuffled))), make_reading()
    )
    assert sorted(s.text for s in one.statements) == sorted(s.text for s in other.statements)


def test_a_code_in_the_record_is_no_evidence_of_the_image() -> None:
    code = Coding(system="http://snomed.info/sct", code="36118008", display="Pneumothorax")
    fact = Fact(
        id="c", kind=FactKind.CONDITION, label="Pneumothorax", codings=(code,), source="entry[0]"
    )
    draft = RuleWriter().write(make_case(context=make_context((fact,))), make_reading())
    named = [s.assertion for s in draft.statements if "neumothorax" in s.text]
    assert named == [Assertion.REPORTED, Assertion.ABSENT]
