"""nnU-Net v2 exports: described and refused, because their loader unpickles.

Seen in nnunetv2 2.8.1: `torch.load(..., weights_only=False)` of `checkpoint_final.pth`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.examined import Examined, Fault, read_item, refused
from medmm.models.weights.model_folder import json_mapping

DATASET, PLANS, CHECKPOINT = "dataset.json", "plans.json", "checkpoint_final.pth"
REFUSAL = "an nnU-Net v2 export is opened by a loader that unpickles, which can run code"
REMEDY = (
    "where the export is trusted, load it there, export its network with torch.onnx.export, and "
    "give the ONNX file with a reading-model.yaml that says its spacing, patch size and channels"
)


class NnUNetFormat:
    """A folder that nnU-Net v2 exported."""

    def recognises(self, folder: Path) -> bool:
        """Say whether it has the files of an export."""
        inside = any(folder.rglob(CHECKPOINT))
        return inside or ((folder / DATASET).is_file() and (folder / PLANS).is_file())

    def examine(self, folder: Path) -> Examined:
        """Read dataset and plans; the checkpoint is not opened."""
        dataset, plans = _mapping(folder / DATASET), _mapping(folder / PLANS)
        configurations = plans.get("configurations")
        grids = configurations if isinstance(configurations, dict) else {}
        items = [
            read_item("sequences", _words(dataset.get("channel_names"))),
            read_item("output.channels", _words(dataset.get("labels"))),
            *(
                read_item(f"grid ({name})", f"spacing {_words(one.get('spacing'))}, patch "
                f"{_words(one.get('patch_size'))}")
                for name, one in grids.items()
                if isinstance(one, dict) and "patch_size" in one
            ),
        ]  # fmt: skip
        return Examined(
            format="nnU-Net v2", files=(), items=tuple(items), refusal=REFUSAL, remedy=REMEDY
        )

    def against(self, examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
        """Yield the refusal: no declaration helps."""
        yield "files", REFUSAL

    def take(
        self, folder: Path, incoming: Path, examined: Examined, declared: OutsideDeclaration
    ) -> Mapping[str, Any]:
        """Refuse it. Raises: InputError."""
        raise refused(REFUSAL, REMEDY)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        return json_mapping(path)
    except InputError:  # what can't be read is not described
        return {}


def _words(value: Any) -> str:
    return "not stated" if value is None else str(value)[:200]
