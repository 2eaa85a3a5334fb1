"""A database of an earlier release opens, is read in the nouns of this one, verifies, and stays as it was kept."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from medmm.domain.draft import Author, AuthorKind
from medmm.domain.report import Accept, CaseState
from medmm.store import Store
from tests.databases import only_sqlite
from tests.factories import make_case, make_reading
from tests.unit.store.test_store_nouns import EVENT

pytestmark = only_sqlite

EARLIER = Path(__file__).with_name("earlier_release") / "store.tar.xz"
PARTS_THEN = 'SELECT body, reading, draft, decisions FROM "case"'
PARTS = (
    'SELECT c.body, r.body, d.body, c.decisions FROM "case" c'
    " JOIN reading r ON r.case_id = c.id JOIN draft d ON d.case_id = c.id"
)
OTHERS = (
    "SELECT body FROM study UNION ALL SELECT body FROM context UNION ALL SELECT body FROM report"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    with Store.open(data) as store:
        yield store


def kept(data: Path, parts: str = PARTS) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(data / "medmm.sqlite")) as database:
        return [row for query in (parts, OTHERS) for row in database.execute(query)]


def test_it_is_read_in_the_nouns_of_this_release_and_kept_as_it_was(data: Path) -> None:
    before = kept(data, PARTS_THEN)
    with Store.open(data) as store:
        file = store.case_file("case-1")
        assert store.verify().ok
    assert kept(data) == before
    assert file.draft is not None
    draft = file.draft.draft
    assert draft.author == Author(kind=AuthorKind.WRITER, id=draft.writer)
    assert (draft.version, draft.parent, draft.sentences) == (1, None, ())
    assert file.case.priors == ()
    expected = make_reading()
    assert file.reading is not None
    assert [f.probability for f in file.reading.findings] == [
        f.probability for f in expected.findings
    ]
    assert {f.region.image for f in file.reading.findings if f.region} == {None}
    assert {m.model for m in file.reading.measurements} == {None}
    assert (file.state, file.decisions) == (
        CaseState.SIGNED,
        (Accept("s1"), Accept("s2"), Accept("s3")),
    )


def test_what_it_decided_is_compared_as_nouns_and_can_go_on(store: Store) -> None:
    file = store.case_file("case-1")
    with store.step() as step:
        step.save_decisions("case-1", (Accept("s1"),), expected=file.decisions)
        step.record(replace(EVENT, verb="decide"))
    assert store.case_file("case-1").decisions == (Accept("s1"),)
    assert store.verify().ok


def test_a_case_of_this_release_stands_beside_it(store: Store) -> None:
    early = store.case_file("case-1").case
    case = replace(make_case(), id="case-new", study=early.study)
    with store.step() as step:
        step.open_case(case, EVENT.at)
        step.record(replace(EVENT, verb="open_case", subject=case.id))
    assert store.case_file("case-new").case == case
    assert {line.case_id for line in store.cases()} == {"case-1", "case-new"}
    assert store.verify().ok
