"""The later life of a signed report through the door: amended, added to, withdrawn, by whom, and what the log says of it."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.case_state import CaseState
from medmm.domain.draft import Section
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied, StateError
from medmm.domain.report import Add, Decision, Edit, Reject, SignedReport
from medmm.domain.report_kind import ReportKind
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.kept import kept
from tests.quick_assistant import READERS, READS, GivenNetworks, opened, quick_assistant, signed

EARLIER = Path(__file__).parents[1] / "unit" / "store" / "earlier_release" / "store.tar.xz"
WHY = "ZZREASON seen again beside the earlier film"
MANY = (
    *READERS,
    ReaderEntry(id="reader-2", name="ZZREADER Two", role="reader"),
    ReaderEntry(id="resident-1", name="ZZREADER Three", role="resident"),
)
Changing = Callable[..., SignedReport]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data folder that holds one signed case."""
    folder = tmp_path_factory.mktemp("signed")
    with quick_assistant(folder / "data", readers=MANY) as assistant:
        case_id = opened(assistant, film_file(folder / "in"))
        signed(assistant, case_id, assistant.reader_named("reader-1"))
    return folder


@pytest.fixture
def assistant(prepared: Path, tmp_path: Path) -> Iterator[Assistant]:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    with quick_assistant(tmp_path / "data", readers=MANY) as assistant:
        yield assistant


@pytest.fixture
def case_id(assistant: Assistant) -> str:
    """The signed case."""
    return assistant.cases()[0].case_id


def amend(assistant: Assistant, case_id: str, **how: Any) -> SignedReport:
    return assistant.amend(case_id, [Add("Old rib fracture.")], **{"reason": WHY, **how})


def addendum(assistant: Assistant, case_id: str, **how: Any) -> SignedReport:
    return assistant.addendum(case_id, "Told to the ward.", **{"reason": WHY, **how})


def withdraw(assistant: Assistant, case_id: str, **how: Any) -> SignedReport:
    return assistant.withdraw(case_id, **{"reason": WHY, **how})


VERBS = {"amend": amend, "addendum": addendum, "withdraw": withdraw}


def refused(assistant: Assistant, case_id: str, verb: Changing, kind: type[Exception], **how: Any) -> str:  # fmt: skip
    """The verb leaves its failure in the log and nothing else of the case changed. Returns: what the error says."""
    before = assistant.case(case_id)
    with pytest.raises(kind) as caught:
        verb(assistant, case_id, **how)
    assert assistant.case(case_id) == before
    assert assistant.verify().ok
    failed = [e for e in kept(assistant).events() if e.outcome == "failed"]
    assert failed[-1].details["error"] == kind.__name__
    return str(caught.value)


def test_a_report_is_amended_added_to_and_withdrawn_and_every_version_is_kept(
    assistant: Assistant, case_id: str
) -> None:
    first = assistant.case(case_id).report
    second = amend(assistant, case_id, by="reader-2", correction=True)
    third = addendum(assistant, case_id, by="reader-1")
    file = assistant.case(case_id)
    assert file.state is CaseState.AMENDED
    assert file.versions == (first, second, third)
    assert [(v.version, v.kind, v.signed_by.id) for v in file.versions] == [
        (1, ReportKind.ORIGINAL, "reader-1"),
        (2, ReportKind.CORRECTION, "reader-2"),
        (3, ReportKind.ADDENDUM, "reader-1"),
    ]
    assert "Old rib fracture." in [s.text for s in third.statements]
    assert third.statements[-1].section is Section.ADDENDUM
    last = withdraw(assistant, case_id, by="reader-2")
    file = assistant.case(case_id)
    assert (file.state, file.report) == (CaseState.WITHDRAWN, last)
    assert file.versions == (first, second, third, last)
    assert assistant.verify().ok
    assert [s.state for s in assistant.cases()] == [CaseState.WITHDRAWN]


def test_entries_say_what_happened_and_no_word_of_a_person(
    assistant: Assistant, case_id: str
) -> None:
    reports = [verb(assistant, case_id, by="reader-1") for verb in VERBS.values()]
    entries = {e.verb: e for e in assistant.history(case_id) if e.verb in VERBS}
    assert list(entries) == list(VERBS)
    for event, report in zip(entries.values(), reports, strict=True):
        assert (event.outcome, event.actor, event.details["report"]) == (
            "done",
            "reader-1",
            report.id,
        )
        assert event.details["replaces"] == report.replaces
        assert event.details["version"] == str(report.version)
        assert event.details["kind"] == report.kind.value
    log = " ".join(str(e) for e in kept(assistant).events())
    for word in ("ZZREASON", "rib fracture", "Told to the ward"):
        assert word not in log


