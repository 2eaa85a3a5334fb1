"""Decisions against failed checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Severity, Verdict
from medmm.domain.errors import InputError, StateError
from medmm.domain.report import Accept, Add, CaseState, Decision, Edit, Reject
from medmm.review import decide
from tests.factories import make_case_file, make_checked_draft, make_draft


def test_an_edit_that_changes_no_word_does_not_get_round_a_failed_check() -> None:
    file = make_case_file(draft=make_checked_draft(failed=("s2",)))
    words = make_draft().statements[1].text
    with pytest.raises(StateError, match="G2"):
        decide(file, [Edit("s2", f"  {words} ")])
    assert decide(file, [Edit("s2", "Small left pleural effusion.")])


@pytest.mark.parametrize("severity", list(Severity))
def test_only_a_check_that_blocks_refuses_an_acceptance(severity: Severity) -> None:
    draft = make_checked_draft(failed=("s2",))
    verdicts = tuple(replace(verdict, severity=severity) for verdict in draft.verdicts)
    file = make_case_file(draft=replace(draft, verdicts=verdicts))
    if severity is Severity.BLOCKS:
        with pytest.raises(StateError, match="G2"):
            decide(file, [Accept("s2")])
    else:
        assert decide(file, [Accept("s2")]) == (Accept("s2"),)


def test_a_verdict_of_an_earlier_release_blocks() -> None:
    (verdict, *_) = make_checked_draft(failed=("s1",)).verdicts
    early = {name: value for name, value in to_json(verdict).items() if name != "severity"}
    assert from_json(Verdict, early).severity is Severity.BLOCKS


@pytest.mark.parametrize(
    "decision",
    [
        Accept(["s1"]),  # type: ignore[arg-type]
        Reject("s1", 5),  # type: ignore[arg-type]
        Add("Old fracture.", side="left"),  # type: ignore[arg-type]
        Add("Old fracture.", place=7),  # type: ignore[arg-type]
    ],
)
def test_a_decision_that_could_not_be_read_again_is_refused(decision: Decision) -> None:
    file = make_case_file(CaseState.IN_REVIEW, decisions=())
    with pytest.raises(InputError, match="the types of its fields"):
        decide(file, [decision])
