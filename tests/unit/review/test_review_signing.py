from __future__ import annotations

import ast
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

import medmm
from medmm.config import load_settings
from medmm.domain.draft import Assertion, Statement
from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.domain.reading import Side
from medmm.domain.report import (
    Accept,
    CaseFile,
    CaseState,
    Decision,
    Edit,
    Reader,
    Reject,
    SignedStatement,
)
from medmm.review import decide, keeps_coding, sign, to_sign
from tests import mr_cases
from tests.factories import (
    ATTENDING,
    SIGNED_AT,
    make_case_file,
    make_checked_draft,
    make_context,
    make_mr_study,
    make_signed_report,
    make_statements,
    make_study_reference,
)

S1, S2, S3, S4 = make_statements()
ALL: tuple[Decision, ...] = tuple(Accept(s.id) for s in make_statements())


def in_review(*decisions: Decision, failed: tuple[str, ...] = ()) -> CaseFile:
    return make_case_file(
        CaseState.IN_REVIEW, draft=make_checked_draft(failed=failed), decisions=decisions
    )


# ---- decide ---------------------------------------------------------------------------------------------


def test_decisions_come_in_the_order_of_the_draft() -> None:
    assert decide(make_case_file(), [Accept("s3"), Reject("s1", "no")]) == (
        Reject("s1", "no"),
        Accept("s3"),
    )


def test_a_later_decision_on_a_statement_replaces_the_earlier() -> None:
    file = in_review(Accept("s1"), Reject("s2"))
    assert decide(file, [Edit("s1", "Heart failure."), Accept("s1"), Accept("s2")]) == (
        Accept("s1"),
        Accept("s2"),
    )


def test_no_decision_changes_nothing() -> None:
    assert decide(in_review(*ALL), []) == ALL


def test_an_unknown_statement_is_refused_by_its_id() -> None:
    with pytest.raises(InputError, match="s9"):
        decide(make_case_file(), [Accept("s1"), Accept("s9")])


@pytest.mark.parametrize(
    "state", [CaseState.OPENED, CaseState.SIGNED, CaseState.AMENDED, CaseState.WITHDRAWN]
)
def test_only_a_drafted_case_is_decided(state: CaseState) -> None:
    with pytest.raises(StateError):
        decide(make_case_file(state), [Accept("s1")])


def test_a_case_without_a_draft_is_not_decided() -> None:
    with pytest.raises(StateError, match="no draft"):
        decide(replace(make_case_file(), draft=None), [Accept("s1")])


def test_a_statement_that_failed_a_check_is_not_accepted_as_it_stands() -> None:
    file = in_review(failed=("s2",))
    with pytest.raises(StateError, match="G2") as caught:
        decide(file, [Accept("s2")])
    assert "edit or reject" in caught.value.remedy
    words = Edit("s2", "Small left pleural effusion.")
    assert decide(file, [words, Accept("s1")]) == (Accept("s1"), words)
    assert decide(file, [Reject("s2")]) == (Reject("s2"),)


# ---- sign -----------------------------------------------------------------------------------------------


def test_what_was_accepted_is_signed_word_for_word() -> None:
    report = sign(in_review(*ALL), ATTENDING, SIGNED_AT)
    assert [s.text for s in report.statements] == [s.text for s in make_statements()]
    for signed, drafted in zip(report.statements, make_statements(), strict=True):
        assert (signed.finding, signed.side, signed.assertion) == (
            drafted.finding,
            drafted.side,
            drafted.assertion,
        )
        assert signed.evidence == drafted.evidence
        assert signed.drafted_text is None
    assert (report.signed_by, report.signed_at, report.version) == (ATTENDING, SIGNED_AT, 1)
    assert (report.writer, report.draft_id, report.rejected_count) == ("rule-writer", "draft-1", 0)
    assert report.study == make_study_reference()
    assert report.not_evaluated == ("fractures", "comparison with earlier images")
    assert report.models


