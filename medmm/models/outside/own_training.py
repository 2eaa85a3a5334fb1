"""Networks of medmm's own training, which read where a declaration stands beside them.

Without one they are kept and checked as before, and do not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.examined import (
    Examined,
    Fault,
    TensorSpec,
    channel_faults,
    read_item,
    refused,
)
from medmm.models.outside.parameters import keep, tensors_of
from medmm.models.weights.catalogue import catalogue
from medmm.models.weights.model_folder import MANIFEST, json_mapping

ROOT = Path(__file__).resolve().parents[3]  # where the worker finds the builders
CONFIG, WEIGHTS, PREPARATION = "config.json", "model.safetensors", "preprocessing.json"
# Of a task the module that builds its network, and where its config.json names what it tells apart
BUILDERS = {
    "findings": ("medmm.models.film.chest_findings", "findings"),
    "volume-labels": ("medmm.models.mr.volume_network", "labels"),
}


class OwnTrainingFormat:
    """A folder that `pipelines.train` finished, of a network that reads by itself."""

    def recognises(self, folder: Path) -> bool:
        """Say whether it has a manifest that names a network that medmm builds."""
        if not all((folder / name).is_file() for name in (CONFIG, WEIGHTS, PREPARATION, MANIFEST)):
            return False
        return _task_of(folder) in BUILDERS

    def examine(self, folder: Path) -> Examined:
        """Read configuration and preparation."""
        task = _task_of(folder)
        builder, key = BUILDERS[task]
        config, shown = json_mapping(folder / CONFIG), json_mapping(folder / PREPARATION)
        names = config.get(key)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise refused(f"its configuration names no {key}", "train it again", file=CONFIG)
        films = task == "findings"
        sequences = [] if films else list(config.get("sequences", ()))
        known: dict[str, Any] = {
            "task": "classification" if films else "segmentation",
            "modality": "DX" if films else "MR",
            "input.layout": "channels-first",
            "output.classes": "overlapping" if films else "exclusive",
            "output.activated": False,
        }
        if films:
            known |= {"grid.size": [shown.get("size_px")] * 2, "grid.fit": "stretch"}
        else:
            known["sequences"] = sequences
            known["grid.spacing_mm"] = shown.get("spacing_zyx_mm")
        return Examined(
            format="medmm's own training",
            files=(CONFIG, WEIGHTS),
            inputs=(TensorSpec(name="image", shape=(None, max(len(sequences), 1))),),
            channels=len(names) + (0 if films else 1),
            labels=tuple(names) if films else ("background", *names),
            known=known,
            items=(
                read_item(
                    "files", "it can be added without a declaration too; then it does not read"
                ),
                read_item("output.channels", ", ".join(names)),
                *(read_item(place, str(value)) for place, value in known.items()),
            ),
            recipe={
                "kind": "medmm",
                "builder": builder,
                "config": config,
                "root": str(ROOT),
            },
        )

    def against(self, examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
        """Yield what of a declaration the configuration contradicts."""
        yield from channel_faults(examined, declared)
        tree = declared.model_dump(mode="json")
        for place, value in examined.known.items():
            said: Any = tree
            for key in place.split("."):
                said = said[key]
            # A network of cines is trained on both phases, and is shown one of them
            plain = [role.split(",")[0] for role in said] if place == "sequences" else said
            if plain != value:
                yield place, f"{said} is declared, its configuration says {value}"
        if declared.further_inputs or declared.input.copies != 1 or declared.grid.stacked:
            yield "input", "its network takes one image as a whole"

    def take(
        self, folder: Path, incoming: Path, examined: Examined, declared: OutsideDeclaration
    ) -> Mapping[str, Any]:
        """Keep the parameters in float32, by their names."""
        return {**examined.recipe, "weights": keep(tensors_of(folder / WEIGHTS), incoming)}


def _task_of(folder: Path) -> str:
    """Return the task of the network that the manifest names; "" if it names none."""
    try:
        name = str(json_mapping(folder / MANIFEST).get("name"))
    except InputError:
        return ""
    row = catalogue().get(name)
    return row.task if row else ""
