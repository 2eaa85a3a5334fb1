"""Made-up outlined volumes, as `medmm.training.data.mr_sets` gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from medmm.models.mr.preprocessing import Grid
from medmm.training.data.mr_sets import OutlinedVolume
from medmm.training.mr.volume_networks import fitted, prepared
from medmm.training.recipes import VolumeRecipe, recipe_of
from tests.conftest import ROOT

TINY_RECIPE = {
    "patch_zyx": [4, 8, 8],
    "window_zyx": [4, 8, 8],
    "channels": [4, 8],
    "kernels": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2]],
    "cycles": [8],
    "patches": 8,
    "batch": 2,
    "learning_rate": 0.1,
    "average": 0.9,
    "look_every": 4,
}


def recipe(name: str, **changes: Any) -> dict[str, Any]:
    """A recipe that ships, with these changes; None of a key leaves it out."""
    path: Path = ROOT / "configs" / "train" / f"{name}.yaml"
    content = {**yaml.safe_load(path.read_text(encoding="utf-8")), **changes}
    return {key: value for key, value in content.items() if value is not ...}


def outlined(drawn: Any, **changes: Any) -> OutlinedVolume:
    """A hippocampus with this outline, brighter where its labels are greater."""
    values = np.asarray(drawn, dtype=np.uint8)
    noise = np.random.default_rng(int(values.sum())).normal(0, 10, values.shape)
    named: dict[str, Any] = {
        "subject": "one",
        "part": "",
        "split": "train",
        "row": {},
        "sequences": ("t1",),
        "signals": ((100 + 100 * values + noise).astype(np.float32),),
        "labels": values,
        "spacing_zyx_mm": (1.0, 1.0, 1.0),
        **changes,
    }
    return OutlinedVolume(**named)


def block(shape: tuple[int, int, int], *corners: tuple[slice, slice, slice]) -> Any:
    """Labels 1, 2, … in these blocks."""
    values = np.zeros(shape, dtype=np.uint8)
    for number, corner in enumerate(corners, start=1):
        values[corner] = number
    return values


def hearts(
    subject: str, group: str, ed: tuple[int, int, int], es: tuple[int, int, int]
) -> list[OutlinedVolume]:
    """Both phases of a heart with so many voxels of RV, myocardium and LV, of 1 ml each."""
    phases = []
    for part, counts in (("ed", ed), ("es", es)):
        values = np.repeat([1, 2, 3, 0], [*counts, 1200 - sum(counts)]).reshape(3, 20, 20)
        phases.append(
            outlined(
                values,
                subject=subject,
                part=part,
                row={"group": group},
                sequences=("cine",),
                spacing_zyx_mm=(10.0, 10.0, 10.0),
            )
        )
    return phases


ONE = block(
    (6, 12, 12), (slice(1, 5), slice(2, 6), slice(3, 9)), (slice(1, 5), slice(6, 10), slice(3, 9))
)
TWO = block(
    (5, 10, 14), (slice(1, 4), slice(2, 5), slice(4, 10)), (slice(1, 4), slice(5, 9), slice(4, 10))
)


def trained(
    run_dir: Path, name: str = "hippocampus", of: tuple[str, ...] = ("t1",), **changes: Any
) -> Any:
    """A network and its log after a tiny recipe with these changes, from two made-up volumes with sequences `of`."""
    made = recipe_of(recipe(name, **{**TINY_RECIPE, **changes}))
    assert isinstance(made, VolumeRecipe)
    one, two, val = (several(values, of) for values in (ONE, TWO, ONE))
    learned = [prepared(volume, Grid()) for volume in (one, two)]
    return fitted(made, learned, [val], run_dir, quiet=True)


def several(values: Any, of: tuple[str, ...]) -> OutlinedVolume:
    """A volume with these sequences, each with other noise."""
    signal = outlined(values).signals[0]
    assert signal is not None
    noise = np.random.default_rng(1).normal(0, 20, (len(of), *signal.shape)).astype(np.float32)
    return outlined(values, sequences=of, signals=tuple(signal + one for one in noise))
