"""Whether image and record are of one patient."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import MatchVerdict, compare_identities

IMAGE = PatientIdentity(
    patient_id="ZZFAKE-1", family_name="ZZFAKE", given_name="Alpha", birth_date=date(1950, 1, 10), sex="F"
)
RECORD = replace(IMAGE, issuer="urn:oid:1.2.3", identifiers=(("urn:oid:1.2.3", "ZZFAKE-1"), (None, "77")))


@pytest.mark.parametrize(
    ("image", "record", "verdict", "differing"),
    [
        ({}, {}, MatchVerdict.MATCH, ()),
        ({"patient_id": "77"}, {}, MatchVerdict.MATCH, ()),
        ({"family_name": "zzfake"}, {"given_name": "ALPHA"}, MatchVerdict.MATCH, ()),
        ({"issuer": "urn:oid:1.2.3"}, {}, MatchVerdict.MATCH, ()),
        ({"issuer": "OTHER"}, {}, MatchVerdict.NEAR, ("patient_id",)),
        ({}, {"given_name": "Alpka"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"family_name": "ZZFÄKE"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"family_name": "Alpha", "given_name": "ZZFAKE"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"given_name": "Alpha Beta"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"birth_date": date(1950, 10, 1)}, MatchVerdict.NEAR, ("birth_date",)),
        ({}, {"birth_date": None, "sex": None}, MatchVerdict.NEAR, ("birth_date", "sex")),
        ({}, {"birth_date": date(1950, 1, 11)}, MatchVerdict.MISMATCH, ("birth_date",)),
        ({}, {"sex": "M"}, MatchVerdict.MISMATCH, ("sex",)),
        ({"patient_id": "ZZFAKE-2"}, {}, MatchVerdict.MISMATCH, ("patient_id",)),
        ({}, {"family_name": "Quite", "given_name": "Other"}, MatchVerdict.MISMATCH, ("name",)),
        ({"patient_id": None}, {}, MatchVerdict.UNCONFIRMED, ("patient_id",)),
        ({"patient_id": ""}, {}, MatchVerdict.UNCONFIRMED, ("patient_id",)),
        ({}, {"patient_id": None, "identifiers": ()}, MatchVerdict.UNCONFIRMED, ("patient_id",)),
        ({"patient_id": None, "sex": "M"}, {}, MatchVerdict.MISMATCH, ("patient_id", "sex")),
    ],
)
def test_verdict(
    image: dict[str, Any], record: dict[str, Any], verdict: MatchVerdict, differing: tuple[str, ...]
) -> None:
    match = compare_identities(replace(IMAGE, **image), replace(RECORD, **record))
    assert (match.verdict, match.differing) == (verdict, differing)


def test_a_verdict_names_fields_and_never_values() -> None:
    other = replace(RECORD, family_name="Quite", given_name="Other", birth_date=date(1960, 1, 1), sex="M")
    match = compare_identities(IMAGE, other)
    assert set(match.differing) == {"birth_date", "sex", "name"}
