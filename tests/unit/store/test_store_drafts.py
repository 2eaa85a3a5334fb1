"""Readings and drafts in versions: all are kept and listed, and a change of any is found."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.draft import CheckedDraft
from medmm.domain.draft_version import DraftVersion
from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.report import Accept
from medmm.domain.study import Study
from medmm.store import Store
from tests.databases import only_sqlite, raw
from tests.dicom_files import film_file
from tests.factories import (
    SIGNED_AT,
    make_case,
    make_checked_draft,
    make_finding,
    make_reading,
)
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant

EARLIER = Path(__file__).with_name("earlier_release") / "store.tar.xz"
FIRST, SECOND = make_checked_draft(), make_checked_draft(failed=("s2",))


def event(verb: str) -> AuditEvent:
    return AuditEvent(
        at=SIGNED_AT, verb=verb, outcome="done", actor="a", role="service", subject="case-1"
    )


def draft(store: Store, checked: CheckedDraft, *findings: Any, minutes: int = 0) -> None:
    with store.step() as step:
        step.save_reading("case-1", make_reading(findings=findings) if findings else make_reading())
        step.save_draft("case-1", checked, SIGNED_AT + timedelta(minutes=minutes))
        step.record(event("draft"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A case that was drafted three times: entries 2, 3 and 4."""
    with Store.open(tmp_path / "data") as store:
        with store.step() as step:
            step.save_study(make_case().study)
            step.open_case(make_case(), SIGNED_AT)
            step.record(event("open_case"))
        draft(store, FIRST)
        draft(store, SECOND, make_finding("Pneumothorax", 0.9), minutes=1)
        draft(store, FIRST, minutes=2)
        yield store


def tamper(store: Store, statement: str) -> None:
    with raw(store) as database:
        database.execute(statement)


def test_every_version_is_kept_and_the_newest_is_the_case_s(store: Store) -> None:
    found = store.drafts("case-1")
    assert found == tuple(
        DraftVersion(
            case_id="case-1",
            version=number,
            parent=number - 1 or None,
            author=checked.draft.author.id,
            created_at=SIGNED_AT + timedelta(minutes=number - 1),
            checked=checked,
        )
        for number, checked in ((1, FIRST), (2, SECOND), (3, FIRST))
    )
    file = store.case_file("case-1")
    assert (file.draft, file.reading) == (FIRST, make_reading())
    assert store.verify().ok


def test_decisions_on_an_earlier_draft_fall_away(store: Store) -> None:
    with store.step() as step:
        step.save_decisions("case-1", (Accept("s1"),), expected=())
        step.record(event("decide"))
    draft(store, SECOND)
    assert (store.case_file("case-1").decisions, len(store.drafts("case-1"))) == ((), 4)
    assert store.verify().ok


