"""Whatever steps are taken, kept or broken off: the store holds what a plain dictionary would, and its log is whole."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import InputError, StateError
from medmm.domain.identity import PatientIdentity
from medmm.store import Store

keys = st.text(
    st.characters(exclude_categories=()), max_size=12
)  # any Unicode, lone surrogates too
steps = st.lists(
    st.tuples(keys, keys, st.sampled_from(["done", "broken off", "no entry"])), max_size=12
)


class BrokenOff(Exception):
    """The caller's own error in the middle of a step."""


def take(store: Store, key: str, name: str, how: str) -> None:
    with store.step() as work:
        work.save_identity(key, PatientIdentity(patient_id=None, family_name=name))
        if how != "no entry":
            work.record(
                AuditEvent(at=datetime(2026, 1, 1, tzinfo=UTC), verb="admit", outcome="done", actor="reader-1",
                           role="attending", subject=key, details={"digest": "0"})
            )  # fmt: skip
        if how == "broken off":
            raise BrokenOff


@settings(max_examples=25, deadline=None)
@given(steps)
def test_steps_keep_all_or_nothing(taken: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "data") as store:
        expected: dict[str, str] = {}
        recorded = 0
        for key, name, how in taken:
            try:
                take(store, key, name, how)
            except (BrokenOff, StateError, InputError):
                assert how != "done" or any("\ud800" <= character <= "\udfff" for character in key)
                continue
            expected[key] = name
            recorded += 1
        for key, name in expected.items():
            assert store.identity(key).family_name == name
        found = store.verify()
        assert (found.ok, found.size, found.uncovered) == (True, recorded, 0)
