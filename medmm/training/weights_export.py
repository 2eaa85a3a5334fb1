"""Write a weights folder: parameters, configuration, calibration, card and a manifest.

The manifest holds digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from medmm.files import sha256_of

MANIFEST = "manifest.json"


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys and a final newline, so that equal values give equal bytes."""
    path.write_text(
        json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def run_folder(out_dir: Path) -> Path:
    """Return where the run of a weights folder stands.

    It holds a folder a stage or cycle, with its checkpoint, log and curves.html.
    """
    return out_dir.with_name(f"{out_dir.name}-run")


def write_weights_folder(
    folder: Path, network: nn.Module, *, config: Any, preprocessing: Any, calibration: Any
) -> None:
    """Write model.safetensors and the JSON files beside it.

    Floating parameters are rounded to fp16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: (
            value.half() if value.is_floating_point() and value.dim() > 1 else value
        ).contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(state, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # safetensors writes 0600
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessing.json", preprocessing)
    write_json(folder / "calibration.json", calibration)


def write_manifest(
    folder: Path, *, name: str, licence: str, research_only: bool, inputs: Mapping[str, Path]
) -> str:
    """Write manifest.json: sha256 of the folder's other files and of the training inputs.

    Args:
        name: of the weights, as the catalogue has it.
        licence: of the weights, as their card states it.
        research_only: whether a term of the training data forbids any other use.
        inputs: the files that were learned from, by what they are called.
    Returns: the sha256 of the manifest itself, which belongs in the catalogue.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name != MANIFEST)
    write_json(
        folder / MANIFEST,
        {
            "name": name,
            "licence": licence,
            "research_only": research_only,
            "files": {p.name: sha256_of(p) for p in files},
            "trained_on": {label: sha256_of(path) for label, path in sorted(inputs.items())},
            "torch": torch.__version__.split("+")[0],
        },
    )
    return sha256_of(folder / MANIFEST)