TAMPERINGS = {
    "an old sentence": ("UPDATE draft SET body = replace(body, 'left', 'right') WHERE version = 1",
                        "altered", "draft 1 of case case-1", "entry 2 "),
    "an old verdict": ("UPDATE draft SET body = replace(body, 'failed', 'passed') WHERE version = 2",
                       "altered", "draft 2 of case case-1", "entry 3 "),
    "an old author": ("UPDATE draft SET author = 'somebody' WHERE version = 1",
                      "altered", "draft 1 of case case-1", "entry 2 "),
    "the newest author": ("UPDATE draft SET author = 'somebody' WHERE version = 3",
                          "altered", "draft 3 of case case-1", "entry 4 "),
    "an old time": ("UPDATE draft SET created_at = NULL WHERE version = 2",
                    "altered", "draft 2 of case case-1", "entry 3 "),
    "a parent": ("UPDATE draft SET parent = 1 WHERE version = 3",
                 "altered", "draft 3 of case case-1", "entry 4 "),
    "no JSON": ("UPDATE draft SET body = x'ff' WHERE version = 1",
                "altered", "draft 1 of case case-1", "entry 2 "),
    "an old draft taken away": ("DELETE FROM draft WHERE version = 1",
                                "missing", "draft 1 of case case-1", "entry 2 "),
    "the newest draft taken away": ("DELETE FROM draft WHERE version = 3",
                                    "altered", "draft of case case-1", "entry 4 "),
    "the newest sentence": ("UPDATE draft SET body = replace(body, 'left', 'right') WHERE version = 3",
                            "altered", "draft of case case-1", "entry 4 "),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_change_of_any_version_is_refused_and_named_with_its_entry(
    store: Store, name: str
) -> None:
    statement, kind, place, entry = TAMPERINGS[name]
    tamper(store, statement)
    found = store.verify().problems
    assert [(p.kind, p.place, entry in p.text) for p in found] == [(kind, place, True)]
    with pytest.raises(IntegrityError, match=place):
        store.drafts("case-1")


@pytest.mark.parametrize("part", ["reading", "draft"])
def test_a_version_that_no_entry_kept_is_named(store: Store, part: str) -> None:
    columns = "version" if part == "reading" else "version, reading, parent, author, created_at"
    values = columns.replace("version", "4", 1)
    tamper(
        store,
        f"INSERT INTO {part} (case_id, {columns}, body) SELECT case_id, {values}, body FROM {part}"
        " WHERE version = 2",
    )
    found = [(p.kind, p.place) for p in store.verify().problems]
    assert ("not in the log", f"{part} 4 of case case-1") in found
    with pytest.raises(IntegrityError, match=f"{part} of case case-1"):
        store.case_file("case-1")


def test_swapped_versions_are_named(store: Store) -> None:
    tamper(store, "UPDATE draft SET version = -version")
    tamper(
        store, "UPDATE draft SET version = CASE version WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE 3 END"
    )
    assert {p.place for p in store.verify().problems} == {
        "draft 1 of case case-1",
        "draft 2 of case case-1",
    }


def test_an_altered_old_reading_is_named(store: Store) -> None:
    tamper(store, "UPDATE reading SET body = replace(body, '0.9', '0.1') WHERE version = 2")
    (problem,) = store.verify().problems
    assert (problem.kind, problem.place) == ("altered", "reading 2 of case case-1")


def test_there_is_no_draft_of_no_case(store: Store) -> None:
    with pytest.raises(InputError, match="no such case"):
        store.drafts("case-none")


@only_sqlite
def test_the_draft_of_an_earlier_release_is_the_first_version(tmp_path: Path) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    with Store.open(tmp_path / "data") as store:
        (only,) = store.drafts("case-1")
        file = store.case_file("case-1")
        assert (only.version, only.parent, only.checked) == (1, None, file.draft)
        assert only.author == only.checked.draft.author.id
        (entry,) = (e for e in store.events("case-1") if e.verb == "draft")
        assert only.created_at == entry.at
        assert store.verify().ok
        draft(store, SECOND)
        assert [(one.version, one.parent) for one in store.drafts("case-1")] == [(1, None), (2, 1)]
        assert store.verify().ok
        tamper(store, "UPDATE draft SET body = replace(body, 'left', 'right') WHERE version = 1")
        assert [p.place for p in store.verify().problems] == ["draft 1 of case case-1"]


class ReadsMore:
    """Sees something else in every study."""

    def read(self, study: Study) -> Any:
        return make_reading(study_uid=study.uid, findings=make_reading().findings[:1])


def test_the_assistant_lists_the_drafts_of_a_case(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        assert assistant.drafts(case_id) == ()
        first = assistant.draft(case_id)
        assistant.draft(case_id, again=False)  # gives back the one that is there
    with quick_assistant(tmp_path / "data", reader=ReadsMore()) as assistant:
        second = assistant.draft(case_id, key="second")
        assert [one.checked for one in assistant.drafts(case_id)] == [first, second]
        assert assistant.draft(case_id, key="second") == second
        assert assistant.case(case_id, pixels=False).draft == second
        assert kept(assistant).events()[-1].verb == "case"
        assert assistant.verify().ok
