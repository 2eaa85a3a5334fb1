"""A record as rows of numbers: what enters, in which order, and what is left out and counted."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.record import ClinicalContext, Coding, Fact, FactKind, FactStatus, Quantity
from medmm.models.report_model.record_tokens import (
    FIRST_KIND,
    KINDS,
    MOST_FACTS,
    STATUSES,
    Z_LIMIT,
    RecordTokens,
    code_rows,
    record_tokens,
    stacked,
)

CODES, UNITS = ("http://loinc.org|718-7", "http://loinc.org|2160-0", "sex|female"), ("g/dL", "a")
STUDY_AT = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
HAEMOGLOBIN = Coding(system="http://loinc.org", code="718-7")
UNKNOWN = Coding(system="http://loinc.org", code="0-0")
KNOWN = FIRST_KIND + len(KINDS)


def fact(number: int = 1, **changes: Any) -> Fact:
    given: dict[str, Any] = {
        "id": f"Observation/o{number:05d}",
        "kind": FactKind.OBSERVATION,
        "label": "Hemoglobin",
        "codings": (HAEMOGLOBIN,),
        "value": Quantity(value=16.0, unit="g/dL", low=12.0, high=16.0),
        "when": STUDY_AT - timedelta(days=number),
        "source": f"entry[{number}]",
    }
    return Fact(**{**given, **changes})


def tokens(*facts: Fact, as_of: datetime | None = STUDY_AT, **changes: Any) -> RecordTokens:
    return record_tokens(
        ClinicalContext(patient_key="ZZ1", as_of=as_of, facts=facts), CODES, UNITS, **changes
    )


def quantity(value: float, **changes: Any) -> Quantity:
    return Quantity(**{"value": value, "unit": "g/dL", "low": 12.0, "high": 16.0, **changes})


@pytest.mark.parametrize("context", [None, ClinicalContext(patient_key="ZZ1", as_of=None)])
def test_an_empty_record_has_no_rows(context: ClinicalContext | None) -> None:
    found = record_tokens(context, CODES, UNITS)
    assert (found.ids.shape, found.values.shape, found.fact_ids, found.left_out) == (
        (0, 3),
        (0, 4),
        (),
        {},
    )
    assert found.ids.dtype == np.int64
    assert found.values.dtype == np.float32


def test_a_fact_is_its_code_unit_status_value_and_time() -> None:
    found = tokens(fact(9))
    assert found.ids.tolist() == [[KNOWN, 2, 1 + STATUSES.index(FactStatus.ACTIVE)]]
    # the upper end of the range is two standard deviations above its middle
    assert found.values.tolist() == [pytest.approx([2.0, 1.0, np.log1p(9), 1.0])]
    assert code_rows(CODES) == KNOWN + len(CODES)


def test_unknown_codes_share_their_kind_and_unknown_units_share_one() -> None:
    found = tokens(
        fact(1, codings=(UNKNOWN,), value=quantity(1.0, unit="foo")),
        fact(2, codings=(), value="high"),
        fact(3, codings=(UNKNOWN, HAEMOGLOBIN), value=None),
        fact(4, kind=FactKind.ALLERGY, codings=(UNKNOWN,), value=None),
    )
    by_id = dict(zip(found.fact_ids, found.ids.tolist(), strict=True))
    observation = FIRST_KIND + KINDS.index(FactKind.OBSERVATION)
    assert by_id["Observation/o00001"][:2] == [observation, 1]
    assert by_id["Observation/o00002"][:2] == [observation, 0]
    assert by_id["Observation/o00003"][:2] == [KNOWN, 0]
    assert by_id["Observation/o00004"][0] == FIRST_KIND + KINDS.index(FactKind.ALLERGY)


def test_a_known_word_of_a_demographic_has_a_code_and_free_text_never_enters() -> None:
    sex = {"kind": FactKind.DEMOGRAPHIC, "label": "Sex", "codings": (), "when": None}
    assert tokens(fact(value="Female", **sex)).ids[0, 0] == KNOWN + CODES.index("sex|female")
    assert tokens(fact(value="female", **{**sex, "kind": FactKind.OBSERVATION})).ids[0, 0] < KNOWN
    one, other = (
        tokens(fact(value="ZZ one")),
        tokens(fact(value="ZZ other", label="ZZ", details=("ZZ",))),
    )
    assert np.array_equal(one.ids, other.ids)
    assert np.array_equal(one.values, other.values)


@given(st.sampled_from([s for s in FactStatus if s is not FactStatus.ENTERED_IN_ERROR]), st.data())
def test_a_status_is_never_lost(status: FactStatus, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([k for k in FactKind if k is not FactKind.PRIOR_REPORT]))
    one, active = tokens(fact(kind=kind, status=status)), tokens(fact(kind=kind))
    assert one.ids[0, 2] == 1 + STATUSES.index(status)
    assert (one.ids[0] == active.ids[0]).tolist() == [True, True, status is FactStatus.ACTIVE]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": FactStatus.ENTERED_IN_ERROR}, "entered in error"),
        (
            {"kind": FactKind.PRIOR_REPORT, "value": "ZZ no effusion"},
            "earlier report: its text is not read",
        ),
        ({"marks": ("implausible value",)}, "marked as doubtful"),
        ({"when": STUDY_AT + timedelta(seconds=1)}, "dated after the study"),
        ({"when": date(2024, 5, 2)}, "dated after the study"),
        ({"when": datetime(2024, 5, 2)}, "dated after the study"),
    ],
)
def test_what_must_not_be_read_is_left_out_and_counted(change: dict[str, Any], reason: str) -> None:
    found = tokens(fact(1), fact(2, **change), fact(3, **change))
    assert found.fact_ids == ("Observation/o00001",)
    assert found.left_out == {reason: 2}


def test_times_of_other_zones_are_compared_as_moments() -> None:
    east = timezone(timedelta(hours=14))
    found = tokens(
        fact(1, when=datetime(2024, 5, 2, 1, 0, tzinfo=east))
    )  # an hour before the study
    assert found.fact_ids == ("Observation/o00001",)
    assert found.values[0, 2:].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("when", "as_of"), [(None, STUDY_AT), (date(2024, 1, 1), None), (None, None)]
)
def test_a_time_that_is_not_known_says_so(when: date | None, as_of: datetime | None) -> None:
    assert tokens(fact(when=when), as_of=as_of).values[0, 2:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("value", "z"),
    [
        (quantity(14.0), (0.0, 1.0)),
        (quantity(12.0), (-2.0, 1.0)),
        (quantity(1e300), (Z_LIMIT, 1.0)),
        (quantity(-1e300), (-Z_LIMIT, 1.0)),
        (quantity(float("inf")), (0.0, 0.0)),
        (quantity(float("nan")), (0.0, 0.0)),
        (quantity(5.0, comparator="<"), (0.0, 0.0)),
        (quantity(14.0, low=None), (0.0, 0.0)),
        (quantity(14.0, high=None), (0.0, 0.0)),
        (quantity(14.0, low=16.0, high=12.0), (0.0, 0.0)),
        (quantity(14.0, low=14.0, high=14.0), (0.0, 0.0)),
        (quantity(14.0, low=float("-inf")), (0.0, 0.0)),
        (quantity(14.0, high=float("nan")), (0.0, 0.0)),
        (quantity(14.0, low=0.0, high=5e-324), (0.0, 0.0)),
        (quantity(14.0, low=-1.7e308, high=1.7e308), (0.0, 0.0)),
        (None, (0.0, 0.0)),
    ],
)
def test_a_value_stands_on_its_own_range_or_says_that_it_has_none(
    value: Quantity | None, z: tuple[float, float]
) -> None:
    assert tokens(fact(value=value)).values[0, :2].tolist() == pytest.approx(z)


@pytest.mark.parametrize(
    ("years", "z"), [(50.0, 0.0), (90.0, 2.0), (10_000.0, Z_LIMIT), (float("nan"), 0.0)]
)
def test_an_age_has_a_range_of_its_own(years: float, z: float) -> None:
    age = fact(
        kind=FactKind.DEMOGRAPHIC, codings=(), value=Quantity(value=years, unit="a"), when=None
    )
    assert tokens(age).values[0, 0] == pytest.approx(z)


def test_of_5000_facts_the_demographics_the_known_codes_and_the_newest_are_read() -> None:
    unknown = [fact(n, codings=(UNKNOWN,)) for n in range(1, 4981)]
    known = [fact(n, when=STUDY_AT - timedelta(days=n)) for n in range(5000, 5018)]
    sex = fact(9999, kind=FactKind.DEMOGRAPHIC, label="Sex", codings=(), value="male", when=None)
    wrong = fact(9998, status=FactStatus.ENTERED_IN_ERROR)
    found = tokens(*unknown, wrong, *known, sex)
    assert len(found.ids) == len(found.values) == MOST_FACTS == 48
    newest = [f.id for f in unknown[: MOST_FACTS - 19]]
    assert found.fact_ids == ("Observation/o09999", *(f.id for f in known), *newest)
    assert found.left_out == {
        "entered in error": 1,
        "beyond the 48 that are read: known codes first, then the newest": 5000 - 1 - MOST_FACTS,
    }


numbers = st.floats() | st.floats(0, 20)
whens = (
    st.none()
    | st.dates(date(1900, 1, 1), date(2024, 4, 30))
    | st.just(STUDY_AT - timedelta(days=3))
)
quantities = st.builds(
    Quantity,
    value=numbers,
    unit=st.sampled_from(["g/dL", "a", "foo", ""]),
    comparator=st.sampled_from([None, "<", ">="]),
    low=st.none() | numbers,
    high=st.none() | numbers,
)
any_fact = st.builds(
    Fact,
    id=st.integers(0, 99).map(str),
    kind=st.sampled_from(FactKind),
    label=st.sampled_from(["Sex", "Hemoglobin"]),
    status=st.sampled_from(FactStatus),
    codings=st.lists(st.sampled_from([HAEMOGLOBIN, UNKNOWN]), max_size=2).map(tuple),
    value=quantities | st.none() | st.sampled_from(["female", "ZZ"]),
    when=whens,
    marks=st.sampled_from([(), (), ("undated",)]),
    source=st.just("entry[0]"),
)
records = st.lists(any_fact, max_size=12, unique_by=lambda f: f.id)


def same(one: RecordTokens, other: RecordTokens) -> bool:
    return (
        np.array_equal(one.ids, other.ids)
        and np.array_equal(one.values, other.values)
        and (one.fact_ids, one.left_out) == (other.fact_ids, other.left_out)
    )


@given(records, st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_order_of_the_source_changes_nothing(facts: list[Fact], most: int, random: Any) -> None:
    shuffled = random.sample(facts, len(facts))
    assert same(tokens(*facts, most=most), tokens(*shuffled, most=most))


@given(records)
def test_every_number_is_finite_in_its_range_and_every_fact_is_accounted_for(
    facts: list[Fact],
) -> None:
    found = tokens(*facts, most=5)
    assert np.isfinite(found.values).all()
    assert (np.abs(found.values[:, 0]) <= Z_LIMIT).all()
    assert len(found.ids) + sum(found.left_out.values()) == len(facts)
    top = np.array([code_rows(CODES), len(UNITS) + 2, len(STATUSES) + 1])
    assert ((found.ids >= [1, 0, 1]) & (found.ids < top)).all()


@given(records, any_fact, st.integers(1, 12))
def test_one_fact_more_changes_no_other_row(facts: list[Fact], more: Fact, most: int) -> None:
    facts = [f for f in facts if f.id != more.id]

    def rows(found: RecordTokens) -> dict[str, Any]:
        joined = zip(found.fact_ids, found.ids.tolist(), found.values.tolist(), strict=True)
        return {fact_id: (ids, values) for fact_id, ids, values in joined}

    before, after = rows(tokens(*facts, most=most)), rows(tokens(*facts, more, most=most))
    assert {k: before[k] for k in before if k in after} == {
        k: after[k] for k in after if k != more.id
    }
    assert len(before.keys() - after.keys()) <= 1  # the last one, where the record was full


def test_records_of_several_cases_are_padded_with_rows_of_zeros() -> None:
    one, none, two = tokens(fact(1)), tokens(), tokens(fact(2), fact(3))
    ids, values = stacked([one, none, two])
    assert ids.shape == (3, 2, 3)
    assert values.shape == (3, 2, 4)
    assert (ids[..., 0] != 0).sum(1).tolist() == [1, 0, 2]
    assert not values[1].any()
    assert np.array_equal(ids[2], two.ids)
    assert np.array_equal(values[0, :1], one.values)
    assert [a.shape for a in stacked([])] == [(0, 0, 3), (0, 0, 4)]


def test_numbers_that_are_none_are_refused() -> None:
    row = tokens(fact(1))
    row.values[0, 0] = np.nan
    with pytest.raises(InputError, match="check the values"):
        stacked([row])


def test_neither_the_room_nor_record_tokens_load_torch() -> None:
    code = "import sys, medmm.models, medmm.models.report_model.record_tokens, medmm.models.film.preprocessing; " \
           "assert not {'torch', 'transformers', 'monai'} & set(sys.modules)"  # fmt: skip
    subprocess.run([sys.executable, "-c", code], check=True)
