"""`medmm audit verify` and `medmm doctor` on a copy that nobody may write to."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.test_e2e_cli import Tool
from tests.unit.store.test_store_read_only import contents, frozen, writable


def test_verify_and_doctor_work_on_a_read_only_copy_and_the_rest_says_why_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "copy").mkdir()
    tool = Tool(tmp_path / "copy")
    data = tmp_path / "copy" / "data"
    tool("cases")
    before = frozen(data)
    try:
        found = json.loads(tool("audit", "verify", "--json").stdout)
        assert (found["ok"], found["read_only"], found["size"]) == (True, True, 1)
        assert "read-only copy" in tool("audit", "verify").stdout
        checks = {
            c["name"]: c for c in map(json.loads, tool("doctor", "--json").stdout.splitlines())
        }
        assert checks["data folder"]["state"] == "note"
        assert "read-only copy" in checks["data folder"]["found"]
        assert "installation" not in checks
        for words in (("cases",), ("read", tmp_path), ("study", "show", tmp_path)):
            tool(*words, code=4)
        assert contents(data) == before
    finally:
        writable(data)
