"""One report as text and as FHIR, read once by a person and compared ever since."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from medmm.delivery import render, text
from medmm.delivery.fhir import bundle
from medmm.delivery.hl7.result_message import result_message
from tests.factories import make_signed_report
from tests.unit.delivery.test_delivery_fhir import IDENTITY
from tests.unit.delivery.test_delivery_versions import CHAIN


def without_pages(text: str, format: str) -> str:
    """The Bundle without the bytes of the PDF, which are those of its library's release."""
    if format != "fhir":
        return text
    bundle = json.loads(text)
    for entry in bundle["entry"]:
        for form in entry["resource"].get("presentedForm", []):
            if form["contentType"] == "application/pdf":
                form |= {"data": "…", "size": 0, "hash": "…"}
    return json.dumps(bundle, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(("format", "name"), [("text", "report.txt"), ("fhir", "report.fhir.json")])
def test_report(
    format: str, name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "__version__", "0.0.0")
    monkeypatch.setattr(bundle, "__version__", "0.0.0")
    golden(
        f"delivery/{name}", without_pages(render(make_signed_report(), IDENTITY, format), format)
    )


@pytest.mark.parametrize(
    ("format", "name"), [("text", "report_corrected.txt"), ("fhir", "report_corrected.fhir.json")]
)
def test_a_corrected_report_with_an_addendum(
    format: str, name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "__version__", "0.0.0")
    monkeypatch.setattr(bundle, "__version__", "0.0.0")
    made = render(CHAIN[2], IDENTITY, format, versions=CHAIN[:3])
    golden(f"delivery/{name}", without_pages(made, format))


def test_a_withdrawn_report(golden: Callable[[str, str], None]) -> None:
    golden("delivery/report_withdrawn.txt", render(CHAIN[3], IDENTITY, "text", versions=CHAIN))


@pytest.mark.parametrize("kept", [1, 3, 4], ids=["first", "corrected", "withdrawn"])
def test_an_hl7_message(kept: int, golden: Callable[[str, str], None]) -> None:
    versions = CHAIN[:kept]
    made = result_message(versions[-1], IDENTITY, None, versions)
    name = {1: "report", 3: "report_corrected", 4: "report_withdrawn"}[kept]
    golden(f"delivery/{name}.hl7.txt", made.decode().replace("\r", "\n"))
