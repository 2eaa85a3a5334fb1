"""Many readers at once, in short: the benchmark of them, with its own checks, finds nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import readers
from medmm import Assistant
from medmm.domain.report import Accept
from tests.ui.room_browser import CHROMIUM, NO_CHROMIUM, serving


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_readers_at_once_lose_nothing_and_sign_once(tmp_path: Path) -> None:
    settings, cases = readers.furnished(tmp_path, cases=25, readers=18)
    with serving(settings) as server:
        record = readers.measured(
            settings, cases, readers=18, browsers=2, seconds=30.0, address=server.address
        )
        assert "Traceback" not in server.log.read_text(encoding="utf-8")
    assert record.errors == []
    assert len(record.signed) == len(set(record.signed)) > 0
    assert record.on_the_page > 0
    assert readers.p95(record.times_ms["decision"]) > 0


def test_what_was_answered_and_is_not_kept_is_found(tmp_path: Path) -> None:
    """The check itself: a decision that is nowhere, and a signature that was never given."""
    settings, (case_id,) = readers.furnished(tmp_path, cases=1, readers=1)
    record = readers.Record()
    record.decided(case_id, "s1", Accept("s1"))
    record.signed.append(case_id)
    with Assistant.from_config(settings) as assistant:
        found = readers.lost(assistant, [case_id], record)
        assert len(found) == 3
        assistant.decide(case_id, [Accept("s1")], by="reader-01")
        record.signed.clear()
        assert readers.lost(assistant, [case_id], record) == []
