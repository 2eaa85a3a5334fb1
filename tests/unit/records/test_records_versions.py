"""Versions of a resource: the newest of its type and id alone, and none where the order is unknown and one denies it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.record import FactStatus
from medmm.records import RecordDocument, join_questions, read_record
from tests.unit.records.test_records_document import PATIENT, condition, observation, reasons

VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def stated(
    verification: str = "confirmed", *, version: str | int | None = None, updated: str | None = None
) -> dict[str, Any]:
    """A condition c1 with this verification status, as this version."""
    meta = {
        name: value for name, value in (("versionId", version), ("lastUpdated", updated)) if value
    }
    coded = {"coding": [{"system": VERIFIED, "code": verification}]}
    return condition(verificationStatus=coded, meta=meta or None)


def entry(resource: dict[str, Any] | None, **around: Any) -> dict[str, Any]:
    return {**({"resource": resource} if resource else {}), **around}


def deletion(**around: Any) -> dict[str, Any]:
    return {"request": {"method": "DELETE", "url": "Condition/c1"}, **around}


def read(*entries: dict[str, Any], kind: str = "collection") -> RecordDocument:
    whole = {"resourceType": "Bundle", "type": kind, "entry": [{"resource": PATIENT}, *entries]}
    return read_record(json.dumps(whole).encode())


def found(document: RecordDocument) -> list[FactStatus]:
    return [fact.status for fact in document.facts]


OLD, NEW = "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z"


@pytest.mark.parametrize(
    ("kind", "entries", "statuses"),
    [
        # by number, by time, by the order of a history
        ("collection", [stated(version="1"), stated("refuted", version="2")], [FactStatus.REFUTED]),
        ("collection", [stated(version="10"), stated("refuted", version="9")], [FactStatus.ACTIVE]),
        ("collection", [stated(updated=NEW), stated("refuted", updated=OLD)], [FactStatus.ACTIVE]),
        ("history", [stated("refuted"), stated()], [FactStatus.REFUTED]),
        (
            "history",
            [stated(version="1"), stated("refuted", version="2")],
            [FactStatus.REFUTED],
        ),  # oldest first
        ("collection", [stated(version="1"), stated("entered-in-error", version="2")], []),
        # numbers that are only names: the time counts
        (
            "collection",
            [stated(version="b", updated=OLD), stated("refuted", version="a", updated=NEW)],
            [FactStatus.REFUTED],
        ),
        # numbers that are JSON numbers
        ("collection", [stated(version=1), stated("refuted", version=2)], [FactStatus.REFUTED]),
        # a tie of the clock: the number counts
        (
            "collection",
            [stated(version="1", updated=OLD), stated("refuted", version="2", updated=OLD)],
            [FactStatus.REFUTED],
        ),
        # nothing says which, or what says so contradicts itself: none is active
        ("collection", [stated(), stated("refuted")], [FactStatus.UNCONFIRMED, FactStatus.REFUTED]),
        ("collection", [stated(), stated("entered-in-error")], [FactStatus.UNCONFIRMED]),
        (
            "collection",
            [stated(version="a"), stated("refuted", version="b")],
            [FactStatus.UNCONFIRMED, FactStatus.REFUTED],
        ),
        (
            "collection",
            [stated(updated=OLD), stated("refuted", updated=OLD)],
            [FactStatus.UNCONFIRMED, FactStatus.REFUTED],
        ),
        (
            "collection",
            [stated(version="3"), stated("refuted", version="3")],
            [FactStatus.UNCONFIRMED, FactStatus.REFUTED],
        ),
        (
            "collection",
            [stated(version="1", updated=NEW), stated("refuted", version="2", updated=OLD)],
            [FactStatus.UNCONFIRMED, FactStatus.REFUTED],
        ),
        ("searchset", [stated(), stated("refuted")], [FactStatus.UNCONFIRMED, FactStatus.REFUTED]),
        ("batch", [stated(), stated("refuted")], [FactStatus.UNCONFIRMED, FactStatus.REFUTED]),
    ],
)
def test_the_newest_version_counts_alone(
    kind: str, entries: list[dict[str, Any]], statuses: list[FactStatus]
) -> None:
    document = read(*map(entry, entries), kind=kind)
    assert found(document) == statuses
    assert FactStatus.UNCONFIRMED not in statuses or "another version" in " ".join(
        document.facts[0].marks
    )


@pytest.mark.parametrize(
    ("entries", "kind", "statuses"),
    [
        ([deletion(), entry(stated())], "history", []),
        (
            [entry(stated()), deletion()],
            "history",
            [FactStatus.ACTIVE],
        ),  # deleted, and later made again
        ([deletion(), entry(stated())], "transaction", [FactStatus.UNCONFIRMED]),
        ([deletion()], "transaction", []),
        (
            [entry(stated(version="2")), deletion(response={"status": "204", "etag": 'W/"3"'})],
            "collection",
            [],
        ),
        (
            [entry(stated(version="4")), deletion(response={"status": "204", "etag": 'W/"3"'})],
            "collection",
            [FactStatus.ACTIVE],
        ),
        (
            [entry(stated(updated=OLD)), deletion(response={"status": "204", "lastModified": NEW})],
            "history",
            [],
        ),
        (
            [
                deletion(request={"method": "DELETE", "url": "http://s.example/fhir/Condition/c1"}),
                entry(stated()),
            ],
            "history",
            [],
        ),
        (
            [
                deletion(request={"method": "DELETE", "url": "Condition/c1/_history/2"}),
                entry(stated()),
            ],
            "history",
            [],
        ),
        (
            [deletion(request={"method": "delete", "url": "Condition/c1"}), entry(stated())],
            "history",
            [],
        ),
        (
            [entry(stated(), request={"method": "DELETE", "url": "Condition/c1"})],
            "history",
            [],
        ),  # with what it was
        (
            [
                {"fullUrl": "http://s.example/Condition/c1", "response": {"status": "410 Gone"}},
                entry(stated()),
            ],
            "history",
            [],
        ),
        (
            [deletion(request={"method": "DELETE", "url": "Condition/c2"}), entry(stated())],
            "history",
            [FactStatus.ACTIVE],
        ),
    ],
)
def test_what_is_deleted_is_gone_and_that_is_said(
    entries: list[dict[str, Any]], kind: str, statuses: list[FactStatus]
) -> None:
    document = read(*entries, kind=kind)
    assert found(document) == statuses
    assert "delet" in reasons(document) or "older version" in reasons(document)


def test_a_deletion_that_names_no_resource_leaves_the_record_incomplete() -> None:
    document = read(
        entry(stated()),
        {"request": {"method": "DELETE", "url": "Condition?code=x"}},
        kind="transaction",
    )
    assert "names no single resource" in reasons(document)
    assert any("deletes something" in reason for reason in document.incomplete)


def test_versions_of_two_servers_are_not_put_in_order() -> None:
    one = entry(stated(version="1"), fullUrl="http://a.example/fhir/Condition/c1")
    other = entry(stated("refuted", version="2"), fullUrl="http://b.example/fhir/Condition/c1")
    assert found(read(one, other)) == [FactStatus.UNCONFIRMED, FactStatus.REFUTED]


def test_lines_of_ndjson_are_versions_too() -> None:
    lines = [PATIENT, stated(version="1"), stated("refuted", version="2")]
    document = read_record("\n".join(json.dumps(line) for line in lines).encode())
    assert found(document) == [FactStatus.REFUTED]


def test_of_the_patient_the_newest_version_counts_too() -> None:
    older = {**PATIENT, "birthDate": "1905-01-10", "meta": {"versionId": "1"}}
    newer = {**PATIENT, "meta": {"versionId": "2"}}
    whole = {"resourceType": "Bundle", "entry": [{"resource": older}, {"resource": newer}]}
    assert (
        str(read_record(json.dumps(whole).encode()).the_patient().birth_date)
        == PATIENT["birthDate"]
    )


def test_two_versions_of_a_patient_in_unknown_order_are_refused() -> None:
    document = read(entry({**PATIENT, "birthDate": "1905-01-10"}))
    with pytest.raises(InputError, match="several versions of its patient"):
        document.the_patient()


def test_a_patient_on_every_page_is_one() -> None:
    assert (
        read(entry(PATIENT), entry({**PATIENT, "meta": {"versionId": "7"}})).the_patient().sex
        == "F"
    )


def test_a_patient_who_may_have_been_deleted_must_be_confirmed() -> None:
    document = read({"request": {"method": "DELETE", "url": "Patient/p1"}}, kind="transaction")
    assert "deleted" in " ".join(join_questions(document, None))
    gone = {"request": {"method": "DELETE", "url": "Patient/p1"}}
    whole = {"resourceType": "Bundle", "type": "history", "entry": [gone, {"resource": PATIENT}]}
    with pytest.raises(InputError, match="0 human patients"):
        read_record(json.dumps(whole).encode()).the_patient()


def test_a_deleted_medicine_names_nothing() -> None:
    medicine = {"resourceType": "Medication", "id": "m", "code": {"text": "Warfarin"}}
    request = {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "Medication/m"},
    }
    gone = {"request": {"method": "DELETE", "url": "Medication/m"}}
    assert read(gone, entry(medicine), entry(request), kind="history").facts == ()


@given(st.permutations(range(1, 6)), st.integers(0, 4))
def test_the_order_of_entries_never_matters_where_versions_are_numbered(
    order: list[int], refuted: int
) -> None:
    entries = [
        entry(stated("refuted" if n == order[refuted] else "confirmed", version=str(n)))
        for n in order
    ]
    expected = FactStatus.REFUTED if order[refuted] == 5 else FactStatus.ACTIVE
    assert found(read(*entries)) == [expected]


SIGNED = st.tuples(
    st.sampled_from(("confirmed", "refuted", "entered-in-error", "provisional")),
    st.none() | st.sampled_from(("1", "2", "x")),
    st.none() | st.sampled_from((OLD, NEW)),
)


@given(st.lists(SIGNED, min_size=1, max_size=4))
def test_nothing_is_active_unless_every_other_version_is_surely_older_or_says_the_same(
    versions: list[tuple[str, str | None, str | None]],
) -> None:
    document = read(*(entry(stated(v, version=n, updated=u)) for v, n, u in versions))
    if FactStatus.ACTIVE not in found(document):
        return
    denials = [(n, u) for v, n, u in versions if v != "confirmed"]
    confirmed = [(n, u) for v, n, u in versions if v == "confirmed"]
    assert any(all(_surely_older(denial, pair) for denial in denials) for pair in confirmed)


def _surely_older(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> bool:
    by_number = None
    if one[0] in ("1", "2") and other[0] in ("1", "2") and one[0] != other[0]:
        by_number = one[0] < other[0]
    by_time = one[1] < other[1] if one[1] and other[1] and one[1] != other[1] else None
    return True in (by_number, by_time) and False not in (by_number, by_time)


def test_observations_of_one_id_stay_both_and_marked_where_neither_is_retracted() -> None:
    other = observation(valueQuantity={"value": 6.1, "unit": "g/dL"})
    document = read(entry(observation()), entry(other))
    assert found(document) == [FactStatus.ACTIVE, FactStatus.ACTIVE]
    assert all("another resource has the same id" in fact.marks for fact in document.facts)
