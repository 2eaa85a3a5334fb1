"""What a network would give for the volumes of `tests.mr_phantoms`: labels, and all that follows from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medmm.domain.label_location import extent_of
from medmm.domain.measurement_formulas import (
    MYOCARDIUM_G_PER_ML,
    ejection_fraction_percent,
    hippocampus_asymmetry,
    voxel_count,
    voxel_ml,
)
from medmm.domain.reading import Extent, Finding, LabelMap, Measurement, Side
from medmm.domain.study import Study, Volume
from medmm.domain.vocabulary import measurement_terms
from tests import mr_phantoms

HEART_LABELS = ("RV", "myocardium", "LV")


def read(study: Study) -> dict[str, Any]:
    """Findings, measurements and label maps for a study of one of the phantoms."""
    return {"BRAIN": head_reading, "HEART": heart_reading, "HIPPOCAMPUS": hippocampus_reading}[
        study.body_part
    ](study)


def finding(name: str, probability: float, **changes: Any) -> Finding:
    """A finding with operating point 0.4."""
    return Finding(name=name, probability=probability, threshold=0.4, **changes)


def place(
    label_map: LabelMap, label: str, volume: Volume, midline_mm: float | None = None
) -> Extent:
    """Where a label lies; it must be there."""
    found = extent_of(label_map, label, volume, midline_x_lps_mm=midline_mm)
    assert found is not None
    return found


def measured_as(name: str, value: float, *extents: Extent, side: Side | None = None) -> Measurement:
    """A measurement of the vocabulary with an interval of a tenth either side."""
    term, spread = measurement_terms()[name], abs(value) / 10
    return Measurement(
        name=name,
        value=value,
        unit=term.unit,
        interval=(value - spread, value + spread),
        codings=term.codings,
        side=side,
        extents=extents,
    )


def head_reading(study: Study) -> dict[str, Any]:
    flair, lesion = study.volumes[0], mr_phantoms.head()[1]
    marked = LabelMap.from_array("brain-lesion", flair.sha256, ("lesion",), lesion)
    extent = place(marked, "lesion", flair, 0.0)
    voxels, size = voxel_count(marked, "lesion"), voxel_ml(flair)
    measured = [measured_as("lesion share of head", 100 * voxels / (0.4 * lesion.size), extent)]
    measured += [measured_as("lesion volume", voxels * size, extent)] if size else []
    seen = finding("brain lesion", 0.91, rule_out=0.2, extent=extent)
    return {"findings": (seen,), "measurements": tuple(measured), "label_maps": (marked,)}


def heart_reading(study: Study) -> dict[str, Any]:
    maps = tuple(
        LabelMap.from_array(f"cardiac-{phase}", volume.sha256, HEART_LABELS, labels)
        for phase, volume, labels in zip(
            ("ed", "es"), study.volumes, mr_phantoms.heart()[1], strict=True
        )
    )
    where = {
        (m.name[-2:], label): place(m, label, v)
        for m, v in zip(maps, study.volumes, strict=True)
        for label in HEART_LABELS
    }
    size = voxel_ml(study.volumes[0])
    assert size is not None
    ml = {key: voxel_count(maps[key[0] == "es"], key[1]) * size for key in where}
    measured = []
    for chamber in ("LV", "RV"):
        both = (where["ed", chamber], where["es", chamber])
        fraction = ejection_fraction_percent(ml["ed", chamber], ml["es", chamber])
        measured.append(measured_as(f"{chamber}EF", fraction, *both))
        measured.append(measured_as(f"{chamber} EDV", ml["ed", chamber], both[0]))
        measured.append(measured_as(f"{chamber} ESV", ml["es", chamber], both[1]))
    mass = ml["ed", "myocardium"] * MYOCARDIUM_G_PER_ML
    measured.append(measured_as("LV mass", mass, where["ed", "myocardium"]))
    findings = (
        finding("Dilated_Cardiomyopathy_Pattern", 0.62, rule_out=0.1),
        finding("Previous_Infarction_Pattern", 0.2),
    )
    return {"findings": findings, "measurements": tuple(measured), "label_maps": maps}


def hippocampus_reading(study: Study) -> dict[str, Any]:
    measured, maps = [], []
    for side, volume, labels in zip(
        (Side.RIGHT, Side.LEFT), study.volumes, mr_phantoms.hippocampi()[1], strict=True
    ):
        one = LabelMap.from_array("hippocampus", volume.sha256, ("anterior", "posterior"), labels)
        places = [replace(place(one, label, volume), side=side) for label in one.labels]
        size = voxel_ml(volume)
        assert size is not None
        measured.append(
            measured_as(
                "hippocampus volume", float(labels.astype(bool).sum()) * size, *places, side=side
            )
        )
        maps.append(one)
    measured.append(hippocampus_asymmetry(measured[1], measured[0]))
    return {"measurements": tuple(measured), "label_maps": tuple(maps)}
