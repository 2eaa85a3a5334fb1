"""Folders of medmm's own training, declared: they read as the training prepared them, in a process of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medmm.domain.model_check import ItemState
from medmm.domain.reading_model import read_by
from medmm.models.film.preprocessing import TONE_PERCENTILES
from medmm.models.mr.preprocessing import FOREGROUND, Grid, prepare_sequences
from medmm.models.outside.checking import checked
from medmm.models.outside.intensity import ForegroundZScore
from medmm.training.weights_export import write_manifest, write_weights_folder
from tests.outside_models import declare, volume_declaration
from tests.unit.models.test_models_outside_model import head, networks_with, study_of
from tests.volume_models import TINY, tiny

LABELS = ["anterior hippocampus", "posterior hippocampus"]
LOW, HIGH = TONE_PERCENTILES
TONES = {"rule": "foreground-z-score", "low": LOW, "high": HIGH, "foreground": FOREGROUND}


def trained(folder: Path) -> Path:
    preprocessing = {"spacing_zyx_mm": [2.0, 2.0, 2.0], "side_px": None, "window_zyx": [16] * 3}
    write_weights_folder(
        folder,
        tiny(labels=LABELS),
        config={**TINY, "labels": LABELS},
        preprocessing={**preprocessing, "multiple_zyx": [2, 2, 2], "flips": []},
        calibration={},
    )
    write_manifest(folder, name="hippocampus", licence="ours", research_only=False, inputs={})
    return folder


def declared(folder: Path, **changes: Any) -> Path:
    own = {
        "grid": {"orientation": "SAR", "spacing_mm": [2.0] * 3, "size": [2, 2, 2], "fit": "multiple"},
        "intensity": [TONES],
        "value_range": None,
        "output": {
            "classes": "exclusive",
            "activated": False,
            "channels": {0: {"name": "background"}, 1: {"name": "outside: anterior"}, 2: {"name": "outside: posterior"}},
        },
        "laterality": "none",
        **changes,
    }  # fmt: skip
    return declare(folder, volume_declaration(**own), "config.json", "model.safetensors")


def test_values_are_scaled_as_in_training() -> None:
    values = np.random.default_rng(1).gamma(2.0, 90.0, size=(9, 10, 11)).astype(np.float32)
    expected, _ = prepare_sequences([values], Grid(), None)
    found = ForegroundZScore.model_validate(TONES)(values)
    assert np.allclose(found, expected[0].numpy(), atol=1e-4)


def test_a_declared_folder_of_the_training_reads(tmp_path: Path) -> None:
    folder = trained(tmp_path / "net")
    check = checked(folder)
    assert check.format == "medmm's own training"
    assert "- T1" in check.skeleton
    networks = networks_with(tmp_path, declared(folder))
    reading = read_by(networks.outside_models, study_of(head()))
    (label_map,) = reading.label_maps
    signal = head().signal()[:, ::-1, ::-1].copy()  # from L, P, S to S, A, R
    image, _ = prepare_sequences([signal], Grid(), None)
    with torch.inference_mode():
        labels, _ = tiny(labels=LABELS).eval()(image[None])
    expected = labels[0].argmax(0).numpy()[:, ::-1, ::-1]
    assert (label_map.array() == expected).mean() > 0.999


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"sequences": ["FLAIR"]}, "sequences"),
        ({"grid": {"orientation": "SAR", "spacing_mm": [1.0] * 3, "size": [2, 2, 2], "fit": "multiple"}}, "grid.spacing_mm"),
    ],
)  # fmt: skip
def test_what_contradicts_the_training_is_named(
    changes: dict[str, Any], place: str, tmp_path: Path
) -> None:
    check = checked(declared(trained(tmp_path), **changes))
    assert place in {one.item for one in check.items if one.state is ItemState.CONTRADICTS}
