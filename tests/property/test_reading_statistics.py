"""Reading statistics by brute force: every figure is the count that a list comprehension gives."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from medmm import review
from medmm.acceptance import intervals
from medmm.domain.audit_event import AuditEvent
from medmm.domain.claim import Assertion
from medmm.domain.finding_said import FindingSaid
from medmm.domain.influence_of_draft import Difference, InfluenceOfDraft, draft_sway
from medmm.domain.insight import Group, Insight, InsightFilter
from medmm.domain.reading import ModelIdentity, Side
from medmm.domain.report import Accept, Add, CaseState, Edit, Reject
from medmm.domain.reviewed_case import Answer, ReviewedCase, ReviewedStatement, StatementKind
from medmm.review.reading_statistics import LEAST_CLAIMS, LEAST_PATIENTS, NOT_GIVEN
from tests.factories import (
    ATTENDING,
    SIGNED_AT,
    make_case_file,
    make_checked_draft,
    make_signed_report,
)

MODELS = tuple(ModelIdentity(name=n, manifest_sha256=d * 64) for n, d in ("a0", "a1", "b0"))
KINDS, CODES = st.sampled_from(StatementKind), st.sampled_from([None, "duplicate", "wrong-side"])


@st.composite
def statements(draw: st.DrawFn) -> ReviewedStatement:
    answer, kind = draw(st.sampled_from(Answer)), draw(KINDS)
    edited = answer is Answer.EDITED
    return ReviewedStatement(
        kind=kind,
        finding="Effusion" if kind in (StatementKind.CLAIM, StatementKind.DENIAL) else None,
        model=draw(st.sampled_from([None, *MODELS])),
        answer=answer,
        reason=draw(CODES) if answer is Answer.REJECTED else None,
        words_changed=draw(st.floats(0, 1)) if edited else None,
        recoded=draw(st.booleans()) if edited else False,
    )


@st.composite
def reviews(draw: st.DrawFn) -> ReviewedCase:
    minutes = draw(st.integers(0, 600))
    known = draw(st.booleans())
    signed = SIGNED_AT + timedelta(minutes=minutes)
    return ReviewedCase(
        case_id=f"case-{draw(st.integers(0, 9**9))}",
        patient_key=draw(st.sampled_from("pqrs")),
        modality=draw(st.sampled_from(["DX", "MR"])),
        body_part="CHEST",
        site=draw(st.sampled_from([None, "one", "two"])),
        view=draw(st.sampled_from([None, "PA", "AP"])),
        sex=draw(st.sampled_from([None, "F", "M"])),
        age_years=draw(st.none() | st.integers(0, 110)),
        reader=draw(st.sampled_from(["x", "y"])),
        signed_by="x",
        writer="rule-writer",
        models=MODELS[:2],
        statements=tuple(draw(st.lists(statements(), max_size=4))),
        added=tuple(draw(st.lists(st.sampled_from(["Nodule", "Mass"]), max_size=2, unique=True))),
        claims_signed=draw(st.integers(0, 2)),
        signed_at=signed,
        looked_at=signed - timedelta(seconds=90 + minutes) if known else None,
        pauses_s=float(draw(st.integers(0, 90))) if known else 0.0,
    )


CASES = st.lists(st.tuples(reviews(), st.booleans()), max_size=25).map(
    lambda rows: sorted(rows, key=lambda row: row[0].patient_key)
)


def counted(rows: list[tuple[ReviewedCase, bool]], asked: InsightFilter) -> Insight:
    tally = review.ReadingStatistics(asked)
    for case, replaced in rows:
        if review.wanted(case, asked):
            tally.add(case, replaced=replaced)
    return tally.insight(intervals, 0)


def rounded(value: float) -> float:
    return round(value, 4)


@given(CASES, st.sampled_from([None, "a", "b"]), st.sampled_from([None, "x"]))
def test_every_count_is_that_of_the_cases(
    rows: list[tuple[ReviewedCase, bool]], model: str | None, reader: str | None
) -> None:
    asked = InsightFilter(model=model, reader=reader)
    found = counted(rows, asked)
    kept = [(c, r) for c, r in rows if reader in (None, c.reader) and model in (None, "a")]
    cases = [case for case, _ in kept]
    each = [
        (case, one)
        for case in cases
        for one in case.statements
        if model is None or (one.model is not None and one.model.name == model)
    ]
    assert found.cases == len(cases)
    assert found.patients == len({case.patient_key for case in cases})
    for row in found.answers:
        of = [(case, one) for case, one in each if row.value in group(case, one)[row.group]]
        assert row.statements == len(of) > 0
        assert row.patients == len({case.patient_key for case, _ in of})
        for answer in Answer:
            hits = sum(one.answer is answer for _, one in of)
            assert row.share(answer).value == rounded(hits / len(of))
    assert sum(row.statements for row in found.of(Group.KIND)) == len(each)
    rejected = Counter(one.reason or NOT_GIVEN for _, one in each if one.answer is Answer.REJECTED)
    assert {one.value: one.count for one in found.reasons} == rejected
    assert {one.value: one.count for one in found.added} == Counter(
        name for case in cases for name in case.added
    )
    claims = [one for _, one in each if one.kind is StatementKind.CLAIM]
    assert found.alarms.claims == len(claims)
    if claims:
        false = sum(one.false_by_reader for one in claims)
        assert found.alarms.false.value == rounded(false / len(claims))
    if cases:
        assert found.replaced.value == rounded(sum(r for _, r in kept) / len(kept))
        assert found.alarms.claims_a_case.value == rounded(len(claims) / len(cases))
    changed = [one.words_changed for _, one in each if one.words_changed is not None]
    if changed:
        assert found.edits.words_changed.value == rounded(statistics.median(changed))
    worked = [
        (c.signed_at - c.looked_at).total_seconds() - c.pauses_s for c in cases if c.looked_at
    ]
    at_work = found.times[-1]
    assert at_work.unknown == len(cases) - len(worked)
    assert at_work.median_s.value == (rounded(statistics.median(worked)) if worked else None)


def group(case: ReviewedCase, one: ReviewedStatement) -> dict[Group, tuple[str, ...]]:
    from medmm.domain.patient_age import age_band

    return {
        Group.ALL: ("",),
        Group.KIND: (one.kind.value,),
        Group.FINDING: (one.finding or "no finding",),
        Group.MODEL: (
            f"{one.model.name} {one.model.manifest_sha256[:12]}" if one.model else "no network",
        ),
        Group.WRITER: (case.writer,),
        Group.READER: (case.reader,),
        Group.SITE: (case.site or "not stated",),
        Group.MODALITY: (case.modality,),
        Group.VIEW: (case.view or "not stated",),
        Group.SEX: (case.sex or "not stated",),
        Group.AGE: (age_band(case.age_years),),
    }


@given(CASES)
def test_a_gap_is_known_only_where_both_sides_have_enough(
    rows: list[tuple[ReviewedCase, bool]],
) -> None:
    for row in counted(rows, InsightFilter()).gaps:
        few = row.claims < LEAST_CLAIMS or row.patients < LEAST_PATIENTS
        assert few, "four patients are too few"
        assert row.accepted.value is None
        assert row.gap == replace(row.gap, value=None, low=None, high=None)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 400))
def test_a_share_lies_in_its_interval_and_fewer_patients_widen_it(
    hits: int, misses: int, patients: int
) -> None:
    of = hits + misses
    if not of:
        assert intervals.share(0, 0, 0).value is None
        return
    found, wider = intervals.share(hits, of, of), intervals.share(hits, of, min(patients, of))
    for one in (found, wider):
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert 0 <= one.low <= one.value <= one.high <= 1
    assert (wider.low or 0) <= (found.low or 0)
    assert (wider.high or 0) >= (found.high or 0)


@given(st.integers(1, 300), st.data())
def test_a_gap_turns_its_sign_and_holds_its_value(of: int, data: st.DataObject) -> None:
    other = data.draw(st.integers(1, 300))
    one = intervals.share(data.draw(st.integers(0, of)), of, of)
    two = intervals.share(data.draw(st.integers(0, other)), other, other)
    there, back = intervals.difference(one, two), intervals.difference(two, one)
    for found in (there, back):
        assert -1 <= (found.low or 0) <= (found.value or 0) + 1e-9
        assert (found.value or 0) <= (found.high or 0) + 1e-9 <= 1 + 1e-9
    assert math.isclose(there.value or 0, -(back.value or 0), abs_tol=2e-4)
    assert math.isclose(there.low or 0, -(back.high or 0), abs_tol=2e-4)


def test_a_gap_is_newcombe_s() -> None:
    """Newcombe, Stat Med 1998;17:873-890, table II, example (a): 56/70 against 48/80, method 10."""
    found = intervals.difference(intervals.share(56, 70, 70), intervals.share(48, 80, 80))
    assert (found.low, found.high) == (0.0524, 0.3339)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_a_median_s_interval_are_order_statistics_that_hold_95_percent(values: list[float]) -> None:
    found, ordered, count = intervals.median(values), sorted(values), len(values)
    assert found.value == rounded(statistics.median(values))
    holding = [k for k in range(1, count + 1) if 2 * binom.cdf(k - 1, count, 0.5) <= 0.05]
    holding = [k for k in holding if k <= count + 1 - k]
    if not holding:
        assert found.low is None
        assert count < 6
    else:
        rank = max(holding)
        assert found.low == rounded(ordered[rank - 1])
        assert found.high == rounded(ordered[count - rank])


WORDS = st.lists(
    st.sampled_from(["no", "left", "right", "effusion", "of", "1,5", "mm"]), max_size=8
)


@given(WORDS, WORDS)
def test_the_share_of_changed_words_is_0_for_the_same_and_1_for_none_in_common(
    before: list[str], after: list[str]
) -> None:
    share = review.words_changed(" ".join(before), "  ".join(after))
    assert 0 <= share <= 1
    assert (share == 0) == (before == after)
    if before and after and not set(before) & set(after):
        assert share == 1


SIDES = st.sampled_from([None, Side.LEFT, Side.RIGHT])
SAIDS = st.none() | st.builds(
    FindingSaid,
    finding=st.just("Effusion"),
    assertion=st.sampled_from([Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT]),
    side=SIDES,
)
ROWS = st.builds(
    InfluenceOfDraft,
    finding=st.just("Effusion"),
    first=SAIDS,
    drafted=SAIDS,
    final=SAIDS,
    beside=st.booleans(),
)


@given(st.lists(st.lists(ROWS, max_size=5), max_size=12), st.integers(0, 3))
def test_automation_bias_is_counted_where_first_read_and_draft_differ(
    cases: list[list[InfluenceOfDraft]], left_out: int
) -> None:
    tally = review.InfluenceTally()
    for rows in cases:
        tally.add(rows)
    for _ in range(left_out):
        tally.leave_out()
    found = tally.figures(intervals)
    if not cases and not left_out:
        assert found is None
        return
    assert found is not None
    each = [row for rows in cases for row in rows]
    claimed = [r for r in each if any(s and s.claimed for s in (r.first, r.drafted))]
    differed = [row for row in each if row.difference is not None]
    sway = draft_sway(each)
    assert (found.reads, found.left_out) == (len(cases), left_out)
    assert sway.differed == len(differed)
    assert [row.difference for row in found.by_difference] == list(Difference)
    assert sway.agreed == len(claimed) - len(differed)
    for figure, hits, of in (
        (found.differed, len(differed), len(claimed)),
        (found.followed, sway.took_draft, len(differed)),
        *(
            (
                row.followed,
                sway.count(row.difference).draft,
                sway.count(row.difference).differed,
            )
            for row in found.by_difference
        ),
    ):
        assert figure.of == of
        assert figure.value == (rounded(hits / of) if of else None)


MOMENTS = st.lists(st.integers(1, 7200), min_size=1, max_size=8, unique=True).map(sorted)


@given(MOMENTS, st.integers(0, 3))
def test_pauses_are_gaps_of_the_signer_s_own_entries(seconds: list[int], others: int) -> None:
    def event(at: int, verb: str, actor: str = ATTENDING.id, **details: str) -> AuditEvent:
        moment = SIGNED_AT - timedelta(seconds=7200 - at)
        return AuditEvent(
            at=moment, verb=verb, outcome="done", actor=actor, role="attending", subject="case-1",
            details=details,
        )  # fmt: skip

    events = [event(0, "draft", "service", draft_sha256="0")]
    events += [event(n, "case") for n in seconds]
    events += [event(n + 1, "decide", "reader-9") for n in range(others)]
    file = make_case_file(
        CaseState.IN_REVIEW, decisions=tuple(Accept(s) for s in ("s1", "s2", "s3"))
    )
    found = review.reviewed(file, make_signed_report(), sorted(events, key=lambda e: e.at), "here")
    gaps = [b - a for a, b in pairwise([*seconds, 7200])]
    assert found.pauses_s == sum(gap for gap in gaps if gap > 600)
    assert found.looked_at == SIGNED_AT - timedelta(seconds=7200 - seconds[0])
    assert found.reader == ("reader-9" if others else ATTENDING.id)
    assert found.site == "here"


def test_a_look_before_the_last_draft_or_a_blind_one_opens_nothing() -> None:
    events = [
        AuditEvent(
            at=SIGNED_AT - timedelta(minutes=minutes), verb=verb, outcome="done",
            actor=ATTENDING.id, role="attending", subject="case-1", details=details,
        )
        for minutes, verb, details in (
            (30, "case", {}),
            (20, "draft", {"draft_sha256": "0"}),
            (10, "case", {"blind": "True"}),
            (5, "draft", {"draft_sha256": "0", "unchanged": "True"}),
        )
    ]  # fmt: skip
    file = make_case_file(
        CaseState.IN_REVIEW, decisions=tuple(Accept(s) for s in ("s1", "s2", "s3"))
    )
    found = review.reviewed(file, make_signed_report(), events, None)
    assert found.looked_at is None
    assert found.drafted_at == SIGNED_AT - timedelta(minutes=20)


def test_what_readers_add_and_take_back_is_told_by_finding() -> None:
    decisions = (
        Accept("s1"),
        Edit("s2", "No pleural effusion."),
        Reject("s3", code="wrong-number"),
        Add("Old rib fracture.", finding="Fracture", statement_id="r1"),
        Add("No nodule.", statement_id="r2"),
        Add("Left pleural effusion.", finding="Effusion", statement_id="r3"),
    )
    file = make_case_file(CaseState.IN_REVIEW, draft=make_checked_draft(), decisions=decisions)
    found = review.reviewed(file, make_signed_report(), (), None)
    kinds = [(one.kind, one.answer, one.recoded) for one in found.statements]
    assert kinds == [
        (StatementKind.RECORD, Answer.ACCEPTED, False),
        (StatementKind.CLAIM, Answer.EDITED, True),
        (StatementKind.MEASUREMENT, Answer.REJECTED, False),
    ]
    assert found.statements[1].false_by_reader, "a claim that was turned into a denial"
    assert not found.statements[2].false_by_reader, "no claim"
    assert found.added == ("Fracture",), "what the draft claims, or a denial, is none"


def test_a_claim_that_is_said_twice_or_badly_is_not_false() -> None:
    for code, false in (
        (None, True),
        ("wrong-side", True),
        ("duplicate", False),
        ("wording", False),
    ):
        claim = ReviewedStatement(
            kind=StatementKind.CLAIM, finding="Effusion", model=None, answer=Answer.REJECTED,
            reason=code,
        )  # fmt: skip
        assert claim.false_by_reader is false


def test_a_period_holds_its_first_moment_and_not_its_last() -> None:
    case = replace(_a_case(), signed_at=datetime(2026, 1, 2, tzinfo=UTC))
    day = datetime(2026, 1, 2, tzinfo=UTC)
    assert review.wanted(case, InsightFilter(since=day, until=day + timedelta(days=1)))
    assert not review.wanted(case, InsightFilter(until=day))


def _a_case() -> ReviewedCase:
    file = make_case_file(
        CaseState.IN_REVIEW, decisions=tuple(Accept(s) for s in ("s1", "s2", "s3"))
    )
    return review.reviewed(file, make_signed_report(), (), None)
