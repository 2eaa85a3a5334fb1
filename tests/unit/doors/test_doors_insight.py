"""`medmm insight` and `medmm recall`: in words, as JSON, as CSV, for who may."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.config import load_settings
from medmm.domain.errors import InputError, PermissionDenied
from medmm.doors.cli import app
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.factories import MODEL
from tests.quick_assistant import READS, GivenNetworks, opened, signed


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A signed case."""
    path = tmp_path / "settings.yaml"
    readers = [
        {"id": "reader-1", "name": "ZZREADER One", "role": "reader"},
        {"id": "admin-1", "name": "ZZADMIN", "role": "administrator"},
    ]
    path.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "data"), "readers": readers, "site": "=ward"})
    )
    settings = load_settings(path)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        signed(assistant, case_id, assistant.reader_named("reader-1"))
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return case_id


def medmm(*words: str) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result


def refused(*words: str) -> BaseException | None:
    return CliRunner().invoke(app, list(words)).exception


def one_line(result: Result) -> str:
    return " ".join(result.output.split())


def test_figures_are_said_with_their_limits(case: str) -> None:
    said = one_line(medmm("--by", "admin-1", "insight", "--since", "2026-01-01"))
    for words in (
        "from 2026-01-01",
        "1 signed case of 1 patient",
        "Accepted 100 %",
        "ZZREADER One (reader-1)",
        "pleural effusion",
        "not what was true",
        "nothing is known",
    ):
        assert words in said, words
    assert "0 signed cases" in one_line(
        medmm("--by", "admin-1", "insight", "--until", "2026-01-01")
    )


def test_figures_go_along_as_json_and_csv_for_who_may(case: str) -> None:
    found = json.loads(medmm("--by", "admin-1", "insight", "--json").output)
    assert found["cases"] == 1
    text = medmm("--by", "admin-1", "insight", "--csv").output
    rows = list(csv.DictReader(io.StringIO(text)))
    (accepted,) = [r for r in rows if (r["figure"], r["group"]) == ("accepted", "all")]
    assert float(accepted["estimate"]) == 1.0
    assert float(accepted["low_95"]) < 1.0 == float(accepted["high_95"])
    (site,) = {r["value"] for r in rows if r["group"] == "site"}
    assert site == "'=ward", "a name that begins like a formula is none"
    for form in ("--json", "--csv"):
        assert isinstance(refused("--by", "reader-1", "insight", form), PermissionDenied)
    assert isinstance(refused("--by", "admin-1", "insight", "--csv", "--json"), InputError)
    assert isinstance(refused("insight"), InputError), "nobody is named"
    assert "1 signed case" in one_line(medmm("--by", "reader-1", "insight")), "their own"


def test_a_recall_list_is_a_table_a_csv_and_json(case: str) -> None:
    words = ("--by", "admin-1", "recall", MODEL.name, "00000000")
    said = one_line(medmm(*words))
    assert f"1 of 1 drafted cases rest on {MODEL.name} 000000000000: 1 signed" in said
    assert case in said
    (row,) = csv.DictReader(io.StringIO(medmm(*words, "--csv").output))
    assert (row["case"], row["report_rests"], row["published_at"]) == (case, "yes", "")
    assert "pleural effusion" in row["findings_claimed"]
    assert json.loads(medmm(*words, "--json").output)["looked_at"] == 1
    none = one_line(medmm("--by", "admin-1", "recall", MODEL.name, "f" * 64))
    assert "0 of 1 drafted cases rest on" in none
    assert isinstance(refused("--by", "reader-1", "recall", MODEL.name, "0" * 8), PermissionDenied)
    assert isinstance(refused("--by", "admin-1", "recall", MODEL.name, "v2"), InputError)
