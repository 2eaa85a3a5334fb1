"""Who may pass a held study on, and what no look can mend."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from medmm.domain.errors import InputError, StateError
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable
from medmm.review import release
from tests.factories import make_study

READER = Reader(id="reader-1", name="ZZREADER One", role="reader")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def held(code: str = "future-date", *, held: bool = True) -> NotEvaluable:
    return NotEvaluable(uid="1.2.3", reason_code=code, reason="dated in the future", held=held)


def test_a_release_names_contents_reason_and_person() -> None:
    made = release(held(), {"b", "a"}, " the clock of the device was wrong ", READER, NOW)
    assert (made.file_sha256s, made.reason_code, made.reader_id) == (
        ("a", "b"),
        "future-date",
        "reader-1",
    )
    assert made.reason == "the clock of the device was wrong"


@pytest.mark.parametrize("outcome", [held(held=False), make_study()])
def test_what_is_not_held_is_not_released(outcome: NotEvaluable) -> None:
    with pytest.raises(StateError, match="not held"):
        release(outcome, {"a"}, "looked", READER, NOW)


def test_a_release_needs_a_reason() -> None:
    with pytest.raises(InputError, match="reason"):
        release(held(), {"a"}, "  ", READER, NOW)
