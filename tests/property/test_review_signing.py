"""Whatever a reader decides in whatever order: what is signed is what was decided, and codes match their words."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.draft import Assertion
from medmm.domain.errors import StateError
from medmm.domain.report import Accept, CaseFile, CaseState, Decision, Edit, Reject
from medmm.language.report_parser import Polarity, findings_named
from medmm.language.sides import named_side
from medmm.review import Act, advance, decide, sign
from tests.factories import ATTENDING, SIGNED_AT, make_case_file, make_statements

STATEMENTS = make_statements()
IDS = [s.id for s in STATEMENTS]
SUMMARY_OF = {s.summarises: s.id for s in STATEMENTS if s.summarises}
SAID = {
    Assertion.PRESENT: Polarity.AFFIRMED,
    Assertion.POSSIBLE: Polarity.HEDGED,
    Assertion.ABSENT: Polarity.DENIED,
}
WORDS = [
    "possible left pleural effusion",
    "possible",
    "no",
    "left",
    "right",
    "bilateral",
    "pleural effusion",
    "pneumonia",
    "small",
    "is not seen",
]
WORDS += [
    "heart failure",
    "cardiothoracic ratio 0.54 (0.51 to 0.57)",
    "0.45",
    ",",
    ".",
    "but",
    "cannot be excluded",
]
EDITS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
DECISIONS = st.one_of(
    st.builds(Accept, st.sampled_from(IDS)),
    st.builds(Reject, st.sampled_from(IDS), st.text(max_size=5)),
    st.builds(Edit, st.sampled_from(IDS), EDITS),
)


def after(rounds: list[list[Decision]]) -> CaseFile:
    file = make_case_file()
    for decisions in rounds:
        merged = decide(file, decisions)
        file = replace(file, decisions=merged, state=advance(file.state, Act.DECIDE))
    return file


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.lists(DECISIONS, max_size=6), max_size=4))
def test_the_last_decision_on_each_statement_counts(rounds: list[list[Decision]]) -> None:
    last: dict[str, Decision] = {}
    for decisions in rounds:
        latest = {d.statement_id: d for d in decisions}
        for statement_id in latest:
            last.pop(SUMMARY_OF.get(statement_id, ""), None)
        last |= latest
    assert after(rounds).decisions == tuple(last[i] for i in IDS if i in last)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.lists(DECISIONS, max_size=6), min_size=1, max_size=4))
def test_a_report_holds_what_was_decided_or_is_not_made(rounds: list[list[Decision]]) -> None:
    file = after(rounds)
    own = {d.statement_id: d for d in file.decisions}
    stands = {s.id: own.get(s.id) or own.get(s.summarises or "") for s in STATEMENTS}
    kept = {i: d for i, d in stands.items() if not isinstance(d, Reject)}
    if None in stands.values() or not kept:
        with pytest.raises(StateError):
            sign(file, ATTENDING, SIGNED_AT)
        return
    report = None
    with suppress(StateError):
        report = sign(file, ATTENDING, SIGNED_AT)
    if report is None:
        assert SUMMARY_OF["s2"] in own, "only a summary with a decision of its own can contradict"
        return
    drafted = {s.id: s.text for s in STATEMENTS}
    expected = [(i, d.text if isinstance(d, Edit) else drafted[i]) for i, d in kept.items()]
    assert [(s.id, s.text) for s in report.statements] == expected
    assert report.rejected_count == sum(
        isinstance(stands[s.id], Reject) for s in STATEMENTS if not s.summarises
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.tuples(*[EDITS] * (len(IDS) - 1)))
def test_a_code_never_travels_with_words_that_say_something_else(words: tuple[str, ...]) -> None:
    edits = [
        Edit(s.id, text)
        for s, text in zip([s for s in STATEMENTS if not s.summarises], words, strict=True)
    ]
    file = replace(make_case_file(CaseState.IN_REVIEW), decisions=tuple(edits))
    for statement in sign(file, ATTENDING, SIGNED_AT).statements:
        if statement.finding is not None:
            assert findings_named(statement.text) == {statement.finding: SAID[statement.assertion]}
            assert named_side(statement.text) is statement.side
        else:
            assert statement.side is None
