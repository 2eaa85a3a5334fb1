"""Figures of how readers took drafts, and recall lists, through the door."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied, StateError
from medmm.domain.influence_of_draft import Difference
from medmm.domain.insight import Group, InsightFilter
from medmm.domain.report import Accept, Add, CaseState, Edit, Reject
from medmm.domain.reviewed_case import Answer
from tests.dicom_files import film_file
from tests.factories import MODEL
from tests.quick_assistant import opened, quick_assistant, signed

READERS = tuple(
    ReaderEntry(id=id, name=f"ZZREADER {id}", role=role)
    for id, role in (
        ("reader-1", "reader"),
        ("resident-1", "resident"),
        ("attending-1", "attending"),
        ("auditor-1", "auditor"),
        ("admin-1", "administrator"),
        ("technologist-1", "technologist"),
    )
)


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", readers=READERS, site="ward 3") as assistant:
        yield assistant


def signed_case(assistant: Assistant, folder: Path, by: str = "reader-1") -> str:
    """A signed case: the effusion was rejected as wrong, one statement edited, the rest accepted."""
    case_id = opened(assistant, film_file(folder))
    draft = assistant.draft(case_id)
    assistant.case(case_id, pixels=False, by=by)
    asked = [s for s in draft.statements if s.summarises is None]
    false = next(s for s in asked if s.finding == "Effusion")
    other = next(s for s in asked if s.finding is None)
    answers = [
        Reject(s.id, code="wrong-finding")
        if s is false
        else Edit(s.id, f"{s.text[:-1]} in my view.")
        if s is other
        else Accept(s.id)
        for s in asked
    ]
    assistant.decide(case_id, answers, by=by)
    assistant.sign(case_id, by="attending-1" if by == "resident-1" else by)
    return case_id


def test_a_signed_case_is_counted_as_its_reader_took_it(
    assistant: Assistant, tmp_path: Path
) -> None:
    signed_case(assistant, tmp_path / "in")
    found = assistant.insight_of_all(by="admin-1")
    (everything,) = found.of(Group.ALL)
    assert (found.cases, found.patients, found.unsigned) == (1, 1, 0)
    assert everything.share(Answer.REJECTED).value == round(1 / everything.statements, 4)
    assert everything.share(Answer.EDITED).value == round(1 / everything.statements, 4)
    effusion = next(row for row in found.of(Group.FINDING) if row.value == "Effusion")
    assert effusion.share(Answer.REJECTED).value == 1.0
    assert [(one.value, one.count) for one in found.reasons] == [("wrong-finding", 1)]
    assert found.edits.edits == 1
    assert 0 < (found.edits.words_changed.value or 0) < 1
    assert found.alarms.claims == 2
    assert found.alarms.false.value == 0.5
    assert [row.value for row in found.of(Group.READER)] == ["reader-1"]
    assert [row.value for row in found.of(Group.SITE)] == ["ward 3"]
    assert f"{MODEL.name} {'0' * 12}" in {row.value for row in found.of(Group.MODEL)}
    assert all(one.unknown == 0 for one in found.times), "the log told each time"
    assert all(row.gap.value is None for row in found.gaps), "one case is no ground for a gap"


def test_a_case_is_counted_in_its_period_site_and_model_alone(
    assistant: Assistant, tmp_path: Path
) -> None:
    signed_case(assistant, tmp_path / "in")
    now = datetime.now(UTC)
    past, later = now - timedelta(days=1), now + timedelta(days=1)
    for asked, cases in (
        (InsightFilter(since=past, until=later), 1),
        (InsightFilter(until=past), 0),
        (InsightFilter(since=later), 0),
        (InsightFilter(site="ward 3", model=MODEL.name, modality="DX", reader="reader-1"), 1),
        (InsightFilter(site="ward 4"), 0),
        (InsightFilter(model="another"), 0),
        (InsightFilter(modality="MR"), 0),
        (InsightFilter(reader="attending-1"), 0),
    ):
        assert assistant.insight_of_all(asked, by="auditor-1").cases == cases, asked


def test_readers_see_their_own_figures_and_no_others(assistant: Assistant, tmp_path: Path) -> None:
    signed_case(assistant, tmp_path / "in", by="resident-1")
    assert assistant.insight(by="resident-1").cases == 1, "who decided, not who signed"
    assert assistant.insight(by="reader-1").cases == 0
    assert assistant.insight(by="attending-1").cases == 0
    assert assistant.insight_of_all(by="attending-1").cases == 1
    assert assistant.insight(InsightFilter(reader="resident-1"), by="resident-1").cases == 1
    with pytest.raises(PermissionDenied, match="insight_of_all"):
        assistant.insight(InsightFilter(reader="resident-1"), by="reader-1")
    with pytest.raises(StateError, match="another reader"):
        assistant.insight(InsightFilter(reader="resident-1"), by="attending-1")
    for by in ("reader-1", "resident-1", "technologist-1"):
        for verb in (assistant.insight_of_all, assistant.export_insight):
            with pytest.raises(PermissionDenied):
                verb(by=by)
    with pytest.raises(PermissionDenied):
        assistant.insight(by="technologist-1")
    assert assistant.export_insight(by="auditor-1").cases == 1


def test_each_look_at_figures_leaves_one_entry(assistant: Assistant, tmp_path: Path) -> None:
    signed_case(assistant, tmp_path / "in")
    before = assistant.verify(by="admin-1").size
    assistant.export_insight(InsightFilter(site="ward 3"), by="admin-1")
    assistant.recall_list(MODEL.name, "0" * 64, by="admin-1")
    found = assistant.verify(by="admin-1")
    assert (found.ok, found.size - before) == (True, 3), "the two looks and the check before"
    entry = assistant.prove(before + 2, by="admin-1").entry
    assert '"verb":"export_insight"' in entry
    assert '"site":"ward 3"' in entry


def test_a_case_of_an_earlier_release_is_worked_out_the_same(
    assistant: Assistant, tmp_path: Path
) -> None:
    signed_case(assistant, tmp_path / "in")
    (kept,) = assistant._house.store.signed_cases()
    again = assistant._house.store
    assert kept.reviewed is not None
    with closing(sqlite3.connect(tmp_path / "data" / "medmm.sqlite")) as database:
        database.execute("DELETE FROM reviewed_case")
        database.commit()
    with pytest.raises(IntegrityError, match="review of case"):
        assistant.insight_of_all(by="admin-1")
    assert [p.kind for p in again.verify().problems] == ["missing"]
    from medmm.verbs.insight import _worked_out

    assert _worked_out(assistant._house, kept) == kept.reviewed


def test_an_altered_row_is_refused_and_named(assistant: Assistant, tmp_path: Path) -> None:
    signed_case(assistant, tmp_path / "in")
    with closing(sqlite3.connect(tmp_path / "data" / "medmm.sqlite")) as database:
        database.execute("UPDATE reviewed_case SET body = replace(body, 'rejected', 'accepted')")
        database.commit()
    with pytest.raises(IntegrityError, match="review of case"):
        assistant.insight_of_all(by="admin-1")
    assert not assistant.verify(by="admin-1").ok


def test_a_recall_list_says_what_rests_on_a_version_and_what_became_of_it(
    assistant: Assistant, tmp_path: Path
) -> None:
    signed = signed_case(assistant, tmp_path / "in")
    report = assistant.case(signed, pixels=False, by="reader-1").report
    assert report is not None
    assistant.publish(report.id, to=tmp_path / "out", by="reader-1")
    open_case = opened(assistant, film_file(tmp_path / "b", StudyInstanceUID="1.2.9"))
    assistant.draft(open_case)
    found = assistant.recall_list(MODEL.name, "00000000", by="attending-1")
    assert found.model == MODEL
    assert found.looked_at == 2
    rows = {one.case_id: one for one in found.cases}
    assert set(rows) == {signed, open_case}
    done, waiting = rows[signed], rows[open_case]
    assert (done.state, done.report_rests, done.newest) == (CaseState.SIGNED, True, True)
    assert done.published_at is not None
    assert set(done.findings) == {"Effusion", "Cardiomegaly"}
    assert (waiting.report_id, waiting.published_at, waiting.drafts) == (None, None, (1,))
    assert not assistant.recall_list(MODEL.name, "f" * 64, by="attending-1").cases
    assert not assistant.recall_list("another", "0" * 64, by="attending-1").cases


@pytest.mark.parametrize("version", ["", "0000000", "latest", "0" * 65, "%"])
def test_a_version_is_a_digest(assistant: Assistant, version: str) -> None:
    with pytest.raises(InputError, match="digest"):
        assistant.recall_list(MODEL.name, version, by="admin-1")


def test_a_recall_list_is_not_for_everybody(assistant: Assistant) -> None:
    for by in ("reader-1", "resident-1", "technologist-1"):
        with pytest.raises(PermissionDenied):
            assistant.recall_list(MODEL.name, "0" * 64, by=by)


def test_a_draft_that_was_altered_stops_a_recall(assistant: Assistant, tmp_path: Path) -> None:
    assistant.draft(opened(assistant, film_file(tmp_path / "in")))
    with closing(sqlite3.connect(tmp_path / "data" / "medmm.sqlite")) as database:
        database.execute("UPDATE draft SET body = replace(body, 'chest-test', 'other-test')")
        database.commit()
    with pytest.raises(IntegrityError, match="draft"):
        assistant.recall_list(MODEL.name, "0" * 64, by="admin-1")


def test_a_reader_who_followed_the_draft_against_their_first_read_is_counted(
    assistant: Assistant, tmp_path: Path
) -> None:
    """The draft claims effusion and cardiomegaly; the reader had seen a mass alone, and signs the draft."""
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    assistant.case(case_id, blind=True, pixels=False, by="reader-1")
    assistant.record_first_read(case_id, findings=[Add.of("Mass")], by="reader-1")
    signed(assistant, case_id, assistant.reader_named("reader-1"))
    found = assistant.insight_of_all(by="admin-1").influence
    assert found is not None
    assert (found.reads, found.left_out) == (1, 0)
    assert (found.differed.value, found.differed.of) == (1.0, 3)
    followed = {row.difference: row.followed for row in found.by_difference}
    alone, reader = followed[Difference.DRAFT_ALONE], followed[Difference.READER_ALONE]
    assert (alone.value, alone.of) == (1.0, 2)
    assert (reader.value, reader.of) == (1.0, 1)
    assert followed[Difference.OTHER_SIDE].value is None
    assert assistant.insight(by="attending-1").influence is None, "another reader's"
    assert assistant.insight(by="reader-1").influence == found


def test_a_first_read_of_who_did_not_decide_is_left_out(
    assistant: Assistant, tmp_path: Path
) -> None:
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    assistant.record_first_read(case_id, nothing_suspected=True, by="reader-1")
    signed(assistant, case_id, assistant.reader_named("attending-1"))
    found = assistant.insight_of_all(by="admin-1").influence
    assert found is not None
    assert (found.reads, found.left_out, found.followed.value) == (0, 1, None)
