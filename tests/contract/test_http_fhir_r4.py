"""What the API answers below `/fhir`, held against FHIR R4 by the checker beside the shared data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medmm.delivery import render
from medmm.doors.http.fhir import contained_report
from tests.api import Api, Issuer, api_settings
from tests.contract.test_delivery_r4 import CHAIN, IDENTITY, JOINED, assert_r4
from tests.dicom_files import film_file
from tests.factories import make_signed_report
from tests.quick_assistant import opened, quick_assistant, signed


def checker(shared_data: Path) -> Path:
    found = shared_data.parent / "tools" / "fhir_r4_check"
    if not found.exists():
        pytest.skip("the R4 checker is not beside the shared data")
    return found


def write(folder: Path, resources: list[dict[str, Any]]) -> list[Path]:
    paths = []
    for number, one in enumerate(resources):
        paths.append(folder / f"{number}-{one['resourceType']}.json")
        paths[-1].write_text(json.dumps(one), encoding="utf-8")
    return paths


def test_a_report_with_all_it_refers_to_is_r4(shared_data: Path, tmp_path: Path) -> None:
    check = checker(shared_data)
    made = []
    for number, report in [(1, make_signed_report()), *enumerate(CHAIN, 1)]:
        versions = CHAIN[:number] if report in CHAIN else ()
        bundle = json.loads(render(report, IDENTITY, "fhir", JOINED, versions))
        made.append(contained_report(bundle, "case-1", report))
    kinds = {one["resourceType"] for report in made for one in report["contained"]}
    assert {"Observation", "Provenance", "Patient", "Device", "ImagingStudy"} <= kinds
    assert_r4(check, write(tmp_path, made))


def test_what_is_answered_is_r4(shared_data: Path, tmp_path: Path) -> None:
    check, issuer = checker(shared_data), Issuer()
    settings = api_settings(issuer)
    with quick_assistant(tmp_path / "data", **settings) as assistant:
        case_id = opened(assistant, film_file(tmp_path))
        signed(assistant, case_id, "reader-1")  # type: ignore[arg-type]
        client = Api(assistant, issuer).client()
        places = [f"{kind}/{case_id}" for kind in ("DiagnosticReport", "ImagingStudy", "Task")]
        # not the CapabilityStatement: the checker's list of releases ends before R4 itself
        places += ["DiagnosticReport", "DiagnosticReport/none"]
        answers = [client.get(f"/fhir/{place}").json() for place in places]
    assert [one["resourceType"] for one in answers[3:]] == ["Bundle", "OperationOutcome"]
    (tmp_path / "answers").mkdir()
    assert_r4(check, write(tmp_path / "answers", answers))
