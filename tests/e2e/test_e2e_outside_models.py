"""A reading model of others, from `models check` over `models add` to a draft, and two that disagree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import InputError, PermissionDenied
from medmm.doors import cli
from medmm.doors.draft_page import draft_page
from medmm.presentation.draft_html import draft_html
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.outside_models import declare, film_declaration, film_folder, film_onnx
from tests.quick_assistant import GivenNetworks, opened

ADMIN = ReaderEntry(id="admin-1", name="ZZADMIN One", role="administrator")
READER = ReaderEntry(id="reader-1", name="ZZREADER One", role="attending")


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    """Without a packaged network: what is read, outside models read."""
    settings = Settings(
        data_dir=tmp_path / "data",
        weights_dir=tmp_path / "none",
        threads=1,
        device="cpu",
        writer="rules",
        readers=(ADMIN, READER),
    )
    given = GivenNetworks(settings, picture_kinds=SAYS_FRONTAL, language_model=None)
    with Assistant(settings, networks=given) as assistant:
        yield assistant


def other_folder(folder: Path) -> Path:
    """A second classifier that says the opposite of the first."""
    film_onnx(folder / "net.onnx", weights=(-4.0, 4.0))
    return declare(folder, film_declaration(id="second-net"))


def printed(assistant: Assistant, case_id: str) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    draft_page(assistant.case(case_id), console)
    console.file.close()
    return console.export_text()


def test_from_a_checked_folder_to_a_model_in_shadow(assistant: Assistant, tmp_path: Path) -> None:
    folder = film_folder(tmp_path / "net")
    assert assistant.check_model(folder).ready
    with pytest.raises(PermissionDenied):
        assistant.add_model(folder, by="reader-1")
    row = assistant.add_model(folder, by="admin-1", key="once")
    assert row == assistant.add_model(folder, by="admin-1", key="once")
    assert (row.name, row.task, row.state) == ("film-net", "classification", "ready")
    draft = assistant.draft(opened(assistant, film_file(tmp_path, "film")))
    assert draft.statements == ()


def test_what_models_disagree_on_is_shown_everywhere_and_never_averaged(
    assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = film_file(tmp_path, "film")
    for folder in (film_folder(tmp_path / "net"), other_folder(tmp_path / "other")):
        assistant.add_model(folder, by="admin-1")
    # As if both were packaged: what acceptance does is the matter of test_e2e_acceptance.py
    monkeypatch.setattr(GivenNetworks, "outside_models", ())
    both = tuple(map(assistant._house.networks._outside, _rows(assistant)))
    monkeypatch.setattr(GivenNetworks, "reading_models", both)
    case_id = opened(assistant, film)
    assistant.draft(case_id)
    file = assistant.case(case_id)
    reading = file.reading
    assert reading is not None
    assert [f.model for f in reading.findings] == ["film-net"] * 2
    assert [f.model for f in reading.other_findings] == ["second-net"] * 2
    first, other = reading.finding("Effusion"), reading.other_findings[0]
    assert first is not None
    assert first.suspected
    assert not other.suspected
    for page in (printed(assistant, case_id), draft_html(file)):
        text = " ".join(page.split())
        assert "second-net" in text
        assert "pneumothorax: film-net" in text
        assert text.count("(they disagree)") == 2
    (result,) = assistant.read(film)
    assert result.reading is not None
    assert result.reading.other_findings == reading.other_findings
    stated = [s.finding for s in file.draft.draft.statements] if file.draft else []
    assert "Effusion" in stated
    assert not any(s == "Pneumothorax" for s in stated[:1])


def _rows(assistant: Assistant) -> tuple[Any, ...]:
    return assistant._house.networks.adopted.outside_rows()  # type: ignore[attr-defined]


def tool(config: Path, *words: object) -> Result:
    arguments = ["--config", str(config), "--by", "admin-1", *map(str, words)]
    return CliRunner().invoke(cli.app, arguments, env={"NO_COLOR": "1", "COLUMNS": "200"})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    readers: list[dict[str, Any]] = [ADMIN.model_dump()]
    folders = {"data_dir": str(tmp_path / "data"), "weights_dir": str(tmp_path / "none")}
    path.write_text(yaml.safe_dump({**folders, "threads": 1, "device": "cpu", "readers": readers}))
    return path


def test_check_prints_what_lacks_and_keeps_nothing(config: Path, tmp_path: Path) -> None:
    film_onnx(tmp_path / "net" / "net.onnx")
    done = tool(config, "models", "check", tmp_path / "net")
    assert done.exit_code == 3
    assert "grid.orientation" in done.stdout
    skeleton = done.stdout.split("begin with this one:")[1]
    assert yaml.safe_load(skeleton)["input"]["tensor"] == "film"
    line = json.loads(tool(config, "models", "check", tmp_path / "net", "--json").stdout)
    assert (line["format"], line["ready"], line["refused"]) == ("ONNX", False, "")
    refused = tool(config, "models", "add", tmp_path / "net")
    assert isinstance(refused.exception, InputError)
    assert not (tmp_path / "data" / "models" / "catalogue.json").exists()


def test_check_add_list_and_remove(config: Path, tmp_path: Path) -> None:
    folder = film_folder(tmp_path / "net")
    done = tool(config, "models", "check", folder)
    assert done.exit_code == 0, done.output
    assert "It can be added." in done.stdout
    done = tool(config, "models", "add", folder)
    assert done.exit_code == 0, done.output
    assert "film-net (DX CHEST: classification) added" in done.stdout
    assert "film-net" in tool(config, "models", "list").stdout
    assert tool(config, "models", "remove", "film-net").exit_code == 0
    assert "film-net" not in tool(config, "models", "list").stdout
