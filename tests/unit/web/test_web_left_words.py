"""What was typed when a sign-in ended goes back to the same reader, once, and to nobody else."""

from __future__ import annotations

from medmm.web.left_words import LIFETIME_S, LONGEST, MOST_PAGES, LeftPage, LeftWords
from tests.unit.web.conftest import Clock


def page(text: str) -> LeftPage:
    return LeftPage(path="read", fields={"edit c1 s1": text}, query={"case": "c1"})


def test_the_same_reader_gets_it_once_the_last_page_first() -> None:
    left = LeftWords(Clock())
    assert left.keep("one", page("first"))
    assert left.keep("one", page("second"))
    assert left.take("two") is None
    assert left.take("one") == page("second")
    assert left.take("one") == page("first")
    assert left.take("one") is None


def test_it_waits_for_half_a_day() -> None:
    clock = Clock()
    left = LeftWords(clock)
    left.keep("one", page("late"))
    clock.now += LIFETIME_S - 1
    left.keep("one", page("later"))
    clock.now += 1
    assert left.take("one") == page("later")
    assert left.take("one") is None


def test_what_is_too_large_is_said_and_the_oldest_pages_go() -> None:
    left = LeftWords(Clock())
    assert not left.keep("one", page("x" * (LONGEST + 1)))
    assert left.take("one") is None
    for number in range(MOST_PAGES + 1):
        left.keep("one", page(str(number)))
    taken = [left.take("one") for _ in range(MOST_PAGES)]
    assert taken[-1] == page("1")
    assert left.take("one") is None
