"""Recipes: all that ship are read, and a wrong key is an error with a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from medmm.domain.errors import ConfigError
from medmm.training.recipes import (
    RECIPES,
    SHARED,
    ChestFindingsRecipe,
    ChestReportRecipe,
    LayoutFolder,
    recipe_of,
)
from pipelines import train
from tests.conftest import ROOT
from tests.layout_folders import open_i_reports
from tests.report_recipe import FRESH, begun, recipe

CONFIGS = sorted((ROOT / "configs" / "train").glob("*.yaml"))
LORA = {"r": 2, "target_modules": ["q_proj"]}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / "configs" / "train" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_that_ships_is_read(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    parsed = recipe_of(content)
    assert parsed.task == content["task"]
    assert set(content) <= parsed.model_fields_set
    if isinstance(parsed, ChestReportRecipe):
        for stage in parsed.stages:
            assert parsed.options(stage).epochs == content["stages"][stage]["epochs"]


def test_every_task_has_a_recipe_that_ships() -> None:
    assert (
        {yaml.safe_load(path.read_text())["task"] for path in CONFIGS}
        == set(RECIPES)
        == set(train.TASKS)
    )


def test_the_recipes_that_ship_weights_read_the_shared_data_alone() -> None:
    report, findings = recipe_of(read("chest_report")), recipe_of(read("chest_findings"))
    assert isinstance(report, ChestReportRecipe)
    assert isinstance(findings, ChestFindingsRecipe)
    assert report.reports == [SHARED]
    assert (report.start, report.decoder, report.lora, report.device) == (None, None, None, "cpu")
    assert findings.layouts == []
    assert (report.kept, findings.kept) == ("memory", "memory")


def test_folders_of_public_sets_are_named_one_or_several(tmp_path: Path) -> None:
    one = recipe_of(recipe(tmp_path))
    several = recipe_of(
        recipe(
            tmp_path,
            reports=["shared", {"layout": "dicom", "folder": "f", "uncertain": "positive"}],
        )
    )
    assert isinstance(one, ChestReportRecipe)
    assert isinstance(several, ChestReportRecipe)
    assert one.reports == [LayoutFolder(layout="open-i", folder=tmp_path)]
    assert several.reports == [
        SHARED,
        LayoutFolder(layout="dicom", folder=Path("f"), uncertain="positive"),
    ]


def test_adapters_are_those_of_every_stage_that_names_none(tmp_path: Path) -> None:
    config = begun(tmp_path, start="s", lora=LORA)
    config["stages"] = {
        "language": config["stages"]["language"],
        "alignment": {**config["stages"]["language"], "lora": None},
    }
    parsed = recipe_of(config)
    assert isinstance(parsed, ChestReportRecipe)
    assert parsed.options("language").lora == LORA
    assert parsed.options("alignment").lora is None


def test_stages_run_in_their_own_order_whatever_that_of_the_file(tmp_path: Path) -> None:
    config = recipe(tmp_path)
    config["stages"] = dict(reversed(config["stages"].items()))
    parsed = recipe_of(config)
    assert isinstance(parsed, ChestReportRecipe)
    assert list(parsed.stages) == ["language", "alignment", "end_to_end"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"most_invnted": 1}, "most_invnted: Extra inputs"),
        ({"facts": None}, "facts: Field required"),
        ({"facts": {"drop": 2, "most_random": 4}}, "facts.drop: Input should be less"),
        ({"findings": ["Effusion", "Efusion"]}, "no finding 'Efusion'"),
        ({"reports": {"layout": "mimic", "folder": "f"}}, "no layout 'mimic'; there are open-i"),
        ({"reports": {"layout": "open-i", "folder": "f", "split": "x"}}, "split: Extra inputs"),
        ({"reports": "all"}, "reports.0"),
        ({"vocabulary": None}, "vocabulary: a value is missing"),
        ({"start": "s"}, "vocabulary, language_model: the folder of `start` decides"),
        ({"decoder": "d"}, "vocabulary, language_model: the folder of `decoder` decides"),
        ({"decoder": "d", "start": "s"}, "give one of them"),
        (dict.fromkeys(FRESH) | {"start": "s", "encoder_recipe": "e.yaml"}, "brings its encoder"),
        ({"lora": LORA}, "adapters need a language model"),
        ({"stages": {}}, "stages"),
        ({"stages": {"languge": {}}}, "no stage languge; they run in the order language, alignment, end_to_end"),
        ({"stages": {"language": {"epochs": 1, "batch": 1, "learning_rate": 0.1}}}, "stages.language: say kept_maps"),
        ({"stages": {"language": {"kept_maps": True, "epochs": 1, "batch": 1, "learning_rate": 0.1, "trained": ["encoders"]}}},
         "cannot learn from its kept maps"),
        ({"stages": {"language": {"kept_maps": True, "epoch": 1, "batch": 1, "learning_rate": 0.1}}}, "unknown training options"),
        ({"task": "chest-reports"}, "unknown task 'chest-reports'"),
        ({"task": ["chest-report"]}, "unknown task"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_told_where(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_of(recipe(tmp_path, **changes), file="r.yaml")
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["chest_findings", "chest_anatomy", "film_kind"])
def test_the_other_recipes_are_checked_too(name: str) -> None:
    content = read(name)
    with pytest.raises(ConfigError, match="bach"):
        recipe_of({**content, "bach": 8})
    with pytest.raises(ConfigError, match="batch"):
        recipe_of({key: value for key, value in content.items() if key != "batch"})
    with pytest.raises(ConfigError, match="augmentation"):
        recipe_of({**content, "augmentation": {**content["augmentation"], "blur": 1}})


def command(tmp_path: Path, content: str) -> int:
    file = tmp_path / "recipe.yaml"
    file.write_text(content)
    return train.main([str(file), "--data", str(tmp_path), "--out", str(tmp_path / "out")])


def test_the_command_names_the_file_of_a_wrong_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, "task: chest-report\nfindngs: []\n") == 4
    assert str(tmp_path / "recipe.yaml") in capsys.readouterr().err
    assert command(tmp_path, "task: [") == 4
    assert "can't be read" in capsys.readouterr().err
    assert train.main([str(tmp_path / "none.yaml"), "--data", ".", "--out", "."]) == 4


def test_the_command_says_where_and_on_what_it_runs(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO")
    folder = open_i_reports(tmp_path / "open-i", train=1, val=0, test=0)
    content = recipe(folder, findings=["Hernia"])
    assert command(tmp_path, yaml.safe_dump(content)) == 3
    assert "findings that no training film shows" in capsys.readouterr().err
    assert f"device: cpu, {torch.get_num_threads()} threads" in caplog.messages
    assert (
        f"run: {tmp_path / 'out-run'}, each stage or cycle with its curves.html" in caplog.messages
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command(tmp_path, yaml.safe_dump({**content, "device": "cuda"})) == 4
    assert "none is here" in capsys.readouterr().err


def test_the_help_says_that_a_stopped_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "goes on where it stood when the same command is given again" in said
