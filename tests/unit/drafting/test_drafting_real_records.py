"""Drafts over the shared records: every sentence about the record passes every check, and is short."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from medmm.domain.draft import Assertion, Outcome
from medmm.domain.errors import InputError
from medmm.drafting import RuleWriter
from medmm.grounding import check
from medmm.records import context_as_of, read_record
from tests.factories import make_case, make_reading, make_study

ARCHIVES = {
    "synthea.tar.xz": 40,
    "synthea_bulk.tar.xz": 13,
    "awkward.tar.xz": 40,
}  # records that must be drafted


@pytest.mark.parametrize("archive", sorted(ARCHIVES))
def test_reported_statements_hold_for_real_records(archive: str, shared_data: Path) -> None:
    study = make_study()
    drafted = 0
    with tarfile.open(shared_data / "fhir" / archive) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is None:
                continue
            try:
                document = read_record(stream.read())
            except InputError:
                continue
            context = context_as_of(
                document, patient_key=study.patient_key, acquired=study.acquired
            )
            case = make_case(context=context)
            checked = check(RuleWriter().write(case, make_reading()), case, make_reading())
            reported = {s.id for s in checked.statements if s.assertion is Assertion.REPORTED}
            wrong = [
                v
                for v in checked.verdicts
                if v.outcome is Outcome.FAILED and v.statement_id in reported
            ]
            assert wrong == [], member.name
            assert len(reported) <= 18
            drafted += 1
    assert drafted >= ARCHIVES[archive]
