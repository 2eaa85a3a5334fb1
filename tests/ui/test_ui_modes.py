"""Reading modes on the page: blind first, read twice, and taught without the patient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.reading import Side
from medmm.domain.report import Add, CaseState
from medmm.domain.vocabulary import finding_terms
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant, signed

APP = Path(__file__).resolve().parents[2] / "ui" / "app.py"
READERS = tuple(
    ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=i.split("-")[0])
    for i in ("attending-1", "reader-1", "reader-2")
)
NAME = "ZZNAME^GIVEN"


@pytest.fixture
def assistant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assistant]:
    """What the page opens, with one drafted case."""
    streamlit.cache_resource.clear()
    with quick_assistant(
        tmp_path / "data", readers=READERS, reading_mode="blind-first"
    ) as assistant:
        film = film_file(tmp_path / "in", PatientName=NAME, BurnedInAnnotation="NO")
        assistant.draft(opened(assistant, film))
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        monkeypatch.setattr("ui.reading_room.browser_of", lambda cookies: "")
        yield assistant
    streamlit.cache_resource.clear()


@pytest.fixture
def case(assistant: Assistant) -> str:
    return assistant.cases()[0].case_id


def view(name: str, case_id: str, reader: str, blind: bool = False) -> None:
    """A page with one view; AppTest runs this text by itself."""
    from ui.actions import show_failed, told
    from ui.desk import Desk
    from ui.reading_room import open_assistant
    from ui.views import modes

    assistant = open_assistant()
    desk = Desk(assistant=assistant, reader=assistant.reader_named(reader))
    show_failed()
    with told():
        if name == "teaching":
            modes.show_teaching(desk)
        else:
            file = assistant.case(case_id, blind=blind, by=reader)
            getattr(modes, name)(desk, file)


def shown(name: str, case_id: str, reader: str = "attending-1", blind: bool = False) -> AppTest:
    page = AppTest.from_function(view, args=(name, case_id, reader, blind), default_timeout=60)
    return sound(page.run())


def sound(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def field(page: AppTest, kind: str, name: str) -> Any:
    (found,) = [one for one in getattr(page, kind) if str(one.key).startswith(name)]
    return found


def press(page: AppTest, name: str) -> AppTest:
    return sound(field(page, "button", name).click().run())


def said(page: AppTest) -> str:
    """All that the page shows, without what keeps Markdown from being made of it."""
    kinds = ("markdown", "caption", "info", "warning", "error", "subheader")
    texts = [str(one.value) for kind in kinds for one in getattr(page, kind)]
    texts += [table.value.to_string() for table in page.table]
    texts += [str(option) for box in page.selectbox for option in box.options]
    return " ".join(texts).replace("\\", "").replace("\u2060", "")


def open_on_page(case_id: str, reader: str = "attending-1") -> AppTest:
    page = AppTest.from_file(str(APP), default_timeout=60)
    page.session_state["reader"] = reader
    page.query_params["case"] = case_id
    page = sound(page.run())
    assert page.session_state["opened_of"] == (case_id, reader)
    return page


def test_a_case_opens_blind_and_the_draft_follows_the_first_read(
    assistant: Assistant, case: str
) -> None:
    page = open_on_page(case)
    drafted = [s.text for s in kept(assistant).case_file(case).draft.draft.statements]
    assert not [text for text in drafted if text in said(page)]
    assert not [b for b in page.button if "History" in str(b.key)], "it tells what others decided"
    page = sound(field(page, "multiselect", "read findings").set_value(["Effusion"]).run())
    page = sound(field(page, "selectbox", "read said Effusion").set_value("possible").run())
    page = sound(field(page, "selectbox", "read side Effusion").set_value("left").run())
    page = press(page, "record ")
    (read,) = kept(assistant).first_reads(case).reads
    assert (read.by.id, read.listed) == ("attending-1", False)
    assert [(one.finding, one.side) for one in read.findings] == [("Effusion", Side.LEFT)]
    labels = " ".join(str(b.label) for b in page.button).replace("\\", "")
    assert "pleural effusion" in labels, "the sentences of the draft"
    page = press(page, "panel History")
    assert "first" in said(page)


def test_who_wants_the_draft_without_gets_it_and_records_nothing(
    assistant: Assistant, case: str
) -> None:
    page = press(open_on_page(case), "skip ")
    assert [b for b in page.button if str(b.key).startswith("accept ")]
    assert kept(assistant).first_reads(case).reads == ()
    looks = [e for e in assistant.history(case) if e.verb == "case" and e.actor == "attending-1"]
    assert [e.details.get("blind") for e in looks] == ["True", None]


def test_an_empty_first_read_is_told_and_typed_words_are_kept(
    assistant: Assistant, case: str
) -> None:
    page = shown("show_blind_first", case, blind=True)
    page = press(page, "record ")
    assert "says nothing" in said(page)
    page = sound(field(page, "text_area", "read text").set_value("Small nodule?").run())
    again = shown("show_blind_first", case, blind=True)
    assert field(again, "text_area", "read text").value == "Small nodule?"
    assert kept(assistant).first_reads(case).reads == ()


def test_what_changed_is_shown_after_the_signature(assistant: Assistant, case: str) -> None:
    assistant.record_first_read(case, findings=[Add.of("Mass")], by="attending-1")
    page = shown("show_first_reads", case)
    table = page.table[0].value
    before = dict(zip(table["finding"], table["change"], strict=True))
    assert before["lung mass"] == "in the first read, not drafted"
    signed(assistant, case, assistant.reader_named("attending-1"))
    table = shown("show_first_reads", case).table[0].value
    after = dict(zip(table["finding"], table["change"], strict=True))
    assert after["lung mass"] == "dropped after the draft"
    assert "added after the draft" in after.values()


def test_a_double_reading_is_ordered_shown_and_dropped(assistant: Assistant, case: str) -> None:
    page = press(shown("show_double_reading", case), "order ")
    assert kept(assistant).first_reads(case).ordered
    assert "0 of 2 readers" in said(shown("show_double_reading", case))
    assistant.record_first_read(case, findings=[Add.of("Mass")], by="reader-1")
    assert "you among them" in said(shown("show_double_reading", case, "reader-1"))
    assert not shown("show_double_reading", case, "reader-1").table
    assistant.record_first_read(case, nothing_suspected=True, by="reader-2")
    page = shown("show_double_reading", case)
    assert "ZZREADER-1 and ZZREADER-2 have read the case" in said(page)
    assert list(page.table[0].value.iloc[0]) == ["lung mass", "present", "not named", "differ"]
    page = sound(field(page, "text_input", "drop-why").set_value("One is enough.").run())
    page = press(page, "drop ")
    assert not kept(assistant).first_reads(case).ordered
    assert "One is enough." in said(shown("show_double_reading", case))


def test_a_double_reading_that_is_unfinished_offers_no_decision_and_says_why(
    assistant: Assistant, case: str
) -> None:
    assistant.order_double_reading(case, adjudicator="attending-1", by="attending-1")
    page = open_on_page(case)  # who adjudicates sees the draft first
    assert "to be read twice, and 0 of 2 readers have read it. You can look" in said(page)
    assert not offered(page)
    press(page, "panel History ")  # which can be looked at
    assistant.record_first_read(case, findings=[Add.of("Mass")], by="reader-1")
    assistant.claim(case, by="reader-1")  # as who has the draft open after the first read
    one_of_two = open_on_page(case, "reader-1")
    assert "1 of 2 readers have read it" in said(one_of_two)
    assert not offered(one_of_two)
    assert assistant.refused_decision(case, by="reader-1") is not None
    assistant.record_first_read(case, nothing_suspected=True, by="reader-2")
    one_of_two = sound(one_of_two.run())
    assert "That is ZZATTENDING-1. You can look" in said(open_on_page(case, "reader-1"))
    assistant.unclaim(case, by="reader-1")
    page = open_on_page(case)
    assert "You can look" not in said(page)
    page = press(page, "accept s1 ")
    assert [one.statement_id for one in kept(assistant).case_file(case).decisions] == ["s1"]
    looks = [e for e in kept(assistant).events(case) if e.verb == "first_reads"]
    assert len(looks) == 1, "to ask whether one may decide is no look"


ACTS = ("accept", "reject", "save", "accept-this", "reject-this", "accept-all", "undo", "sign")


def offered(page: AppTest) -> list[str]:
    """The keys of buttons that decide and can be pressed."""
    of_acts = [b for b in page.button if str(b.key).split()[0] in ACTS]
    assert [b for b in of_acts if str(b.key).startswith("accept-all ")], "the bar stands there"
    return [str(b.key) for b in of_acts if not b.disabled]


def test_a_page_goes_on_once_the_double_reading_has_and_gives_its_claim_back(
    assistant: Assistant, case: str
) -> None:
    page = open_on_page(case, "reader-1")
    assert offered(press(page, "skip ")), "one reading"
    assistant.order_double_reading(case, by="attending-1")
    page = press(page, "accept s1 ")
    assert "1 of 2" not in said(page)
    assert "0 of 2 readers have read it" in said(page)
    assert not offered(page)
    assistant.claim(case, by="reader-2")  # it is free
    assistant.drop_double_reading(case, reason="One is enough.", by="attending-1")
    assistant.unclaim(case, by="reader-2")
    page = sound(page.run())
    assert offered(page), "the page looks again by itself"


def test_teaching_shows_the_answer_after_the_learner_s_own_and_no_patient(
    assistant: Assistant, case: str
) -> None:
    signed(assistant, case, assistant.reader_named("attending-1"))
    page = shown("teaching", case, "reader-1")
    page = sound(page.selectbox(key="teaching").set_value(case).run())
    assert not page.table
    assert not [t for t in finding_terms().values() if t.words in said(page)]
    page = press(page, "compare ")
    assert "you have not written what you see" in said(page)
    page = sound(field(page, "multiselect", "read findings").set_value(["Mass"]).run())
    page = press(page, "compare ")
    table = page.table[0].value.set_index("finding")
    assert table.loc["lung mass", "you"] == "present"
    assert "ZZNAME" not in said(page)
    looks = [e for e in kept(assistant).events() if e.actor == "reader-1"]
    assert [(e.verb, e.details.get("teaching")) for e in looks] == [
        ("cases", None),
        ("case", "True"),
    ]
    assert kept(assistant).case_file(case).state is CaseState.SIGNED
