from __future__ import annotations

import itertools

import pytest

from medmm.domain.errors import StateError
from medmm.domain.report import Accept, CaseState
from medmm.review import NEXT, Act, advance, reopened
from tests.factories import make_case_file

OPENED, DRAFTED, IN_REVIEW = CaseState.OPENED, CaseState.DRAFTED, CaseState.IN_REVIEW
SUPERSEDED = CaseState.SUPERSEDED
AFTER_SIGNING = {
    Act.AMEND: CaseState.AMENDED,
    Act.ADDENDUM: CaseState.AMENDED,
    Act.WITHDRAW: CaseState.WITHDRAWN,
}
# Written down a second time, state by state: what may happen, and where it leads.
ALLOWED = {
    None: {Act.OPEN: OPENED},
    OPENED: {Act.DRAFT: DRAFTED, Act.SUPERSEDE: SUPERSEDED},
    DRAFTED: {Act.DRAFT: DRAFTED, Act.DECIDE: IN_REVIEW, Act.SUPERSEDE: SUPERSEDED},
    IN_REVIEW: {
        Act.DECIDE: IN_REVIEW,
        Act.UNDO: IN_REVIEW,
        Act.PROPOSE: CaseState.PRELIMINARY,
        Act.SIGN: CaseState.SIGNED,
        Act.SUPERSEDE: SUPERSEDED,
    },
    CaseState.PRELIMINARY: {
        Act.DECIDE: IN_REVIEW,
        Act.UNDO: IN_REVIEW,
        Act.SIGN: CaseState.SIGNED,
        Act.SUPERSEDE: SUPERSEDED,
    },
    SUPERSEDED: {},
    CaseState.SIGNED: AFTER_SIGNING,
    CaseState.AMENDED: AFTER_SIGNING,
    CaseState.WITHDRAWN: {},
}
CELLS = list(itertools.product([None, *CaseState], Act))


def test_every_state_has_its_row() -> None:
    assert set(ALLOWED) == {None, *CaseState}


@pytest.mark.parametrize(("state", "act"), CELLS)
def test_every_cell(state: CaseState | None, act: Act) -> None:
    expected = ALLOWED[state].get(act)
    if expected is not None:
        assert advance(state, act) is expected
        return
    with pytest.raises(StateError) as caught:
        advance(state, act)
    assert act.value in caught.value.problem
    assert caught.value.remedy


def test_the_table_has_no_cell_beyond_these() -> None:
    assert len(NEXT) == sum(len(row) for row in ALLOWED.values())


def test_signed_is_reached_through_review_alone() -> None:
    assert [cell for cell, state in NEXT.items() if state is CaseState.SIGNED] == [
        (IN_REVIEW, Act.SIGN),
        (CaseState.PRELIMINARY, Act.SIGN),
    ]


def test_a_case_that_is_opened_again_goes_on_where_it_was() -> None:
    assert reopened(make_case_file(OPENED)) is OPENED
    assert reopened(make_case_file(DRAFTED)) is DRAFTED
    assert reopened(make_case_file(IN_REVIEW, decisions=(Accept("s1"),))) is IN_REVIEW
