"""Where a draft moved its reader, counted: by brute force, mirrored, and at the ends of what can be said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.claim import CLAIMS, Assertion
from medmm.domain.draft import AlsoSuspected, Draft, ScoreEvidence, Section, Statement
from medmm.domain.finding_said import (
    FindingSaid,
    Saids,
    gathered,
    said_first,
    said_in_draft,
    said_in_report,
)
from medmm.domain.first_read import FirstRead
from medmm.domain.influence_of_draft import (
    Difference,
    InfluenceOfDraft,
    Taken,
    compared,
    draft_sway,
    influence_of_draft,
)
from medmm.domain.reading import Side
from medmm.domain.report import Add, SignedStatement
from tests.factories import ATTENDING, make_draft, make_signed_report

SIDED, UNSIDED = ("Effusion", "Pneumothorax"), ("Cardiomegaly", "Edema")
NOW = datetime(2026, 12, 1, tzinfo=UTC)
ASSERTIONS = st.sampled_from([Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT])
SIDES = st.none() | st.sampled_from(list(Side))
MANY = settings(max_examples=300, deadline=None, derandomize=True)


def of(name: str) -> st.SearchStrategy[FindingSaid]:
    side = SIDES if name in SIDED else st.none()
    return st.builds(FindingSaid, finding=st.just(name), assertion=ASSERTIONS, side=side)


SAIDS: st.SearchStrategy[Saids] = st.fixed_dictionaries(
    {}, optional={name: of(name) for name in (*SIDED, *UNSIDED)}
)
ROWS = st.tuples(SAIDS, SAIDS, SAIDS, SAIDS, st.booleans()).map(
    lambda all_: compared(all_[0], all_[1], all_[2], beside=all_[3], listed=all_[4])
)


def claims(said: FindingSaid | None) -> bool:
    return said is not None and said.assertion in CLAIMS


@MANY
@given(st.lists(ROWS, max_size=4).map(lambda many: [row for rows in many for row in rows]))
def test_the_counts_are_those_of_a_second_way_to_count(rows: list[InfluenceOfDraft]) -> None:
    counted = draft_sway(rows)
    fair = [row for row in rows if not row.listed]
    alone = [r for r in fair if claims(r.drafted) and not claims(r.first)]
    both = [counted.count(how) for how in (Difference.DRAFT_ALONE, Difference.BESIDE_ALONE)]
    assert sum(one.differed for one in both) == len(alone)
    assert sum(one.draft for one in both) == sum(claims(r.final) for r in alone)
    assert both[1].differed == sum(r.beside for r in alone)
    alone = [r for r in fair if claims(r.first) and not claims(r.drafted)]
    one = counted.count(Difference.READER_ALONE)
    assert (one.differed, one.draft) == (len(alone), sum(not claims(r.final) for r in alone))
    assert one.neither == 0
    named = [r for r in rows if claims(r.first) or claims(r.drafted)]
    assert counted.differed + counted.agreed + counted.left_out == len(named)


@MANY
@given(SAIDS, SAIDS)
def test_a_report_that_says_what_was_drafted_took_the_draft_s_side_always(
    first: Saids, drafted: Saids
) -> None:
    followed = draft_sway(compared(first, drafted, drafted))
    assert followed.took_draft == followed.differed
    stayed = draft_sway(compared(first, drafted, first))
    assert (stayed.took_draft, stayed.differed) == (0, followed.differed)


@MANY
@given(SAIDS, SAIDS, SAIDS)
def test_reader_and_draft_changed_over_turn_the_figure_over(
    first: Saids, drafted: Saids, final: Saids
) -> None:
    one, other = (
        draft_sway(compared(first, drafted, final)),
        draft_sway(compared(drafted, first, final)),
    )
    assert one.took_draft == sum(count.reader for count in other.counts)
    assert one.agreed == other.agreed


def mirrored(said: Saids) -> Saids:
    return {
        name: FindingSaid(
            finding=name,
            assertion=one.assertion,
            side=one.side.mirrored if one.side is not None else None,
        )
        for name, one in said.items()
    }


@MANY
@given(SAIDS, SAIDS, SAIDS)
def test_left_and_right_changed_over_change_no_figure(
    first: Saids, drafted: Saids, final: Saids
) -> None:
    assert draft_sway(compared(first, drafted, final)) == draft_sway(
        compared(mirrored(first), mirrored(drafted), mirrored(final))
    )


@MANY
@given(SAIDS, SAIDS, st.booleans())
def test_without_a_report_nothing_is_counted(first: Saids, drafted: Saids, listed: bool) -> None:
    counted = draft_sway(compared(first, drafted, None, listed=listed))
    assert (counted.differed, counted.took_draft) == (0, 0)


@MANY
@given(st.lists(st.sampled_from(SIDED).flatmap(of), max_size=5))
def test_gathering_never_loses_a_claim_or_a_side(said: list[FindingSaid]) -> None:
    found = gathered(said)
    for name in {one.finding for one in said}:
        claimed = [one for one in said if one.finding == name and one.claimed]
        assert found[name].claimed == bool(claimed)
        sides = {one.side for one in claimed} - {None}
        if len(sides) > 1:
            assert found[name].side is Side.BILATERAL
        elif sides:
            assert {found[name].side} == sides


EFFUSION = "Effusion"


def row(
    first: FindingSaid | None, drafted: FindingSaid | None, final: FindingSaid | None
) -> InfluenceOfDraft:
    return InfluenceOfDraft(finding=EFFUSION, first=first, drafted=drafted, final=final)


def effusion(side: Side | None = None, assertion: Assertion = Assertion.PRESENT) -> FindingSaid:
    return FindingSaid(finding=EFFUSION, assertion=assertion, side=side)


@pytest.mark.parametrize(
    ("first", "drafted", "final", "difference", "taken"),
    [
        (None, effusion(), effusion(), Difference.DRAFT_ALONE, Taken.DRAFT),
        (None, effusion(), None, Difference.DRAFT_ALONE, Taken.READER),
        (effusion(), None, None, Difference.READER_ALONE, Taken.DRAFT),
        (effusion(), effusion(assertion=Assertion.ABSENT), effusion(), Difference.READER_ALONE, Taken.READER),
        (effusion(Side.LEFT), effusion(Side.RIGHT), effusion(Side.RIGHT), Difference.OTHER_SIDE, Taken.DRAFT),
        (effusion(Side.LEFT), effusion(Side.RIGHT), effusion(Side.LEFT), Difference.OTHER_SIDE, Taken.READER),
        (effusion(Side.LEFT), effusion(Side.RIGHT), None, Difference.OTHER_SIDE, Taken.NEITHER),
        (effusion(Side.LEFT), effusion(Side.RIGHT), effusion(Side.BILATERAL), Difference.OTHER_SIDE, Taken.NEITHER),
        (effusion(Side.LEFT), effusion(), effusion(), None, None),
        (effusion(assertion=Assertion.ABSENT), None, effusion(), None, None),
        (effusion(assertion=Assertion.POSSIBLE), effusion(), None, None, None),
    ],
)  # fmt: skip
def test_what_differs_and_whose_side_was_taken(
    first: FindingSaid | None,
    drafted: FindingSaid | None,
    final: FindingSaid | None,
    difference: Difference | None,
    taken: Taken | None,
) -> None:
    found = row(first, drafted, final)
    assert (found.difference, found.taken) == (difference, taken)


def read(text: str = "", *findings: Add) -> FirstRead:
    return FirstRead(case_id="case-1", by=ATTENDING, at=NOW, text=text, findings=findings)


def test_words_count_as_what_they_say_with_their_sides_and_denials() -> None:
    said = said_first(
        read("Small left effusion. Right effusion too. No pneumothorax, possible left edema.")
    )
    assert said["Effusion"] == effusion(Side.BILATERAL)
    assert said["Pneumothorax"].assertion is Assertion.ABSENT
    assert said["Edema"] == FindingSaid(finding="Edema", assertion=Assertion.POSSIBLE)
    chosen = read(
        "Left effusion.", Add.of("Effusion", side=Side.LEFT, assertion=Assertion.POSSIBLE)
    )
    assert said_first(chosen)["Effusion"] == effusion(Side.LEFT, Assertion.POSSIBLE)
    sideless = read("Left effusion.", Add.of("Effusion", assertion=Assertion.POSSIBLE))
    assert said_first(sideless)["Effusion"] == effusion(Side.LEFT, Assertion.POSSIBLE)


def test_a_draft_counts_with_its_findings_and_not_with_record_or_impression() -> None:
    draft = make_draft()
    assert said_in_draft(draft) == {"Effusion": effusion(Side.LEFT, Assertion.POSSIBLE)}
    score = ScoreEvidence(finding="Edema", probability=0.5, threshold=0.4, model="m")
    told = Statement(
        id="s9",
        section=Section.CLINICAL_INFORMATION,
        text="Reported: edema.",
        assertion=Assertion.REPORTED,
        evidence=(score,),
        finding="Edema",
    )
    assert "Edema" not in said_in_draft(with_statement(draft, told))


def with_statement(draft: Draft, statement: Statement) -> Draft:
    return make_draft(statements=(*draft.statements, statement))


def test_what_is_also_suspected_is_counted_apart_from_what_is_stated() -> None:
    score = ScoreEvidence(finding="Edema", probability=0.5, threshold=0.4, model="m")
    beside = Statement(
        id="u1", section=Section.FINDINGS, text="Possible edema.", assertion=Assertion.POSSIBLE,
        evidence=(score,), finding="Edema",
    )  # fmt: skip
    draft = make_draft(also_suspected=(AlsoSuspected(statement=beside, why="not stated"),))
    assert "Edema" not in said_in_draft(draft)
    rows = influence_of_draft(read("Normal heart."), draft, make_signed_report(statements=()))
    kinds = {one.finding: (one.difference, one.taken) for one in rows}
    assert kinds["Edema"] == (Difference.BESIDE_ALONE, Taken.READER)
    assert kinds["Effusion"] == (Difference.DRAFT_ALONE, Taken.READER)
    (agreed,) = [
        one
        for one in influence_of_draft(read("", Add.of("Edema")), draft, None)
        if one.finding == "Edema"
    ]
    assert agreed.difference is None


def signed(text: str, drafted: str | None, **coded: object) -> SignedStatement:
    values = {
        "id": "s2", "section": Section.FINDINGS, "assertion": Assertion.POSSIBLE, "finding": None,
        "side": None, "evidence": (), **coded,
    }  # fmt: skip
    return SignedStatement(text=text, drafted_text=drafted, **values)  # type: ignore[arg-type]


def test_a_report_counts_by_its_codes_and_by_words_that_a_reader_wrote() -> None:
    report = make_signed_report(
        statements=(
            signed("No left pleural effusion.", "Possible left pleural effusion."),
            signed("Right pneumothorax.", None, author=ATTENDING),
            signed("Possible edema.", None, finding="Edema"),
        )
    )
    said = said_in_report(report)
    assert said["Effusion"].assertion is Assertion.ABSENT
    assert said["Pneumothorax"] == FindingSaid(
        finding="Pneumothorax", assertion=Assertion.PRESENT, side=Side.RIGHT
    )
    assert said["Edema"].assertion is Assertion.POSSIBLE
    (found,) = [
        one
        for one in influence_of_draft(read("Normal heart."), make_draft(), report)
        if one.finding == "Effusion"
    ]
    assert (found.difference, found.taken) == (Difference.DRAFT_ALONE, Taken.READER)