@pytest.mark.parametrize("name", VERBS)
def test_who_may_not_sign_may_not_change_what_was_signed(
    assistant: Assistant, case_id: str, name: str
) -> None:
    said = refused(assistant, case_id, VERBS[name], PermissionDenied, by="resident-1")
    assert f"role 'resident' may not {name}" in said


@pytest.mark.parametrize("name", VERBS)
def test_without_a_reason_nothing_is_kept(assistant: Assistant, case_id: str, name: str) -> None:
    said = refused(assistant, case_id, VERBS[name], InputError, by="reader-1", reason=" \n")
    assert "say why" in said


@pytest.mark.parametrize("name", VERBS)
def test_after_a_withdrawal_nothing_changes_the_report(
    assistant: Assistant, case_id: str, name: str
) -> None:
    withdraw(assistant, case_id, by="reader-1")
    said = refused(assistant, case_id, VERBS[name], StateError, by="reader-2")
    assert "a withdrawn report is final" in said


@pytest.mark.parametrize("name", VERBS)
def test_a_case_that_is_not_signed_has_nothing_to_change(
    assistant: Assistant, tmp_path: Path, name: str
) -> None:
    another = film_file(tmp_path / "other", StudyInstanceUID="1.2.826.0.1.3680043.8.498.77")
    case_id = opened(assistant, another)
    assistant.draft(case_id)
    refused(assistant, case_id, VERBS[name], StateError, by="reader-1")


@pytest.mark.parametrize("name", VERBS)
def test_a_retry_with_the_same_key_gives_the_first_answer(
    assistant: Assistant, case_id: str, name: str
) -> None:
    first = VERBS[name](assistant, case_id, by="reader-1", key="once")
    assert VERBS[name](assistant, case_id, by="reader-1", key="once") == first
    assert len(assistant.case(case_id).versions) == 2
    if name != "withdraw":
        amend(assistant, case_id, by="reader-1") if name == "addendum" else addendum(
            assistant, case_id, by="reader-1"
        )
        assert VERBS[name](assistant, case_id, by="reader-1", key="once") == first
    with pytest.raises(StateError, match="another request"):
        VERBS[name](assistant, case_id, by="reader-1", key="once", reason="another")


class Meeting:
    """A clock at which two threads meet once, when both have read the case and neither has kept anything."""

    def __init__(self) -> None:
        self.barrier: threading.Barrier | None = None
        self.met = threading.local()

    def __call__(self) -> datetime:
        if self.barrier is not None and not getattr(self.met, "already", False):
            self.met.already = True
            self.barrier.wait()
        return datetime.now(UTC)


