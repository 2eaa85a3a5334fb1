"""The open case: its keys, its lease, and whatever happens to it elsewhere while it stands on the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.errors import StateError
from medmm.domain.report import Accept, CaseFile, CaseState, Reject, SignedReport
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant
from tests.ui.pressing import (
    decide_all,
    keys,
    opened_page,
    press,
    question,
    said,
    sentences,
    sign,
    sound,
    widget,
    write,
)
from ui import open_case

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="reader-2", name="ZZREADER Two", role="attending"),
    ReaderEntry(id="resident-1", name="ZZREADER Three", role="resident"),
    ReaderEntry(id="admin-1", name="ZZADMIN One", role="administrator"),
)
ACTS = ["accept", "reject", "save", "reject-for", "accept-this", "reject-this", "accept-all", "undo", "sign", "sign-now", "back", "add", "draft"]  # fmt: skip


@dataclass(frozen=True)
class Room:
    """An assistant with two drafted films."""

    assistant: Assistant
    first: str
    second: str

    def file(self, case_id: str = "") -> CaseFile:
        return self.assistant.case(case_id or self.first)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    streamlit.cache_resource.clear()
    with quick_assistant(tmp_path / "data", readers=READERS) as assistant:
        folder = tmp_path / "in"
        other = {"StudyInstanceUID": "1.2.9", "PatientID": "ZZ-9", "SOPInstanceUID": "1.2.9.1"}
        cases = [
            opened(assistant, film_file(folder)),
            opened(assistant, film_file(folder, "other.dcm", **other)),
        ]
        for case_id in cases:
            assistant.draft(case_id)
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        yield Room(assistant, *cases)
    streamlit.cache_resource.clear()


@pytest.fixture
def page(room: Room) -> AppTest:
    return opened_page(room.first)


def signed_by_reader_one(room: Room) -> SignedReport:
    """What the reader of the page signs in another window."""
    room.assistant.accept_passing(room.first, by="reader-1")
    left = [s.id for s in room.file().asked if s.id not in decided_ids(room)]
    room.assistant.decide(room.first, [Reject(one) for one in left], by="reader-1")
    return room.assistant.sign(room.first, by="reader-1")


def decided_ids(room: Room) -> set[str]:
    return {one.statement_id for one in room.file().decisions}


def page_of(reader_id: str, case_id: str) -> AppTest:
    """The page after another than the first reader took the seat."""
    return sound(opened_page(case_id).selectbox(key="reader").set_value(reader_id).run())


def acting(page: AppTest) -> list[str]:
    return [key for act in ACTS for key in keys(page, f"{act} ")]


def test_every_key_of_an_act_carries_the_case_and_the_digest_of_what_is_shown(
    page: AppTest, room: Room
) -> None:
    found: dict[str, list[str]] = {"drafted": acting(page)}
    page = decide_all(page)
    found["decided"] = acting(page)
    page = question(page)
    found["asked"] = acting(page)
    for where, names in found.items():
        assert names, where
        for name in names:
            assert re.search(rf" {room.first} [0-9a-f]{{8}}$", name), f"{where}: {name}"
    page = sign(page)
    for act in ("amend ", "addendum ", "withdraw "):
        (name,) = keys(page, act)
        assert name.endswith(f" {room.first} 1"), "case and version of the report"
    elsewhere = opened_page(room.second)
    same = set(found["drafted"]) & {str(one.key) for one in elsewhere.button}
    assert not same


def test_a_key_of_what_was_shown_before_does_nothing_on_what_is_shown_now(
    page: AppTest, room: Room
) -> None:
    old = widget(page, "button", "reject s1 ")
    room.assistant.decide(room.first, [Accept("s1")], by="reader-1")
    page = press(opened_page(room.first), "panel History ")
    assert old.key not in {str(one.key) for one in page.button}, "another digest, another key"
    before = room.file()
    sound(old.click().run())
    assert room.file().decisions == before.decisions == room.file().decisions
    assert room.file().state is before.state


@pytest.mark.parametrize("act", ["accept s1 ", "reject s1 ", "accept-this ", "accept-all "])
def test_an_act_on_what_changed_elsewhere_is_refused_and_shown_as_it_is(
    page: AppTest, room: Room, act: str
) -> None:
    page = press(page, "pick s1 ")
    room.assistant.decide(room.first, [Reject("s1")], by="reader-1")
    kept_before = room.file().decisions
    page = press(page, act)
    assert "changed elsewhere: s1" in said(page, "error")
    assert room.file().decisions == kept_before
    assert "✕" in sentences(page)["s1"]


def test_what_went_wrong_stands_there_until_the_next_act(page: AppTest, room: Room) -> None:
    room.assistant.decide(room.first, [Reject("s1")], by="reader-1")
    page = press(page, "accept s1 ")
    page = sound(page.run())  # as the viewer has the page run once it has followed
    assert "changed elsewhere: s1" in said(page, "error")
    page = press(page, "accept s2 ")
    assert not page.error


def test_a_decision_on_one_sentence_stands_though_another_was_decided_elsewhere(
    page: AppTest, room: Room
) -> None:
    room.assistant.decide(room.first, [Reject("s1")], by="reader-1")
    page = press(page, "accept s2 ")
    assert not page.error
    assert {one.statement_id for one in room.file().decisions} == {"s1", "s2"}
    assert "✕" in sentences(page)["s1"]


def test_a_draft_replaced_under_the_reader_is_not_decided_on(page: AppTest, room: Room) -> None:
    room.assistant.draft(room.first, by="reader-1")
    page = press(page, "accept s1 ")
    assert "draft version 1 was shown, it is 2 now" in said(page, "error")
    assert room.file().decisions == ()
    page = press(page, "accept s1 ")
    assert len(room.file().decisions) == 1, "the new draft is shown, and may be decided on"


def test_a_case_withdrawn_while_it_is_open_says_so_and_offers_nothing(
    page: AppTest, room: Room
) -> None:
    report = signed_by_reader_one(room)
    room.assistant.withdraw(room.first, reason="Another patient's film.", by="reader-2")
    page = press(page, "accept s1 ")
    assert "What helps" in said(page, "error")
    assert "WITHDRAWN" in said(page, "markdown")
    assert not acting(page)
    assert room.file().versions[0] == report


def test_a_case_that_another_reads_can_be_looked_at_and_not_decided(room: Room) -> None:
    room.assistant.claim(room.first, by="reader-2")
    page = opened_page(room.first)
    assert "ZZREADER Two reads it. You can look, and decide nothing." in said(page, "markdown")
    assert sentences(page), "it can be looked at"
    assert not [name for name in acting(page) if not widget(page, "button", name).disabled]


def test_opening_claims_the_case_and_leaving_gives_it_back(room: Room) -> None:
    page = opened_page(room.first)
    with pytest.raises(StateError, match="reader-1"):
        room.assistant.claim(room.first, by="reader-2")
    page = press(page, "next ")
    assert page.query_params["case"] == room.second
    assert room.assistant.claim(room.first, by="reader-2").holder == "reader-2"
    with pytest.raises(StateError, match="reader-1"):
        room.assistant.claim(room.second, by="reader-2")


def test_who_chose_a_seat_at_the_worklist_opens_the_case_and_acts_in_it(room: Room) -> None:
    """Streamlit forgets all widgets when a script leads to another page, the choice of the reader too."""
    page = sound(opened_page().selectbox(key="reader").set_value("reader-2").run())
    page.query_params["case"] = room.first  # as a row of the worklist leads there
    page = sound(page.run())
    assert page.selectbox(key="reader").value == "reader-2"
    page = press(page, "accept s1 ")
    page = press(page, "next ")
    assert page.selectbox(key="reader").value == "reader-2"
    acts = [e for e in kept(room.assistant).events(room.first) if e.actor == "reader-1"]
    assert acts == []
    assert [e.actor for e in kept(room.assistant).events(room.first) if e.verb == "decide"] == [
        "reader-2"
    ]


def test_who_takes_the_seat_gets_the_lease_of_who_left_it(room: Room) -> None:
    page = page_of("reader-2", room.first)
    assert "decide nothing" not in said(page, "markdown")
    page = press(page, "accept s1 ")
    assert [one.statement_id for one in room.file().decisions] == ["s1"]
    assert room.assistant.claim(room.first, by="reader-2").holder == "reader-2"


def test_a_lease_that_ran_out_and_was_taken_by_another_is_said_and_nothing_is_offered(
    page: AppTest, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = press(page, "pick s1 ")
    page = write(page, "text_area", "text ", "Half a sentence")
    later = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr(
        room.assistant, "_house", replace(room.assistant._house, clock=lambda: later)
    )
    monkeypatch.setattr(open_case, "datetime", _clock(later))
    room.assistant.claim(room.first, by="reader-2")
    page = sound(page.run())  # as the page does by itself once a minute
    words = said(page, "markdown")
    assert "ZZREADER Two reads it. You can look, and decide nothing." in words
    assert not [name for name in acting(page) if not widget(page, "button", name).disabled]
    assert room.file().decisions == ()
    (typed,) = room.assistant.unfinished(room.first, by="reader-1")
    assert typed.text == "Half a sentence"


def test_a_lease_that_was_taken_away_is_said_after_the_act_that_met_it(
    page: AppTest, room: Room
) -> None:
    room.assistant.unclaim(room.first, by="admin-1")
    room.assistant.claim(room.first, by="reader-2")
    page = press(page, "accept s1 ")
    assert room.file().decisions == ()
    assert "What helps" in said(page, "error")
    assert "decide nothing" in said(page, "markdown")
    assert not [name for name in acting(page) if not widget(page, "button", name).disabled]


def _clock(now: datetime) -> type[datetime]:
    class Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return now

    return Then


def test_two_sessions_sign_once(room: Room) -> None:
    pages = [opened_page(room.first), opened_page(room.first)]
    decide_all(pages[0])
    pages = [question(opened_page(room.first)) for _ in pages]
    signed_page = sign(pages[1])
    assert "RADIOLOGY REPORT" in signed_page.code[0].value
    late = sign(pages[0])
    assert "What helps" in said(late, "error")
    assert "RADIOLOGY REPORT" in late.code[0].value, "it is shown signed"
    assert len(room.file().versions) == 1
    events = [e for e in room.assistant.history(room.first) if e.verb == "sign"]
    assert [e.outcome == "done" for e in events].count(True) == 1


def test_a_question_that_was_asked_again_elsewhere_signs_nothing_here(room: Room) -> None:
    decide_all(opened_page(room.first))
    first, second = (question(opened_page(room.first)) for _ in range(2))
    page = sign(first)
    assert "What helps" in said(page, "error")
    assert room.file().state is CaseState.IN_REVIEW
    assert "RADIOLOGY REPORT" in sign(second).code[0].value


def test_a_confirmation_is_used_once(room: Room) -> None:
    page = question(decide_all(opened_page(room.first)))
    page = write(page, "checkbox", "same ", True)
    kept_question = page.session_state["signing"]
    page = press(page, "sign-now ")
    with pytest.raises(StateError):
        room.assistant.sign(
            room.first, by="reader-1", shown=kept_question[3], confirmation=kept_question[2]
        )
    assert len(room.file().versions) == 1


def test_what_was_typed_is_there_in_a_new_session_for_its_reader_alone(
    page: AppTest, room: Room
) -> None:
    page = press(page, "pick s2 ")
    page = write(page, "text_area", "text ", "Half a sentence, not saved")
    page = press(opened_page(room.first), "pick s2 ")
    assert widget(page, "text_area", "text ").value == "Half a sentence, not saved"
    assert "decide nothing yet" in said(page, "caption")
    assert room.file().decisions == ()
    press(page, "leave ")
    other = press(page_of("reader-2", room.first), "pick s2 ")
    assert widget(other, "text_area", "text ").value != "Half a sentence, not saved"


def test_a_saved_edit_is_no_longer_unfinished(page: AppTest, room: Room) -> None:
    page = press(page, "pick s2 ")
    page = write(page, "text_area", "text ", "All of a sentence.")
    page = press(page, "save s2 ")
    assert room.assistant.unfinished(room.first, by="reader-1") == ()
    assert "decide nothing yet" not in said(page, "caption")


def test_words_typed_for_one_case_stand_in_no_other(page: AppTest, room: Room) -> None:
    page = press(page, "pick s2 ")
    page = write(page, "text_area", "text ", "Of the first case.")
    page = press(page, "next ")
    page = press(page, "pick s2 ")
    assert "Of the first case." not in said(page)
    assert widget(page, "text_area", "text ").value != "Of the first case."
    assert room.assistant.unfinished(room.second, by="reader-1") == ()


def test_a_resident_leaves_the_signature_to_an_attending(room: Room) -> None:
    page = question(decide_all(page_of("resident-1", room.first)))
    page = press(page, "sign-now ")
    assert room.file().state is not CaseState.SIGNED
    assert room.file().report is None
    page = sign(question(opened_page(room.first)))
    assert room.file().state is CaseState.SIGNED
    assert "ZZREADER Three" in page.code[0].value
    assert "ZZREADER One" in page.code[0].value


def test_a_case_that_is_none_is_told(room: Room) -> None:
    page = opened_page("case-of-nobody")
    assert "What helps" in said(page, "error")
    assert not acting(page)


def test_each_look_at_a_case_is_one_entry(room: Room) -> None:
    before = len(room.assistant.history(room.first))
    page = opened_page(room.first)
    for _ in range(3):
        page = sound(page.run())
    looks = [e for e in kept(room.assistant).events(room.first) if e.verb == "case"]
    assert len(looks) == 1
    assert before <= len(room.assistant.history(room.first))
