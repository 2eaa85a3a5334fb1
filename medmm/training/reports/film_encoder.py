"""Stage (a) of the report model: the film encoder, shipped or trained first in the run.

The shipped one is that of chest-findings.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import yaml

from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.models.weights.catalogue import WeightsFolder, open_weights, row_named
from medmm.training.film import chest_findings
from medmm.training.recipes import ChestFindingsRecipe, recipe_of

FOLDER = "encoder"  # of a run: a whole weights folder of chest-findings
log = logging.getLogger(__name__)


def encoder_weights(
    recipe: Path | None, data_dir: Path, run_dir: Path, *, size_px: int, quiet: bool = False
) -> WeightsFolder:
    """Return the weights whose trunk the report model starts with.

    They are those of `run_dir`/encoder with a recipe, else the shipped ones.

    Trained once: a run that goes on takes the folder as it is. A stop in the middle of this stage
    begins it again.

    Args: recipe: a file of task chest-findings; size_px: the side of the films that the report
        model sees.
    Raises: ConfigError for another recipe or other film sizes, StateError if the run holds an
        encoder of another recipe.
    """
    row = row_named("chest-findings")
    if recipe is None:
        weights = open_weights(row)
        if weights is None:
            raise InputError(
                "chest-findings is not installed", remedy="install the package with its weights"
            )
        return weights
    content, folder = encoder_recipe(recipe, size_px), run_dir / FOLDER
    if not folder.exists():
        log.info("encoder: %s first, into %s", recipe, folder)
        unfinished = run_dir / f"{FOLDER}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        chest_findings.train(content, data_dir, unfinished, quiet=quiet)
        unfinished.rename(folder)
    elif _trained_with(folder) != _plain(content):
        raise StateError(
            "the run holds an encoder of another recipe",
            remedy="give the recipe of that run, or another output folder",
            folder=str(folder),
        )
    return WeightsFolder(row=row, folder=folder)


def encoder_recipe(file: Path, size_px: int) -> dict[str, Any]:
    """Read an encoder's recipe.

    Raises: ConfigError if it can't be read, or is none for this report model.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            "the encoder's recipe can't be read",
            remedy="name a YAML file in encoder_recipe",
            file=str(file),
        ) from error
    recipe = recipe_of(content, file=str(file))
    if not isinstance(recipe, ChestFindingsRecipe):
        raise ConfigError(
            f"an encoder is trained by chest-findings, not by {recipe.task}",
            remedy="name a recipe of task chest-findings in encoder_recipe",
            file=str(file),
        )
    if recipe.size_px != size_px:
        raise ConfigError(
            f"the encoder learns from films of {recipe.size_px} px, the report model sees "
            f"{size_px}",
            remedy=f"set size_px: {size_px} in the encoder's recipe",
            file=str(file),
        )
    return dict(content)


def _trained_with(folder: Path) -> Any:
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))["config"]


def _plain(content: dict[str, Any]) -> Any:
    """Return the content as JSON keeps it."""
    return json.loads(json.dumps(content))
