"""What leaves is valid FHIR R4 (4.0.1), told by two validators that share no code with it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fhirkit
import pytest

from medmm.delivery import Joins, render
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import IdentifierSystems
from medmm.domain.report import SignedReport
from medmm.domain.vocabulary import finding_terms
from tests.factories import make_amended_report, make_signed_report
from tests.unit.delivery.test_delivery_fhir import IDENTITY
from tests.unit.delivery.test_delivery_joins import ORDER, REQUEST, joins
from tests.unit.delivery.test_delivery_mr import signed
from tests.unit.delivery.test_delivery_own_words import IMPRESSION, NODULE, SCAR
from tests.unit.delivery.test_delivery_own_words import report as own_report
from tests.unit.delivery.test_delivery_readers import read_by_many
from tests.unit.delivery.test_delivery_versions import CHAIN

ODD = PatientIdentity(patient_id="\x07", issuer="a: b", family_name="ZZ\nFAKE", given_name="\x07")


def every_finding() -> SignedReport:
    """A report that says something of every finding of the vocabulary."""
    report = make_signed_report()
    seen = report.statements[1]
    said = tuple(replace(seen, id=f"f{n}", finding=name) for n, name in enumerate(finding_terms()))
    return make_amended_report(report, statements=said)


def without_time() -> SignedReport:
    report = make_signed_report(statements=(), models=())
    return replace(report, study=replace(report.study, acquired=None))


JOINED = joins()
BARE = joins(
    systems=IdentifierSystems(), order=replace(ORDER, request=replace(REQUEST, reference=None))
)


@pytest.mark.parametrize("made", [None, JOINED, BARE], ids=["alone", "joined", "without systems"])
@pytest.mark.parametrize("identity", [IDENTITY, None, ODD])
def test_bundles_pass_the_r4_check(
    identity: PatientIdentity | None, made: Joins | None, shared_data: Path, tmp_path: Path
) -> None:
    checker = shared_data.parent / "tools" / "fhir_r4_check"
    if not checker.exists():
        pytest.skip("the R4 checker is not beside the shared data")
    paths = []
    for number, report in enumerate(
        (
            make_signed_report(),
            every_finding(),
            without_time(),
            own_report(NODULE, SCAR, IMPRESSION),
            read_by_many(),
            *map(signed, ("BRAIN", "HEART", "HIPPOCAMPUS")),
        )
    ):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(render(report, identity, "fhir", made), encoding="utf-8")
    paths.append(tmp_path / "outcome.json")
    paths[-1].write_text(render(make_signed_report(), identity, "outcome", made), encoding="utf-8")
    assert_r4(checker, paths)


@pytest.mark.parametrize("identity", [IDENTITY, None])
def test_every_version_passes_the_r4_check(
    identity: PatientIdentity | None, shared_data: Path, tmp_path: Path
) -> None:
    checker = shared_data.parent / "tools" / "fhir_r4_check"
    if not checker.exists():
        pytest.skip("the R4 checker is not beside the shared data")
    paths = []
    for number in range(1, len(CHAIN) + 1):
        for made in (None, JOINED):
            paths.append(tmp_path / f"{number}-{made is None}.json")
            text = render(CHAIN[number - 1], identity, "fhir", made, CHAIN[:number])
            paths[-1].write_text(text, encoding="utf-8")
    paths.append(tmp_path / "outcome.json")
    outcome = render(CHAIN[0], identity, "outcome", JOINED, CHAIN)
    paths[-1].write_text(outcome, encoding="utf-8")
    assert_r4(checker, paths)


def assert_r4(checker: Path, paths: list[Path]) -> None:
    """No error of the R4 checker, which alone knows required codes, and none of fhirkit-rs."""
    for path in paths:
        assert fhirkit.validate(path.read_text(encoding="utf-8")) == [], path.name
    done = subprocess.run(
        [sys.executable, str(checker), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{len(paths)} files, 0 errors" in done.stdout
    assert done.returncode == 0