@pytest.mark.parametrize("amended_before", [False, True])
def test_of_two_who_change_one_report_at_once_one_learns_it(
    prepared: Path, tmp_path: Path, amended_before: bool
) -> None:
    """Of a report that was amended before, the state alone would not tell the second."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    clock = Meeting()
    settings = Settings(data_dir=tmp_path / "data", readers=MANY, threads=1)
    given = {"reader": READS, "picture_kinds": SAYS_FRONTAL, "language_model": None}
    networks = GivenNetworks(settings, **given)
    with Assistant(settings, networks=networks, clock=clock) as assistant:
        case_id = assistant.cases()[0].case_id
        if amended_before:
            addendum(assistant, case_id, by="reader-1")
        before = len(assistant.case(case_id).versions)
        results: list[SignedReport | StateError] = []

        def ask(verb: Changing, by: str) -> None:
            try:
                results.append(verb(assistant, case_id, by=by))
            except StateError as error:
                results.append(error)

        clock.barrier = threading.Barrier(2, timeout=60)
        asked = ((addendum, "reader-1"), (amend, "reader-2"))
        threads = [threading.Thread(target=ask, args=one) for one in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        clock.barrier = None
        (lost,) = [r for r in results if isinstance(r, StateError)]
        (won,) = [r for r in results if isinstance(r, SignedReport)]
        assert "somebody else changed this case" in lost.problem
        file = assistant.case(case_id)
        assert (file.report, len(file.versions)) == (won, before + 1)
        assert assistant.verify().ok


@pytest.mark.parametrize("name", VERBS)
def test_while_a_reader_claims_a_case_nobody_else_changes_its_report(
    assistant: Assistant, case_id: str, name: str
) -> None:
    assistant.claim(case_id, by="reader-2")
    said = refused(assistant, case_id, VERBS[name], StateError, by="reader-1")
    assert "another reader works on this case" in said
    assert VERBS[name](assistant, case_id, by="reader-2").version == 2


PUT_BACK = {
    "the first report again": ("report_id = '{first}'",),
    "the first report and its state": ("report_id = '{first}', state = 'signed'",),
}


@pytest.mark.parametrize(
    ("name", "how", "words_too"),
    [
        ("amend", "the first report again", False),
        *((name, "the first report and its state", too) for name in VERBS for too in (False, True)),
    ],
)
def test_an_earlier_report_put_back_is_found(
    assistant: Assistant, case_id: str, name: str, how: str, words_too: bool
) -> None:
    first = assistant.case(case_id).report
    assert first is not None
    kept_in = assistant.settings.data_dir / "medmm.sqlite"
    with closing(sqlite3.connect(kept_in)) as database:
        words = list(database.execute("SELECT * FROM last_word"))
        case = dict(database.execute('SELECT id, decisions FROM "case"'))
        line = list(database.execute("SELECT * FROM worklist"))
    newest = VERBS[name](assistant, case_id, by="reader-1")
    with closing(sqlite3.connect(kept_in)) as database, database:
        for change in PUT_BACK[how]:
            database.execute(f'UPDATE "case" SET {change.format(first=first.id)}')
        if words_too:  # a hand that knows the tables takes everything of the later version away
            database.execute('UPDATE "case" SET decisions = ?', (case[case_id],))
            database.execute("DELETE FROM report WHERE id = ?", (newest.id,))
            for table, rows in (("last_word", words), ("worklist", line)):
                database.execute(f"DELETE FROM {table}")
                marks = ", ".join("?" * len(rows[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    assert not assistant.verify().ok
    with pytest.raises(IntegrityError):
        assistant.render(first.id)
    for verb in VERBS.values():
        with pytest.raises(IntegrityError):
            verb(assistant, case_id, by="reader-1")


def test_a_study_whose_report_was_withdrawn_is_read_anew(
    assistant: Assistant, case_id: str
) -> None:
    file = assistant.case(case_id)
    withdraw(assistant, case_id, by="reader-1")
    case = assistant.open_case(file.case.study.uid)
    assert case.id != case_id
    assert f"report of {case_id} on this study was withdrawn" in " ".join(
        notice.text for notice in case.study.warnings
    )
    assert assistant.open_case(file.case.study.uid).id == case.id
    report = signed(assistant, case.id, assistant.reader_named("reader-1"))
    assert (report.version, report.replaces) == (1, None)
    assert assistant.case(case_id).state is CaseState.WITHDRAWN
    withdraw(assistant, case.id, by="reader-1")
    assert assistant.open_case(file.case.study.uid).id not in (case.id, case_id)
    assert assistant.verify().ok


def test_what_an_amendment_would_sign_can_be_seen_before(
    assistant: Assistant, case_id: str
) -> None:
    drafted = assistant.case(case_id)
    assert drafted.draft is not None
    (finding, *_) = [s for s in drafted.draft.statements if s.section is Section.FINDINGS]
    decisions: list[Decision] = [Reject(finding.id), Add("Old rib fracture.")]
    seen = assistant.to_sign(case_id, by="reader-2", decisions=decisions)
    assert assistant.case(case_id) == drafted
    report = assistant.amend(case_id, decisions, reason=WHY, by="reader-2")
    assert seen == report.statements
    assert assistant.to_sign(case_id, by="reader-2") == report.statements


def test_a_report_of_an_earlier_release_is_amended_and_withdrawn(tmp_path: Path) -> None:
    with tarfile.open(EARLIER) as packed:
        packed.extractall(tmp_path, filter="data")
    (data,) = [path.parent for path in tmp_path.rglob("medmm.sqlite")]
    with Assistant(Settings(data_dir=data, readers=READERS)) as assistant:
        (case,) = assistant.cases()
        first = assistant.case(case.case_id, pixels=False).report
        assert first is not None
        assert (first.version, first.kind, first.replaces, first.reason) == (
            1,
            ReportKind.ORIGINAL,
            None,
            "",
        )
        second = assistant.amend(
            case.case_id, [Edit("s3", "Heart not enlarged.")], reason=WHY, by="reader-1"
        )
        assert (second.version, second.replaces) == (2, first.id)
        assert assistant.case(case.case_id, pixels=False).versions == (first, second)
        withdraw(assistant, case.case_id, by="reader-1")
        assert assistant.verify().ok
