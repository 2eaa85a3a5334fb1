"""The record intake against the shared FHIR corpus: official examples, Synthea, awkward and hostile records."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from medmm.domain.identity_match import MatchVerdict, compare_identities
from medmm.domain.record import FactKind, FactStatus, Quantity
from medmm.domain.study import StudyTime
from medmm.records import context_as_of, read_record
from tests.contract.records_verdicts import (
    ACCEPT,
    IMAGE,
    KNOWN,
    REFUSE,
    RecordVerdict,
    argument,
    corpus_files,
    manifest,
    verdict,
)

NEAR = ("spelling", "swapped", "case_accent", "middle")


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> dict[str, bytes]:
    """Name as in the manifest -> bytes."""
    return dict(corpus_files(shared_data / "fhir"))


@pytest.fixture(scope="module")
def verdicts(
    shared_data: Path, corpus: dict[str, bytes]
) -> list[tuple[dict[str, str], RecordVerdict]]:
    """Each row of the manifest with what became of its file."""
    return [
        (row, verdict(row["file"], corpus[row["file"]])) for row in manifest(shared_data / "fhir")
    ]


def test_every_record_is_read_or_refused_as_listed(
    verdicts: list[tuple[dict[str, str], RecordVerdict]],
) -> None:
    assert len(verdicts) == 519
    wrong = [
        row["file"]
        for row, found in verdicts
        if (found.verdict == REFUSE) is not (row["expect"] == REFUSE)
    ]
    assert [name for name in wrong if name not in KNOWN] == []
    kinds = Counter(
        (row["file"].split("/")[0], row["expect"], found.verdict) for row, found in verdicts
    )
    sys.stdout.write(
        "".join(f"{count:4} {' -> '.join(kind)}\n" for kind, count in sorted(kinds.items()))
    )


def test_awkward_records_say_what_is_odd_and_sound_ones_nothing(
    verdicts: list[tuple[dict[str, str], RecordVerdict]],
) -> None:
    awkward = [(row, found) for row, found in verdicts if row["file"].startswith("awkward/")]
    assert len(awkward) == 91
    differing = {row["file"]: found for row, found in awkward if found.verdict != row["expect"]}
    assert {name: found for name, found in differing.items() if name not in KNOWN} == {}
    assert all(found.said for row, found in awkward if row["expect"] != ACCEPT)


def test_every_other_difference_is_argued(
    verdicts: list[tuple[dict[str, str], RecordVerdict]],
) -> None:
    differing = [(row, found) for row, found in verdicts if found.verdict != row["expect"]]
    assert all(argument(row, found) for row, found in differing)
    assert KNOWN.keys() <= {row["file"] for row, _ in differing}


def test_no_fact_of_the_corpus_enters_after_the_study(corpus: dict[str, bytes]) -> None:
    study = StudyTime(
        moment=datetime(2010, 1, 1, tzinfo=UTC), source_tag="StudyDate", precise=False
    )
    for name, data in corpus.items():
        if name.startswith("synthea"):
            context = context_as_of(read_record(data), patient_key="k", acquired=study)
            days = [
                f.when.date() if isinstance(f.when, datetime) else f.when
                for f in context.facts
                if f.when
            ]
            assert all(day < date(2010, 1, 2) for day in days)
            assert {f.kind for f in context.facts} >= {FactKind.DEMOGRAPHIC}


def test_no_allergy_of_the_corpus_is_lost(corpus: dict[str, bytes]) -> None:
    awkward = read_record(corpus["awkward/version/stu3_allergy.json"])
    assert [f.kind for f in awkward.facts] == [FactKind.ALLERGY]
    examples = [name for name in corpus if name.startswith("examples/AllergyIntolerance")]
    assert examples
    for name in examples:
        assert [f.kind for f in read_record(corpus[name]).facts] == [FactKind.ALLERGY]


@pytest.mark.parametrize("name", NEAR)
def test_near_misses_of_the_name_ask(name: str, corpus: dict[str, bytes]) -> None:
    record = read_record(corpus[f"awkward/identity/near_miss_{name}.json"]).the_patient()
    match = compare_identities(replace(IMAGE, sex=record.sex), record)
    assert (match.verdict, match.differing) == (MatchVerdict.NEAR, ("name",))


def test_a_swapped_birth_date_asks_and_another_is_refused(corpus: dict[str, bytes]) -> None:
    record = read_record(corpus["awkward/identity/same_name_other_birthdate.json"]).the_patient()
    image = replace(IMAGE, birth_date=date(1950, 1, 10), sex=record.sex)
    assert compare_identities(image, record).verdict is MatchVerdict.NEAR
    other = replace(image, birth_date=date(1950, 1, 11))
    assert compare_identities(other, record).verdict is MatchVerdict.MISMATCH


def test_the_plain_record_matches(corpus: dict[str, bytes]) -> None:
    record = read_record(corpus["awkward/good/plain.json"]).the_patient()
    assert compare_identities(replace(IMAGE, sex=record.sex), record).verdict is MatchVerdict.MATCH


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("negated_condition", FactStatus.REFUTED),
        ("resolved_condition", FactStatus.INACTIVE),
        ("stopped_medicine", FactStatus.INACTIVE),
        ("do_not_perform", FactStatus.REFUTED),
        ("bad_status", FactStatus.UNCONFIRMED),
    ],
)
def test_a_status_is_never_lost(name: str, status: FactStatus, corpus: dict[str, bytes]) -> None:
    assert [f.status for f in read_record(corpus[f"awkward/value/{name}.json"]).facts] == [status]


@pytest.mark.parametrize("name", ["entered_in_error", "unknown_modifier_extension", "no_code"])
def test_what_must_not_be_used_is_no_fact(name: str, corpus: dict[str, bytes]) -> None:
    document = read_record(corpus[f"awkward/value/{name}.json"])
    assert document.facts == ()
    assert document.left_out


def test_a_comparator_stays(corpus: dict[str, bytes]) -> None:
    (fact,) = read_record(corpus["awkward/value/comparator.json"]).facts
    assert isinstance(fact.value, Quantity)
    assert fact.value.comparator == "<"
