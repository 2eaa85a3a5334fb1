"""Records broken at random places: a document or an InputError, never anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.study import StudyTime
from medmm.records import context_as_of, everything_in, join_questions, read_record
from tests.unit.records.test_records_document import PATIENT, bundle, condition, observation

ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "id": "a1",
    "patient": {"reference": "Patient/p1"},
    "code": {"text": "Penicillin"},
    "reaction": [{"manifestation": [{"text": "Rash"}]}],
}
MEDICINE = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "active",
    "subject": {"reference": "Patient/p1"},
    "contained": [{"resourceType": "Medication", "id": "med", "code": {"text": "Amoxicillin"}}],
    "medicationReference": {"reference": "#med"},
}
NAMED = {
    **PATIENT,
    "name": [
        {"family": "ZZFAKE", "given": ["Alpha"], "period": {"end": "2001"}},
        {"text": "ZZFAKE"},
    ],
    "identifier": [{"value": "1", "type": {}}],
    "link": [{"other": {"reference": "Patient/p9"}, "type": "seealso"}],
    "extension": [{"url": "http://x.example/patient-birthSex", "valueCode": "F"}],
    "deceasedDateTime": "2019-01-01",
}
VALUED = observation(
    referenceRange=[{"low": {"value": 1}}],
    component=[{"code": {"text": "x"}}],
    focus=[{"reference": "Patient/p1"}],
    meta={"versionId": "1", "lastUpdated": "2020-01-01T00:00:00Z", "tag": [{"code": "SUBSETTED"}]},
)
ENDED = condition(
    abatementAge={"value": 40, "code": "a", "unit": "a"},
    verificationStatus={
        "coding": [{"code": "confirmed", "extension": [{"url": "x", "valueCoding": {"code": "A"}}]}]
    },
    meta={"versionId": "2"},
)
BY_NUMBER = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"identifier": {"value": "1"}},
    "code": {"text": "x"},
}
PLANNED = {
    **MEDICINE,
    "id": "m2",
    "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2019"}}}}],
}
WHOLE = json.loads(bundle(NAMED, VALUED, ENDED, BY_NUMBER, ALLERGY, MEDICINE, PLANNED))
WHOLE |= {
    "type": "history",
    "total": 9,
    "link": [{"relation": "next", "url": "http://s.example/2"}],
}
WHOLE["entry"][2] |= {
    "request": {"method": "PUT", "url": "Condition/c1"},
    "response": {"status": "200", "etag": 'W/"2"'},
}
WHOLE["entry"] += [
    {
        "request": {"method": "DELETE", "url": "AllergyIntolerance/a2"},
        "response": {"status": "204"},
    },
    {
        "fullUrl": "http://s.example/Observation/o9",
        "search": {"mode": "outcome"},
        "resource": {
            "resourceType": "OperationOutcome",
            "id": "x",
            "issue": [{"severity": "error", "code": "timeout"}],
        },
    },
]
ODD = st.recursive(
    st.sampled_from(
        [
            None,
            True,
            0,
            -1e308,
            10**400,
            "",
            "x",
            "Patient",
            "2020-02-30",
            "0001-01-01T00:00:00+14:00",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["value", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path] * bool(path) + [p for key, item in inner for p in places(item, (*path, key))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with `new` at this place, if that is still there."""
    if not path:
        return new
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    rebuilt = {key: changed(item, path[1:], new) if key == path[0] else item for key, item in pairs}
    return (
        rebuilt
        if isinstance(value, dict)
        else list(rebuilt.values())
        if isinstance(value, list)
        else value
    )


PLACES = places(WHOLE)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=4), st.booleans())
def test_any_mutation_ends_in_a_context_or_an_input_error(
    changes: list[tuple[tuple[Any, ...], Any]], precise: bool
) -> None:
    record = WHOLE
    for path, value in changes:
        record = changed(record, path, value)
    study = StudyTime(
        moment=datetime(2020, 6, 1, tzinfo=UTC), source_tag="StudyDate", precise=precise
    )
    try:
        document = read_record(json.dumps(record).encode())
    except InputError:
        return
    context = context_as_of(document, patient_key="k", acquired=study)
    join_questions(document, study)
    everything_in(document)
    assert len({fact.id for fact in context.facts}) == len(context.facts)
