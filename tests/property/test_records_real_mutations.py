"""Real records broken at random places: every one ends in a context or a typed error."""

from __future__ import annotations

import copy
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.errors import InputError
from medmm.domain.study import StudyTime
from medmm.records import context_as_of, read_record
from tests.contract.records_verdicts import corpus_files

SEED = 20260102
LARGEST_BYTES = 40_000  # of a real Bundle, so that 5,000 are read in minutes
STUDY = StudyTime(moment=datetime(2012, 6, 1, 12, tzinfo=UTC), source_tag="StudyDate", precise=True)
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    "x",
    [],
    {},
    [None],
    [[]],
    {"value": {}},
    "Patient/x",
)
DATES = (
    "2020-02-30",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2019",
    "24:00",
    "2016-12-31T23:59:60Z",
)


@pytest.fixture(scope="module")
def bundles(shared_data: Path) -> list[dict[str, Any]]:
    """Real Bundles: those of Synthea cut to their first entries, and the official examples each with a patient."""
    found = []
    for name, data in corpus_files(shared_data / "fhir"):
        if name.startswith("awkward"):
            continue
        resource = json.loads(data)
        if resource.get("resourceType") == "Bundle" and isinstance(resource.get("entry"), list):
            found.append({**resource, "entry": resource["entry"][:25]})
        else:
            found.append(
                {"resourceType": "Bundle", "entry": [{"resource": PATIENT}, {"resource": resource}]}
            )
    return [b for b in found if len(json.dumps(b)) < LARGEST_BYTES]


PATIENT = {
    "resourceType": "Patient",
    "id": "example",
    "gender": "female",
    "birthDate": "1950-01-10",
}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def mutated(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with one to six changes: types, missing elements, cycles, shared ids, odd dates, swapped subtrees."""
    made = copy.deepcopy(record)
    for _ in range(chance.randint(1, 6)):
        found = list(places(made))
        if not found:
            break
        container, key = chance.choice(found)
        match chance.randrange(7):
            case 0:
                container[key] = copy.deepcopy(chance.choice(ODD))
            case 1:
                container.pop(key)
            case 2:
                container[key] = chance.choice(DATES)
            case 3:
                container[key] = (
                    [container[key]]
                    if not isinstance(container[key], list)
                    else {"a": container[key]}
                )
            case 4:
                other, name = chance.choice(found)
                container[key] = copy.deepcopy(other[name]) if name in range_of(other) else None
            case 5:
                refer_in_a_circle(made, chance)
            case _:
                share_an_id(made, chance)
    return made


def range_of(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def entries_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    entries = record.get("entry")
    listed = entries if isinstance(entries, list) else []
    return [
        e["resource"] for e in listed if isinstance(e, dict) and isinstance(e.get("resource"), dict)
    ]


def refer_in_a_circle(record: dict[str, Any], chance: random.Random) -> None:
    """Two resources that refer to each other wherever they refer to anything."""
    resources = entries_of(record)
    if len(resources) > 1:
        one, other = chance.sample(resources, 2)
        for first, second in ((one, other), (other, one)):
            first["medicationReference"] = first["partOf"] = {
                "reference": f"{second.get('resourceType')}/{second.get('id')}"
            }


def share_an_id(record: dict[str, Any], chance: random.Random) -> None:
    resources = entries_of(record)
    if len(resources) > 1:
        one, other = chance.sample(resources, 2)
        other["id"] = one.get("id")


def outcomes(bundles: list[dict[str, Any]], count: int) -> Counter[str]:
    """Read so many mutated Bundles. Returns: how many ended how."""
    chance, ended = random.Random(SEED), Counter[str]()
    for _ in range(count):
        data = json.dumps(mutated(chance.choice(bundles), chance)).encode()
        try:
            document = read_record(data)
            document.the_patient()
        except InputError as error:
            ended["typed error" if error.remedy else "an error without remedy"] += 1
            continue
        context = context_as_of(document, patient_key="k", acquired=STUDY)
        assert len({fact.id for fact in context.facts}) == len(context.facts)
        late = [f for f in context.facts if isinstance(f.when, datetime) and f.when > STUDY.moment]
        assert late == []
        ended["context"] += 1
    return ended


def test_a_sample_of_mutated_real_bundles_ends_in_a_context_or_a_typed_error(
    bundles: list[dict[str, Any]],
) -> None:
    ended = outcomes(bundles, 150)
    assert ended["context"] > 30
    assert ended["typed error"] > 5
    assert set(ended) == {"context", "typed error"}


@pytest.mark.slow
def test_5000_mutated_real_bundles_end_in_a_context_or_a_typed_error(
    bundles: list[dict[str, Any]],
) -> None:
    ended = outcomes(bundles, 5000)
    sys.stdout.write(f"{len(bundles)} real bundles, 5000 mutated: {dict(ended)}\n")
    assert ended.total() == 5000
    assert set(ended) == {"context", "typed error"}
    assert ended["context"] > 1000
