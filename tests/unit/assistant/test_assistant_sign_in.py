"""S9: every verb asks whether who acts is signed in still, and with which role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Accept, Edit, Reader
from medmm.domain.session_event import SessionEvent
from medmm.web.sign_ins import SessionDirectory, SignIns
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant
from tests.unit.web.conftest import Clock
from tests.unit.web.sign_in_rules import Said, claims, let_in, sign_ins


class Desk:
    """One browser in which a person is signed in."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.said = Clock(), Said()
        self.known: SignIns = sign_ins(
            self.clock, self.said, roles_from="userinfo", roles_minutes=5, idle_minutes=20
        )
        self.house = quick_assistant(folder / "data")
        self.case = opened(self.house, film_file(folder))
        self.draft = self.house.draft(self.case)
        self.assistant: Assistant = self.house.with_directory(SessionDirectory(self.known, "B1"))
        self.reader: Reader = let_in(self.known, self.clock)

    def failures(self) -> list[str]:
        events = kept(self.house).events("request")
        return [event.details["error"] for event in events if event.outcome == "failed"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.house.close()


def verbs(desk: Desk) -> dict[str, Callable[[Any], object]]:
    a, case, first = desk.assistant, desk.case, desk.draft.statements[0].id
    return {
        "case": lambda by: a.case(case, by=by),
        "cases": lambda by: a.cases(by=by),
        "decide": lambda by: a.decide(case, [Edit(first, "Own words.")], by=by),
        "sign": lambda by: a.sign(case, by=by),
        "keep_unfinished": lambda by: a.keep_unfinished(case, "s1", "Own wor", by=by),
        "claim": lambda by: a.claim(case, by=by),
        "history": lambda by: a.history(case, by=by),
        "draft": lambda by: a.draft(case, by=by),
    }


def signs_out(desk: Desk) -> None:
    desk.known.end("B1")


def goes_away(desk: Desk) -> None:
    desk.clock.now += 20 * 60


def works_on(desk: Desk) -> None:
    for _ in range(13):  # beyond the hour of the token
        desk.clock.now += 299
        desk.known.acted("B1")


def loses_the_role(desk: Desk) -> None:
    desk.said.answer = claims(realm_access={"roles": []})
    desk.clock.now += 300


ENDS = {"signed out": signs_out, "idle": goes_away, "expired": works_on, "refused": loses_the_role}


@pytest.mark.parametrize("why", ENDS)
def test_when_a_session_ends_every_verb_refuses_the_very_reader_it_took_before(
    desk: Desk, why: str
) -> None:
    assert desk.assistant.case(desk.case, by=desk.reader).case.id == desk.case
    ENDS[why](desk)
    before = desk.house.case(desk.case, by="reader-1")
    for name, act in verbs(desk).items():
        for by in (desk.reader, desk.reader.id):
            with pytest.raises(PermissionDenied) as refused:
                act(by)
            assert refused.value.where == {"session": why}, name
    assert desk.house.case(desk.case, by="reader-1").case == before.case
    assert "PermissionDenied" in desk.failures()


def test_another_role_counts_for_the_next_verb(desk: Desk) -> None:
    asked = [s for s in desk.draft.statements if s.summarises is None]
    words = [Edit(s.id, "Own.") if desk.draft.failed(s.id) else Accept(s.id) for s in asked]
    desk.assistant.decide(desk.case, words, by=desk.reader)
    desk.said.answer = claims(realm_access={"roles": ["rad-resident"]})
    desk.clock.now += 300
    with pytest.raises(PermissionDenied, match="role is 'resident', not 'attending'") as refused:
        desk.assistant.sign(desk.case, by=desk.reader)
    assert refused.value.where == {"reader": "att-1", "role": "resident"}
    now = desk.assistant.reader_named("att-1")
    with pytest.raises(PermissionDenied, match="may not sign"):
        desk.assistant.sign(desk.case, by=now)


def test_readers_of_the_settings_and_other_sessions_are_nobody_here(desk: Desk) -> None:
    desk.said.answer = claims(sub="att-2")
    let_in(desk.known, desk.clock, "B2", sub="att-2")
    for other in ("reader-1", "att-2"):
        with pytest.raises(PermissionDenied, match="another person"):
            desk.assistant.case(desk.case, by=other)
    with pytest.raises(PermissionDenied, match="no such reader"):
        desk.house.case(desk.case, by="att-1")


def test_the_log_tells_who_signed_in_and_how_it_ended(desk: Desk) -> None:
    desk.assistant.note_session(SessionEvent.SIGNED_IN, "att-1", by=desk.reader)
    desk.known.end("B1")
    desk.known.tell(desk.house.note_session)
    kept_events = kept(desk.house).events("sessions")
    assert [(e.actor, e.details["event"], e.details["person"]) for e in kept_events] == [
        ("att-1", "signed in", "att-1"),
        ("medmm-service", "signed out", "att-1"),
    ]
    with pytest.raises(PermissionDenied):
        desk.assistant.note_session(SessionEvent.SIGNED_IN, "att-1", by=desk.reader)


def test_the_log_names_who_signed_in(desk: Desk) -> None:
    desk.assistant.case(desk.case, by=desk.reader)
    last = [e for e in kept(desk.house).events(desk.case) if e.verb == "case"][-1]
    assert (last.actor, last.role) == ("att-1", "attending")
