"""The heart on short-axis cine at end-diastole and end-systole: ventricles outlined, volumes, ejection fractions, mass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from medmm.domain.reading import Extent, LabelMap, Measurement, Reading
from medmm.domain.study import Notice, SequenceRole, Study, Volume
from medmm.models.catalogue import WeightsFolder
from medmm.models.mr_measure import MYOCARDIUM_G_PER_ML, ejection_fraction, measured
from medmm.models.volume_grids import extent_of, largest_part, millilitres, spacing_zyx_mm
from medmm.models.volume_segmenter import Labelled, VolumeSegmenter

RV, MYOCARDIUM, LV = 1, 2, 3
MAPS = {SequenceRole.CINE_ED: "cardiac-ed", SequenceRole.CINE_ES: "cardiac-es"}
NO_PHASES = Notice(
    code="no-phases",
    text="No pair of volumes at end-diastole and end-systole was given; the function of the heart was not measured. "
    "In DICOM series the phases are not looked for: no such series with a known ejection fraction was there to check that on.",
)
NOT_MEASURED = Notice(
    code="not-measured",
    text="The volumes have one slice or no voxel size; the ventricles were outlined and not measured.",
)
Values = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The labels of one phase on its own grid."""

    volume: Volume
    label_map: str
    values: Values

    def ml(self, label: int, spacing: tuple[float, float, float]) -> float:
        """Volume of a label."""
        return millilitres(int((self.values == label).sum()), spacing)

    def extent(self, label: int, name: str) -> Extent:
        """Where a label lies."""
        return extent_of(self.label_map, name, self.values == label, self.volume)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardiacModel:
    """The network for the ventricles with its calibration."""

    weights: WeightsFolder
    segmenter: VolumeSegmenter
    labels: tuple[str, ...]
    calibration: Mapping[str, Any]

    @classmethod
    def open(cls, weights: WeightsFolder, device: torch.device) -> CardiacModel:
        """Load a weights folder. Raises: IntegrityError if one of its files was altered."""
        return cls(
            weights=weights,
            segmenter=VolumeSegmenter.open(weights, device),
            labels=tuple(weights.json("config.json")["labels"]),
            calibration=weights.json("calibration.json"),
        )

    def read(self, study: Study) -> Reading:
        """Outline both phases and measure; see `MrReader.read`."""
        chosen = {role: volume for role in MAPS if (volume := study.chosen(role)) is not None}
        if len(chosen) < len(MAPS):
            return Reading(study_uid=study.uid, warnings=(NO_PHASES,))
        spacings = {role: spacing_zyx_mm(volume) for role, volume in chosen.items()}
        if None in spacings.values():
            return Reading(study_uid=study.uid, warnings=(NOT_MEASURED,))
        phases = {role: self._phase(role, volume, spacings[role]) for role, volume in chosen.items()}
        ed, es = phases[SequenceRole.CINE_ED], phases[SequenceRole.CINE_ES]
        measurements, warnings = self._measured(ed, es)
        return Reading(
            study_uid=study.uid,
            models=(self.weights.identity,),
            measurements=measurements,
            label_maps=tuple(
                LabelMap.from_array(p.label_map, p.volume.sha256, self.labels, p.values) for p in (ed, es)
            ),
            warnings=warnings,
        )

    def _phase(self, role: SequenceRole, volume: Volume, spacing: Any) -> Phase:
        return Phase(
            volume=volume, label_map=MAPS[role], values=ventricles_of(self.segmenter.read([volume.signal()], spacing))
        )

    def _measured(self, ed: Phase, es: Phase) -> tuple[tuple[Measurement, ...], tuple[Notice, ...]]:
        """Volumes, fractions and mass; each is left out, with a notice, where its outlines make no heart."""
        spacings = spacing_zyx_mm(ed.volume), spacing_zyx_mm(es.volume)
        if spacings[0] is None or spacings[1] is None or min(ed.values.shape[0], es.values.shape[0]) < 2:
            return (), (NOT_MEASURED,)
        found: list[Measurement] = []
        notices: list[Notice] = []
        for side, label in (("LV", LV), ("RV", RV)):
            edv, esv = ed.ml(label, spacings[0]), es.ml(label, spacings[1])
            if not 0 < esv <= edv:
                text = (
                    f"The {side} was not found in both phases, or is larger at end-systole; its volumes are not stated."
                )
                notices.append(Notice(code=f"{side.lower()}-not-measured", text=text))
                continue
            at = ed.extent(label, self.labels[label - 1]), es.extent(label, self.labels[label - 1])
            rows = self.calibration
            found += [
                measured(f"{side}EF", ejection_fraction(edv, esv), "%", rows[f"{side}EF"], most=100.0, extents=at),
                measured(f"{side} EDV", edv, "ml", rows[f"{side} EDV"], extents=at[:1]),
                measured(f"{side} ESV", esv, "ml", rows[f"{side} ESV"], extents=at[1:]),
            ]
        if (ed.values == MYOCARDIUM).any() and (ed.values == LV).any():
            mass = MYOCARDIUM_G_PER_ML * ed.ml(MYOCARDIUM, spacings[0])
            wall = (ed.extent(MYOCARDIUM, self.labels[MYOCARDIUM - 1]),)
            found.append(measured("LV mass", mass, "g", self.calibration["LV mass"], extents=wall))
        return tuple(found), tuple(notices)


def ventricles_of(labelled: Labelled) -> Values:
    """Labels (slices, rows, columns) with the largest connected part of each: 1 RV, 2 myocardium, 3 LV."""
    values = labelled.labels
    kept = np.zeros_like(values)
    for label in (RV, MYOCARDIUM, LV):
        kept[largest_part(values == label)] = label
    return kept
