"""What a tab says that it kept: read strictly, and put to no other field than the one it was typed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.presentation.unsent_words import LONGEST, MOST, class_of, unsent_words

KEY = "text case-abc s4 123456"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def said(key: str = KEY, text: str = "Half a sentence", words: str = "1") -> dict[str, str]:
    return {"id": words, "name": class_of(key), "text": text}


def test_words_go_to_the_field_that_they_were_typed_in() -> None:
    (found,) = unsent_words([said()], ["text case-abc s3 1", KEY])
    assert (found.id, found.key, found.text) == ("1", KEY, "Half a sentence")


@pytest.mark.parametrize(
    "typed_in",
    [
        "text case-xyz s4 123456",
        "text case-abc s3 123456",
        "text case-abc s4 654321",
        "sign case-abc 1",
    ],
    ids=["another case", "another sentence", "other words of it", "another widget"],
)
def test_words_of_another_field_fit_none(typed_in: str) -> None:
    (found,) = unsent_words([said(typed_in)], [KEY])
    assert found.key is None


@given(JSON)
def test_whatever_a_tab_says_is_words_or_left_out(anything: object) -> None:
    for one in unsent_words(anything, [KEY]):
        assert one.text.strip()
        assert one.key in (None, KEY)


def test_a_tab_can_say_no_more_than_fields_hold() -> None:
    assert len(unsent_words([said()] * (MOST + 1), [KEY])) == MOST
    half = "x" * (LONGEST // 2 + 1)
    assert len(unsent_words([said(text=half), said(text=half)], [KEY])) == 1
    assert unsent_words([said(text=" \n")], [KEY]) == ()
