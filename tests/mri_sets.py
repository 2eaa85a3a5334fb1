"""Subjects of the shared MR sets as folders of arrays, under the names that a task takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmm.domain.read_task import ReadTask

SETS = {"hippocampus": ReadTask.HIPPOCAMPUS, "lgg": ReadTask.BRAIN_LESION, "acdc": ReadTask.CARDIAC}


def loader(shared_data: Path) -> Any:
    """The module beside the sets that reads them; the test skips where they are absent."""
    path = shared_data / "mri" / "load.py"
    if not path.exists():
        pytest.skip("the shared data hold no MR sets")
    spec = importlib.util.spec_from_file_location("mri_load", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def subject_folder(load: Any, row: dict[str, str], made: Path) -> Path:
    """One subject as a user of the sets would write it out."""
    made.mkdir(parents=True)
    held = load.load(row)
    if row["set"] == "hippocampus":
        nibabel.save(nibabel.Nifti1Image(held["image"], held["affine"]), made / "t1.nii.gz")
    elif row["set"] == "lgg":
        for name, values in zip(("t1", "flair", "t1c"), held["image"], strict=True):
            load.to_nifti(values, (1.0, 1.0, 1.0), made / f"{name}.nii.gz")
    else:
        for phase in ("ed", "es"):
            load.to_nifti(held[phase], held["spacing"], made / f"{phase}.nii.gz")
    return made


def truth(load: Any, row: dict[str, str]) -> dict[str, np.ndarray]:
    """The labels of a subject by the name of the label map, shape (slices, rows, columns)."""
    held = load.load(row)
    if row["set"] == "hippocampus":
        return {"hippocampus": held["label"].T}
    if row["set"] == "lgg":
        return {"brain-lesion": held["label"]}
    return {"cardiac-ed": held["ed_label"], "cardiac-es": held["es_label"]}
