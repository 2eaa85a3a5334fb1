"""`medmm worklist` and `medmm communicate`: names for who may see them, one page, and who was told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.config import load_settings
from medmm.domain.errors import InputError, PermissionDenied
from medmm.domain.reading import Side
from medmm.domain.report import Add
from medmm.doors.cli import app
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READS, GivenNetworks, opened


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A drafted film in which a reader sees a pneumothorax."""
    path = tmp_path / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    path.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "readers": readers}))
    settings = load_settings(path)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    film = film_file(
        tmp_path, PatientName="ZZNAME^GIVEN", PatientID="ZZ-7", AccessionNumber="ACC-7"
    )
    with Assistant(settings, networks=networks) as assistant:
        case_id = opened(assistant, film)
        assistant.draft(case_id)
        seen = [Add.of("Pneumothorax", side=Side.LEFT)]
        assistant.decide(case_id, seen, by="reader-1")
        assistant.claim(case_id, by="reader-1")
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return case_id


def medmm(*words: str) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result


def one_line(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_reader_sees_who_it_is_and_why_it_stands_there(case: str) -> None:
    said = one_line(medmm("--by", "reader-1", "worklist"))
    for words in ("ZZNAME, GIVEN", "ZZ-7", "ACC-7", case, "ZZREADER One"):
        assert words in said
    assert "critical finding" in said
    assert "1 case: 1 in review" in said


def test_the_service_sees_no_names_and_can_not_search(case: str) -> None:
    said = one_line(medmm("worklist"))
    assert case in said
    assert "ZZNAME" not in said
    assert "not shown to this role" in said
    refused = CliRunner().invoke(app, ["worklist", "zzname"])
    assert isinstance(refused.exception, PermissionDenied)


def test_a_search_finds_and_misses(case: str) -> None:
    assert case in medmm("--by", "reader-1", "worklist", "zzna").output
    assert "No such cases." in medmm("--by", "reader-1", "worklist", "zzother").output
    page = json.loads(medmm("--by", "reader-1", "worklist", "ACC-7", "--json").output)
    assert page["total"] == 1
    assert page["rows"][0]["patient"]["family_name"] == "ZZNAME"


def test_who_was_told_is_kept_and_the_case_is_urgent_no_more(case: str) -> None:
    said = medmm("--by", "reader-1", "communicate", case, "--to", "ward 3", "--read-back")
    assert "pneumothorax, category 1" in one_line(said)
    assert "critical finding" not in one_line(medmm("--by", "reader-1", "worklist"))
    nobody = CliRunner().invoke(app, ["communicate", case, "--to", "ward 3"])
    assert isinstance(nobody.exception, InputError)
