"""The commands of docs/http-api.md are run, in order, against a server of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api import api_settings, listening_issuer
from tests.dicom_files import film_file
from tests.docs.test_docs_run import ROOT, blocks
from tests.e2e.test_e2e_serve import serving_
from tests.quick_assistant import quick_assistant

PAGE = ROOT / "docs" / "http-api.md"


def test_its_commands_go_from_a_film_to_a_signed_report(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with (
        listening_issuer() as issuer,
        quick_assistant(tmp_path / "data", **api_settings(issuer)) as assistant,
        serving_(assistant) as server,
    ):
        known = {"MEDMM": server.base(), "TOKEN": issuer.token()}
        script = "\n".join(["set -eu", *blocks(PAGE, "sh")])
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, **known, "STUDY": str(film_file(tmp_path)), "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    made = {
        path.name: path.read_text()
        for path in tmp_path.glob("*.*")
        if path.is_file() and path.suffix != ".dcm"
    }
    assert "Small left pleural effusion." in made["report.txt"]
    assert made["events.txt"].rstrip().endswith("}")
    assert '"stage": "done"' in made["events.txt"]
    assert json.loads(made["report.fhir.json"])["status"] == "final"
    assert len(json.loads(made["reports.fhir.json"])["entry"]) == 1
    assert len(json.loads(made["worklist.json"])["cases"]) == 1
