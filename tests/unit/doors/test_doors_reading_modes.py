"""`medmm case first-read`, `first-reads` and `double-read`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.config import load_settings
from medmm.domain.errors import InputError, StateError
from medmm.doors.cli import app
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READS, GivenNetworks, opened


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A drafted film in a folder whose readers see images first."""
    path = tmp_path / "settings.yaml"
    readers = [
        {"id": i, "name": f"ZZ{i.upper()}", "role": i.split("-")[0]}
        for i in ("reader-1", "reader-2", "attending-1")
    ]
    data = {"data_dir": str(tmp_path / "data"), "readers": readers, "reading_mode": "blind-first"}
    path.write_text(yaml.safe_dump(data))
    settings = load_settings(path)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        assistant.draft(case_id)
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return case_id


def ran(by: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["--by", by, *words])


def medmm(by: str, *words: str) -> str:
    result = ran(by, *words)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_first_read_is_kept_and_printed(case: str) -> None:
    assert "not shown before your first read" in medmm("reader-1", "cases")
    assert "Shown blind" in medmm("reader-1", "case", "show", case, "--blind")
    said = medmm(
        "reader-1", "case", "first-read", case,
        "--finding", "possible pleural effusion; left", "--text", "No pneumothorax.",
    )  # fmt: skip
    assert "Possible left pleural effusion." in said
    assert "not shown before" not in medmm("reader-1", "cases")
    found = json.loads(medmm("reader-1", "case", "first-reads", case, "--json"))
    assert [one["by"]["id"] for one in found["reads"]] == ["reader-1"]
    again = ran("reader-1", "case", "first-read", case, "--nothing")
    assert isinstance(again.exception, StateError)


def test_two_read_and_a_third_sees_how_far_they_agree(case: str) -> None:
    medmm("attending-1", "case", "double-read", case, "--adjudicator", "attending-1")
    medmm("reader-1", "case", "first-read", case, "--finding", "lung mass")
    assert "Not shown: 1." in medmm("reader-2", "case", "first-reads", case)
    medmm("reader-2", "case", "first-read", case, "--nothing")
    said = medmm("attending-1", "case", "first-reads", case)
    assert "ZZATTENDING-1 decides and signs" in said
    assert "differ" in said


def test_an_order_is_dropped_for_a_reason(case: str) -> None:
    medmm("attending-1", "case", "double-read", case)
    assert "Nobody has read it first." in medmm("reader-1", "case", "first-reads", case)
    both = ran("attending-1", "case", "double-read", case, "--drop", "x", "--adjudicator", "y")
    assert isinstance(both.exception, InputError)
    medmm("attending-1", "case", "double-read", case, "--drop", "One is enough.")
    assert "One is enough." in medmm("reader-1", "case", "first-reads", case)
