"""The hippocampus on a T1 crop around it: anterior and posterior part outlined, its volume measured; no norm is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from medmm.domain.reading import LabelMap, Measurement, Reading
from medmm.domain.study import Notice, SequenceRole, Study, Volume
from medmm.models.catalogue import WeightsFolder
from medmm.models.mr_measure import measured
from medmm.models.volume_grids import extent_of, largest_part, millilitres, spacing_zyx_mm
from medmm.models.volume_segmenter import Labelled, VolumeSegmenter

MAP, VOLUME = "hippocampus", "hippocampus volume"
NO_T1 = Notice(code="no-t1", text="No T1 series was found; the hippocampus was not looked for.")
NOT_FOUND = Notice(code="not-found", text="No hippocampus was found in the volume; nothing was measured.")
NOT_MEASURED = Notice(
    code="not-measured",
    text="The volume has one slice or no voxel size; the hippocampus was outlined and not measured.",
)
IMPLAUSIBLE = Notice(
    code="implausible",
    text="The outlined volume is no hippocampus's by size; the outline was kept and nothing was measured.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HippocampusModel:
    """The hippocampus network with its calibration."""

    weights: WeightsFolder
    segmenter: VolumeSegmenter
    labels: tuple[str, ...]
    calibration: Mapping[str, Any]

    @classmethod
    def open(cls, weights: WeightsFolder, device: torch.device) -> HippocampusModel:
        """Load a weights folder. Raises: IntegrityError if one of its files was altered."""
        return cls(
            weights=weights,
            segmenter=VolumeSegmenter.open(weights, device),
            labels=tuple(weights.json("config.json")["labels"]),
            calibration=weights.json("calibration.json"),
        )

    def read(self, study: Study) -> Reading:
        """Outline and measure the hippocampus of the T1 crop of a study; see `MrReader.read`."""
        volume = study.chosen(SequenceRole.T1)
        if volume is None:
            return Reading(study_uid=study.uid, warnings=(NO_T1,))
        spacing = spacing_zyx_mm(volume)
        values = hippocampus_of(self.segmenter.read([volume.signal()], spacing or (1.0, 1.0, 1.0)))
        measurement = self._measurement(values, volume, spacing)
        return Reading(
            study_uid=study.uid,
            models=(self.weights.identity,),
            measurements=(measurement,) if isinstance(measurement, Measurement) else (),
            label_maps=(LabelMap.from_array(MAP, volume.sha256, self.labels, values),),
            warnings=() if isinstance(measurement, Measurement) else (measurement,),
        )

    def _measurement(
        self, values: np.ndarray[Any, Any], volume: Volume, spacing: tuple[float, float, float] | None
    ) -> Measurement | Notice:
        """The volume in ml, or why there is none."""
        if not values.any():
            return NOT_FOUND
        if spacing is None or volume.shape_zyx[0] < 2:
            return NOT_MEASURED
        size = millilitres(int((values > 0).sum()), spacing)
        low, high = self.calibration["plausible_ml"]
        if not low <= size <= high:
            return IMPLAUSIBLE
        extents = tuple(
            extent_of(MAP, name, values == n + 1, volume)
            for n, name in enumerate(self.labels)
            if (values == n + 1).any()
        )
        return measured(VOLUME, size, "ml", self.calibration[VOLUME], decimals=2, extents=extents)


def hippocampus_of(labelled: Labelled) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Labels (slices, rows, columns) of the largest connected part: 1 anterior, 2 posterior."""
    values = labelled.labels
    return np.where(largest_part(values > 0), values, 0).astype(np.uint8)
