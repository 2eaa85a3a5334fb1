"""Recipes over volumes: a wrong key is an error with a place, and what can't work is refused before it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from medmm.domain.errors import ConfigError
from medmm.training.recipes import VolumeRecipe, recipe_of
from pipelines import train
from tests.volume_sets import recipe

AUGMENTATION = recipe("hippocampus")["augmentation"]


@pytest.mark.parametrize("name", ["hippocampus", "brain_lesion", "cardiac"])
def test_the_recipes_that_ship_are_volume_recipes(name: str) -> None:
    parsed = recipe_of(recipe(name))
    assert isinstance(parsed, VolumeRecipe)
    assert parsed.model_dump(mode="json", exclude_unset=True) == recipe(name)
    assert (parsed.device, parsed.precision) == ("cpu", "auto")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chanels": [4]}, "chanels: Extra inputs"),
        ({"cycles": ...}, "cycles: Field required"),
        ({"cycles": []}, "cycles"),
        ({"batch": 0}, "batch: Input should be greater"),
        ({"norm": "group"}, "norm: Input should be 'batch' or 'instance'"),
        ({"flips": [3]}, "flips.0"),
        ({"patch_zyx": [8, 8]}, "patch_zyx"),
        ({"spacing_zyx_mm": [0, 1, 1]}, "spacing_zyx_mm.0"),
        ({"average": 1.5}, "average"),
        ({"device": "gpu"}, "device: Input should be 'cpu' or 'cuda'"),
        ({"precision": "fp16"}, "precision: Input should be 'auto', 'fp32' or 'bf16'"),
        ({"channels": [4, 8]}, "channels, kernels and strides"),
        ({"strides": [[2, 2, 2]] + [[1, 1, 1]] * 3}, "strides: the first level keeps the grid"),
        ({"patch_zyx": [40, 57, 40]}, "patch_zyx: each side must be a multiple"),
        ({"window_zyx": [64, 64, 60]}, "window_zyx: each side must be a multiple"),
        ({"window_zyx": [0, 64, 64]}, "window_zyx"),
        ({"presence": True}, "presence: a stride along the slices"),
        ({"augmentation": {**AUGMENTATION, "missing_share": 0.5}}, "augmentation.missing_share: only FLAIR"),
        ({"augmentation": {**AUGMENTATION, "shear": 1}}, "augmentation.shear: Extra inputs"),
        ({"augmentation": {**AUGMENTATION, "scale_zyx": [0.1]}}, "augmentation.scale_zyx"),
        ({"augmentation": {**AUGMENTATION, "outlined_share": 2}}, "augmentation.outlined_share"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_told_where(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_of(recipe("hippocampus", **changes), file="r.yaml")
    assert said in str(error.value)


@pytest.mark.parametrize("changes", [{"presence": False}, {"sequences": ["T1", "T1", "T1"]}])
def test_brain_lesions_need_their_head_and_flair(changes: dict[str, Any]) -> None:
    augmentation = {**recipe("brain_lesion")["augmentation"], "missing_share": 0.0}
    with pytest.raises(ConfigError, match="brain-lesion needs its head for presence, and FLAIR"):
        recipe_of(recipe("brain_lesion", augmentation=augmentation, **changes))


def test_the_command_names_a_missing_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe("hippocampus")))
    assert train.main([str(file), "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "the MR set hippocampus can't be read" in said
    assert str(tmp_path / "mri" / "subjects.csv") in said
