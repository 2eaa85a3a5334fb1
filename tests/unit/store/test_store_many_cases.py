"""Studies and cases are read many at once, each held against the log as if it were read alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from medmm.domain.errors import IntegrityError
from medmm.domain.report import Accept, CaseState
from medmm.store import Store
from tests.databases import raw
from tests.factories import (
    SIGNED_AT,
    make_amended_report,
    make_case,
    make_checked_draft,
    make_context,
    make_reading,
    make_signed_report,
    make_study,
)
from tests.unit.store.test_store_nouns import EVENT

UIDS = ("1.2.1", "1.2.2", "1.2.3")
DECISIONS = (Accept("s1"), Accept("s2"), Accept("s3"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Three studies of one patient with two cases each; the first of the second one is signed."""
    with Store.open(tmp_path / "data") as store:
        for uid in UIDS:
            study = make_study(uid=uid)
            with store.step() as work:
                work.save_study(study)
                work.save_context(uid, make_context())
                work.record(replace(EVENT, subject=uid))
            for name in (f"b of {uid}", f"a of {uid}"):
                with store.step() as work:
                    work.open_case(replace(make_case(), id=name, study=study), SIGNED_AT)
                    work.save_reading(name, make_reading(study_uid=uid))
                    work.save_draft(name, make_checked_draft())
                    work.record(replace(EVENT, subject=name))
        report = make_signed_report(case_id="a of 1.2.2", patient_key=make_study().patient_key)
        with store.step() as work:
            work.save_decisions("a of 1.2.2", DECISIONS, expected=())
            work.save_report(report, decisions=DECISIONS)
            work.set_state("a of 1.2.2", CaseState.SIGNED, expected=CaseState.OPENED)
            work.record(replace(EVENT, subject="a of 1.2.2"))
        with store.step() as work:
            amended = make_amended_report(report)
            work.save_report(amended, decisions=DECISIONS)
            work.set_state("a of 1.2.2", CaseState.AMENDED, expected=CaseState.SIGNED)
            work.record(replace(EVENT, subject="a of 1.2.2"))
        yield store


def refused(store: Store, statement: str, look: Callable[[], object]) -> str:
    """Alter the database behind the store's back; return how a look refuses it."""
    with raw(store) as connection:
        connection.execute(statement)
    with pytest.raises(IntegrityError) as caught:
        look()
    return caught.value.problem


def test_many_are_what_each_is_alone(store: Store) -> None:
    patient = make_study().patient_key
    assert store.studies_of_patient(patient) == tuple(map(store.study, UIDS))
    assert store.studies_of_patient("pk-of-nobody") == ()
    found = store.cases_of_studies(UIDS[:2])
    assert found == {
        uid: [store.case_file(f"{name} of {uid}") for name in "ab"] for uid in UIDS[:2]
    }
    signed = found["1.2.2"][0]
    assert signed.report is not None
    assert [one.version for one in (*signed.earlier, signed.report)] == [1, 2]
    assert store.cases_of_studies([]) == store.cases_of_studies(["1.2.9"]) == {}


def test_more_cases_take_no_more_questions(store: Store) -> None:
    asked: list[str] = []
    sa.event.listen(
        store._database._engine, "before_cursor_execute", lambda *args: asked.append(args[2])
    )
    counts = []
    for uids in (UIDS[:1], UIDS):
        asked.clear()
        store.cases_of_studies(uids)
        counts.append(len([one for one in asked if one.startswith("SELECT")]))
    assert counts[1] <= counts[0] + 1  # the reports, since one is signed


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE study SET body = replace(body, 'CHEST', 'BRAIN') WHERE uid = '1.2.3'", "1.2.3"),
        ("DELETE FROM context WHERE study_uid = '1.2.2'", "1.2.2"),
        ("UPDATE last_word SET entry = 1 WHERE kind = 'study' AND owner = '1.2.2'", "1.2.2"),
    ],
)
def test_one_altered_study_is_refused_among_the_others(
    statement: str, named: str, store: Store
) -> None:
    patient = make_study().patient_key
    assert named in refused(store, statement, lambda: store.studies_of_patient(patient))


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE reading SET body = '{}' WHERE case_id = 'b of 1.2.3'", "b of 1.2.3"),
        ("UPDATE \"case\" SET state = 'opened' WHERE id = 'a of 1.2.2'", "a of 1.2.2"),
        ("UPDATE report SET body = replace(body, 's1', 's9')", "report"),
        ("DELETE FROM last_word WHERE owner = 'a of 1.2.1' AND kind = 'draft'", "a of 1.2.1"),
    ],
)
def test_one_altered_case_is_refused_among_the_others(
    statement: str, named: str, store: Store
) -> None:
    assert named in refused(store, statement, lambda: store.cases_of_studies(UIDS))
