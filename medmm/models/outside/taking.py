"""The way in for a declared model of others: copied, compared, converted, tried, and kept.

Everything is looked at in the copy, so that nothing can change between the look and the use.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medmm.domain.errors import InputError, IntegrityError
from medmm.models.outside.declaration import FILE, OutsideDeclaration, read_declaration
from medmm.models.outside.examined import Examined, ModelFormat, refused
from medmm.models.outside.formats import format_of
from medmm.models.outside.outside_model import CONFIG, FILES, wish_of
from medmm.models.outside.worker_process import WorkerFailed, worker
from medmm.models.weights.catalogue import CatalogueRow
from medmm.models.weights.model_folder import MANIFEST

TEXTS = re.compile(r"(LICEN[CS]E|NOTICE)[\w.-]*|README\.md", re.I)
TRIAL_VOXELS = 32  # a side of what a network that takes any size is tried on


def taken(given: Path, incoming: Path, digests: Mapping[str, str]) -> CatalogueRow:
    """Make an adopted folder of a copied one.

    Args:
        given: the copy.
        incoming: an empty folder.
        digests: of each file of the copy by its path in it, taken while it was copied.
    Returns: its row; `licence` and `research_only` are for the caller to set.
    Raises: InputError if it can't be taken, IntegrityError for a file with another digest.
    """
    declared = read_declaration(given)
    found = format_of(given)
    examined = found.examine(given)
    if examined.refusal:
        raise refused(examined.refusal, examined.remedy)
    _check_files(examined, declared, digests)
    faults = [f"{place}: {words}" for place, words in found.against(examined, declared)]
    if faults:
        raise InputError(
            f"the model and its declaration contradict each other: {'; '.join(faults)}",
            remedy="correct the declaration; see `medmm models check FOLDER`",
            file=FILE,
        )
    recipe = _kept(found, given, incoming, examined, declared)
    _tried(incoming, recipe, examined, declared)
    return CatalogueRow(
        name=declared.id,
        task=declared.task,
        modality=declared.modality,
        body_part=declared.body_part,
        manifest_sha256=_sealed(incoming, declared),
        licence=_terms(declared),
        research_only=True,
    )


def _check_files(
    examined: Examined, declared: OutsideDeclaration, digests: Mapping[str, str]
) -> None:
    for name in examined.files:
        if name not in declared.files:
            raise InputError(
                "the declaration does not give the digest of a file of the model",
                remedy="add it under `files`",
                file=name,
            )
    for name, digest in declared.files.items():
        if digests.get(name) != digest:
            raise IntegrityError(
                f"a file is not what {FILE} says",
                remedy="fetch the model again from where it was made",
                file=name,
            )


def _kept(
    found: ModelFormat,
    given: Path,
    incoming: Path,
    examined: Examined,
    declared: OutsideDeclaration,
) -> dict[str, Any]:
    """Write the files that are kept. Returns: the recipe."""
    recipe = dict(found.take(given, incoming, examined, declared))
    recipe["input"] = examined.image_input(declared)
    for path in sorted(given.iterdir()):
        if path.name == FILE or TEXTS.fullmatch(path.name):
            shutil.copyfile(path, incoming / path.name)
    config = {
        "format": examined.format,
        "findings": list(declared.labels),
        "recipe": recipe,
    }
    (incoming / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return recipe


def _tried(
    folder: Path, recipe: Mapping[str, Any], examined: Examined, declared: OutsideDeclaration
) -> None:
    """Open the network in a worker, and run it once on a blank image.

    Raises: InputError if it does not open, or gives something else than is declared.
    """
    limits = declared.limits
    paths = {key: str(folder / recipe[key]) for key in FILES if key in recipe}
    wish = wish_of(declared)
    try:
        with worker(seconds=limits.seconds, memory_gb=limits.memory_gb, threads=None) as running:
            running.ask({**recipe, **paths, "window": None})
            running.ask({"batch": 1, "reduce": wish}, _blank(recipe["input"], examined, declared))
    except WorkerFailed as error:
        raise InputError(
            f"the network does not run: {error.why}",
            remedy="correct the declaration or limits; see `medmm models check FOLDER`",
            file=FILE,
        ) from error


def _blank(
    image_input: str, examined: Examined, declared: OutsideDeclaration
) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    last = declared.input.layout == "channels-last"
    size = declared.grid.size
    if examined.any_size:
        size = tuple(min(n, TRIAL_VOXELS) for n in size)
    if declared.grid.fit == "multiple":
        size = tuple(-(-TRIAL_VOXELS // n) * n for n in size)
    main = declared.input.copies * max(len(declared.sequences), 1)
    channels = {image_input: main, **{one.tensor: one.channels for one in declared.further_inputs}}
    shapes = {n: (1, *size, c) if last else (1, c, *size) for n, c in channels.items()}
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}


def _sealed(folder: Path, declared: OutsideDeclaration) -> str:
    """Write the manifest. Returns: its digest."""
    names = sorted(path.name for path in folder.iterdir())
    digests = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}
    made = {"name": declared.id, "licence": _terms(declared), "files": digests}
    text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def _terms(declared: OutsideDeclaration) -> str:
    code, weights = declared.licences.code, declared.licences.weights
    return weights if code == weights else f"weights {weights}; code {code}"
