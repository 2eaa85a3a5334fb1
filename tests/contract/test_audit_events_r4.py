"""Exported AuditEvents are valid FHIR R4 (4.0.1), told by a validator that shares no code with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medmm.presentation.fhir_audit_event import PATTERNS
from tests.contract.test_delivery_r4 import assert_r4
from tests.unit.presentation.test_presentation_fhir_audit_event import made


def test_events_of_every_verb_pass_the_r4_check(shared_data: Path, tmp_path: Path) -> None:
    checker = shared_data.parent / "tools" / "fhir_r4_check"
    if not checker.exists():
        pytest.skip("the R4 checker is not beside the shared data")
    events = [
        event
        for verb in PATTERNS
        for outcome in ("done", "refused", "failed")
        for event in made(verb, "pk-1", "pk-2", outcome=outcome, event="signed in", empty="")
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": f"https://medmm.example/AuditEvent/{number}",
                "resource": {**event, "id": str(number)},
            }
            for number, event in enumerate(events)
        ],
    }
    path = tmp_path / "events.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    assert_r4(checker, [path])
