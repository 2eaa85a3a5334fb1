"""The checks on words that readers wrote: they mark what the record, the side or the measurements do not bear out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from medmm.domain.draft import Draft, Outcome, ReaderEvidence, Section, Severity, Statement
from medmm.domain.reading import Side
from medmm.domain.record import FactKind, FactStatus
from medmm.domain.report import (
    Accept,
    Add,
    Addendum,
    CaseFile,
    CaseState,
    Decision,
    Edit,
    Impression,
)
from medmm.drafting import RuleWriter
from medmm.grounding import CHECKS, check, recheck
from medmm.review import decide, sign
from tests.factories import (
    ATTENDING,
    WRITER,
    make_case,
    make_context,
    make_fact,
    make_facts,
    make_reading,
    make_study,
    make_volume,
)

ORDER = make_fact(
    FactKind.ORDER,
    "Chest radiograph",
    id="ServiceRequest/r1",
    value="Cough for three weeks, fever 39 C",
)
FACTS = tuple(ORDER if f.kind is FactKind.ORDER else f for f in make_facts())


def drafted(**changes: object) -> CaseFile:
    case = make_case(context=make_context(FACTS), **changes)
    reading = make_reading()
    draft = check(RuleWriter().write(case, reading), case, reading)
    assert not any(v.outcome is Outcome.FAILED for v in draft.verdicts)
    return CaseFile(
        case=case, state=CaseState.DRAFTED, reading=reading, draft=draft, decisions=(), report=None
    )


def marked(*decisions: Decision, file: CaseFile | None = None) -> dict[str, str]:
    """What is marked, by check."""
    file = file or drafted()
    now = replace(file, state=CaseState.IN_REVIEW, decisions=decide(file, decisions, ATTENDING))
    now = replace(now, rechecked=recheck(now))
    return {v.check: v.reason for d in now.decisions for v in now.marks(d.statement_id)}


def statement(words: str) -> Statement:
    return next(s for s in drafted().draft.statements if words in s.text)  # type: ignore[union-attr]


ORDERED, EFFUSION, RATIO = statement("Ordered"), statement("effusion"), statement("ratio")


def test_a_failed_check_blocks_in_a_draft_and_warns_in_a_readers_words() -> None:
    file = drafted()
    assert file.draft is not None
    blocks = {one.number: one.severity for one in CHECKS}
    assert {n for n, severity in blocks.items() if severity is not Severity.BLOCKS} == {
        "G21",
        "G22",
    }
    assert {v.check: v.severity for v in file.draft.verdicts} == blocks
    own = replace(file, decisions=(Edit(EFFUSION.id, "Possible right effusion."),))
    warns = {one.number: one.of_readers for one in CHECKS if one.of_readers is not None}
    assert set(blocks) - set(warns) == {
        "G10",
        *(f"G{n}" for n in range(12, 16)),
        *(f"G{n}" for n in range(19, 23)),
    }
    assert set(warns.values()) == {Severity.WARNS}
    assert {v.check: v.severity for v in recheck(own)} == warns


def test_an_addendum_is_a_readers_own_word_and_not_a_drafts() -> None:
    called = Addendum("The ward was called.", statement_id="a1", by=ATTENDING)
    verdicts = recheck(replace(drafted(), decisions=(called,)))
    assert [v.reason for v in verdicts if v.outcome is Outcome.FAILED] == []
    assert "a1" in {v.statement_id for v in verdicts}


def test_nothing_is_marked_without_own_words() -> None:
    assert recheck(drafted()) == ()
    assert marked(Accept(ORDERED.id)) == {}


@pytest.mark.parametrize(
    ("text", "checks"),
    [
        ('Ordered: "Chest radiograph", for "Cough for two weeks, fever 39 C".', {"G6", "G11"}),
        ('Ordered: "Chest radiograph", for "Cough for three months, fever 39 C".', {"G6"}),
        ('Ordered: "Chest radiograph", for "Cough for 2 weeks, fever 39 C".', {"G6"}),
        ('Ordered: "Chest radiograph", for "Cough for three weeks, fever 40 C".', {"G6"}),
        (
            'Ordered: "Chest radiograph", for "Cough for three weeks, fever 39 C", query pneumonia.',
            {"G11"},
        ),
        (
            'Ordered: "Chest radiograph", for "Cough for three weeks, fever 39 C"; known lung cancer.',
            {"G11"},
        ),
        ('Ordered: "Chest radiograph", for "Cough for three weeks". Query pneumonia.', {"G11"}),
        ("Left-sided chest pain.", {"G2", "G11"}),
        ('Ordered: "Chest radiograph", for "cough, no fever".', {"G5"}),
    ],
)
def test_what_is_codes_of_the_record_is_marked(text: str, checks: set[str]) -> None:
    found = marked(Edit(ORDERED.id, text))
    assert checks <= set(found), found
    if "pneumonia" in text:
        assert "query" in found["G11"]
        assert "pneumonia" in found["G11"]


@pytest.mark.parametrize(
    "text",
    [
        'Ordered: "Chest radiograph".',
        "Cough for three weeks, fever 39 C.",
        "Cough for 3 weeks; fever of 39 C.",
        "Chest radiograph for cough since three weeks.",
        "The patient has cough and fever.",
    ],
)
def test_the_records_own_words_said_otherwise_are_not_marked(text: str) -> None:
    assert marked(Edit(ORDERED.id, text)) == {}


def test_a_status_or_value_of_the_record_that_is_changed_is_marked() -> None:
    refuted, value = statement("ruled out"), statement("C-reactive")
    assert "G5" in marked(Edit(refuted.id, "Tuberculosis."))
    assert marked(Edit(refuted.id, "No tuberculosis.")) == {}
    assert "G6" in marked(Edit(value.id, value.text.replace("87", "8.7")))
    assert "G6" in marked(Edit(value.id, value.text.replace("mg/L", "mg/dL")))
    assert "G6" in marked(Edit(value.id, value.text.replace("2025-12-30", "2025-12-31")))
    assert marked(Edit(value.id, "C-reactive protein 87 mg/L.")) == {}


@pytest.mark.parametrize(
    ("text", "checks"),
    [
        ("Small right pleural effusion.", {"G2"}),
        ("No pleural effusion.", {"G3"}),
        ("New left pleural effusion.", {"G4"}),
        ("Left pleural effusion of 3 cm.", {"G6"}),
        ("Left pleural effusion and pneumonia.", {"G1"}),
    ],
)
def test_an_edited_finding_that_its_evidence_does_not_bear_out_is_marked(
    text: str, checks: set[str]
) -> None:
    assert set(marked(Edit(EFFUSION.id, text))) == checks


def test_how_sure_a_reader_is_is_not_the_checks_to_say() -> None:
    for text in (
        "Left pleural effusion.",
        "Small left pleural effusion is present.",
        "Probable left effusion.",
    ):
        assert marked(Edit(EFFUSION.id, text)) == {}


@pytest.mark.parametrize(
    ("own", "checks"),
    [
        (Add.of("Nodule", side=Side.LEFT, place="upper zone"), set()),
        (Add("Scoliosis."), set()),
        (Add("Cardiothoracic ratio 0.54, scoliosis."), set()),
        (Add("Nodule of 3 cm."), {"G6"}),
        (Add("No pleural effusion."), {"G3"}),
        (Add("Unchanged scoliosis."), {"G4"}),
        (Add("Scoliosis of a 30 year old man."), {"G5", "G6"}),
        (Impression("Possible left pleural effusion, possible cardiomegaly."), set()),
        (Impression("Left effusion, smaller than before."), {"G4"}),
    ],
)
def test_a_readers_own_words_meet_the_same_checks(own: Decision, checks: set[str]) -> None:
    assert set(marked(own)) == checks


def test_the_record_against_an_added_finding_is_marked() -> None:
    facts = (
        make_fact(FactKind.CONDITION, "Pneumonia", status=FactStatus.REFUTED),
        make_fact(FactKind.CONDITION, "Pneumothorax"),
    )
    file = drafted()
    file = replace(file, case=replace(file.case, context=make_context((*FACTS, *facts))))
    for own in (
        Add.of("Pneumonia"),
        Add("Right pneumonia."),
        Impression("No pneumothorax."),
        Impression("Pneumonia."),
    ):
        assert "G5" in marked(own, file=file)
    assert "G5" not in marked(Add.of("Pneumothorax"), file=file)


def test_a_side_on_a_film_that_names_none_is_marked() -> None:
    study = make_study(volumes=(make_volume(patient_left_on=None),))
    file = drafted()
    file = replace(file, case=replace(file.case, study=study))
    assert "G2" in marked(Add.of("Nodule", side=Side.LEFT), file=file)
    assert marked(Add.of("Nodule"), file=file) == {}


def test_a_mark_refuses_nothing() -> None:
    file = drafted()
    decisions = [Accept(s.id) for s in file.asked if s.id != ORDERED.id]
    text = 'Ordered: "Chest radiograph", for "Cough for two weeks"; query pneumonia.'
    now = replace(
        file,
        state=CaseState.IN_REVIEW,
        decisions=decide(file, [*decisions, Edit(ORDERED.id, text)], ATTENDING),
    )
    report = sign(now, ATTENDING, datetime(2026, 1, 2, 9, 30, tzinfo=UTC))
    assert text in {s.text for s in report.statements}


def test_no_draft_may_name_a_reader_as_its_evidence() -> None:
    case = make_case()
    own = Statement(
        id="s1", section=Section.FINDINGS, text="Scoliosis.", assertion=EFFUSION.assertion,
        evidence=(ReaderEvidence(reader_id="reader-1"),),
    )  # fmt: skip
    draft = Draft(
        id="d", case_id=case.id, writer="x", author=WRITER, statements=(own,), not_evaluated=()
    )
    g1 = next(v for v in check(draft, case, make_reading()).verdicts if v.check == "G1")
    assert g1.outcome is Outcome.FAILED
