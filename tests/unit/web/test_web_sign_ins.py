"""Sign-ins end on time, when nobody works, with the role and at sign-out: for verbs and links alike."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import PermissionDenied, Unavailable
from medmm.domain.report import Reader
from medmm.domain.session_event import SessionEvent
from medmm.web.sign_ins import ARRIVAL_S, Ended, SessionDirectory, SignIns, identity_digest
from tests.unit.web.conftest import Clock
from tests.unit.web.sign_in_rules import Said, claims, let_in, sign_ins

ONE = Reader(id="att-1", name="ZZREADER One", role="attending")


def ended(known: SignIns, browser: str = "B1") -> str:
    with pytest.raises(PermissionDenied) as caught:
        known.reader(browser)
    assert caught.value.remedy == "sign in again"
    return caught.value.where["session"]


def test_who_has_just_signed_in_is_known_in_that_browser_alone() -> None:
    clock = Clock()
    known = sign_ins(clock)
    assert ended(known) == "nobody"
    assert let_in(known, clock) == ONE == known.reader("B1")
    assert ended(known, "B2") == "nobody"
    assert ended(known, "") == "nobody"


def test_claims_open_a_page_once_and_only_where_they_just_arrived() -> None:
    clock = Clock()
    known = sign_ins(clock)
    said = claims(clock())
    with pytest.raises(PermissionDenied):  # a copied cookie, in a browser that never came back
        known.admit("B2", "digest", said)
    known.arrived("B1", "digest")
    with pytest.raises(PermissionDenied):  # the cookies were changed for another person's
        known.admit("B1", "other", said)
    with pytest.raises(PermissionDenied):  # and that try has used the arrival up
        known.admit("B1", "digest", said)
    known.arrived("B1", "digest")
    clock.now += ARRIVAL_S
    with pytest.raises(PermissionDenied):
        known.admit("B1", "digest", claims(clock()))
    let_in(known, clock)
    with pytest.raises(PermissionDenied):
        known.admit("B1", "digest", said)
    assert known.reader("B1") == ONE


@pytest.mark.parametrize("said", [{"exp": None}, {"exp": "later"}, {"exp": 1}, {"sub": None}])
def test_an_expired_or_endless_token_opens_nothing(said: dict[str, Any]) -> None:
    clock = Clock()
    known = sign_ins(clock)
    with pytest.raises(PermissionDenied):
        let_in(known, clock, **said)
    assert ended(known) == "nobody"


@pytest.mark.parametrize(
    ("age_s", "let"),
    [(0, True), (600, True), (660, True), (661, False), (-60, True), (-61, False)],
)
def test_a_sign_in_at_the_provider_that_is_too_old_opens_nothing(age_s: int, let: bool) -> None:
    clock = Clock()
    known = sign_ins(clock, max_age_minutes=10)
    if let:
        assert let_in(known, clock, auth_time=clock() - age_s) == ONE
        return
    with pytest.raises(PermissionDenied) as caught:
        let_in(known, clock, auth_time=clock() - age_s)
    assert caught.value.where["session"] == "too old"
    assert ended(known) == "nobody"
    told: list[tuple[SessionEvent, str]] = []
    known.tell(lambda event, person: told.append((event, person)))
    assert told == [(SessionEvent.NOT_LET_IN, "att-1")]


@pytest.mark.parametrize(
    "said", [{}, {"auth_time": "now"}, {"auth_time": True}, {"auth_time": float("nan")}]
)
def test_a_provider_that_does_not_say_when_lets_nobody_in(said: dict[str, Any]) -> None:
    clock = Clock()
    with pytest.raises(PermissionDenied) as caught:
        let_in(sign_ins(clock, max_age_minutes=10), clock, **said)
    assert caught.value.where["session"] in ("no auth_time", "too old")
    assert let_in(sign_ins(clock), clock, **said) == ONE, "nobody asked"


@given(
    token_s=st.integers(10, 7200), session=st.integers(1, 120), idle=st.integers(1, 120),
    with_token=st.booleans(), steps=st.lists(st.integers(1, 900), max_size=30),
)  # fmt: skip
def test_a_sign_in_ends_at_the_earliest_of_its_limits(
    token_s: int, session: int, idle: int, with_token: bool, steps: list[int]
) -> None:
    clock = Clock()
    known = sign_ins(clock, session_minutes=session, idle_minutes=idle, ends_with_token=with_token)
    begin = acted = clock()
    let_in(known, clock, exp=int(clock()) + token_s)
    limit = begin + min(60 * session, token_s if with_token else 60 * session)
    for step in steps:
        clock.now += step
        if clock() >= limit or clock() >= acted + 60 * idle:
            assert ended(known) == ("expired" if clock() >= limit else "idle")
            known.acted("B1")  # revives nothing
            assert ended(known) in ("expired", "idle")
            break
        assert known.reader("B1") == ONE
        assert known.state("B1").seconds == pytest.approx(min(limit, acted + 60 * idle) - clock())
        known.acted("B1")
        acted = clock()


def test_a_look_at_how_it_stands_and_a_verb_are_no_acts() -> None:
    clock = Clock()
    known = sign_ins(clock, idle_minutes=10)
    let_in(known, clock)
    for _ in range(9):
        clock.now += 60
        known.reader("B1")
        known.state("B1")
    clock.now += 60
    assert known.state("B1").ended is Ended.IDLE


def test_signing_out_ends_it_and_signing_in_again_begins_anew() -> None:
    clock = Clock()
    known = sign_ins(clock)
    let_in(known, clock)
    known.end("B1")
    assert ended(known) == "signed out"
    known.end("B1", Ended.IDLE)  # what is over does not end again
    assert ended(known) == "signed out"
    let_in(known, clock)
    assert known.reader("B1") == ONE


def test_the_directory_of_a_session_knows_one_person_and_only_while_it_lasts() -> None:
    clock = Clock()
    known = sign_ins(clock)
    let_in(known, clock)
    let_in(known, clock, "B2", sub="res-1", realm_access={"roles": ["rad-resident"]})
    directory = SessionDirectory(known, "B1")
    assert directory.reader("att-1") == ONE
    assert [one.id for one in directory.readers()] == ["att-1", "res-1"]
    with pytest.raises(PermissionDenied, match="another person"):
        directory.reader("res-1")
    known.end("B1")
    with pytest.raises(PermissionDenied) as caught:
        directory.reader("att-1")
    assert caught.value.where == {"session": "signed out"}
    assert [one.id for one in SessionDirectory(known, "B2").readers()] == ["res-1"]


def test_a_role_that_was_taken_away_ends_the_session_and_another_one_counts_at_once() -> None:
    clock, said = Clock(), Said()
    known = sign_ins(clock, said, roles_from="userinfo", roles_minutes=5)
    let_in(known, clock, realm_access={"roles": []})  # the token's own are not looked at
    clock.now += 299
    assert known.reader("B1").role == "attending"
    assert said.asked == 1
    said.answer = claims(realm_access={"roles": ["rad-resident"]})
    clock.now += 1
    assert known.reader("B1").role == "resident"
    assert said.asked == 2
    said.answer = claims(realm_access={"roles": ["nurse"]})
    clock.now += 300
    assert ended(known) == "refused"
    said.answer = claims()
    assert ended(known) == "refused"


@pytest.mark.parametrize(
    "answer",
    [
        claims(sub="another"),
        claims(name=""),
        PermissionDenied("refused", remedy="sign in", session="refused"),
    ],
)
def test_an_answer_about_somebody_else_or_a_refused_token_ends_it(answer: Any) -> None:
    clock, said = Clock(), Said()
    known = sign_ins(clock, said, roles_from="userinfo")
    let_in(known, clock)
    said.answer = answer
    clock.now += 300
    assert ended(known) == "refused"


def test_a_silent_provider_is_waited_for_and_then_nothing_is_done() -> None:
    clock, said = Clock(), Said()
    known = sign_ins(clock, said, roles_from="userinfo", roles_minutes=5)
    let_in(known, clock)
    said.answer = Unavailable("silent", remedy="try again")
    clock.now += 300
    assert known.reader("B1") == ONE
    assert known.reader("B1") == ONE
    assert said.asked == 2, "not at every call"
    clock.now += 300
    known.acted("B1")
    with pytest.raises(Unavailable):
        known.reader("B1")
    said.answer = claims()
    assert known.reader("B1") == ONE, "it did not end"


def test_each_end_and_refusal_is_told_to_the_log_once_and_waits_for_it() -> None:
    clock = Clock()
    known = sign_ins(clock, idle_minutes=10)
    told: list[tuple[str, str]] = []
    let_in(known, clock)
    known.end("B1")
    let_in(known, clock, sub="att-2")
    clock.now += 600
    assert ended(known) == "idle"
    assert ended(known) == "idle"
    with pytest.raises(PermissionDenied):
        let_in(known, clock, sub="nurse-1", realm_access={})

    def full(event: SessionEvent, person: str) -> None:
        raise Unavailable("the disk is full", remedy="free some")

    with pytest.raises(Unavailable):
        known.tell(full)
    known.tell(lambda event, person: told.append((event.value, person)))
    known.tell(lambda event, person: told.append((event.value, person)))
    assert told == [("signed out", "att-1"), ("idle", "att-2"), ("not let in", "nurse-1")]


def test_of_many_calls_at_once_one_asks() -> None:
    clock, said = Clock(), Said()
    known = sign_ins(clock, said, roles_from="userinfo")
    let_in(known, clock)
    clock.now += 300
    threads = [threading.Thread(target=known.reader, args=("B1",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.asked == 2


def test_a_digest_of_claims_takes_all_parts_and_no_tokens() -> None:
    whole = {"_streamlit_user": "chunks-2", "_streamlit_user_1": "a", "_streamlit_user_2": "b"}
    digest = identity_digest(whole)
    assert digest
    assert digest == identity_digest({**whole, "_streamlit_user_tokens": "t", "other": "x"})
    assert digest == identity_digest({**whole, "_streamlit_user_tokens_1": "t"})
    assert digest != identity_digest({**whole, "_streamlit_user_2": "c"})
    assert identity_digest({"_streamlit_user_tokens": "t"}) == ""
