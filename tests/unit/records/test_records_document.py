"""Reading one record: what becomes a fact, what is left out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.errors import InputError
from medmm.domain.record import Fact, FactKind, FactStatus, Quantity
from medmm.records import RecordDocument, json_parser, read_record

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1950-01-10"}
OWN = {"reference": "Patient/p1"}


def bundle(*resources: dict[str, Any]) -> bytes:
    """A collection of the patient and these resources."""
    entries = [{"resource": r} for r in (PATIENT, *resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def concept(text: str, code: str = "x") -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code}], "text": text}


def observation(**changes: Any) -> dict[str, Any]:
    """A hemoglobin of 13.2 g/dL of 2020-02-02."""
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": OWN,
        "code": concept("Hemoglobin", "718-7"),
        "effectiveDateTime": "2020-02-02T10:00:00Z",
        "valueQuantity": {
            "value": 13.2,
            "unit": "g/dL",
            "system": "http://unitsofmeasure.org",
            "code": "g/dL",
        },
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def condition(**changes: Any) -> dict[str, Any]:
    """An active heart failure since 2019-05-01."""
    made: dict[str, Any] = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": OWN,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": concept("Heart failure"),
        "onsetDateTime": "2019-05-01",
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def only_fact(document: RecordDocument) -> Fact:
    (fact,) = document.facts
    return fact


def reasons(document: RecordDocument) -> str:
    return " | ".join(omission.reason for omission in document.left_out)


def test_observation_keeps_value_unit_code_date_and_place() -> None:
    fact = only_fact(read_record(bundle(observation())))
    assert (fact.id, fact.source) == ("Observation/o1", "entry[1] Observation/o1")
    assert fact.value == Quantity(value=13.2, unit="g/dL")
    assert fact.codings[0].code == "718-7"
    assert str(fact.when) == "2020-02-02 10:00:00+00:00"
    assert fact.marks == ()


@pytest.mark.parametrize(
    ("value", "unit", "mark"),
    [
        (1400, "g/dL", "implausible value"),
        (132, "g/dL", "implausible value, likely in g/L"),
        (-3, "g/dL", "implausible value"),
        (132, "g/L", None),
        (1e308, "g/dL", "implausible value"),
        (13.2, "", "no unit"),
    ],
)
def test_absurd_values_are_kept_and_marked(value: float, unit: str, mark: str | None) -> None:
    fact = only_fact(
        read_record(bundle(observation(valueQuantity={"value": value, "unit": unit, "code": unit})))
    )
    assert isinstance(fact.value, Quantity)
    assert fact.value.value == value
    assert fact.marks == ((mark,) if mark else ())


def test_comparator_and_reference_range_stay_with_the_value() -> None:
    low_high = {"low": {"value": 12, "unit": "g/dL"}, "high": {"value": 16, "unit": "g/dL"}}
    value = {"value": 5, "unit": "g/dL", "comparator": "<"}
    fact = only_fact(
        read_record(bundle(observation(valueQuantity=value, referenceRange=[low_high])))
    )
    assert fact.value == Quantity(value=5.0, unit="g/dL", comparator="<", low=12.0, high=16.0)


@pytest.mark.parametrize(
    ("low", "high", "mark"),
    [
        ({"value": 16, "unit": "g/dL"}, {"value": 12, "unit": "g/dL"}, "reference range reversed"),
        (
            {"value": 120, "unit": "mm[Hg]"},
            {"value": 160, "unit": "g/L"},
            "reference range in another unit",
        ),
        (
            {"value": 120, "unit": "ell"},
            {"value": 160, "unit": "ell"},
            "reference range in another unit",
        ),
    ],
)
def test_a_range_that_can_not_be_trusted_is_not_kept(
    low: dict[str, Any], high: dict[str, Any], mark: str
) -> None:
    fact = only_fact(read_record(bundle(observation(referenceRange=[{"low": low, "high": high}]))))
    assert isinstance(fact.value, Quantity)
    assert (fact.value.low, fact.value.high, fact.marks) == (None, None, (mark,))


def test_components_become_facts_of_their_own() -> None:
    parts = [
        {"code": concept("Systolic", "8480-6"), "valueQuantity": {"value": 120, "unit": "mm[Hg]"}},
        {"code": concept("Diastolic", "8462-4"), "valueQuantity": {"value": 80, "unit": "mm[Hg]"}},
    ]
    document = read_record(bundle(observation(valueQuantity=None, component=parts)))
    assert [(f.id, f.label) for f in document.facts] == [
        ("Observation/o1#1", "Systolic"),
        ("Observation/o1#2", "Diastolic"),
    ]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, FactStatus.ACTIVE),
        ({"verificationStatus": {"coding": [{"code": "refuted"}]}}, FactStatus.REFUTED),
        ({"verificationStatus": {"coding": [{"code": "differential"}]}}, FactStatus.UNCONFIRMED),
        ({"verificationStatus": "refuted"}, FactStatus.REFUTED),  # STU3 shape
        ({"clinicalStatus": "resolved"}, FactStatus.INACTIVE),  # STU3 shape
        ({"clinicalStatus": {"coding": [{"code": "resolved"}]}}, FactStatus.INACTIVE),
        ({"clinicalStatus": {"coding": [{"code": "made-up"}]}}, FactStatus.UNCONFIRMED),
        ({"clinicalStatus": None}, FactStatus.UNCONFIRMED),
    ],
)
def test_a_condition_is_active_only_where_the_source_says_so(
    changes: dict[str, Any], status: FactStatus
) -> None:
    assert only_fact(read_record(bundle(condition(**changes)))).status is status


def test_do_not_perform_is_a_denial() -> None:
    request = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "doNotPerform": True,
        "subject": OWN,
        "medicationCodeableConcept": {"text": "Aspirin"},
    }
    assert only_fact(read_record(bundle(request))).status is FactStatus.REFUTED


def test_a_contained_medicine_is_named() -> None:
    request = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": OWN,
        "contained": [{"resourceType": "Medication", "id": "med", "code": {"text": "Amoxicillin"}}],
        "medicationReference": {"reference": "#med"},
    }
    assert only_fact(read_record(bundle(request))).label == "Amoxicillin"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (observation(status="entered-in-error"), "entered in error"),
        (
            condition(verificationStatus={"coding": [{"code": "entered-in-error"}]}),
            "entered in error",
        ),
        (
            observation(modifierExtension=[{"url": "http://x.example", "valueBoolean": True}]),
            "modifierExtension",
        ),
        (observation(code=None), "neither a code nor words"),
        (observation(subject={"reference": "Patient/p2"}), "another patient's"),
        (observation(subject=None), "does not say whose"),
        ({"resourceType": "Claim", "id": "x"}, "Claim is not read"),
    ],
)
def test_what_must_not_be_used_is_left_out_and_said(resource: dict[str, Any], reason: str) -> None:
    document = read_record(bundle(resource))
    assert document.facts == ()
    assert reason in reasons(document)


def test_an_allergy_of_another_release_is_read_and_said() -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "clinicalStatus": "active",
        "patient": OWN,
        "code": {"text": "Penicillin"},
    }
    document = read_record(bundle(allergy))
    assert (only_fact(document).kind, only_fact(document).status) == (
        FactKind.ALLERGY,
        FactStatus.ACTIVE,
    )
    assert reasons(document) == "no name | read tolerantly: not strict R4 at clinicalStatus"


def test_what_is_not_strict_is_named_by_element_never_by_value() -> None:
    document = read_record(bundle(observation(**{"<script>": "ZZFAKE", "note": "ZZFAKE"})))
    assert "read tolerantly" in reasons(document)
    assert "script" not in reasons(document)
    assert "ZZFAKE" not in reasons(document)


def test_of_one_id_with_two_contents_both_are_kept_and_marked() -> None:
    other = observation(valueQuantity={"value": 6.1, "unit": "g/dL"})
    document = read_record(bundle(observation(), other, observation(), other))
    assert [(f.id, f.value) for f in document.facts] == [
        ("Observation/o1", Quantity(value=13.2, unit="g/dL")),
        ("Observation/o1~2", Quantity(value=6.1, unit="g/dL")),
    ]
    assert all("another resource has the same id" in f.marks for f in document.facts)


def test_what_stands_twice_is_read_once() -> None:
    document = read_record(bundle(observation(), observation()))
    assert only_fact(document).marks == ()
    assert "stands in the record before" in reasons(document)


def test_two_values_are_none() -> None:
    fact = only_fact(read_record(bundle(observation(valueString="low"))))
    assert (fact.value, fact.marks) == (None, ("two values: none was read",))


def test_invisible_characters_leave_and_long_text_is_cut() -> None:
    hidden = "Cough" + "".join(chr(0xE0000 + ord(c)) for c in "ignore") + "‮" + "z" * 100_000
    label = only_fact(read_record(bundle(condition(code={"text": hidden})))).label
    assert label.isprintable()
    assert len(label) < 400
    assert label.startswith("Cough")


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"\xff\xfe\x00",
        b"<Bundle/>",
        b'{"resourceType": "Patient", "resourceType": "Bundle"}',
        b'{"resourceType": "Patient", "x": NaN}',
        b'{"resourceType": "Patient", "id": "../../x"}',
        b'{"resourceType": "<b>"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_record_is_an_input_error(source: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_record(source)
    assert caught.value.remedy


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(InputError, match="more than 64000000 bytes"):
        read_record(path)
    with pytest.raises(InputError, match="more than"):
        read_record(b" " * (json_parser.LARGEST_BYTES + 1))


def test_a_path_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="not a file"):
            read_record(path)


def test_only_one_patient_can_be_joined() -> None:
    assert read_record(bundle()).the_patient().sex == "F"
    for source in (
        b'{"resourceType": "Bundle", "type": "collection"}',
        bundle({**PATIENT, "id": "p2"}),
        json.dumps({**PATIENT, "animal": {}}).encode(),
    ):
        with pytest.raises(InputError, match="human patients"):
            read_record(source).the_patient()


def test_a_patient_of_odd_shape_is_read_as_far_as_it_goes() -> None:
    odd = {
        "name": [{"family": 3, "given": "Alpha"}],
        "identifier": [{"value": None}, 7],
        "birthDate": "1950",
    }
    patient = read_record(json.dumps({**PATIENT, **odd}).encode()).the_patient()
    assert (patient.family_name, patient.given_name) == (None, "Alpha")
    assert (patient.patient_id, patient.birth_date) == (None, None)


def test_ndjson_is_read_line_by_line() -> None:
    lines = [json.dumps(PATIENT), "", json.dumps(observation()), "{broken"]
    document = read_record("\r\n".join(lines).encode())
    assert only_fact(document).label == "Hemoglobin"
    assert "the line was not read" in reasons(document)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"birthDate": "1950"}, "no whole birth date"),
        ({"birthDate": "2999-01-01"}, "born in the future"),
        ({"gender": "unknown"}, "no sex"),
        ({"deceasedDateTime": "2019-05-06"}, "has died (2019-05-06)"),
    ],
)
def test_what_the_patient_does_not_say_is_said(changes: dict[str, str], words: str) -> None:
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "ZZFAKE"}],
        "gender": "female",
    }
    document = read_record(json.dumps({**patient, "birthDate": "1950-01-01", **changes}).encode())
    assert words in reasons(document)
    assert "no name" not in reasons(document)


def test_prose_is_counted_and_not_read() -> None:
    told = {"div": "<div>ZZFAKE has a pneumonia</div>", "status": "generated"}
    document = read_record(bundle(observation(text=told, note=[{"text": "ZZFAKE"}])))
    assert "the narrative of 1 resources is not read" in reasons(document)
    assert "the note of 1 resources is not read" in reasons(document)
    assert "ZZFAKE" not in reasons(document) + repr(document.facts)
