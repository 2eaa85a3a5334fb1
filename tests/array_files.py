"""Folders of arrays made for tests, and a reader without networks that takes bright voxels for labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.read_task import ReadTask
from medmm.domain.reading import Extent, Finding, ImageHalf, LabelMap, Measurement, Reading
from medmm.domain.study import SequenceRole, Study, Volume
from tests.nifti_files import nifti_file

CROP, CINE, SLAB = (34, 50, 36), (70, 66, 9), (72, 80, 10)
CINE_MM, SLAB_MM = (1.5, 1.5, 8.0), (1.0, 1.0, 3.0)
NAMES = {
    ReadTask.HIPPOCAMPUS: ("t1",),
    ReadTask.BRAIN_LESION: ("flair", "t1", "t1c"),
    ReadTask.CARDIAC: ("ed", "es"),
}


def blob(shape_xyz: tuple[int, int, int], radius: float = 0.25, seed: int = 1) -> NDArray[np.int16]:
    """A smooth picture with a bright off-centre ball (values over 500): no axis is symmetric."""
    axes = np.meshgrid(*[np.linspace(0, 1, n) for n in shape_xyz], indexing="ij")
    centre = (0.35, 0.55, 0.6)
    distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, centre, strict=True)))
    grain = np.random.default_rng(seed).integers(0, 9, shape_xyz)
    return np.asarray(
        200 * axes[0] + 100 * axes[1] + 600 * (distance < radius) + grain, dtype="<i2"
    )


def diagonal(spacing_xyz_mm: tuple[float, float, float] = (1, 1, 1)) -> NDArray[np.float64]:
    """The affine of voxels of this size along the axes of the patient."""
    return np.diag([*spacing_xyz_mm, 1.0])


def folder_of(
    parent: Path, task: ReadTask, name: str = "case-1", suffix: str = ".nii.gz", **fields: Any
) -> Path:
    """A folder with all files that a task takes; nobody states their orientation unless an affine is given."""
    made = parent / name
    shape, spacing = {
        ReadTask.HIPPOCAMPUS: (CROP, (1.0, 1.0, 1.0)),
        ReadTask.BRAIN_LESION: (SLAB, SLAB_MM),
        ReadTask.CARDIAC: (CINE, CINE_MM),
    }[task]
    fields = (
        fields if "affine" in fields else {"affine": diagonal(spacing), "codes": (0, 0)} | fields
    )
    for number, stem in enumerate(NAMES[task]):
        nifti_file(made, stem + suffix, blob(shape, 0.3 - 0.05 * number, seed=number), **fields)
    return made


class BrightIsLabel:
    """Labels every voxel over 500 of the signal; measures by counting. Loads no torch."""

    def read(self, study: Study) -> Reading:
        """Read a study by its body part."""
        return {"BRAIN": self.brain, "HEART": self.heart, "HIPPOCAMPUS": self.hippocampus}[
            study.body_part
        ](study)

    def labels(
        self, name: str, volume: Volume, labels: tuple[str, ...], value: int = 1
    ) -> LabelMap:
        return LabelMap.from_array(
            name, volume.sha256, labels, np.where(volume.signal() > 500, value, 0)
        )

    def brain(self, study: Study) -> Reading:
        flair = study.chosen(SequenceRole.FLAIR)
        assert flair is not None
        lesion = self.labels("brain-lesion", flair, ("lesion",))
        where = np.argwhere(lesion.array())
        z = where[:, 0]
        extent = Extent(
            label_map=lesion.name,
            label="lesion",
            volume_sha256=flair.sha256,
            slices=(int(z.min()), int(z.max())),
            slice_count=len(np.unique(z)),
            centroid_index_zyx=tuple(float(v) for v in where.mean(0)),  # type: ignore[arg-type]
            image_half=ImageHalf.LOW_COLUMNS,
        )
        share = 100 * float(lesion.array().mean())
        return Reading(
            study_uid=study.uid,
            findings=(Finding(name="brain lesion", probability=0.9, threshold=0.5, extent=extent),),
            measurements=(
                Measurement(name="lesion share of head", value=share, unit="%", interval=(0, 100)),
            ),
            label_maps=(lesion,),
        )

    def heart(self, study: Study) -> Reading:
        phases = [study.chosen(role) for role in (SequenceRole.CINE_ED, SequenceRole.CINE_ES)]
        names, structures = (
            ("cardiac-ed", "cardiac-es"),
            ("right ventricle", "myocardium", "left ventricle"),
        )
        maps = [
            self.labels(n, v, structures, 3)
            for n, v in zip(names, phases, strict=True)
            if v is not None
        ]
        ed, es = (_ml(m, v) for m, v in zip(maps, phases, strict=True) if v is not None)
        values = {"LV EDV": (ed, "mL"), "LV ESV": (es, "mL"), "LVEF": (100 * (ed - es) / ed, "%")}
        return Reading(
            study_uid=study.uid,
            measurements=tuple(
                Measurement(name=n, value=v, unit=u, interval=(v - 1, v + 1))
                for n, (v, u) in values.items()
            ),
            label_maps=tuple(maps),
        )

    def hippocampus(self, study: Study) -> Reading:
        t1 = study.chosen(SequenceRole.T1)
        assert t1 is not None
        found = self.labels("hippocampus", t1, ("anterior", "posterior"), 2)
        volume = _ml(found, t1)
        measured = Measurement(
            name="hippocampus volume", value=volume, unit="mL", interval=(volume, volume)
        )
        return Reading(study_uid=study.uid, measurements=(measured,), label_maps=(found,))


def _ml(label_map: LabelMap, volume: Volume) -> float:
    assert volume.spacing_yx_mm is not None
    assert volume.spacing_z_mm is not None
    return float(
        (label_map.array() > 0).sum() * np.prod(volume.spacing_yx_mm) * volume.spacing_z_mm / 1000
    )
