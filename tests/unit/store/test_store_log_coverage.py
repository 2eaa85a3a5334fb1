"""Identities, studies and stored files are held against the log: what a hand changes is named and never printed."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import IntegrityError, StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.report import Accept, CaseState
from medmm.store import Store
from tests.databases import only_sqlite, raw
from tests.factories import (
    SIGNED_AT,
    make_case,
    make_checked_draft,
    make_signed_report,
    make_study,
    make_volume,
)
from tests.unit.store.test_store_nouns import IDENTITY

KEY = make_study().patient_key
ORDER = StudyOrder(accession="ZZ-ACC-1")
DECISIONS = (Accept("s1"), Accept("s2"), Accept("s3"))
EARLIER = Path(__file__).with_name("earlier_release") / "store.tar.xz"


def event(verb: str, subject: str = "case-1") -> AuditEvent:
    return AuditEvent(
        at=SIGNED_AT, verb=verb, outcome="done", actor="reader-1", role="attending", subject=subject
    )


def fill(store: Store, folder: Path) -> str:
    """A film admitted, opened, drafted and signed, in the steps of the assistant. Returns: the digest of its file."""
    (folder / "film").write_bytes(b"a film")
    sha256 = store.put_object(folder / "film")
    case = make_case(study=make_study(volumes=(make_volume(sha256=sha256),)))
    assert case.context is not None
    with store.step() as step:
        step.save_identity(KEY, IDENTITY)
        step.save_study(case.study, {sha256: None})
        step.cover_objects(case.study.uid, [sha256])
        step.save_context(case.study.uid, case.context)
        step.save_order(case.study.uid, ORDER)
        step.record(event("admit", case.study.uid))
    with store.step() as step:
        step.open_case(case, SIGNED_AT)
        step.record(event("open_case"))
    with store.step() as step:
        step.save_draft("case-1", make_checked_draft())
        step.save_decisions("case-1", DECISIONS, expected=())
        step.record(event("draft"))
    with store.step() as step:
        step.set_state("case-1", CaseState.SIGNED, expected=CaseState.OPENED)
        step.save_report(make_signed_report(), decisions=DECISIONS)
        step.cover_identity(KEY)
        step.record(event("sign"))
    return sha256


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        fill(store, tmp_path)
        yield store


def tamper(store: Store, *statements: str) -> None:
    with raw(store) as database:
        for statement in statements:
            database.execute(statement)


def the_object(store: Store) -> Path:
    (sha256,) = store.objects.digests()
    return store.objects.place(sha256)


def places(store: Store) -> list[tuple[str, str]]:
    return [(p.kind, p.place) for p in store.verify().problems]


def test_what_nobody_touched_is_printed_and_sound(store: Store) -> None:
    printed = store.printed("report-1")
    assert (printed.report, printed.identity, printed.order) == (
        make_signed_report(),
        IDENTITY,
        ORDER,
    )
    found = store.verify()
    assert found.ok
    assert (found.not_covered_before, found.identities_not_covered, found.studies_not_covered) == (
        None,
        (),
        (),
    )


def test_no_entry_tells_who_the_patient_is(store: Store) -> None:
    said = repr(store.events())
    assert KEY in said
    for name in ("ZZ-0001", "ZZTEST", "1950", "ZZ-ACC-1"):
        assert name not in said


CHANGED = {
    "the family name": "UPDATE identity SET body = replace(body, 'ZZTEST', 'ZZOTHER')",
    "the patient ID": "UPDATE identity SET body = replace(body, 'ZZ-0001', 'ZZ-0002')",
    "the birth date": "UPDATE identity SET body = replace(body, '1950-02-28', '1950-02-27')",
    "the sex": "UPDATE identity SET body = replace(body, '\"F\"', '\"M\"')",
    "another issuer": "UPDATE identity SET body = replace(body, 'urn:oid:1.2.3', 'urn:oid:1.2.4')",
    "no JSON": "UPDATE identity SET body = x'ff'",
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_identity_is_named_and_never_given_out(store: Store, name: str) -> None:
    tamper(store, CHANGED[name])
    assert places(store) == [("altered", f"identity of patient {KEY}")]
    for load in (lambda: store.printed("report-1"), lambda: store.identity(KEY)):
        with pytest.raises(IntegrityError, match=f"identity of patient {KEY}.*entry 4 "):
            load()


def test_a_changed_identity_can_t_be_signed_for(store: Store) -> None:
    tamper(store, CHANGED["the family name"])
    with store.step() as step:
        with pytest.raises(IntegrityError, match="identity of patient"):
            step.cover_identity(KEY)
        step.record(event("sign"))


def test_a_removed_or_moved_identity_is_named(store: Store) -> None:
    tamper(store, "UPDATE identity SET patient_key = 'pk-other'")
    assert places(store) == [
        ("not in the log", "identity of patient pk-other"),
        ("missing", f"identity of patient {KEY}"),
    ]
    with pytest.raises(IntegrityError, match=f"identity of patient {KEY}.*entry 4 "):
        store.printed("report-1")


def test_two_patients_exchanged_are_both_named(store: Store) -> None:
    with store.step() as step:
        step.save_identity("pk-2", replace(IDENTITY, patient_id="ZZ-0002", family_name="ZZOTHER"))
        step.record(event("admit", "1.2.3"))
    tamper(
        store,
        "CREATE TABLE other AS SELECT * FROM identity",
        "UPDATE identity SET body = (SELECT body FROM other WHERE other.patient_key <> identity.patient_key)",
        "DROP TABLE other",
    )
    assert set(places(store)) == {
        ("altered", "identity of patient pk-2"),
        ("altered", f"identity of patient {KEY}"),
    }


def test_a_name_that_was_stated_anew_is_not_called_altered(store: Store) -> None:
    married = replace(IDENTITY, family_name="ZZMARRIED")
    with store.step() as step:
        step.save_identity(KEY, married)
        step.record(event("admit", make_study().uid))
    assert store.verify().ok
    printed = store.printed("report-1")
    assert (printed.identity, printed.restated_entry) == (married, 5)
    with store.step() as step:
        step.save_identity(KEY, IDENTITY)
        step.record(event("admit", make_study().uid))
    assert store.printed("report-1").restated_entry is None  # as it was signed


def test_an_older_statement_put_back_is_named(store: Store) -> None:
    with store.step() as step:
        step.save_identity(KEY, replace(IDENTITY, family_name="ZZMARRIED"))
        step.record(event("admit", make_study().uid))
    tamper(store, "UPDATE identity SET body = replace(body, 'ZZMARRIED', 'ZZTEST')")
    with pytest.raises(IntegrityError, match="entry 5 "):
        store.printed("report-1")


def appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def one_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [appended, one_byte, emptied, a_pipe, a_folder, Path.unlink])
def test_a_changed_or_missing_file_is_named_and_its_report_not_printed(
    store: Store, change: Callable[[Path], None]
) -> None:
    path = the_object(store)
    name = path.name
    change(path)
    kind = "missing" if change is Path.unlink else "altered"
    assert places(store) == [(kind, f"object {name}")]
    assert "entry 1 kept it" in store.verify().problems[0].text
    with pytest.raises(IntegrityError, match=f"object {name}.*case case-1"):
        store.printed("report-1")


def test_a_damaged_file_that_no_entry_names_is_named_too(store: Store, tmp_path: Path) -> None:
    (tmp_path / "stray").write_bytes(b"left by a crash before the step was kept")
    stray = store.put_object(tmp_path / "stray")
    assert store.verify().ok
    one_byte(store.objects.place(stray))
    assert places(store) == [("altered", f"object {stray}")]


ROWS = {
    "a study": ("UPDATE study SET body = replace(body, '\"right\"', '\"left\"')", "altered", "study 1.2.826.0.1.3680043.8.498.1"),
    "a record": ("UPDATE context SET body = replace(body, 'Heart failure', 'No failure')", "altered",
                 "record of study 1.2.826.0.1.3680043.8.498.1"),
    "the record gone": ("DELETE FROM context", "missing", "record of study 1.2.826.0.1.3680043.8.498.1"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_an_altered_study_or_record_opens_no_case(store: Store, name: str) -> None:
    statement, kind, place = ROWS[name]
    tamper(store, statement)
    assert places(store) == [(kind, place)]
    with pytest.raises(IntegrityError, match=f"{place} .*entry 1 "):
        store.study(make_study().uid)


def test_a_changed_accession_number_is_named_and_never_printed(store: Store) -> None:
    tamper(store, "UPDATE study_order SET body = replace(body, 'ZZ-ACC-1', 'ZZ-ACC-2')")
    place = f"order of study {make_study().uid}"
    assert places(store) == [("altered", place)]
    with pytest.raises(IntegrityError, match=f"{place} .*entry 1 "):
        store.printed("report-1")


def test_a_record_that_was_dropped_is_not_missing(store: Store) -> None:
    with store.step() as step:
        step.save_study(store.study(make_study().uid))
        step.drop_context(make_study().uid)
        step.record(event("admit", make_study().uid))
    assert store.verify().ok
    assert store.context(make_study().uid) is None
    assert store.study(make_study().uid)


def test_a_lost_key_is_damage_and_no_new_one_is_made(store: Store) -> None:
    (store.data_dir / "keys" / "patient.key").unlink()
    assert {place for _, place in places(store)} == {
        f"identity of patient {KEY}",
        f"order of study {make_study().uid}",
    }
    assert not (store.data_dir / "keys" / "patient.key").exists()


# ---- a data folder of the release before these digests ----


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path / "earlier", filter="data")
    return tmp_path / "earlier" / "data"


@only_sqlite
def test_an_earlier_folder_is_neither_sound_nor_altered_in_its_identities(earlier: Path) -> None:
    with Store.open(earlier) as store:
        found = store.verify()
        assert (found.problems, found.size) == ((), 6)
        assert (found.not_covered_before, found.identities_not_covered) == (7, (KEY,))
        assert found.studies_not_covered == (make_study().uid,)
        printed = store.printed("report-case-1-1")
        assert (printed.report.patient_key, printed.identity.family_name) == (KEY, "ZZTEST")
        assert printed.order == StudyOrder()
        tamper(store, "UPDATE identity SET body = replace(body, 'ZZTEST', 'ZZOTHER')")
        assert (store.verify().problems, store.verify().not_covered_before) == ((), 7)


@only_sqlite
def test_what_is_stated_anew_in_an_earlier_folder_is_covered_from_then_on(earlier: Path) -> None:
    with Store.open(earlier) as store:
        with store.step() as step:
            step.save_identity(KEY, IDENTITY)
            step.record(event("admit", make_study().uid))
        found = store.verify()
        assert (found.ok, found.not_covered_before, found.identities_not_covered) == (True, 7, ())
        assert found.studies_not_covered == (make_study().uid,)
        tamper(store, "UPDATE identity SET body = replace(body, 'ZZTEST', 'ZZOTHER')")
        assert places(store) == [("altered", f"identity of patient {KEY}")]


@only_sqlite
def test_a_signature_in_an_earlier_folder_covers_the_identity(earlier: Path) -> None:
    with Store.open(earlier) as store, store.step() as step:
        step.cover_identity(KEY)
        step.record(event("sign"))
    with Store.open(earlier) as store:
        assert (store.verify().identities_not_covered, store.verify().not_covered_before) == ((), 7)
        tamper(store, "UPDATE identity SET body = replace(body, 'ZZTEST', 'ZZOTHER')")
        with pytest.raises(IntegrityError, match="entry 7 "):
            store.printed("report-case-1-1")


@pytest.mark.parametrize("change", [one_byte, Path.unlink])
@only_sqlite
def test_files_of_an_earlier_folder_are_held_against_their_names(
    earlier: Path, change: Callable[[Path], None]
) -> None:
    with Store.open(earlier) as store:
        path = the_object(store)
        change(path)
        assert [place for _, place in places(store)] == [f"object {path.parent.name}{path.name}"]
        with pytest.raises(IntegrityError, match="object"):
            store.printed("report-case-1-1")


@only_sqlite
def test_a_read_only_copy_of_an_earlier_folder_can_be_checked(earlier: Path) -> None:
    for path in (earlier, *earlier.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with Store.open(earlier) as store:
            assert (store.verify().problems, store.verify().not_covered_before) == ((), 7)
    finally:
        for path in (earlier, *earlier.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(earlier)


def test_entries_stay_what_they_are_where_a_detail_is_no_text(store: Store) -> None:
    """An entry that a careless hand wrote is found by the tree; the rows are compared with the others."""
    broken = json.dumps(
        {
            "outcome": "done",
            "verb": "admit",
            "subject": "x",
            "details": {"objects": 3, "patient": []},
        }
    )
    tamper(store, f"INSERT INTO audit_entry VALUES (5, 'x', CAST('{broken}' AS BLOB), x'00')")
    kinds = {kind for kind, _ in places(store)}
    assert "altered" not in kinds
    assert "entry changed" in kinds


def test_a_step_names_one_patient(store: Store) -> None:
    with store.step() as step:
        step.save_identity("pk-1", PatientIdentity(patient_id="1"))
        with pytest.raises(StateError, match="second patient"):
            step.save_identity("pk-2", PatientIdentity(patient_id="2"))
        step.record(event("admit"))


def test_what_is_kept_after_the_event_is_named_by_it(store: Store) -> None:
    with store.step() as step:
        step.record(event("admit", "1.2.3"))
        step.save_identity("pk-2", PatientIdentity(patient_id="2"))
    assert store.verify().ok
    assert store.events("1.2.3")[0].details["patient"] == "pk-2"
    with pytest.raises(StateError, match="second patient"), store.step() as step:  # noqa: PT012
        step.save_identity("pk-3", PatientIdentity(patient_id="3"))
        step.record(event("admit", "1.2.4"))
        step.save_identity("pk-4", PatientIdentity(patient_id="4"))
    assert store.verify().ok
