"""What a reading room shows, in words: rows and their urgency, frequencies, verdicts, courses, signatures."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.critical_result import CriticalRule, critical_result
from medmm.domain.draft import Outcome, Verdict
from medmm.domain.identity import PatientIdentity
from medmm.domain.promise import Promise
from medmm.domain.reading import Side
from medmm.domain.record import Coding, FactKind, FactStatus, Quantity
from medmm.domain.report import Accept, Add, CaseState, CaseSummary, Edit, Reject
from medmm.domain.worklist import WorklistRow
from medmm.grounding.checks import CHECKS
from medmm.presentation.reading_words import natural_frequency, trend, verdict_words
from medmm.presentation.signing_summary import signing_summary
from medmm.presentation.worklist_view import duration_words, name_words, worklist_line
from tests.factories import ATTENDING, make_case_file, make_fact

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PERSON = PatientIdentity(
    patient_id="ZZ-1",
    family_name="ZZMÜLLER",
    given_name="ANNA",
    birth_date=date(1960, 3, 2),
    sex="F",
)


def case(**changes: object) -> CaseSummary:
    made = CaseSummary(
        case_id="case-1",
        study_uid="1.2.3",
        patient_key="pk-1",
        modality="DX",
        body_part="CHEST",
        acquired=datetime(2026, 1, 2, 8, 15, tzinfo=UTC),
        state=CaseState.DRAFTED,
        suspected=(),
        opened_at=NOW,
        waiting_since=NOW - timedelta(hours=2, minutes=5),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_row_is_said_in_words() -> None:
    row = WorklistRow(
        case=case(
            priority="stat",
            priority_reason="as ordered",
            assigned="reader-2",
            assigned_since=NOW - timedelta(minutes=10),
            site="A",
        ),
        patient=PERSON,
        accession="ACC-1",
    )
    line = worklist_line(row, NOW, {"reader-2": "ZZREADER Two"})
    assert (line.name, line.patient_id, line.age) == ("ZZMÜLLER, ANNA", "ZZ-1", "65 years, F")
    assert line.urgency == "stat, as ordered; waiting 2 h 5 min"
    assert (line.reads, line.status, line.study) == (
        "ZZREADER Two since 11:50",
        "drafted",
        "DX CHEST",
    )
    assert not line.overdue


def test_a_row_without_names_says_so_and_gives_none() -> None:
    line = worklist_line(WorklistRow(case=case()), NOW, {})
    assert {line.name, line.patient_id, line.age} == {"not shown to this role"}
    assert name_words(PatientIdentity(patient_id=None)) == "no name"


def test_a_critical_finding_is_the_first_reason_with_its_time_and_whom_to_try() -> None:
    rule = CriticalRule(contacts=("ward 3", "on call"))
    since = NOW - timedelta(minutes=20)
    row = WorklistRow(
        case=case(priority="asap", priority_reason="dyspnoea"),
        critical=critical_result(("Pneumothorax",), since, rule, NOW),
    )
    assert worklist_line(row, NOW, {}).urgency == (
        "critical finding: pneumothorax (category 1), to be told within 40 min, try on call; "
        "asap, dyspnoea; waiting 2 h 5 min"
    )
    later = worklist_line(row, NOW + timedelta(minutes=50), {})
    assert later.overdue
    assert "10 min overdue" in later.urgency
    unsigned = replace(row, critical=critical_result(("Edema",), None, rule, NOW))
    assert "to be told once it is signed" in worklist_line(unsigned, NOW, {}).urgency


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (-3, "0 min"),
        (0, "0 min"),
        (59, "59 min"),
        (60, "1 h"),
        (125, "2 h 5 min"),
        (2880, "2 d"),
        (2945, "2 d 1 h"),
    ],
)
def test_time_is_said_by_its_two_largest_units(minutes: int, words: str) -> None:
    assert duration_words(timedelta(minutes=minutes)) == words


PROMISE = Promise(false_claim_rate=0.1, claimed=0.6, positives=40, negatives=100, prevalence=0.1)


@pytest.mark.parametrize(
    ("prevalence", "words"),
    [
        (0.1, "right in at least about 4 of 10 films like this"),
        (0.01, "right in at least 1 of 18 films like this"),
        (0.5, "right in at least about 8 of 10 films like this"),
        (0.95, "right in at least 99 of 100 films like this"),
        (0.0, ""),
        (None, ""),
    ],
)
def test_a_promise_is_said_as_a_frequency(prevalence: float | None, words: str) -> None:
    assert natural_frequency(PROMISE, prevalence, "films") == words
    assert natural_frequency(None, prevalence, "films") == ""


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_frequency_never_says_more_than_is_promised(
    wrong: float, claimed: float, prevalence: float
) -> None:
    promise = replace(PROMISE, false_claim_rate=wrong, claimed=claimed)
    words = natural_frequency(promise, prevalence, "films").replace("about ", "").split()
    said = int(words[4]) / int(words[6]) if words[4].isdigit() else 0.0
    assert 0 < said <= promise.right_at(prevalence) + 1e-6


def test_every_check_has_words_for_both_outcomes() -> None:
    for check in CHECKS:
        verdict = Verdict(
            check=check.number, statement_id="s1", outcome=Outcome.PASSED, reason="because"
        )
        passed = verdict_words(verdict)
        failed = verdict_words(replace(verdict, outcome=Outcome.FAILED))
        assert passed
        assert not passed.startswith("check G"), check.number
        assert failed.endswith(": because")
        assert not failed.startswith("check G"), check.number
        assert passed != failed
        assert verdict_words(replace(verdict, outcome=Outcome.NOT_APPLICABLE)) == ""


def value(number: float, day: int, **changes: object):  # type: ignore[no-untyped-def]
    unit = changes.pop("unit", "mg/L")
    return make_fact(
        FactKind.OBSERVATION,
        "C-reactive protein",
        id=f"Observation/{day}/{number}",
        value=Quantity(value=number, unit=str(unit), low=0.0, high=5.0),
        when=date(2026, 1, day),
        **changes,
    )


def test_a_course_is_of_one_unit_and_one_code_oldest_first() -> None:
    crp = Coding(system="http://loinc.org", code="1988-5")
    facts = (
        value(87, 3),
        value(4, 1),
        value(0.4, 2, unit="mg/dL"),
        value(999, 2, status=FactStatus.ENTERED_IN_ERROR),
        value(55, 2, codings=(crp,)),
    )
    found = trend(facts, "C-reactive protein")
    assert found is not None
    assert [(p.value, p.outside) for p in found.points] == [(4, False), (87, True)]
    assert (found.unit, found.usual, found.left_out) == ("mg/L", "0 to 5", 3)
    assert trend(facts, "Sodium") is None
    assert trend((value(1, 1, status=FactStatus.REFUTED),), "C-reactive protein") is None


def test_a_signature_is_said_before_it_is_given() -> None:
    file = make_case_file(
        CaseState.IN_REVIEW,
        decisions=(
            Accept("s1"),
            Edit("s2", "Small left effusion."),
            replace(Add.of("Pneumothorax", side=Side.LEFT), statement_id="r1"),
        ),
    )
    said = signing_summary(file, PERSON, ATTENDING)
    assert said.patient == "ZZMÜLLER, ANNA · born 1960-03-02 · F · ZZ-1"
    assert said.signer == f"{ATTENDING.name} (attending)"
    assert said.counts == "1 accepted, 1 edited, 1 of your own"
    assert [line.split()[0] for line in said.open] == ["s3"]
    assert "nobody was told of pneumothorax yet" in said.heed
    closed = replace(file, decisions=(*file.decisions, Reject("s3")))
    assert signing_summary(closed, PERSON, ATTENDING).open == ()


def test_the_table_of_words_has_a_row_for_each_check_alone() -> None:
    from importlib.resources import files

    text = files("medmm.presentation").joinpath("verdict_words.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["check"] for row in rows] == [check.number for check in CHECKS]