def test_what_was_rejected_is_left_out_and_counted() -> None:
    report = sign(in_review(Accept("s1"), Reject("s2"), Accept("s3")), ATTENDING, SIGNED_AT)
    assert [s.id for s in report.statements] == ["s1", "s3"]
    assert report.rejected_count == 1, (
        "a fact that is rejected is one rejection, though its summary goes with it"
    )


def test_an_undecided_statement_holds_the_signature_up() -> None:
    with pytest.raises(StateError, match="1 of 3 statements are undecided") as caught:
        sign(in_review(Accept("s1"), Accept("s2")), ATTENDING, SIGNED_AT)
    assert caught.value.where["statements"] == "s3"


def test_a_signed_case_is_not_signed_again() -> None:
    with pytest.raises(StateError, match="signed already"):
        sign(make_case_file(CaseState.SIGNED), ATTENDING, SIGNED_AT)
    with pytest.raises(StateError, match="signed already"):
        sign(replace(in_review(*ALL), report=make_signed_report()), ATTENDING, SIGNED_AT)


@pytest.mark.parametrize(
    "state", [CaseState.OPENED, CaseState.DRAFTED, CaseState.AMENDED, CaseState.WITHDRAWN]
)
def test_a_case_in_another_state_is_not_signed(state: CaseState) -> None:
    with pytest.raises(StateError):
        sign(replace(make_case_file(state), decisions=ALL), ATTENDING, SIGNED_AT)


def test_nothing_left_is_nothing_to_sign() -> None:
    with pytest.raises(StateError, match="nothing is left"):
        sign(in_review(*[Reject(s.id) for s in make_statements()]), ATTENDING, SIGNED_AT)


def test_an_accepted_statement_that_failed_a_check_is_refused_again_at_the_signature() -> None:
    with pytest.raises(StateError, match="failed G2"):
        sign(in_review(*ALL, failed=("s4",)), ATTENDING, SIGNED_AT)


def test_a_signature_needs_a_time_zone() -> None:
    with pytest.raises(InputError, match="time zone"):
        sign(in_review(*ALL), ATTENDING, datetime(2026, 1, 1))


def test_the_id_follows_the_content() -> None:
    one = sign(in_review(*ALL), ATTENDING, SIGNED_AT)
    assert sign(in_review(*ALL), ATTENDING, SIGNED_AT) == one
    others = [
        sign(in_review(*ALL[:3], Reject("s4")), ATTENDING, SIGNED_AT),
        sign(in_review(*ALL[:3], Edit("s4", "Suspected left effusion.")), ATTENDING, SIGNED_AT),
        sign(in_review(*ALL), replace(ATTENDING, id="reader-2"), SIGNED_AT),
        sign(in_review(*ALL), ATTENDING, SIGNED_AT.replace(year=2027)),
    ]
    assert len({one.id, *(other.id for other in others)}) == 5


# ---- edited words and their code ------------------------------------------------------------------------


def edited(statement: Statement, text: str) -> SignedStatement:
    asked = [s.id for s in make_statements() if s.summarises is None]
    decisions = tuple(Edit(i, text) if i == statement.id else Accept(i) for i in asked)
    report = sign(in_review(*decisions), ATTENDING, SIGNED_AT)
    return next(s for s in report.statements if s.id == statement.id)


KEPT = [
    (S2, "Possible small left pleural effusion."),
    (S2, "Left pleural effusion is suspected."),
    (S2, "Suspected left effusion; please correlate."),
    (S3, "The cardiothoracic ratio is 0.54 (0.51 to 0.57)."),
    (S1, "Known heart failure."),
]


@pytest.mark.parametrize(("statement", "text"), KEPT, ids=[t for _, t in KEPT])
def test_words_that_still_say_what_is_coded_keep_the_code(statement: Statement, text: str) -> None:
    signed = edited(statement, text)
    assert (signed.text, signed.drafted_text) == (text, statement.text)
    assert (signed.finding, signed.side) == (statement.finding, statement.side)
    assert (signed.assertion, signed.evidence) == (statement.assertion, statement.evidence)


