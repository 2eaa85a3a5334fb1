"""The hippocampus on a T1 crop around it: both parts outlined, its volume measured.

The parts are anterior and posterior; no norm is applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medmm.domain.label_location import extent_of
from medmm.domain.measurement_formulas import voxel_count, voxel_ml
from medmm.domain.reading import LabelMap, Measurement, Reading
from medmm.domain.reading_model import not_read
from medmm.domain.study import NotEvaluable, Notice, SequenceRole, Study, Volume
from medmm.models.coverage import coverage_notice, crop_coverage
from medmm.models.mr.axis_order import FRONT, HEAD, RIGHT, turn_to
from medmm.models.mr.intervals import measured
from medmm.models.mr.out_of_distribution import bounds_in, doubt_notice
from medmm.models.mr.resampling import largest_part, spacing_zyx_mm
from medmm.models.mr.volume_segmenter import Labelled, LabellingModel

MAP, VOLUME = "hippocampus", "hippocampus volume"
LEARNED = (HEAD, FRONT, RIGHT)  # where slices, rows and columns of the training crops run
ASSUMED_MM = (1.0, 1.0, 1.0)  # to outline a crop of unknown voxel size; nothing is measured on it
NO_T1 = Notice(code="no-t1", text="No T1 series was found; the hippocampus was not looked for.")
AXES_ASSUMED = Notice(
    code="axes-assumed",
    text="Orientation unknown: the axes were taken to run to the left or right, to the front and "
    "to the head; in another order the outline and the volume are wrong.",
)
NOT_FOUND = Notice(
    code="not-found", text="No hippocampus was found in the volume; nothing was measured."
)
NOT_MEASURED = Notice(
    code="not-measured",
    text="The volume has one slice or no voxel size; the hippocampus was outlined and not "
    "measured.",
)
NOT_WHOLE = "The outline was kept and nothing was measured."
KEPT = "The outline was"
IMPLAUSIBLE = Notice(
    code="implausible",
    text="The outlined volume is no hippocampus's by size; the outline was kept and nothing was "
    "measured.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HippocampusModel(LabellingModel):
    """The hippocampus network with its calibration."""

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Outline and measure the hippocampus of a T1 crop; see `ReadingModel.read`."""
        volume = study.chosen(SequenceRole.T1)
        if volume is None:
            return not_read(study, NO_T1)
        turn = turn_to(LEARNED, volume.affine_lps_mm)
        spacing = turn.sizes(spacing_zyx_mm(volume) or ASSUMED_MM)
        labelled = self.segmenter.read([turn.there(volume.signal())], spacing)
        label_map = LabelMap.from_array(
            MAP, volume.sha256, self.labels, turn.back(hippocampus_of(labelled))
        )
        measurement = self._measurement(label_map, volume)
        if isinstance(measurement, Measurement):
            doubts = doubt_notice([labelled.signs()], bounds_in(self.calibration), KEPT)
            measurement = doubts[0] if doubts else measurement
        coverage = crop_coverage(label_map.array() > 0, volume)
        if isinstance(measurement, Measurement) and not coverage.whole:
            measurement = coverage_notice(coverage, NOT_WHOLE)[0]
        assumed = (AXES_ASSUMED,) if volume.affine_lps_mm is None else ()
        return Reading(
            study_uid=study.uid,
            models=self.identities,
            measurements=(measurement,) if isinstance(measurement, Measurement) else (),
            label_maps=(label_map,),
            volumes_read=(volume.sha256,),
            coverage=(coverage,),
            warnings=(*assumed, *((measurement,) if isinstance(measurement, Notice) else ())),
        )

    def _measurement(self, label_map: LabelMap, volume: Volume) -> Measurement | Notice:
        """Compute the volume in ml, or say why there is none."""
        extents = tuple(
            e for name in self.labels if (e := extent_of(label_map, name, volume)) is not None
        )
        size = voxel_ml(volume)
        if not extents:
            return NOT_FOUND
        if size is None or volume.shape_zyx[0] < 2:
            return NOT_MEASURED
        ml = size * sum(voxel_count(label_map, name) for name in self.labels)
        low, high = self.calibration["plausible_ml"]
        if not low <= ml <= high:
            return IMPLAUSIBLE
        return measured(
            VOLUME,
            ml,
            "ml",
            self.calibration[VOLUME],
            extents=extents,
            model=self.weights.row.name,
        )


def hippocampus_of(labelled: Labelled) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Keep the largest connected part: 1 anterior, 2 posterior; (slices, rows, columns)."""
    values = labelled.labels
    return np.where(largest_part(values > 0), values, 0).astype(np.uint8)
