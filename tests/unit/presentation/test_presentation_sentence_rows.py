"""The sentences of a reading page: their order, the way through them, what each is worth, what an edit changed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.draft import AlsoSuspected
from medmm.domain.promise import LEAST_POSITIVES, Promise
from medmm.domain.report import Accept, Add, CaseFile, CaseState, Decision, Edit, Impression, Reject
from medmm.presentation.case_view import case_view
from medmm.presentation.sentence_rows import (
    ADDED,
    ALSO,
    CLINICAL,
    FINDINGS,
    IF_AS_COMMON,
    IMPRESSION,
    SentenceRow,
    beside,
    changes,
    claim_worth,
    next_open,
    sentence_rows,
)
from tests.factories import (
    make_case_file,
    make_checked_draft,
    make_draft,
    make_finding,
    make_reading,
    make_statements,
)
from tests.mr_cases import case_file

SHARES = st.floats(0.0, 1.0, allow_nan=False)
DRAFTED = ("s1", "s2", "s3", "u1")  # what a reader is asked of, and what is also suspected


def file_of(*decisions: Decision) -> CaseFile:
    """The film of the factories; a nodule is also suspected."""
    statements = make_statements()
    also = AlsoSuspected(statement=replace(statements[1], id="u1"), why="nobody says so")
    draft = make_checked_draft(make_draft(statements=statements, also_suspected=(also,)))
    return make_case_file(CaseState.IN_REVIEW, draft=draft, decisions=decisions)


def rows_of(*decisions: Decision) -> tuple[SentenceRow, ...]:
    file = file_of(*decisions)
    return sentence_rows(file, case_view(file), {})


@st.composite
def decided(draw: st.DrawFn) -> tuple[Decision, ...]:
    """Any decisions on the sentences, and any of a reader's own."""
    made: list[Decision] = []
    for statement_id in DRAFTED:
        of_it = (Accept(statement_id), Reject(statement_id), Edit(statement_id, "Other words."))
        made += [one for one in [draw(st.sampled_from((None, *of_it)))] if one is not None]
    made += [Add("Old rib fracture.", statement_id="r1")] if draw(st.booleans()) else []
    made += [Impression("No acute finding.")] if draw(st.booleans()) else []
    return tuple(made)


@given(decided())
def test_every_sentence_stands_once_and_what_is_beside_the_film_first(
    decisions: tuple[Decision, ...],
) -> None:
    file = file_of(*decisions)
    rows = sentence_rows(file, case_view(file), {})
    order = (FINDINGS, ALSO, ADDED, IMPRESSION, CLINICAL)
    places = [order.index(row.group) for row in rows]
    assert places == sorted(places)
    drafted = {"s1", "s2", "s3", "u1"} | (set() if file.impression else {"s4"})
    own = {"r1"} if file.added else set()
    assert len(rows) == len({row.id for row in rows})
    written = {row.id for row in rows if row.by_hand}
    assert {row.id for row in rows} - written == drafted
    assert own <= written
    assert len(written) == len(own) + (file.impression is not None)


@given(decided(), st.sampled_from([None, "s1", "s2", "s3", "s4", "u1", "r1", "gone"]))
def test_the_next_open_sentence_is_asked_for_and_the_first_after(
    decisions: tuple[Decision, ...], after: str | None
) -> None:
    rows = rows_of(*decisions)
    decided_ids = {one.statement_id for one in decisions}
    asked = [row.id for row in rows if row.id in {"s1", "s2", "s3"} - decided_ids]
    found = next_open(rows, after)
    assert (found in asked) if asked else found is None
    ids = [row.id for row in rows]
    if found is not None and after in ids:
        there = ids.index(found) - ids.index(after)
        skipped = [ids[(ids.index(after) + n) % len(ids)] for n in range(1, there % len(ids))]
        assert not set(skipped) & set(asked), "none is passed over"


