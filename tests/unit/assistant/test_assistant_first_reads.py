"""What a reader sees first is kept before a draft is shown, once, and stands under the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry
from medmm.domain.claim import Assertion
from medmm.domain.codec import to_json
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied, StateError
from medmm.domain.first_read import ReadingMode
from medmm.domain.influence_of_draft import Difference, Taken, draft_sway, influence_of_draft
from medmm.domain.reading import Side
from medmm.domain.report import Accept, Add, Edit, Reject
from medmm.domain.vocabulary import finding_terms
from medmm.domain.worklist import CaseFilter
from tests.databases import raw
from tests.dicom_files import film_file, picture
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant

ONE, TWO, RESIDENT, DRAFT_FIRST = "attending-1", "attending-2", "resident-1", "attending-3"
READERS = (
    *(ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=i.split("-")[0]) for i in (ONE, TWO, RESIDENT)),
    ReaderEntry(id=DRAFT_FIRST, name="ZZDRAFT", role="attending", reading_mode="draft-first"),
    ReaderEntry(id="tech-1", name="ZZTECH", role="technologist"),
)
EFFUSION, MASS = Add.of("Effusion", side=Side.RIGHT), Add.of("Mass")


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(
        tmp_path / "data", readers=READERS, reading_mode="blind-first"
    ) as assistant:
        yield assistant


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    return case_id


def sign(assistant: Assistant, case_id: str, by: str = ONE) -> None:
    file = assistant.case(case_id, pixels=False, by=by)
    assistant.decide(case_id, [Edit(s.id, "As I see it.") for s in file.asked], by=by)
    assistant.sign(case_id, by=by)


def test_a_first_read_is_kept_after_a_blind_look_and_the_draft_comes_then(
    assistant: Assistant, case: str
) -> None:
    assert assistant.reading_mode(case, by=ONE) is ReadingMode.BLIND_FIRST
    assert assistant.reading_mode(case, by=DRAFT_FIRST) is ReadingMode.DRAFT_FIRST
    assistant.claim(case, by=ONE)
    assistant.case(case, blind=True, by=ONE)
    read = assistant.record_first_read(case, text=" Clear. ", findings=[EFFUSION], by=ONE)
    assert (read.by.id, read.text, read.findings, read.listed) == (
        ONE,
        "Clear.",
        (EFFUSION,),
        False,
    )
    assert assistant.reading_mode(case, by=ONE) is ReadingMode.DRAFT_FIRST
    assert assistant.reading_mode(case, by=TWO) is ReadingMode.BLIND_FIRST
    assert assistant.first_reads(case, by=ONE).read_by(ONE) == read
    (event,) = [e for e in assistant.history(case) if e.verb == "record_first_read"]
    assert event.details["first_read"] == f"{case} {ONE}"
    said = json.dumps(to_json(event))
    assert not any(word in said for word in ("Clear", "Effusion", "effusion"))
    assert assistant.verify().ok


def test_it_is_never_changed(assistant: Assistant, case: str) -> None:
    first = assistant.record_first_read(case, nothing_suspected=True, by=ONE)
    with pytest.raises(StateError, match="never changed"):
        assistant.record_first_read(case, findings=[MASS], by=ONE)
    assert assistant.first_reads(case, by=ONE).reads == (first,)


def test_the_same_call_again_gives_the_first_result(assistant: Assistant, case: str) -> None:
    first = assistant.record_first_read(case, text="Clear.", by=ONE, key="k")
    assert assistant.record_first_read(case, text="Clear.", by=ONE, key="k") == first
    with pytest.raises(StateError, match="another request"):
        assistant.record_first_read(case, text="Mass.", by=ONE, key="k")


SEEING = {
    "case": lambda a, case: a.case(case, by=ONE),
    "draft": lambda a, case: a.draft(case, by=ONE),
    "drafts": lambda a, case: a.drafts(case, by=ONE),
    "history": lambda a, case: a.history(case, by=ONE),
    "influence": lambda a, case: a.influence(case, by=ONE),
    "decide": lambda a, case: a.decide(case, [MASS], by=ONE),
    "teaching": lambda a, case: a.teaching_case(case, by=ONE),
}


@pytest.mark.parametrize("look", SEEING)
def test_who_has_seen_the_draft_reads_nothing_first(
    assistant: Assistant, case: str, look: str
) -> None:
    SEEING[look](assistant, case)
    with pytest.raises(StateError, match="has seen the case") as error:
        assistant.record_first_read(case, text="Clear.", by=ONE)
    assert error.value.where["case"] == case
    assert assistant.reading_mode(case, by=ONE) is ReadingMode.DRAFT_FIRST
    assert assistant.record_first_read(case, text="Clear.", by=TWO).by.id == TWO


def test_who_saw_the_draft_of_the_study_s_earlier_case_reads_nothing_first(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    assistant.case(case, by=ONE)
    film = film_file(tmp_path / "more", "b.dcm", picture() // 2, SOPInstanceUID="1.2.3.3.2")
    later = opened(assistant, film)
    assert later != case
    with pytest.raises(StateError, match="has seen the case"):
        assistant.record_first_read(later, text="Clear.", by=ONE)


def test_what_shows_no_draft_is_no_look(assistant: Assistant, case: str) -> None:
    assistant.claim(case, by=ONE)
    assistant.unclaim(case, by=ONE)
    assistant.case(case, blind=True, by=ONE)
    assistant.first_reads(case, by=ONE)
    file = kept(assistant).case_file(case)
    assistant.identity(file.case.study.patient_key, by=ONE)
    assert assistant.record_first_read(case, text="Clear.", by=ONE).by.id == ONE


def test_a_signed_case_and_a_superseded_one_are_refused(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    film = film_file(tmp_path / "more", "b.dcm", picture() // 2, SOPInstanceUID="1.2.3.3.2")
    later = opened(assistant, film)
    with pytest.raises(StateError, match="superseded"):
        assistant.record_first_read(case, text="Clear.", by=ONE)
    assistant.draft(later)
    sign(assistant, later, TWO)
    with pytest.raises(StateError, match="signed"):
        assistant.record_first_read(later, text="Clear.", by=ONE)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({}, "says nothing"),
        ({"text": "  "}, "says nothing"),
        ({"findings": [MASS], "nothing_suspected": True}, "names a finding"),
        ({"text": "Left pleural effusion.", "nothing_suspected": True}, "say otherwise"),
        ({"text": "Left pleural effusion.", "findings": [EFFUSION]}, "say otherwise"),
        ({"text": "No pleural effusion.", "findings": [EFFUSION]}, "say otherwise"),
        ({"findings": [MASS, Add.of("Mass", assertion=Assertion.ABSENT)]}, "twice"),
        ({"findings": [Add("Something odd.")]}, "free text"),
        ({"findings": [Add("Edema.", finding="Mass")]}, "something else than its code"),
        ({"text": "half a \ud800"}, "half a character"),
        ({"text": "x" * 20_001}, "too long"),
    ],
)
def test_what_says_nothing_or_contradicts_itself_is_refused(
    assistant: Assistant, case: str, how: dict[str, object], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        assistant.record_first_read(case, by=ONE, **how)  # type: ignore[arg-type]
    assert assistant.first_reads(case, by=ONE).readers == ()


def test_roles(assistant: Assistant, case: str) -> None:
    with pytest.raises(PermissionDenied):
        assistant.record_first_read(case, text="Clear.", by="tech-1")
    assert assistant.record_first_read(case, text="Clear.", by=RESIDENT).by.role == "resident"


def test_others_reads_are_shown_to_who_has_read_and_to_all_once_signed(
    assistant: Assistant, case: str
) -> None:
    assistant.record_first_read(case, text="Clear.", by=ONE)
    hidden = assistant.first_reads(case, by=TWO)
    assert ([one.id for one in hidden.readers], hidden.reads) == ([ONE], ())
    assistant.record_first_read(case, findings=[MASS], by=TWO)
    assert len(assistant.first_reads(case, by=TWO).reads) == 2
    assert assistant.first_reads(case, by=RESIDENT).reads == ()
    sign(assistant, case)
    assert len(assistant.first_reads(case, by=RESIDENT).reads) == 2


def test_the_worklist_names_nothing_suspected_before_the_first_read(
    assistant: Assistant, case: str
) -> None:
    named = {term.words for term in finding_terms().values()} | set(finding_terms())

    def told(by: str) -> set[str]:
        rows = assistant.worklist(by=by).rows
        listed = assistant.cases(by=by)
        following = assistant.next_case(by=by)
        text = json.dumps(to_json((rows, listed, following)))
        return {word for word in named if word in text}

    assert told(ONE) == set()
    assert assistant.worklist(by=ONE).rows[0].case.withheld
    assert told(DRAFT_FIRST)
    assert not assistant.record_first_read(case, text="Clear.", by=ONE).listed
    assert told(ONE)
    assert not assistant.worklist(by=ONE).rows[0].case.withheld


def test_urgency_stays_where_what_is_suspected_is_withheld(assistant: Assistant, case: str) -> None:
    assistant.decide(case, [Add.of("Pneumothorax", side=Side.LEFT)], by=TWO)
    (row,) = assistant.worklist(by=ONE).rows
    assert row.critical is not None
    assert (row.critical.findings, row.critical.category) == ((), 1)
    assert row.case.critical_since is not None
    assert row.case.place == assistant.worklist(by=TWO).rows[0].case.place


def test_a_read_says_whether_a_worklist_had_named_what_is_suspected(
    assistant: Assistant, case: str
) -> None:
    assistant.worklist(CaseFilter(suspected=True), by=ONE)
    assert assistant.record_first_read(case, text="Clear.", by=ONE).listed
    assistant.cases(site="elsewhere", by=TWO)
    assistant.cases(by=DRAFT_FIRST)
    assert assistant.record_first_read(case, text="Clear.", by=DRAFT_FIRST).listed
    assert not assistant.record_first_read(case, text="Clear.", by=TWO).listed


def test_a_changed_removed_or_added_row_is_found(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    assistant.record_first_read(case, text="Clear.", by=ONE)
    with raw(tmp_path / "data") as database:
        database.execute("UPDATE first_read SET body = REPLACE(body, 'Clear', 'Mass')")
        database.commit()
    with pytest.raises(IntegrityError):
        assistant.first_reads(case, by=ONE)
    assert any(p.place.startswith("first read") for p in assistant.verify().problems)
    with raw(tmp_path / "data") as database:
        database.execute("DELETE FROM first_read")
        database.commit()
    with pytest.raises(IntegrityError):
        assistant.first_reads(case, by=ONE)
    assert [p.kind for p in assistant.verify().problems] == ["missing"]


def test_what_moved_the_reader_is_counted(assistant: Assistant, case: str) -> None:
    """Drafted: left effusion and a large heart; the reader saw a mass and neither of them."""
    read = assistant.record_first_read(case, findings=[MASS], by=ONE)
    file = assistant.case(case, pixels=False, by=ONE)
    assert file.draft is not None
    by_finding = {s.finding: s.id for s in file.asked if s.finding}
    decisions = [
        Reject(s.id) if s.id == by_finding["Cardiomegaly"] else Accept(s.id)
        for s in file.asked
        if not file.draft.failed(s.id)
    ]
    rest = [Reject(s.id) for s in file.asked if file.draft.failed(s.id)]
    assistant.decide(case, [*decisions, *rest], by=ONE)
    report = assistant.sign(case, by=ONE)
    rows = {r.finding: r for r in influence_of_draft(read, file.draft.draft, report)}
    assert (rows["Effusion"].difference, rows["Effusion"].taken) == (
        Difference.DRAFT_ALONE,
        Taken.DRAFT,
    )
    assert rows["Cardiomegaly"].taken is Taken.READER
    assert (rows["Mass"].difference, rows["Mass"].taken) == (Difference.READER_ALONE, Taken.DRAFT)
    assert draft_sway(rows.values()).took_draft >= 2
    assert list(kept(assistant).first_reads_since()) == [read]
