"""`medmm models add|list|remove`: who may, what is printed, what is kept, and drafts of an added model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.config import Settings, load_settings
from medmm.domain.errors import ConfigError, InputError, MedmmError, PermissionDenied, Unavailable
from medmm.doors import cli
from medmm.store import Store
from pipelines import evaluate, train
from tests.layout_folders import open_i_reports
from tests.model_folders import decoder_folder, report_folder
from tests.report_recipe import recipe

READERS = [
    {"id": "admin-1", "name": "ZZADMIN One", "role": "administrator"},
    {"id": "reader-1", "name": "ZZREADER One", "role": "reader"},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    decoder_folder(folder / "tiny-decoder")
    report_folder(folder / "tiny-report")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configured(tmp_path)


def configured(folder: Path, **more: Any) -> Path:
    path = folder / "settings.yaml"
    settings = {
        "data_dir": str(folder / "data"),
        "threads": 1,
        "device": "cpu",
        "readers": READERS,
        **more,
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def tool(config: Path, *words: object, by: str | None = "admin-1") -> Result:
    before = ["--config", str(config), *(["--by", by] if by else [])]
    return CliRunner().invoke(cli.app, [*before, *map(str, words)], env={"NO_COLOR": "1"})


def listed(config: Path) -> dict[str, dict[str, Any]]:
    lines = tool(config, "models", "list", "--json").stdout.splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def events(settings: Settings) -> list[tuple[str, str, str, str]]:
    store = Store.open(settings.data_dir, heads_path=settings.heads_path)
    try:
        found = [e for name in ("tiny-decoder", "ours", "request") for e in store.events(name)]
    finally:
        store.close()
    return [(e.verb, e.outcome, e.actor, e.details.get("manifest", "")) for e in found]


def test_a_model_is_added_listed_and_removed_by_an_administrator(config: Path, made: Path) -> None:
    before = set(listed(config))
    done = tool(config, "models", "add", made / "tiny-decoder")
    assert done.exit_code == 0, done.output
    assert "tiny-decoder (decoder) added: apache-2.0" in " ".join(done.stdout.split())
    row = json.loads(
        tool(config, "models", "add", made / "tiny-report", "--name", "ours", "--json").stdout
    )
    assert (row["task"], row["state"]) == ("report", "ready")
    rows = listed(config)
    assert set(rows) == before | {"tiny-decoder", "ours"}
    assert rows["ours"] == row
    table = tool(config, "models", "list").stdout
    assert "ours: test terms" in table
    assert tool(config, "models", "remove", "tiny-decoder").exit_code == 0
    assert set(listed(config)) == before | {"ours"}
    decoder = rows["tiny-decoder"]["manifest_sha256"]
    assert events(load_settings(config)) == [
        ("add_model", "done", "admin-1", decoder),
        ("remove_model", "done", "admin-1", decoder),
        ("add_model", "done", "admin-1", row["manifest_sha256"]),
    ]


@pytest.mark.parametrize(("by", "code"), [("reader-1", 5), (None, 3), ("nobody-1", 5)])
def test_others_may_not(by: str | None, code: int, config: Path, made: Path) -> None:
    for words in (("add", made / "tiny-decoder"), ("remove", "tiny-decoder")):
        result = tool(config, "models", *words, by=by)
        assert isinstance(result.exception, MedmmError)
        assert cli.report(result.exception) == code
    assert "tiny-decoder" not in listed(config)


def test_the_service_may_not(config: Path, made: Path) -> None:
    with Assistant.from_config(config) as assistant:
        with pytest.raises(InputError, match="by of add_model"):
            assistant.add_model(made / "tiny-decoder", by=None)  # type: ignore[arg-type]
        with pytest.raises(PermissionDenied):
            assistant.add_model(made / "tiny-decoder", by="medmm-service")


def test_a_call_with_the_same_key_gives_the_first_result(config: Path, made: Path) -> None:
    with Assistant.from_config(config) as assistant:
        admin = assistant.reader_named("admin-1")
        first = assistant.add_model(made / "tiny-decoder", by=admin, key="k1")
        assert assistant.add_model(made / "tiny-decoder", by=admin, key="k1") == first
        assistant.remove_model("tiny-decoder", by=admin, key="k2")
        assistant.remove_model("tiny-decoder", by=admin, key="k2")
        assert assistant.verify().ok


def test_no_entry_no_model(config: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Assistant.from_config(config) as assistant:
        admin = assistant.reader_named("admin-1")

        def fail(*args: object) -> None:
            raise Unavailable("the log can't be written", remedy="again")

        monkeypatch.setattr("medmm.store.store.Step.record", fail)
        with pytest.raises(Unavailable):
            assistant.add_model(made / "tiny-decoder", by=admin)
        monkeypatch.undo()
        assert "tiny-decoder" not in {row.name for row in assistant.models()}
        assert not (assistant.settings.data_dir / "models" / "tiny-decoder").exists()


def test_an_altered_file_is_told_by_the_list(config: Path, made: Path) -> None:
    tool(config, "models", "add", made / "tiny-decoder")
    path = load_settings(config).data_dir / "models" / "tiny-decoder" / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b" ")
    row = listed(config)["tiny-decoder"]
    assert (row["state"], "tokenizer.json" in row["remedy"]) == ("altered", True)


def test_drafts_are_written_by_the_model_that_the_settings_name(
    tmp_path: Path, made: Path, demo_films: Path
) -> None:
    plain = configured(tmp_path)
    assert tool(plain, "models", "add", made / "tiny-report").exit_code == 0
    config = configured(tmp_path, language_model="tiny-report")
    with Assistant.from_config(config) as assistant:
        assert assistant.capabilities().writer == "tiny-report"
        study = assistant.admit(demo_films / "RG1_UNCR.dcm")
        draft = assistant.draft(assistant.open_case(study.uid).id).draft  # type: ignore[union-attr]
        drafted = [e for e in assistant.history(draft.case_id) if e.verb == "draft"]
    assert draft.writer == "tiny-report"
    kept = listed(plain)["tiny-report"]["manifest_sha256"]
    assert {m.name: m.manifest_sha256 for m in draft.models}["tiny-report"] == kept
    assert [e.details["tiny-report"] for e in drafted] == [kept]
    removed = tool(config, "models", "remove", "tiny-report")
    assert isinstance(removed.exception, MedmmError)
    assert cli.report(removed.exception) == 6


def test_an_unknown_report_model_is_a_wrong_setting(tmp_path: Path, demo_films: Path) -> None:
    with Assistant.from_config(configured(tmp_path, language_model="no-such")) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm")
        case = assistant.open_case(study.uid)  # type: ignore[union-attr]
        with pytest.raises(ConfigError, match="no-such"):
            assistant.draft(case.id)


def test_a_recipe_becomes_a_draft(
    tmp_path: Path, demo_films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train, evaluate, `models add`, draft: the documented way to its end, on a dozen made-up films."""
    reports = open_i_reports(tmp_path / "open-i")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe(reports)))
    out = tmp_path / "our-report"
    here = ["--data", str(tmp_path / "no-shared-data")]
    assert train.main([str(tmp_path / "recipe.yaml"), *here, "--out", str(out)]) == 0
    assert evaluate.main(["chest-report", *here, "--weights", str(out), "--write"]) == 3
    assert "measured on sets that are not here: reports/reports.jsonl" in capsys.readouterr().err

    plain = configured(tmp_path)
    unlicensed = tool(plain, "models", "add", out)
    assert isinstance(unlicensed.exception, InputError)
    assert "--licence" in unlicensed.exception.remedy
    assert tool(plain, "models", "add", out, "--licence", "made for a test").exit_code == 0
    with Assistant.from_config(configured(tmp_path, language_model="our-report")) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm")
        draft = assistant.draft(assistant.open_case(study.uid).id).draft  # type: ignore[union-attr]
    assert draft.writer == "our-report"
    assert draft.statements


def test_a_decoder_that_cannot_draft_is_no_writer_for_doctor_and_config_check(
    tmp_path: Path, made: Path
) -> None:
    plain = configured(tmp_path)
    assert tool(plain, "models", "add", made / "tiny-decoder").exit_code == 0
    config = configured(tmp_path, language_model="tiny-decoder")
    checks = {
        c["name"]: c for c in map(json.loads, tool(config, "doctor", "--json").stdout.splitlines())
    }
    assert checks["writer"]["state"] == "problem"
    assert "no report model 'tiny-decoder'" in checks["writer"]["found"]
    wrong = tool(config, "config", "check", config)
    assert isinstance(wrong.exception, ConfigError)
    assert "tiny-decoder" in wrong.exception.problem


def test_config_check_opens_the_folders_that_are_named_and_makes_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = configured(
        tmp_path,
        weights_dir=str(tmp_path / "no weights"),
        heads_path=str(tmp_path / "file" / "heads"),
    )
    wrong = tool(config, "config", "check", config)
    assert isinstance(wrong.exception, ConfigError)
    assert "no weights" in wrong.exception.problem
    assert "heads_path" in wrong.exception.problem
    assert not (tmp_path / "data").exists()
