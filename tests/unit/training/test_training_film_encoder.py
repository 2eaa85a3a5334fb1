"""The film encoder as the first stage of the report model's run: trained once, then taken as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from medmm.domain.errors import ConfigError, StateError
from medmm.files import sha256_of
from medmm.models.film import chest_findings as network_of
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.training.film import chest_findings
from medmm.training.reports import film_encoder
from medmm.training.reports.film_encoder import encoder_recipe, encoder_weights
from medmm.training.weights_export import write_json, write_weights_folder
from pipelines import train
from tests.conftest import ROOT
from tests.layout_folders import open_i_reports
from tests.report_recipe import LANGUAGE, recipe, stage

SIZE_PX = 288


def findings_recipe(**changes: Any) -> dict[str, Any]:
    """The recipe that ships, at one epoch."""
    content = yaml.safe_load(
        (ROOT / "configs" / "train" / "chest_findings.yaml").read_text(encoding="utf-8")
    )
    return {**content, "runs": [{"seed": 0, "epochs": 1}], **changes}


def written(folder: Path, name: str = "chest_findings.yaml", **changes: Any) -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump(findings_recipe(**changes)), encoding="utf-8")
    return file


class Trained:
    """Stands in for the findings network's training: random weights in a real folder, or a stop in the middle."""

    def __init__(self) -> None:
        self.times, self.stops = 0, False

    def __call__(
        self, config: Mapping[str, Any], data_dir: Path, out_dir: Path, *, quiet: bool = False
    ) -> Path:
        self.times += 1
        torch.manual_seed(self.times)
        network = network_of.build(config)
        preprocessing = {"size_px": config["size_px"]}
        write_weights_folder(
            out_dir,
            network,
            config={"findings": config["findings"]},
            preprocessing=preprocessing,
            calibration={},
        )
        if self.stops:
            raise KeyboardInterrupt
        write_json(out_dir / "training.json", {"config": dict(config)})
        return out_dir


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    fake = Trained()
    monkeypatch.setattr(chest_findings, "train", fake)
    return fake


def test_without_a_recipe_the_encoder_is_the_shipped_one(tmp_path: Path, trained: Trained) -> None:
    shipped = open_weights(row_named("chest-findings"))
    assert shipped is not None
    found = encoder_weights(None, tmp_path, tmp_path / "run", size_px=SIZE_PX)
    assert (found.folder, trained.times) == (shipped.folder, 0)


def test_an_encoder_is_trained_once_and_again_only_after_a_stop(
    tmp_path: Path, trained: Trained
) -> None:
    file, run_dir = written(tmp_path), tmp_path / "run"
    run_dir.mkdir()
    trained.stops = True
    with pytest.raises(KeyboardInterrupt):
        encoder_weights(file, tmp_path, run_dir, size_px=SIZE_PX)
    assert not (run_dir / film_encoder.FOLDER).exists()

    trained.stops = False
    first = encoder_weights(file, tmp_path, run_dir, size_px=SIZE_PX)
    digest = sha256_of(first.folder / "model.safetensors")
    again = encoder_weights(file, tmp_path, run_dir, size_px=SIZE_PX)
    assert (again.folder, trained.times) == (run_dir / "encoder", 2)
    assert sha256_of(again.folder / "model.safetensors") == digest
    assert sorted(p.name for p in run_dir.iterdir()) == ["encoder"]

    with pytest.raises(StateError, match="encoder of another recipe"):
        encoder_weights(written(tmp_path, batch=16), tmp_path, run_dir, size_px=SIZE_PX)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        ("task: [", "can't be read"),
        ("task: chest-findings\n", "Field required"),
        (
            yaml.safe_dump(findings_recipe(size_px=256)),
            "films of 256 px, the report model sees 288",
        ),
        (
            (ROOT / "configs" / "train" / "film_kind.yaml").read_text(encoding="utf-8"),
            "not by film-kind",
        ),
    ],
)
def test_a_recipe_that_gives_no_encoder_for_the_report_model_is_refused(
    content: str | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "encoder.yaml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        encoder_recipe(file, SIZE_PX)
    assert said in str(error.value)
    assert error.value.where["file"] == str(file)


def test_one_command_trains_encoder_and_report_model(tmp_path: Path, trained: Trained) -> None:
    """The recipe of the encoder lies beside the report's; the report model starts with the trunk just trained."""
    recipes, out = tmp_path / "recipes", tmp_path / "chest-report"
    recipes.mkdir()
    written(recipes)
    stages = {"language": stage(True, LANGUAGE)}
    content = recipe(
        open_i_reports(tmp_path / "open-i"), encoder_recipe="chest_findings.yaml", stages=stages
    )
    (recipes / "report.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    command = [str(recipes / "report.yaml"), "--data", str(tmp_path), "--out", str(out)]
    assert train.main(command) == 0
    run_dir = tmp_path / "chest-report-run"
    assert {"encoder", "language"} <= {p.name for p in run_dir.iterdir()}
    trunk = load_file(run_dir / "encoder" / "model.safetensors")
    model = load_file(out / "model.safetensors")
    assert torch.equal(
        model["encoders.film.trunk.conv1.weight"].float(), trunk["trunk.conv1.weight"].float()
    )
    kept = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert kept["encoder"] == sha256_of(run_dir / "encoder" / "model.safetensors")

    before = (out / "model.safetensors").read_bytes()
    assert train.main(command) == 0
    assert trained.times == 1
    assert (out / "model.safetensors").read_bytes() == before
