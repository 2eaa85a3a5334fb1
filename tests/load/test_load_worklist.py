"""A worklist of 10,000 cases: every page and every filter gives what the whole list holds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.report import CaseState, CaseSummary
from medmm.domain.study import Modality, StudyTime
from medmm.domain.worklist import CaseFilter, Page
from medmm.store import Store
from tests.factories import (
    make_case,
    make_checked_draft,
    make_finding,
    make_mr_study,
    make_reading,
    make_study,
)

pytestmark = [pytest.mark.load, pytest.mark.timeout(1800)]  # on a machine of any speed
CASES, A_PAGE, A_STEP = 10_000, 50, 500
AT = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
CRITICAL, NOT_CRITICAL = (
    make_reading(findings=(make_finding(finding, 0.9),)) for finding in ("Pneumothorax", "Effusion")
)
READINGS, DRAFT = (CRITICAL, NOT_CRITICAL, None, None, None), make_checked_draft()


def taken(day: int) -> StudyTime:
    moment = AT - timedelta(days=day)
    return StudyTime(moment=moment, source_tag="AcquisitionDateTime", precise=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Films of ten days and heads, a tenth of them drafted, opened at times of which three are the same."""
    films = [make_study(uid=f"1.2.{day}", acquired=taken(day)) for day in range(10)]
    studies = [*films, make_mr_study("BRAIN")]
    cases = [make_case(study=study, context=None) for study in studies]
    with Store.open(tmp_path_factory.mktemp("load") / "data") as store:
        for study in studies:
            with store.step() as work:
                work.save_study(study)
                work.record(entry(study.uid, "admit"))
        for first in range(0, CASES, A_STEP):
            with store.step() as work:
                for n in range(first, first + A_STEP):
                    add(work, n, replace(cases[n % len(cases)], id=name(n)))
        yield store


def name(n: int) -> str:
    return f"case-{n:05}"


def entry(subject: str, verb: str = "open_case") -> AuditEvent:
    return AuditEvent(at=AT, verb=verb, outcome="done", actor="a", role="service", subject=subject)


def add(work, n: int, case) -> None:  # type: ignore[no-untyped-def]
    work.open_case(case, AT + timedelta(minutes=n // 3))
    if reading := READINGS[n % 5]:
        work.save_reading(case.id, reading)
    if n % 10 == 0:
        work.save_draft(case.id, DRAFT)
        work.set_state(case.id, CaseState.DRAFTED, expected=CaseState.OPENED)
    work.record(entry(case.id))


@pytest.fixture(scope="module")
def whole(store: Store) -> tuple[CaseSummary, ...]:
    return store.cases()


def pages(store: Store, asked: CaseFilter, size: int) -> list[CaseSummary]:
    """The whole, page after page."""
    seen: list[CaseSummary] = []
    while page := store.cases(asked, Page(limit=size, after=seen[-1].case_id if seen else None)):
        assert len(page) <= size
        seen += page
    return seen


def test_the_whole_is_every_case_newest_first(whole: tuple[CaseSummary, ...]) -> None:
    newest_first = sorted(range(CASES), key=lambda n: (n // 3, n), reverse=True)
    assert [one.case_id for one in whole] == [name(n) for n in newest_first]


@pytest.mark.parametrize("size", [A_PAGE, 999])
def test_pages_are_the_whole_list(store: Store, whole: tuple[CaseSummary, ...], size: int) -> None:
    assert pages(store, CaseFilter(), size) == list(whole)


def critical(one: CaseSummary) -> bool:
    return any(suspicion.critical for suspicion in one.suspicions)


FILTERS: dict[str, tuple[CaseFilter, Callable[[CaseSummary], bool]]] = {
    "state": (CaseFilter(state=CaseState.DRAFTED), lambda one: one.state is CaseState.DRAFTED),
    "modality": (CaseFilter(modality=Modality.MR), lambda one: one.modality == Modality.MR.value),
    "critical": (CaseFilter(critical=True), lambda one: critical(one)),
    "suspected": (CaseFilter(suspected=False), lambda one: not one.suspected),
    "days": (
        CaseFilter(acquired_from=taken(5).moment.date(), acquired_to=taken(3).moment.date()),
        lambda one: one.acquired is not None and 3 <= (AT - one.acquired).days <= 5,
    ),
    "several": (
        CaseFilter(state=CaseState.DRAFTED, modality=Modality.RADIOGRAPH, critical=True),
        lambda one: (
            one.state is CaseState.DRAFTED
            and one.modality == Modality.RADIOGRAPH.value
            and critical(one)
        ),
    ),
}


@pytest.mark.parametrize("named", FILTERS)
def test_pages_of_a_filter_are_what_the_whole_list_holds_of_it(
    store: Store, whole: tuple[CaseSummary, ...], named: str
) -> None:
    asked, holds = FILTERS[named]
    expected = [one for one in whole if holds(one)]
    assert 0 < len(expected) < CASES
    assert pages(store, asked, 400) == expected


def test_a_page_holds_no_more_in_memory_than_a_page(store: Store) -> None:
    store.cases(part=Page(limit=A_PAGE))
    tracemalloc.start()
    try:
        store.cases(part=Page(limit=A_PAGE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000, "10,000 lines are 80 MB"


def test_the_log_of_10_000_cases_is_sound(store: Store) -> None:
    assert store.verify().ok
