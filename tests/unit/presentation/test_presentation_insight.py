"""Figures and recall lists in words, and as CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm import review
from medmm.acceptance import intervals
from medmm.domain.acceptance import Figure
from medmm.domain.influence_of_draft import Difference
from medmm.domain.insight import ALL_SIGNED, FollowedRow, Group, InfluenceFigures
from medmm.domain.report import Accept, CaseState
from medmm.presentation import insight_words as words
from medmm.presentation.csv_text import FORMULA, csv_text
from tests.factories import make_case_file, make_signed_report

NONE = Figure(value=None, of=7)


@given(st.lists(st.lists(st.text(max_size=20) | st.integers() | st.none(), min_size=2, max_size=2)))
def test_no_text_of_a_csv_begins_a_formula_and_all_of_it_comes_back(
    rows: list[list[str | int | None]],
) -> None:
    back = list(csv.reader(io.StringIO(csv_text(("a", "b"), rows), newline="")))
    assert back[0] == ["a", "b"]
    assert len(back) == len(rows) + 1
    for row, found in zip(rows, back[1:], strict=True):
        for value, cell in zip(row, found, strict=True):
            if isinstance(value, str):
                assert not cell.lstrip(" ").startswith(FORMULA)
                assert cell.removeprefix("'") == value.removeprefix("'") or cell == value
            else:
                assert cell == ("" if value is None else str(value))


@pytest.mark.parametrize("begins", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", " =1", "＝1"])
def test_what_begins_like_a_formula_gets_an_apostrophe(begins: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(csv_text((begins,), ()), newline=""))
    assert cell == f"'{begins}"


def test_a_number_stays_a_number() -> None:
    assert csv_text(("gap",), ((-0.05,),)) == "gap\r\n-0.05\r\n"


def test_what_is_unknown_is_said_so_and_never_zero() -> None:
    assert words.percent(NONE) == "unknown"
    assert words.share_words(NONE) == "unknown (of 7)"
    assert words.points(NONE) == "unknown"
    assert words.duration_words(Figure(value=None)) == "unknown"
    assert words.share_words(Figure(value=0.5, of=3)) == "50 % (no interval, of 3)"
    assert words.points(Figure(value=-0.05, low=-0.1, high=0.0, of=9)) == "-5 points (-10 to +0)"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3_661, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_names_of_findings_readers_and_sexes_are_those_that_people_know() -> None:
    readers = {"x": "ZZREADER\x1b[31m One"}
    assert words.group_words(Group.FINDING, "Effusion", {}) == "pleural effusion"
    assert words.group_words(Group.FINDING, "gone\nfinding", {}) == "gone finding"
    assert words.group_words(Group.READER, "x", readers) == "ZZREADER [31m One (x)"
    assert words.group_words(Group.READER, "left-1", readers) == "left-1"
    assert words.group_words(Group.SEX, "F", {}) == "female"


def test_every_figure_is_in_the_csv_once() -> None:
    file = make_case_file(
        CaseState.IN_REVIEW, decisions=tuple(Accept(s) for s in ("s1", "s2", "s3"))
    )
    tally = review.ReadingStatistics(ALL_SIGNED)
    tally.add(review.reviewed(file, make_signed_report(), (), None), replaced=False)
    found = tally.insight(intervals, 3)
    rows = list(csv.DictReader(io.StringIO(words.insight_csv(found), newline="")))
    keys = [(row["figure"], row["group"], row["value"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert ("unsigned", "all", "") in keys
    assert len(rows) > 30
    assert words.population_words(found) == (
        "1 signed case of 1 patient; 3 drafted cases wait unsigned and count nowhere."
    )


def test_influence_is_said_with_what_it_can_t_tell() -> None:
    half = Figure(value=0.5, low=0.1, high=0.9, of=4)
    found = InfluenceFigures(
        reads=3,
        left_out=2,
        differed=half,
        followed=half,
        by_difference=(
            FollowedRow(difference=Difference.DRAFT_ALONE, followed=half),
            FollowedRow(difference=Difference.READER_ALONE, followed=NONE),
        ),
    )
    said = " ".join(words.influence_words(found))
    assert "3 cases read before the draft" in said
    assert "the draft did not: unknown (of 7)" in said
    assert "2 first reads left out" in said
    assert "no proof of bias" in said
    assert "nothing is known" in " ".join(words.influence_words(None))
