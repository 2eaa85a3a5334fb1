"""Kept JSON is what was given, to the digit: digests are made of it. Both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medmm.domain.worklist import Page
from medmm.store import Store, digest
from tests.factories import make_case
from tests.unit.store.test_store_nouns import EVENT

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # NUL is among them
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 0.0, 1e-7, 1e22, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


kept = st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3)  # as every noun is


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def spelt(value: Any) -> str:
    """With the order of keys, the sign of zero, and whether a number is whole."""
    return json.dumps(value)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=st.lists(kept, min_size=1, max_size=8))
def test_any_json_comes_back_as_it_was_given(store: Store, some: list[Any]) -> None:
    before = len(store.events())
    keys = [f"{before} {number}" for number in range(len(some))]
    with store.step() as work:
        for key, value in zip(keys, some, strict=True):
            work.remember(key, "publish", "a" * 64, value)
        work.record(EVENT)
    for key, value in zip(keys, some, strict=True):
        found = store.recall(key, "publish", "a" * 64)
        assert spelt(found) == spelt(value)
        assert digest(found) == digest(value)


def test_cases_of_one_moment_are_listed_by_the_bytes_of_their_ids(store: Store) -> None:
    names = ["a", "B", "Z", "ä", "_", "b", "A", "10", "9", "a-b", "ab"]
    case, at = make_case(), datetime(2026, 1, 2, 9, tzinfo=UTC)
    with store.step() as work:
        work.save_study(case.study)
        for name in names:
            work.open_case(replace(case, id=name), at)
            work.record(replace(EVENT, subject=name, verb="open_case"))
    in_order = sorted(names, key=str.encode, reverse=True)
    assert [line.case_id for line in store.cases()] == in_order
    pages: list[str] = []
    while page := store.cases(part=Page(limit=3, after=pages[-1] if pages else None)):
        pages += [line.case_id for line in page]
    assert pages == in_order
