"""Any single change of an identity or of a stored file is found and named; whatever happens lawfully is never called altered."""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.audit_event import AuditEvent
from medmm.domain.identity import PatientIdentity
from medmm.store import Store

PATIENTS, FILES, TAMPERINGS = 12, 12, 150
words = st.one_of(st.none(), st.text(min_size=1, max_size=8))
identities = st.builds(
    PatientIdentity,
    patient_id=words,
    issuer=words,
    family_name=words,
    given_name=words,
    birth_date=st.one_of(st.none(), st.dates()),
    sex=st.sampled_from([None, "M", "F", "O"]),
)


def event(subject: str, verb: str = "admit") -> AuditEvent:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return AuditEvent(
        at=at, verb=verb, outcome="done", actor="reader-1", role="attending", subject=subject
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("covered")
    with Store.open(folder / "data") as store:
        for number in range(PATIENTS):
            (folder / "film").write_bytes(bytes([number]) * (number * 7 + 1))
            identity = PatientIdentity(
                patient_id=f"ZZ-{number}",
                family_name=f"ZZFAMILY{number}",
                given_name="Ünïcøde 李",
                birth_date=date(1950, 1, 1 + number),
                sex="MFO"[number % 3],
            )
            sha256 = store.put_object(folder / "film")
            with store.step() as step:
                step.save_identity(f"pk-{number}", identity)
                step.cover_objects(f"1.2.{number}", [sha256])
                step.record(event(f"1.2.{number}"))
        yield store


def values_of(body: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all texts and gaps of a value."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from values_of(value, (*path, name))
    elif not isinstance(body, list):
        yield path


def other(value: object, dice: random.Random) -> object:
    """Another value of the same kind, or a gap in its place."""
    if not isinstance(value, str) or dice.random() < 0.2:
        return None if value is not None else "ZZ"
    at = dice.randrange(len(value))
    return value[:at] + chr((ord(value[at]) + dice.randint(1, 90)) % 0xD800) + value[at + 1 :]


@pytest.mark.parametrize("batch", range(3))
def test_any_single_change_of_an_identity_is_named(store: Store, batch: int) -> None:
    for number in range(TAMPERINGS // 3):
        dice = random.Random(f"identity {batch}/{number}")
        key = f"pk-{dice.randrange(PATIENTS)}"
        with closing(
            sqlite3.connect(store.data_dir / "medmm.sqlite", isolation_level=None)
        ) as database:
            (kept,) = database.execute(
                "SELECT body FROM identity WHERE patient_key = ?", (key,)
            ).fetchone()
            body = json.loads(kept)
            (name,) = dice.choice([path for path in values_of(body) if path])
            body[name] = other(body[name], dice)
            database.execute(
                "UPDATE identity SET body = ? WHERE patient_key = ?", (json.dumps(body), key)
            )
            found = store.verify().problems
            database.execute("UPDATE identity SET body = ? WHERE patient_key = ?", (kept, key))
        assert [(p.kind, p.place) for p in found] == [("altered", f"identity of patient {key}")], (
            name,
            body,
        )
    assert store.verify().ok


@pytest.mark.parametrize("batch", range(3))
def test_any_single_change_of_a_stored_file_is_named(store: Store, batch: int) -> None:
    names = list(store.objects.digests())
    assert len(names) == FILES
    for number in range(TAMPERINGS // 3):
        dice = random.Random(f"object {batch}/{number}")
        name = dice.choice(names)
        path = store.objects.place(name)
        kept = path.read_bytes()
        at = dice.randrange(len(kept))
        how = dice.choice(("bit", "cut", "longer", "another's", "gone"))
        changed = {
            "bit": kept[:at] + bytes([kept[at] ^ 1 << dice.randrange(8)]) + kept[at + 1 :],
            "cut": kept[:at],
            "longer": kept + kept[at : at + 1],
            "another's": store.objects.place(
                dice.choice([n for n in names if n != name])
            ).read_bytes(),
        }
        path.unlink() if how == "gone" else path.write_bytes(changed[how])
        found = store.verify().problems
        path.write_bytes(kept)
        kind = "missing" if how == "gone" else "altered"
        assert [(p.kind, p.place) for p in found] == [(kind, f"object {name}")], (how, at)
    assert store.verify().ok


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.text(max_size=4), identities, st.sampled_from(["admit", "sign", "look"])),
        max_size=8,
    )
)
def test_nothing_sound_is_called_altered(taken: list[tuple[str, PatientIdentity, str]]) -> None:
    """Patients admitted, stated anew and signed for, in any order, under any key: each is given back and all is sound."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "data") as store:
        expected: dict[str, PatientIdentity] = {}
        for key, identity, verb in taken:
            with store.step() as step:
                if verb == "admit":
                    step.save_identity(key, identity)
                    expected[key] = identity
                elif verb == "sign":
                    step.cover_identity(key)
                step.record(event(key, verb))
        for key, identity in expected.items():
            assert store.identity(key) == identity
        found = store.verify()
        assert (found.ok, found.identities_not_covered) == (True, ())
