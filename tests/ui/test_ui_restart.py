"""A click that reaches a new session, as Streamlit delivers it after a restart: it acts on what is shown, or on nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant, signed
from tests.ui.pressing import APP, decide_all, opened_page, press, question, sound, widget, write
from ui import report_words


@dataclass(frozen=True)
class Room:
    """An assistant with two drafted films and two signed ones."""

    assistant: Assistant
    drafted: tuple[str, str]
    signed: tuple[str, str]

    def stands(self) -> dict[str, tuple[object, ...]]:
        """What is decided and signed of each case."""
        files = (self.assistant.case(one) for one in (*self.drafted, *self.signed))
        return {one.case.id: (one.state, one.decisions, one.versions) for one in files}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    streamlit.cache_resource.clear()
    with quick_assistant(tmp_path / "data") as assistant:
        cases = []
        for number in range(4):
            uid = f"1.2.826.0.1.3680043.8.498.78.{number}"
            unlike = {
                "StudyInstanceUID": uid,
                "SOPInstanceUID": f"{uid}.1",
                "PatientID": f"ZZ-{number}",
            }
            cases.append(opened(assistant, film_file(tmp_path / "in", f"{number}.dcm", **unlike)))
        for case_id in cases[:2]:
            assistant.draft(case_id)
        for case_id in cases[2:]:
            signed(assistant, case_id, assistant.reader_named("reader-1"))
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        yield Room(assistant, (cases[0], cases[1]), (cases[2], cases[3]))
    streamlit.cache_resource.clear()


def drafted(page: AppTest) -> AppTest:
    return press(press(page, "accept s1 "), "pick s2 ")


def reworded(page: AppTest) -> AppTest:
    return write(drafted(page), "text_area", "text ", "Other words.")


def to_amend(page: AppTest) -> AppTest:
    page = write(page, "selectbox", "amend what", report_words.ADD)
    page = write(page, "text_area", "amend text", "Old rib fracture.")
    return write(page, "text_input", "amend reason", "Seen again.")


def to_add(page: AppTest) -> AppTest:
    page = write(page, "text_area", "addendum text", "Told to the ward.")
    return write(page, "text_input", "addendum reason", "Asked for.")


def to_withdraw(page: AppTest) -> AppTest:
    return write(page, "text_input", "withdraw reason", "Another patient's film.")


@dataclass(frozen=True)
class Act:
    """A button, how its page came to where it can be pressed, and of which kind of case."""

    button: str
    ready: Callable[[AppTest], AppTest]
    of_signed: bool = False
    writes: bool = True


def asked(page: AppTest) -> AppTest:
    return write(question(decide_all(page)), "checkbox", "same ", True)


ACTS = (
    Act("accept s2 ", drafted),
    Act("reject s2 ", drafted),
    Act("reject-for s2 ", drafted),
    Act("save s2 ", reworded),
    Act("accept-this ", drafted),
    Act("reject-this ", drafted),
    Act("accept-all ", drafted),
    Act("undo ", drafted),
    Act("sign ", decide_all, writes=False),
    Act("sign-now ", asked),
    Act("next ", drafted, writes=False),
    Act("amend case", to_amend, of_signed=True, writes=False),
    Act("amend now ", lambda page: press(to_amend(page), "amend case"), of_signed=True),
    Act("addendum case", to_add, of_signed=True),
    Act("withdraw case", to_withdraw, of_signed=True),
    Act("next ", to_add, of_signed=True, writes=False),
)


@pytest.mark.parametrize(
    "act", ACTS, ids=lambda act: act.button.split()[0] + "-signed" * act.of_signed
)
def test_a_click_that_reaches_a_new_session_acts_on_the_case_that_is_shown_or_on_nothing(
    room: Room, act: Act
) -> None:
    cases = room.signed if act.of_signed else room.drafted
    page = act.ready(opened_page(cases[0]))
    widget(page, "button", act.button).click()
    before = room.stands()
    for address in cases:
        new = in_a_new_session(page, address)
        assert room.stands() == before, "Streamlit forgets the click"
        shown = new.session_state["opened_of"][0]
        if act.button == "next " and address == cases[0]:  # it leads on, and writes nothing
            assert shown in room.drafted
            assert shown != address
        else:
            assert shown == address
    sound(page.run())
    changed = {one for one, stood in room.stands().items() if stood != before[one]}
    assert changed == ({cases[0]} if act.writes else set()), "in its own session it is a click"


def in_a_new_session(page: AppTest, case_id: str) -> AppTest:
    """What a page sends once it has found its server again: all that its widgets hold, and the click."""
    new = AppTest.from_file(str(APP), default_timeout=60)
    new._page_hash = page._finished_page_script_hash
    new.query_params["case"] = case_id
    return sound(new._run(page._tree.get_widget_states()))
