"""Whose a resource is: by reference, by identifier, by a contained Patient; and what it is about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medmm.domain.errors import InputError
from medmm.domain.identity_match import MatchVerdict, asking, compare_identities
from medmm.records import RecordDocument, join_questions, read_record
from tests.unit.records.test_records_document import condition, observation, reasons

MRN = {"system": "urn:mrn", "value": "ZZ-77"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{**MRN, "type": {"coding": [{"code": "MR"}]}}],
    "gender": "female",
    "birthDate": "1950-01-10",
}
TOLD = (
    "whose it is can't be told",
    "it is another patient's",
    "somebody or something other than the patient",
    "does not say whose",
)


def read(
    *resources: dict[str, Any], patients: tuple[dict[str, Any], ...] = (PATIENT,)
) -> RecordDocument:
    entries = [{"resource": resource} for resource in (*patients, *resources)]
    return read_record(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()
    )


def contained(**changes: Any) -> dict[str, Any]:
    inner = {"resourceType": "Patient", "id": "c", "identifier": [MRN], **changes}
    return condition(
        subject={"reference": "#c"}, contained=[{k: v for k, v in inner.items() if v is not None}]
    )


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (condition(subject={"identifier": MRN}), None),
        (condition(subject={"type": "Patient", "identifier": MRN}), None),
        (condition(subject={"identifier": {"value": "ZZ-77"}}), None),
        (condition(subject={"identifier": {"system": "urn:other", "value": "ZZ-77"}}), TOLD[0]),
        (condition(subject={"identifier": {"system": "urn:mrn", "value": "ZZ-78"}}), TOLD[1]),
        (
            condition(subject={"identifier": {"system": "urn:mrn", "value": "zz-077"}}),
            TOLD[0],
        ),  # spelt otherwise
        (condition(subject={"identifier": {"value": "12"}}), TOLD[0]),
        (condition(subject={"type": "Group", "identifier": MRN}), TOLD[2]),
        (condition(subject={"display": "Somebody"}), TOLD[3]),
        (condition(subject={"reference": "Patient/p1", "identifier": MRN}), None),
        (
            condition(
                subject={
                    "reference": "Patient/p1",
                    "identifier": {"system": "urn:mrn", "value": "1"},
                }
            ),
            TOLD[0],
        ),
        (condition(subject={"reference": "http://b.example/Patient/9", "identifier": MRN}), None),
        (condition(subject={"reference": "Patient/p2"}), TOLD[1]),
        (
            condition(subject={"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}),
            TOLD[0],
        ),
        (
            condition(
                subject={
                    "reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                    "identifier": MRN,
                }
            ),
            None,
        ),
        (condition(subject={"reference": "Patient/p1/_history/2"}), None),
        (condition(subject={"reference": "Group/g1"}), TOLD[2]),
        (condition(subject={"reference": "http://s.example/fhir/Device/d1"}), TOLD[2]),
        (condition(subject={"reference": "#nobody"}), TOLD[0]),
        (condition(subject={"reference": 7}), TOLD[1]),
        (contained(), None),
        (contained(identifier=None), TOLD[0]),
        (contained(identifier=[{"system": "urn:mrn", "value": "ZZ-78"}]), TOLD[1]),
        (contained(identifier=[MRN, {"system": "urn:mrn", "value": "ZZ-78"}]), TOLD[0]),
        (contained(resourceType="Group"), TOLD[2]),
    ],
)
def test_whose_a_resource_is_by_all_that_says_so(
    resource: dict[str, Any], said: str | None
) -> None:
    document = read(resource)
    assert bool(document.facts) is (said is None)
    assert [words for words in TOLD if words in reasons(document)] == ([said] if said else [])


@pytest.mark.parametrize(
    ("focus", "kept"),
    [
        ([{"reference": "Patient/p1"}], True),
        ([{"identifier": MRN}], True),
        ([], True),
        ([{"reference": "RelatedPerson/donor"}], False),
        ([{"reference": "Patient/p2"}], False),
        ([{"reference": "Device/pump"}], False),
        ([{"reference": "Patient/p1"}, {"reference": "RelatedPerson/donor"}], False),
        ({"reference": "RelatedPerson/donor"}, False),
        ([{"display": "the fetus"}], False),
        ("RelatedPerson/donor", False),
    ],
)
def test_what_is_about_somebody_else_is_left_out(focus: Any, kept: bool) -> None:
    document = read(observation(focus=focus))
    assert bool(document.facts) is kept
    assert kept or "its focus is somebody" in reasons(document)


def test_a_focus_by_extension_is_seen() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/observation-focusCode"
    coded = observation(extension=[{"url": url, "valueCodeableConcept": {"text": "fetus"}}])
    assert read(coded).facts == ()


def test_contained_members_are_said_not_to_be_read() -> None:
    member = {
        "resourceType": "Observation",
        "id": "m",
        "status": "final",
        "code": {"text": "Sodium"},
    }
    document = read(observation(contained=[member], hasMember=[{"reference": "#m"}]))
    assert "a contained Observation is not read" in reasons(document)


NEW = {**PATIENT, "id": "p9", "identifier": [{"system": "urn:mrn", "value": "NEW-1"}]}
REPLACED = {
    **PATIENT,
    "active": False,
    "link": [{"other": {"reference": "Patient/p9"}, "type": "replaced-by"}],
}


def test_merged_patients_in_one_record_are_one_with_all_their_numbers_and_facts() -> None:
    document = read(
        condition(),
        condition(id="c2", subject={"reference": "Patient/p9"}),
        patients=(REPLACED, NEW),
    )
    patient = document.the_patient()
    assert patient.patient_id == "NEW-1"
    assert ("urn:mrn", "ZZ-77") in patient.identifiers
    assert len(document.facts) == 2
    assert join_questions(document, None) == ()
    assert "merged into the one patient" in reasons(document)


def test_a_patient_who_was_replaced_by_one_that_is_not_there_must_be_confirmed() -> None:
    document = read(patients=(REPLACED,))
    match = compare_identities(document.the_patient(), document.the_patient())
    assert match.questions == ()
    asked = asking(match, *join_questions(document, None))
    assert (asked.verdict, len(asked.questions)) == (MatchVerdict.UNCONFIRMED, 1)
    assert "no longer uses this record" in reasons(document)


@pytest.mark.parametrize("kind", ["replaces", "replaced-by", "seealso", "refer"])
def test_facts_of_a_linked_patient_are_of_the_same_person(kind: str) -> None:
    linked = {**PATIENT, "link": [{"other": {"reference": "Patient/p9"}, "type": kind}]}
    of_the_other = condition(subject={"reference": "Patient/p9"})
    assert len(read(of_the_other, patients=(linked,)).facts) == 1
    assert read(condition(subject={"reference": "Patient/p8"}), patients=(linked,)).facts == ()


def test_patients_who_replace_each_other_in_a_circle_are_two() -> None:
    back = {**NEW, "link": [{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}]}
    with pytest.raises(InputError, match="2 human patients"):
        read(patients=(REPLACED, back)).the_patient()


def test_a_patient_who_replaces_itself_ends() -> None:
    document = read(
        patients=(
            {**PATIENT, "link": [{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}]},
        )
    )
    assert document.the_patient().patient_id == "ZZ-77"
    assert join_questions(document, None)


@pytest.mark.parametrize("name", ["modifierExtension", "implicitRules"])
def test_a_patient_with_a_modifier_must_be_confirmed(name: str) -> None:
    value = (
        "http://x.example/rules" if name == "implicitRules" else [{"url": "http://x.example/not"}]
    )
    assert name in " ".join(join_questions(read(patients=({**PATIENT, name: value},)), None))
