"""A repeated call gets what the first one got: by reference, whatever became of it since, for some days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from medmm.assistant import Assistant
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import CheckedDraft
from medmm.domain.errors import IntegrityError, StateError
from medmm.domain.report import Accept
from medmm.domain.study import NotEvaluable, Study
from medmm.store import Step, Store
from medmm.store.database import migrate
from medmm.store.dialects import dialect_of
from tests.databases import only_sqlite, raw
from tests.dicom_files import film_file
from tests.factories import make_case, make_checked_draft, make_reading, make_reading_of, make_study
from tests.kept import kept
from tests.quick_assistant import quick_assistant, signed
from tests.unit.store.test_store_nouns import EVENT, OPENED_AT

REQUEST = "a" * 64


class ReadsMore:
    """Sees something else in every study."""

    def read(self, study: Study) -> Any:
        return make_reading_of(study, findings=make_reading().findings[:1])


def rows(folder: Path) -> dict[str, Any]:
    """What is kept whole under each key: None where a reference is kept."""
    with raw(folder) as database:
        return dict(database.execute("SELECT key, result FROM idempotency").fetchall())


def tamper(folder: Path, statement: str, *values: str) -> None:
    with raw(folder) as database:
        database.execute(statement, values)


def whole_way(assistant: Assistant, folder: Path) -> dict[str, Any]:
    """Every writing verb with a key of its own: what each gives, the second time what the first one gave."""
    film, knee = (
        film_file(folder / "in"),
        film_file(folder / "knee", BodyPartExamined="KNEE", StudyInstanceUID="1.2.3.77"),
    )
    held = film_file(folder / "held", AcquisitionDate="20990101", StudyDate="20990101")
    given: dict[str, Any] = {
        "release": assistant.release(held, reason="clock", by="reader-1", key="release")
    }
    given["refusal"] = assistant.admit(knee, key="refusal")
    study = given["admit"] = assistant.admit(film, key="admit")
    assert isinstance(given["refusal"], NotEvaluable)
    assert isinstance(study, Study)
    case = given["open_case"] = assistant.open_case(study.uid, key="open_case")
    draft = given["draft"] = assistant.draft(case.id, key="draft")
    accepted = [Accept(s.id) for s in draft.statements if not draft.failed(s.id)]
    given["decide"] = assistant.decide(case.id, accepted, by="reader-1", key="decide")
    given["sign"] = assistant.sign(case.id, by="reader-1", key="sign")
    given["publish"] = assistant.publish(given["sign"].id, to=folder / "out", key="publish")
    return given


def test_every_verb_gives_its_first_result_again_and_keeps_a_reference(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        first = whole_way(assistant, tmp_path)
        entries = assistant.verify().size
        assert whole_way(assistant, tmp_path) == first
        assert assistant.verify().size == entries + 1  # that of the check before
    assert [key for key, whole in rows(tmp_path / "data").items() if whole is not None] == [
        "publish"
    ]


def test_a_draft_that_was_made_again_is_given_as_it_was_first(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        study = assistant.admit(film_file(tmp_path / "in"))
        assert isinstance(study, Study)
        case = assistant.open_case(study.uid)
        first = assistant.draft(case.id, key="first")
    with quick_assistant(tmp_path / "data", reader=ReadsMore()) as assistant:
        second = assistant.draft(case.id, key="second")
        assert second != first
        signed(assistant, case.id, assistant.reader_named("reader-1"))
        assert assistant.draft(case.id, key="first") == first
        assert assistant.draft(case.id, key="second") == second
        last = assistant.case(case.id).draft  # signing drafted once more: the same words again
        assert last is not None
        assert last.statements == second.statements
        assert (last.draft.version, last.draft.parent) == (3, second.draft.id)


def test_a_study_that_grew_is_given_as_it_was_first(tmp_path: Path) -> None:
    one = film_file(
        tmp_path / "in", "a.dcm", StudyInstanceUID="1.2.3.9", SOPInstanceUID="1.2.3.9.1"
    )
    two = film_file(
        tmp_path / "in", "b.dcm", StudyInstanceUID="1.2.3.9", SOPInstanceUID="1.2.3.9.2"
    )
    with quick_assistant(tmp_path / "data") as assistant:
        first = assistant.admit(one, key="one")
        grown = assistant.admit(two, key="two")
        assert isinstance(first, Study)
        assert isinstance(grown, Study)
        assert len(grown.volumes) == 2
        assert assistant.admit(one, key="one") == first
        assert assistant.admit(two, key="two") == grown


def test_a_release_with_another_reason_leaves_the_first_answer(tmp_path: Path) -> None:
    held = film_file(tmp_path / "held", AcquisitionDate="20990101", StudyDate="20990101")
    with quick_assistant(tmp_path / "data") as assistant:
        first = assistant.release(held, reason="the clock was wrong", by="reader-1", key="one")
        with Store.open(tmp_path / "data") as store, store.step() as step:
            step.save_release(replace(first, reason="something else"))
            step.record(EVENT)
        assert (
            assistant.release(held, reason="the clock was wrong", by="reader-1", key="one") == first
        )


def keep(store: Store, work: Callable[[Step], object]) -> None:
    with store.step() as step:
        work(step)
        step.record(EVENT)


@pytest.fixture
def drafted(tmp_path: Path) -> Store:
    """A case with a draft, given under a key."""
    store = Store.open(tmp_path / "data")
    case = make_case()
    keep(store, lambda step: (step.save_study(case.study), step.open_case(case, OPENED_AT)))
    keep(store, lambda step: (step.save_draft(case.id, make_checked_draft()),
                              step.remember("key-1", "draft", REQUEST, make_checked_draft(), case.id)))  # fmt: skip
    return store


def test_what_stays_as_it_is_stays_a_reference(drafted: Store) -> None:
    with drafted as store:
        keep(store, lambda step: step.save_draft("case-1", make_checked_draft()))
        assert rows(store.data_dir) == {"key-1": None}
        assert (
            from_json(CheckedDraft, store.recall("key-1", "draft", REQUEST)) == make_checked_draft()
        )
        keep(store, lambda step: step.save_draft("case-1", make_checked_draft(failed=("s2",))))
        assert rows(store.data_dir) == {"key-1": None}
        assert (
            from_json(CheckedDraft, store.recall("key-1", "draft", REQUEST)) == make_checked_draft()
        )


def test_a_draft_that_a_hand_changed_is_given_to_nobody(drafted: Store) -> None:
    with drafted as store:
        tamper(store.data_dir, "UPDATE draft SET body = replace(body, 'left', 'right')")
        with pytest.raises(IntegrityError, match="draft of case case-1"):
            store.recall("key-1", "draft", REQUEST)


@pytest.mark.parametrize(
    "change", ["result_sha256 = 'f00'", "result = '{}'", "kind = 'case'", "kind = 'nothing'"]
)
def test_an_answer_that_a_hand_changed_is_given_to_nobody(drafted: Store, change: str) -> None:
    with drafted as store:
        tamper(store.data_dir, f"UPDATE idempotency SET {change}")
        with pytest.raises(IntegrityError, match="not what was given"):
            store.recall("key-1", "draft", REQUEST)


def test_a_result_that_is_kept_otherwise_is_kept_whole(drafted: Store) -> None:
    """A decided case keeps its notices, and the verb gives the newest: the row is not what was given."""
    other = make_case(context=None)
    with drafted as store:
        keep(store, lambda step: step.remember("key-2", "open_case", REQUEST, other, "case-1"))
        assert store.recall("key-2", "open_case", REQUEST) == to_json(other)
        assert rows(store.data_dir)["key-2"] is not None


def test_a_key_is_forgotten_after_its_days(tmp_path: Path) -> None:
    film = film_file(tmp_path / "in")
    with quick_assistant(tmp_path / "data", replay_days=2) as assistant:
        first = assistant.admit(film, key="one")
        for hours, forgotten in ((47, False), (49, True)):
            at = datetime.now(UTC) - timedelta(hours=hours)
            tamper(
                tmp_path / "data",
                "UPDATE idempotency SET at = ?",
                at.isoformat(timespec="microseconds"),
            )
            entries = len(kept(assistant).events())
            assert assistant.admit(film, key="one") == first
            assert len(kept(assistant).events()) == entries + forgotten  # it was done anew


def test_a_forgotten_key_is_free_for_another_request_and_leaves_the_table(drafted: Store) -> None:
    with drafted as store:
        with pytest.raises(StateError, match="another request"):
            store.recall("key-1", "sign", REQUEST)
        tamper(store.data_dir, "UPDATE idempotency SET at = '2026-01-01T00:00:00.000000+00:00'")
        assert store.recall("key-1", "sign", REQUEST) is None
        keep(store, lambda step: step.remember("key-2", "sign", REQUEST, ["a"]))
        assert set(rows(store.data_dir)) == {"key-2"}
        keep(store, lambda step: step.remember("key-1", "sign", REQUEST, ["b"]))
        assert store.recall("key-1", "sign", REQUEST) == ["b"]


@only_sqlite
def test_what_an_earlier_release_kept_whole_is_given_again_and_forgotten_in_its_time(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    dialect = dialect_of(None, folder)
    with dialect.engine(read_only=False) as engine, dialect.migrating(engine) as connection:
        migrate(connection, dialect, "0004")
        insert = "INSERT INTO idempotency VALUES ('key-1', 'admit', :request, :result)"
        body = sa.bindparam("result", to_json(make_study()), type_=sa.JSON)
        connection.execute(sa.text(insert).bindparams(body, request=REQUEST))
    with Store.open(folder) as store:
        assert from_json(Study, store.recall("key-1", "admit", REQUEST)) == make_study()
        with pytest.raises(StateError, match="another request"):
            store.recall("key-1", "admit", "b" * 64)
        (at,) = store._read(lambda c: c.scalars(sa.text("SELECT at FROM idempotency")).all())
        assert datetime.now(UTC) - datetime.fromisoformat(at) < timedelta(minutes=1)
