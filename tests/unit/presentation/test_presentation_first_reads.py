"""First reads in words: what changed, how two agree, and whose side reports took."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medmm.domain.claim import Assertion
from medmm.domain.double_reading import DoubleReading, FirstReads
from medmm.domain.finding_said import FindingSaid
from medmm.domain.first_read import FirstRead
from medmm.domain.influence_of_draft import InfluenceOfDraft, draft_sway
from medmm.domain.reading import Side
from medmm.domain.report import Add, Reader
from medmm.presentation.first_read_words import (
    ADDED,
    ADDED_ALONE,
    AGREE,
    DIFFER,
    DROPPED,
    DROPPED_ALONE,
    KEPT,
    LISTED,
    NOT_SIGNED,
    SIDE,
    agreement_rows,
    change_rows,
    change_words,
    double_reading_words,
    read_lines,
    said_words,
    sway_lines,
)

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
ONE, TWO, THIRD = (
    Reader(id=i, name=f"ZZ{i.upper()}", role="attending") for i in ("one", "two", "third")
)
PRESENT = FindingSaid(finding="Effusion", assertion=Assertion.PRESENT)
ABSENT = replace(PRESENT, assertion=Assertion.ABSENT)
LEFT, RIGHT = replace(PRESENT, side=Side.LEFT), replace(PRESENT, side=Side.RIGHT)


def row(
    first: FindingSaid | None,
    drafted: FindingSaid | None,
    final: FindingSaid | None,
    signed: bool = True,
) -> InfluenceOfDraft:
    return InfluenceOfDraft(
        finding="Effusion", first=first, drafted=drafted, final=final, signed=signed
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (row(PRESENT, PRESENT, PRESENT), AGREE),
        (row(ABSENT, None, None), AGREE),
        (row(None, PRESENT, PRESENT), ADDED),
        (row(None, None, PRESENT), ADDED_ALONE),
        (row(PRESENT, None, None), DROPPED),
        (row(PRESENT, ABSENT, ABSENT), DROPPED),
        (row(PRESENT, PRESENT, None), DROPPED_ALONE),
        (row(PRESENT, None, PRESENT), KEPT),
        (row(None, PRESENT, None), KEPT),
        (row(LEFT, RIGHT, RIGHT), SIDE),
        (row(LEFT, RIGHT, LEFT), KEPT),
        (row(None, PRESENT, None, signed=False), "drafted, not in the first read"),
        (row(LEFT, RIGHT, None, signed=False), "drafted on another side"),
        (row(LEFT, LEFT, None, signed=False), AGREE),
    ],
)
def test_what_became_of_a_first_read(found: InfluenceOfDraft, words: str) -> None:
    assert change_words(found) == words


def test_sides_stand_in_words_and_denials_name_none() -> None:
    assert said_words(LEFT) == "present, left"
    assert said_words(ABSENT) == "absent"
    assert said_words(None) == "not named"
    (shown,) = change_rows([row(LEFT, RIGHT, None, signed=False)])
    assert (shown.finding, shown.first, shown.drafted, shown.final) == (
        "pleural effusion", "present, left", "present, right", NOT_SIGNED,
    )  # fmt: skip


def read(
    by: Reader, minutes: int, *findings: Add, text: str = "", listed: bool = False
) -> FirstRead:
    return FirstRead(
        case_id="case-1",
        by=by,
        at=NOW + timedelta(minutes=minutes),
        text=text,
        findings=findings,
        nothing_suspected=not findings and not text,
        listed=listed,
    )


def test_two_readers_side_by_side_where_they_differ_first() -> None:
    effusion = Add.of("Effusion", side=Side.LEFT)
    one = read(ONE, 1, effusion, Add.of("Mass"))
    two = read(TWO, 2, replace(effusion), text="No mass.")
    found = FirstReads(case_id="case-1", readers=(ONE, TWO), reads=(two, one))
    rows = agreement_rows(found)
    assert [(r.finding, r.one, r.other, r.standing) for r in rows] == [
        ("lung mass", "present", "absent", DIFFER),
        ("pleural effusion", "present, left", "present, left", AGREE),
    ]


def test_a_first_read_is_told_with_its_limits_and_in_one_line_a_part() -> None:
    lines = read_lines(read(ONE, 1, text="Clear.\nSigned by ZZOTHER", listed=True))
    assert lines[0].startswith("ZZONE (one), 2026-12-01T08:01")
    assert "Clear. Signed by ZZOTHER" in lines
    assert LISTED in lines
    assert "Nothing is suspected." in read_lines(read(ONE, 1))


def test_where_a_double_reading_stands() -> None:
    order = DoubleReading(case_id="case-1", ordered_by=THIRD, at=NOW)
    none = FirstReads(case_id="case-1")
    assert double_reading_words(none, ONE) == ""
    begun = replace(none, order=order, readers=(ONE,))
    assert "you among them" in double_reading_words(begun, ONE)
    assert "Neither sees the other's" in double_reading_words(begun, TWO)
    named = replace(begun, order=replace(order, adjudicator=THIRD))
    assert "You decide and sign once both have" in double_reading_words(named, THIRD)
    done = replace(named, readers=(ONE, TWO))
    assert double_reading_words(done, ONE) == (
        "ZZONE and ZZTWO have read the case; ZZTHIRD decides and signs."
    )
    dropped = replace(order, dropped_by=THIRD, dropped_at=NOW, reason="On leave.")
    assert "On leave." in double_reading_words(replace(begun, order=dropped), ONE)


def test_whose_side_reports_took_is_said_with_its_counts() -> None:
    rows = [
        row(None, PRESENT, PRESENT),
        row(None, PRESENT, None),
        row(PRESENT, None, None),
        replace(row(None, PRESENT, PRESENT), listed=True),
    ]
    said = sway_lines(draft_sway(rows))
    assert said[0] == (
        "First read and draft differed on 3 findings; the report took the draft's side on 2 of "
        "them."
    )
    assert "The draft claimed it, the reader had not: 1 of 2 as drafted." in said
    assert "The reader claimed it, the draft did not: 1 of 1 as drafted." in said
    assert said[-1].startswith("1 finding not counted")
    assert "No finding yet" in sway_lines(draft_sway([]))[0]
