"""Records that say, or show, that they are only a part; and damaged ones that lie about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medmm.domain.errors import InputError
from medmm.records import everything_in, read_record
from tests.unit.records.test_records_document import PATIENT, condition, observation, reasons

NEXT = [
    {"relation": "self", "url": "http://s.example/?p=1"},
    {"relation": "next", "url": "http://s.example/?p=2"},
]
SUBSETTED = {
    "tag": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    ]
}


def search(*resources: dict[str, Any], modes: tuple[str, ...] = (), **around: Any) -> bytes:
    entries: list[dict[str, Any]] = [{"resource": resource} for resource in (PATIENT, *resources)]
    for entry, mode in zip(entries, modes, strict=False):
        entry["search"] = {"mode": mode}
    return json.dumps(
        {"resourceType": "Bundle", "type": "searchset", "entry": entries, **around}
    ).encode()


def outcome(severity: str, code: str) -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "id": "oo",
        "issue": [{"severity": severity, "code": code}],
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (search(link=NEXT), "link next"),
        (search(total=412), "found 412 resources and the record holds 1"),
        (
            search(condition(), modes=("match", "include"), total=2),
            "found 2 resources and the record holds 1",
        ),
        (search(meta=SUBSETTED), "the Bundle says that it is a part (SUBSETTED)"),
        (search(condition(meta=SUBSETTED)), "1 resources hold only some of their elements"),
        (
            search(condition(meta={"security": [{"code": "REDACTED"}]})),
            "only some of their elements",
        ),
        (
            search(outcome("warning", "incomplete"), modes=("match", "outcome")),
            "OperationOutcome incomplete",
        ),
        (search(outcome("information", "suppressed")), "OperationOutcome suppressed"),
        (search(outcome("error", "processing")), "something went wrong (OperationOutcome error)"),
        (search({"resourceType": "Bundle", "type": "searchset"}), "a Bundle inside a Bundle"),
    ],
)
def test_what_says_that_it_is_a_part_is_incomplete(data: bytes, words: str) -> None:
    document = read_record(data)
    assert words in " | ".join(document.incomplete)
    assert everything_in(document).incomplete == document.incomplete


@pytest.mark.parametrize(
    "data",
    [
        search(),
        search(total=1),
        search(condition(), total=2, link=NEXT[:1]),
        search(condition(), modes=("match", "include"), total=1),
        search(outcome("information", "informational"), modes=("match", "outcome"), total=1),
        search(outcome("warning", "not-supported"), modes=("match", "outcome")),
        json.dumps(PATIENT).encode(),
    ],
)
def test_what_is_whole_says_nothing(data: bytes) -> None:
    assert read_record(data).incomplete == ()


def test_pages_that_are_all_there_are_whole() -> None:
    one = json.loads(search(link=NEXT, total=2))
    two = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 2,
        "entry": [{"resource": condition()}],
    }
    two["link"] = [{"relation": "self", "url": "http://s.example/?p=2"}]
    lines = f"{json.dumps(one)}\n{json.dumps(two)}".encode()
    assert read_record(lines).incomplete == ()
    assert "link next" in " ".join(read_record(json.dumps(one).encode()).incomplete)


def test_a_part_of_a_resource_is_marked() -> None:
    (fact,) = read_record(search(condition(meta=SUBSETTED))).facts
    assert "only some of its elements are in the record" in fact.marks


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (-1, "no number"),
        ("many", "no number"),
        (1.5, "no number"),
        (10**30, "no number"),
        ([3], "no number"),
        (0, "says that it found 0"),
    ],
)
def test_a_total_that_lies_is_said(total: Any, said: str) -> None:
    document = read_record(search(total=total))
    assert said in reasons(document)
    assert document.incomplete == ()


def test_answers_that_failed_and_patches_are_said() -> None:
    whole = json.loads(search())
    whole["entry"] += [
        {"response": {"status": "500 Internal Server Error"}},
        {"request": {"method": "PATCH", "url": "Condition/c1"}},
    ]
    said = " | ".join(read_record(json.dumps(whole).encode()).incomplete)
    assert "an answer that failed (500)" in said
    assert "PATCH" in said


def test_a_line_that_is_cut_short_leaves_the_record_incomplete() -> None:
    lines = [json.dumps(PATIENT), json.dumps(condition()), json.dumps(observation())[:-20]]
    document = read_record("\n".join(lines).encode())
    assert document.incomplete == ("1 of its lines is no JSON",)


@pytest.mark.parametrize("cut", [1, 10, 200, -1, -30])
def test_a_bundle_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(InputError, match="not JSON"):
        read_record(search(condition())[:cut])


def test_a_number_of_thousands_of_digits_costs_nothing_and_is_no_value() -> None:
    text = search(observation()).decode().replace("13.2", "9" * 100_000)
    (fact,) = read_record(text.encode()).facts
    assert fact.value is None
