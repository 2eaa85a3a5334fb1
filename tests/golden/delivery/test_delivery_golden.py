"""One report as text and as FHIR, read once by a person and compared ever since."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medmm.delivery import render, text
from medmm.delivery.fhir import bundle
from tests.factories import make_signed_report
from tests.unit.delivery.test_delivery_fhir import IDENTITY
from tests.unit.delivery.test_delivery_versions import CHAIN


@pytest.mark.parametrize(("format", "name"), [("text", "report.txt"), ("fhir", "report.fhir.json")])
def test_report(
    format: str, name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "__version__", "0.0.0")
    monkeypatch.setattr(bundle, "__version__", "0.0.0")
    golden(f"delivery/{name}", render(make_signed_report(), IDENTITY, format))


@pytest.mark.parametrize(
    ("format", "name"), [("text", "report_corrected.txt"), ("fhir", "report_corrected.fhir.json")]
)
def test_a_corrected_report_with_an_addendum(
    format: str, name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "__version__", "0.0.0")
    monkeypatch.setattr(bundle, "__version__", "0.0.0")
    golden(f"delivery/{name}", render(CHAIN[2], IDENTITY, format, versions=CHAIN[:3]))


def test_a_withdrawn_report(golden: Callable[[str, str], None]) -> None:
    golden("delivery/report_withdrawn.txt", render(CHAIN[3], IDENTITY, "text", versions=CHAIN))