@given(decided())
def test_by_next_open_all_that_is_asked_for_is_reached(decisions: tuple[Decision, ...]) -> None:
    rows = rows_of(*decisions)
    at, seen = next_open(rows, None), []
    while at is not None and at not in seen:
        seen.append(at)
        at = next_open(rows, at)
    assert set(seen) == {"s1", "s2", "s3"} - {one.statement_id for one in decisions}


@given(decided(), st.integers(-20, 20))
def test_steps_join_the_ends_and_lead_back(decisions: tuple[Decision, ...], by: int) -> None:
    rows = rows_of(*decisions)
    for row in rows:
        there = beside(rows, row.id, by)
        assert there is not None
        assert beside(rows, there, -by) == row.id
        assert beside(rows, row.id, len(rows)) == row.id
    assert beside(rows, None, by) == beside(rows, "gone", by) == rows[0].id
    assert beside((), "s1", by) is None


WORDS = st.lists(
    st.sampled_from(["left", "right", "no", "3.5", "mm", " ", "  ", "\n", "effusion.", "\u00a0"])
).map("".join)


@given(WORDS | st.text(), WORDS | st.text())
def test_pieces_of_an_edit_are_the_two_texts(drafted: str, written: str) -> None:
    pieces = changes(drafted, written)
    assert "".join(one.text for one in pieces if one.kind != "dropped") == written
    assert "".join(one.text for one in pieces if one.kind != "new") == drafted
    assert {one.kind for one in pieces} <= {"kept", "dropped", "new"}
    if drafted == written:
        assert {one.kind for one in pieces} <= {"kept"}


def test_a_side_a_number_and_a_negation_that_were_changed_are_shown_as_words() -> None:
    told = changes("No left effusion of 12 mm.", "Small right effusion of 21 mm.")
    assert [one.text for one in told if one.kind == "new" and one.text.strip()] == [
        "Small",
        "right",
        "21",
    ]


@given(SHARES, SHARES, SHARES, SHARES)
def test_a_claim_is_worth_no_more_than_its_promise_at_the_places_own_prevalence(
    false_claims: float, claimed: float, calibrated: float, here: float
) -> None:
    promise = Promise(
        false_claim_rate=false_claims,
        claimed=claimed,
        positives=LEAST_POSITIVES,
        negatives=100,
        prevalence=calibrated,
    )
    found = replace(make_finding("Effusion", 0.62, 0.35), promise=promise)
    reading = make_reading(findings=(found,))
    file = replace(make_case_file(), reading=reading)
    for prevalence, share in (({}, calibrated), ({"Effusion": here}, here)):
        worth = claim_worth(file, prevalence)
        right = promise.right_at(share)
        assert set(worth) == {"s2"}, "neither a summary nor what is no claim"
        told = re.findall(r"(\d+) of (\d+) films", worth["s2"])
        assert len(told) == (right > 0)
        hedged = IF_AS_COMMON in worth["s2"]
        assert hedged == (right > 0 and "Effusion" not in prevalence), "it is not this site's"
        for few, many in told:
            assert int(few) / int(many) <= right * (1 + 1e-6)


def test_without_a_promise_nothing_is_said_of_a_claims_worth() -> None:
    assert claim_worth(make_case_file(), {"Effusion": 0.5}) == {}
    assert claim_worth(replace(make_case_file(), reading=None), {}) == {}
    assert claim_worth(make_case_file(CaseState.OPENED), {}) == {}


@pytest.mark.parametrize("body_part", ["BRAIN", "HEART"])
def test_of_mr_it_is_studies_that_are_counted(body_part: str) -> None:
    file = case_file(body_part)
    promise = Promise(
        false_claim_rate=0.1, claimed=0.9, positives=40, negatives=100, prevalence=0.5
    )
    assert file.reading is not None
    promised = tuple(replace(one, promise=promise) for one in file.reading.findings)
    worth = claim_worth(replace(file, reading=replace(file.reading, findings=promised)), {})
    assert worth
    assert all("of 10 studies like this" in words for words in worth.values())
