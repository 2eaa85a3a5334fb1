"""The worklist of a reading room: who the cases are, what is found, which came, which is next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.priority import Order, Priority
from medmm.domain.report import Accept, CaseState, Edit
from medmm.domain.shown import Shown
from medmm.domain.study import Modality, Study
from medmm.domain.worklist import CaseFilter, SavedFilter
from tests.databases import raw
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.kept import kept
from tests.quick_assistant import READS, GivenNetworks, signed
from tests.unit.assistant.test_assistant_claims import START, Clock

ROLES = {
    "reader-1": "attending",
    "reader-2": "attending",
    "tech-1": "technologist",
    "admin-1": "administrator",
    "auditor-1": "auditor",
}
READERS = tuple(ReaderEntry(id=k, name=f"ZZ{k.upper()}", role=r) for k, r in ROLES.items())
PATIENTS = (  # name, ID, birth date, accession
    ("ZZMÜLLER^ANNA MARIA", "ZZ-1", "19600302", "ACC-1"),
    ("ZZMUELLER^BERND", "ZZ-2", "19200102", "ACC-2"),
    ("ZZO'BRIEN^CIAN=李^明", "ZZ-3", "", "ACC-3"),
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def assistant(tmp_path: Path, clock: Clock) -> Iterator[Assistant]:
    settings = Settings(data_dir=tmp_path / "data", readers=READERS, threads=1)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks, clock=clock) as assistant:
        yield assistant


def came(assistant: Assistant, folder: Path, number: int, **more: Any) -> Study:
    name, patient_id, birth, accession = PATIENTS[number % len(PATIENTS)]
    uids: dict[str, Any] = {
        tag: f"1.2.826.5.{number}.{place}"
        for place, tag in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    }
    elements = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": name,
        "PatientID": patient_id,
        "PatientBirthDate": birth,
        "AccessionNumber": accession,
        **uids,
        **more,
    }
    study = assistant.admit(film_file(folder, f"{number}.dcm", **elements))
    assert isinstance(study, Study), study
    return study


@pytest.fixture
def cases(assistant: Assistant, tmp_path: Path, clock: Clock) -> list[str]:
    """Three cases, drafted a minute after each other."""
    made = []
    for number in range(3):
        study = came(assistant, tmp_path / "in", number)
        made.append(assistant.open_case(study.uid).id)
        assistant.draft(made[-1])
        clock.after(minutes=1)
    return made


def found(assistant: Assistant, search: str, **how: Any) -> list[str]:
    page = assistant.worklist(search=search, by="reader-1", **how)
    assert page.total == len(page.rows)
    return sorted(row.case.case_id for row in page.rows)


def test_a_row_says_who_it_is_how_old_and_by_which_order(
    assistant: Assistant, cases: list[str]
) -> None:
    page = assistant.worklist(by="reader-1")
    assert [row.case.case_id for row in page.rows] == cases, "the longest waiting first"
    first, second, third = page.rows
    assert first.patient is not None
    assert (first.patient.family_name, first.patient.patient_id) == ("ZZMÜLLER", "ZZ-1")
    assert first.accession == "ACC-1"
    assert first.age is not None
    assert int(first.age.least_years) == 60
    assert second.age is not None
    assert third.age is None, "no birth date"
    assert first.case.waiting_since == START


def test_one_entry_names_all_cases_of_the_page(assistant: Assistant, cases: list[str]) -> None:
    before = len(kept(assistant).events())
    assistant.worklist(by="reader-1", limit=2)
    (event,) = kept(assistant).events()[before:]
    assert (event.verb, event.outcome, event.actor) == ("worklist", "done", "reader-1")
    assert event.details["cases"].split() == cases[:2]
    assert event.details["named"] == "True"
    assert "ZZM" not in str(event)


@pytest.mark.parametrize("by", ["admin-1", None])
def test_who_may_not_see_identities_gets_rows_without_names(
    assistant: Assistant, cases: list[str], by: str | None
) -> None:
    page = assistant.worklist(by=by)
    assert [row.case.case_id for row in page.rows] == cases
    assert {(row.patient, row.accession, row.age) for row in page.rows} == {(None, None, None)}
    assert kept(assistant).events()[-1].details["named"] == "False"
    with pytest.raises(PermissionDenied, match="identity"):
        assistant.worklist(search="ZZ-1", by=by)
    assert kept(assistant).events()[-1].outcome == "failed"


def test_who_may_not_see_the_worklist_sees_nothing_of_it(assistant: Assistant) -> None:
    for act in (assistant.worklist, lambda by: assistant.arrived(0, by=by)):
        with pytest.raises(PermissionDenied):
            act(by="auditor-1")


@pytest.mark.parametrize(
    ("search", "numbers"),
    [
        ("zzmuller", [0, 1]),
        ("ZZMÜ", [0, 1]),
        ("anna zzmu", [0]),
        ("maria", [0]),
        ("zzobrien", [2]),
        ("ZZO'B", [2]),
        ("明", [2]),
        ("acc-2", [1]),
        ("zz-3", [2]),
        ("ZQ-", []),
        ("1.2.826.5.1.0", [1]),
        ("1.2.826.5.1", []),
        ("uller", []),
        ("%", None),
        ("zzmuller%", [0, 1]),
        ("' OR 1=1 --", []),
    ],
)
def test_a_search_finds_by_parts_of_names_and_by_whole_numbers(
    assistant: Assistant, cases: list[str], search: str, numbers: list[int] | None
) -> None:
    if numbers is None:
        with pytest.raises(InputError, match="nothing can be searched"):
            found(assistant, search)
    else:
        assert found(assistant, search) == sorted(cases[n] for n in numbers)


def test_a_search_goes_with_a_filter_and_leaves_no_word_in_the_log(
    assistant: Assistant, cases: list[str]
) -> None:
    signed(assistant, cases[0], assistant.reader_named("reader-1"))
    assert found(assistant, "zzmuller", wanted=CaseFilter(waiting=True)) == [cases[1]]
    assert found(assistant, "zzmuller", wanted=CaseFilter(modality=Modality.MR)) == []
    assert not any("zzmuller" in str(event) for event in kept(assistant).events())


def test_the_terms_keep_no_number_in_the_clear_and_follow_the_identity(
    assistant: Assistant, cases: list[str], tmp_path: Path
) -> None:
    with raw(tmp_path / "data") as database:
        terms = database.execute("SELECT kind, term FROM search_term").fetchall()
    assert {term for kind, term in terms if kind == "name"} >= {"zzmuller", "anna", "明"}
    assert {len(term) for kind, term in terms if kind != "name"} == {64}
    came(assistant, tmp_path / "again", 9, PatientName="ZZNEW^NAME")
    assert found(assistant, "zznew") == [cases[0]]
    assert found(assistant, "anna") == []
    assert assistant.verify().ok


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE search_term SET term = 'zzother' WHERE term = 'anna'", "altered"),
        ("DELETE FROM search_term WHERE kind = 'order number'", "altered"),
        ("INSERT INTO search_term VALUES ('pk-none', 'name', 'zz')", "not in the log"),
    ],
)
def test_terms_that_an_identity_does_not_give_are_named(
    assistant: Assistant, cases: list[str], tmp_path: Path, change: str, kind: str
) -> None:
    with raw(tmp_path / "data") as database:
        database.execute(change)
        database.commit()
    problems = assistant.verify().problems
    assert {problem.kind for problem in problems} == {kind}
    assert all(problem.place.startswith("search terms of ") for problem in problems)


def test_counts_are_of_all_pages(assistant: Assistant, cases: list[str]) -> None:
    signed(assistant, cases[0], assistant.reader_named("reader-1"))
    assistant.prioritise(cases[1], Priority.STAT, reason="asked", by="reader-1")
    page = assistant.worklist(by="reader-1", limit=1)
    counts = {(one.of, one.value): one.cases for one in page.counts}
    assert page.total == 3
    assert (counts["state", "signed"], counts["state", "drafted"]) == (1, 2)
    assert (counts["priority", "stat"], counts["priority", ""]) == (1, 2)
    assert counts["modality", "DX"] == 3
    assert counts["critical", "no"] == 3
    for wanted in (CaseFilter(), CaseFilter(state=CaseState.DRAFTED), CaseFilter(site="nowhere")):
        whole = assistant.worklist(wanted, limit=1, by="reader-1")
        bare = assistant.worklist(wanted, limit=1, counted=False, by="reader-1")
        assert (bare.rows, bare.total, bare.counts) == (whole.rows, whole.total, ())


def test_pages_follow_each_other_by_place(assistant: Assistant, cases: list[str]) -> None:
    first = assistant.worklist(by="reader-1", limit=2)
    rest = assistant.worklist(by="reader-1", limit=2, after=first.rows[-1].case.place)
    assert [row.case.case_id for row in (*first.rows, *rest.rows)] == cases
    for limit in (0, 201):
        with pytest.raises(InputError):
            assistant.worklist(by="reader-1", limit=limit)


def test_what_came_since_a_page_was_listed_is_counted_without_an_entry(
    assistant: Assistant, cases: list[str], tmp_path: Path
) -> None:
    page = assistant.worklist(by="reader-1")
    size = len(kept(assistant).events())
    assert assistant.arrived(page.entry, by="reader-1") == 0
    assert len(kept(assistant).events()) == size
    study = came(assistant, tmp_path / "in", 3)
    case_id = assistant.open_case(study.uid).id
    assert assistant.arrived(page.entry, by="reader-1") == 1
    assert assistant.arrived(page.entry, CaseFilter(waiting=True), by="reader-1") == 0
    assistant.draft(case_id)
    assert assistant.arrived(page.entry, CaseFilter(waiting=True), by="reader-1") == 1
    signed(assistant, cases[0], assistant.reader_named("reader-1"))
    assert assistant.arrived(page.entry, by="reader-1") == 1, "what is signed is not new"
    again = assistant.worklist(by="reader-1")
    assert assistant.arrived(again.entry, by="reader-1") == 0


def test_the_next_case_skips_what_others_hold_and_goes_on_from_the_top(
    assistant: Assistant, cases: list[str]
) -> None:
    def following(by: str, after: str | None = None) -> str | None:
        found = assistant.next_case(by=by, after=after)
        return found.case_id if found else None

    assert following("reader-1") == cases[0]
    assistant.claim(cases[0], by="reader-2")
    assert following("reader-1") == cases[1]
    assert following("reader-2") == cases[0]
    assert following("reader-1", after=cases[1]) == cases[2]
    assert following("reader-1", after=cases[2]) == cases[1]
    signed(assistant, cases[1], assistant.reader_named("reader-1"))
    assert following("reader-1", after=cases[2]) is None
    newest = assistant.next_case(by="reader-2", order=Order.NEWEST)
    assert newest is not None
    assert newest.case_id == cases[2]


def test_a_row_says_who_reads_the_case_and_since_when(
    assistant: Assistant, cases: list[str], clock: Clock
) -> None:
    since = assistant.claim(cases[0], by="reader-2").since
    row = assistant.worklist(by="reader-1").rows[0]
    assert (row.case.assigned, row.case.assigned_since) == ("reader-2", since)
    clock.after(minutes=31)
    assert assistant.worklist(by="reader-1").rows[0].case.assigned is None


def test_a_lease_that_was_lost_is_said_and_none_is_begun_in_its_place(
    assistant: Assistant, cases: list[str], clock: Clock
) -> None:
    case = cases[0]
    mine = assistant.claim(case, by="reader-1", minutes=10)
    clock.after(minutes=5)
    again = assistant.claim(case, by="reader-1", minutes=10, since=mine.since)
    assert (again.since, again.until) == (
        START + timedelta(minutes=3),
        clock.now + timedelta(minutes=10),
    )
    clock.after(minutes=11)  # it expired, and nobody took it
    assert assistant.claim(case, by="reader-1", minutes=10, since=mine.since).since == mine.since
    clock.after(minutes=11)
    assistant.claim(case, by="reader-2", minutes=10)
    assistant.unclaim(case, by="reader-2")
    for act in (assistant.claim, assistant.unclaim):
        with pytest.raises(StateError, match="lost while it was open") as error:
            act(case, by="reader-1", since=mine.since)
        assert (error.value.where["lease"], error.value.where["holder"]) == ("lost", "nobody")
    theirs = assistant.claim(case, by="reader-2", minutes=10)
    with pytest.raises(StateError) as error:
        assistant.claim(case, by="reader-1", since=mine.since)
    assert (error.value.where["lease"], error.value.where["holder"]) == ("lost", "reader-2")
    clock.after(minutes=1)
    assert kept(assistant).lease(case, clock.now) == theirs


def test_a_page_left_late_ends_no_later_claim_of_its_reader(
    assistant: Assistant, cases: list[str], clock: Clock
) -> None:
    first = assistant.claim(cases[0], by="reader-1")
    assistant.unclaim(cases[0], by="reader-1", since=first.since)
    clock.after(minutes=1)
    second = assistant.claim(cases[0], by="reader-1")
    with pytest.raises(StateError, match="lost"):
        assistant.unclaim(cases[0], by="reader-1", since=first.since)
    assert kept(assistant).lease(cases[0], clock.now) == second


def test_saved_filters_are_a_reader_s_own_named_and_limited(assistant: Assistant) -> None:
    stat = SavedFilter(name="urgent", wanted=CaseFilter(priority=Priority.STAT, waiting=True))
    assistant.save_filter(stat, by="reader-1")
    changed = SavedFilter(name="urgent", wanted=CaseFilter(site="A"), order=Order.NEWEST)
    assistant.save_filter(changed, by="reader-1")
    assert assistant.filters(by="reader-1") == (changed,)
    assert assistant.filters(by="reader-2") == ()
    with pytest.raises(InputError, match="no such saved filter"):
        assistant.drop_filter("urgent", by="reader-2")
    for number in range(19):
        assistant.save_filter(
            SavedFilter(name=f"f {number:02}", wanted=CaseFilter()), by="reader-1"
        )
    with pytest.raises(StateError, match="at most 20"):
        assistant.save_filter(SavedFilter(name="more", wanted=CaseFilter()), by="reader-1")
    assistant.save_filter(stat, by="reader-1")
    assistant.drop_filter("urgent", by="reader-1")
    assert [one.name for one in assistant.filters(by="reader-1")] == [
        f"f {number:02}" for number in range(19)
    ]
    for name in ("", "  ", "a\nb", "x" * 61):
        with pytest.raises(InputError, match="without a name"):
            SavedFilter(name=name, wanted=CaseFilter())


def test_words_that_are_typed_outlive_the_process_and_go_with_the_decision(
    assistant: Assistant, cases: list[str]
) -> None:
    case = cases[0]
    file = assistant.case(case, pixels=False, by="reader-1")
    shown, (one, two) = Shown.of(file), (s.id for s in file.asked[:2])
    size = len(kept(assistant).events())
    for text in ("Sm", "Small left", "Small left effusion."):
        assistant.keep_unfinished(case, one, text, by="reader-1", shown=shown)
    assistant.keep_unfinished(case, two, "Later.", by="reader-1", shown=shown)
    assistant.keep_unfinished(case, one, "Not mine.", by="reader-2")
    assert len(kept(assistant).events()) == size, "no entry tells of a key stroke"
    again = kept(assistant).unfinished(case, "reader-1")  # by another process
    assert again == assistant.unfinished(case, by="reader-1")
    assert {t.field: (t.text, t.draft) for t in again} == {
        one: ("Small left effusion.", shown.draft),
        two: ("Later.", shown.draft),
    }
    assistant.decide(case, [Edit(one, "Small left effusion.")], by="reader-1")
    assert [t.field for t in assistant.unfinished(case, by="reader-1")] == [two]
    assistant.keep_unfinished(case, two, " ", by="reader-1")
    assert assistant.unfinished(case, by="reader-1") == ()
    assert [t.text for t in assistant.unfinished(case, by="reader-2")] == ["Not mine."]
    assert assistant.verify().ok


def test_a_signature_drops_what_its_reader_left_unfinished(
    assistant: Assistant, cases: list[str]
) -> None:
    case = cases[0]
    assistant.keep_unfinished(case, "own impression", "Half", by="reader-1")
    assistant.keep_unfinished(case, "own impression", "Another's half", by="reader-2")
    signed(assistant, case, assistant.reader_named("reader-1"))
    assert assistant.unfinished(case, by="reader-1") == ()
    assert [t.text for t in assistant.unfinished(case, by="reader-2")] == ["Another's half"]


def test_words_typed_beside_another_case_are_not_kept_with_this_one(
    assistant: Assistant, cases: list[str]
) -> None:
    shown = Shown.of(assistant.case(cases[1], pixels=False, by="reader-1"))
    with pytest.raises(StateError, match="beside another case") as error:
        assistant.keep_unfinished(cases[0], "s1", "Words.", by="reader-1", shown=shown)
    assert error.value.where["differs"] == "case"
    assert assistant.unfinished(cases[0], by="reader-1") == ()


def test_unfinished_words_have_bounds_and_a_case(assistant: Assistant, cases: list[str]) -> None:
    with pytest.raises(InputError, match="no such case"):
        assistant.keep_unfinished("case-none", "s1", "Words.", by="reader-1")
    with pytest.raises(InputError, match="20001 characters"):
        assistant.keep_unfinished(cases[0], "s1", "x" * 20_001, by="reader-1")
    with pytest.raises(InputError, match="of no field"):
        assistant.keep_unfinished(cases[0], " ", "x", by="reader-1")
    with pytest.raises(PermissionDenied):
        assistant.keep_unfinished(cases[0], "s1", "x", by="tech-1")
    for number in range(100):
        assistant.keep_unfinished(cases[0], f"field {number}", "x", by="reader-1")
    with pytest.raises(StateError, match="at most 100 fields"):
        assistant.keep_unfinished(cases[0], "one more", "x", by="reader-1")
    assistant.keep_unfinished(cases[0], "field 7", "y", by="reader-1")


def test_a_decision_is_found_in_the_worklist_at_once(
    assistant: Assistant, cases: list[str]
) -> None:
    first = assistant.case(cases[0], pixels=False, by="reader-1").asked[0]
    assistant.decide(cases[0], [Accept(first.id)], by="reader-1")
    assert found(assistant, "anna", wanted=CaseFilter(state=CaseState.IN_REVIEW)) == [cases[0]]