DROPPED = [
    (S2, "No pleural effusion.", Assertion.ABSENT),
    (S2, "Left pleural effusion is not seen.", Assertion.ABSENT),
    (S2, "Left pleural effusion.", Assertion.PRESENT),
    (S2, "Possible right pleural effusion.", Assertion.POSSIBLE),
    (S2, "Possible bilateral pleural effusion.", Assertion.POSSIBLE),
    (S2, "Possible pleural effusion.", Assertion.POSSIBLE),
    (S2, "Possible left pneumonia.", Assertion.POSSIBLE),
    (S2, "Possible left pleural effusion and pneumonia.", Assertion.POSSIBLE),
    (S2, "Left pleural effusion; otherwise possibly abnormal.", Assertion.POSSIBLE),
    (S2, "Raised left hemidiaphragm.", Assertion.PRESENT),
    (S3, "Cardiothoracic ratio 0.45 (0.51 to 0.57).", Assertion.PRESENT),
    (S3, "The heart is enlarged.", Assertion.PRESENT),
    (S1, "No heart failure.", Assertion.REPORTED),
    (S1, "Heart failure, class 3.", Assertion.REPORTED),
    (S1, "Asthma.", Assertion.REPORTED),
]


@pytest.mark.parametrize(
    ("statement", "text", "assertion"), DROPPED, ids=[t for _, t, _ in DROPPED]
)
def test_words_that_say_something_else_travel_without_the_code(
    statement: Statement, text: str, assertion: Assertion
) -> None:
    signed = edited(statement, text)
    assert (signed.text, signed.drafted_text) == (text, statement.text)
    assert (signed.finding, signed.side, signed.evidence) == (None, None, ())
    assert signed.assertion is assertion


def test_without_the_record_no_fact_is_vouched_for() -> None:
    assert keeps_coding(S1, "Known heart failure.", make_context())
    assert not keeps_coding(S1, "Known heart failure.", None)


def test_a_side_in_the_code_alone_is_enough_to_part_from_the_words() -> None:
    assert not keeps_coding(replace(S2, side=Side.RIGHT), S2.text, None)


def test_a_measurement_keeps_its_coding_only_with_its_side() -> None:
    _, _, draft = mr_cases.drafted(make_mr_study("HIPPOCAMPUS"))
    left = draft.statements[1]
    assert keeps_coding(
        left, left.text.replace("Left hippocampus", "The left hippocampus has a"), None
    )
    assert not keeps_coding(left, left.text.replace("Left", "Right"), None)
    assert not keeps_coding(left, left.text.replace("2.48", "2.84"), None)
    heart = mr_cases.drafted(make_mr_study("HEART"))[2].statements[1]
    assert keeps_coding(heart, heart.text.replace("55 %", "of 55 %"), None), "a chamber is no side"


# ---- the only place that makes one ----------------------------------------------------------------------


def test_no_other_room_makes_a_signed_report() -> None:
    root = Path(medmm.__file__).parent
    makers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name == "SignedReport":
                    makers.add(path.relative_to(root).as_posix())
    assert makers == {"review/signing.py"}


def test_nobody_signs_under_the_name_that_ships_with_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MEDMM_CONFIG", raising=False)
    shipped = load_settings().readers[0].reader()
    assert shipped.unnamed
    with pytest.raises(ConfigError, match="put your own name"):
        sign(in_review(*ALL), shipped, SIGNED_AT)
    assert sign(in_review(*ALL), replace(shipped, name="ZZREADER One"), SIGNED_AT)
    assert not Reader(id="reader-1", name="Reader 1 (demo)", role="reader").unnamed


def test_what_is_shown_before_the_signature_is_what_is_signed() -> None:
    file = in_review(Accept("s1"), Edit("s2", "No effusion."), Reject("s3"), Reject("s4"))
    assert to_sign(file) == sign(file, ATTENDING, SIGNED_AT).statements
    with pytest.raises(StateError, match="undecided"):
        to_sign(in_review(Accept("s1")))
