"""Brain lesions of high FLAIR signal: outlines, slices, half or side, share, volume.

The share is that of the head; volume needs a known geometry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medmm.domain.errors import ConfigError
from medmm.domain.grid import axial
from medmm.domain.label_location import extent_of
from medmm.domain.measurement_formulas import voxel_ml
from medmm.domain.reading import (
    Coverage,
    Extent,
    Finding,
    LabelMap,
    Measurement,
    ModelIdentity,
    Reading,
)
from medmm.domain.reading_model import Declaration, not_read
from medmm.domain.study import NotEvaluable, Notice, SequenceRole, Study, Volume
from medmm.domain.vocabulary import finding_term
from medmm.models.coverage import coverage_notice, head_coverage
from medmm.models.mr.axis_order import BACK, HEAD, LEFT, turn_to
from medmm.models.mr.intervals import measured
from medmm.models.mr.out_of_distribution import bounds_in, doubt_notice
from medmm.models.mr.preprocessing import in_order
from medmm.models.mr.resampling import head_of, middle_x_lps_mm, sequences_on_grid, without_specks
from medmm.models.mr.volume_segmenter import Labelled, VolumeSegmenter
from medmm.models.weights.catalogue import WeightsFolder, declarations

FINDING, MAP, LESION = "brain lesion", "brain-lesion", "lesion"
SHARE, VOLUME = "lesion share of head", "lesion volume"
LEARNED = (HEAD, BACK, LEFT)  # where slices, rows and columns of the training pictures run
NO_FLAIR = Notice(
    code="no-flair", text="No FLAIR series was found; brain lesions were not looked for."
)
NOT_AXIAL = Notice(
    code="not-axial",
    text="The FLAIR series is not axial; the network knows axial slices alone, so nothing was "
    "looked for.",
)
SLICES_APART = Notice(
    code="slices-apart",
    text="The FLAIR slices do not say how they lie to each other; one of them shows little of a "
    "brain, so nothing was looked for.",
)
AXES_ASSUMED = Notice(
    code="axes-assumed",
    text="Orientation unknown: columns were taken to run to the left or right, rows to the back "
    "and slices to the head; in another order lesions may be missed.",
)
NOT_MEASURED = Notice(
    code="not-measured",
    text="The slices are single, uneven or of unknown place; lesions were outlined and not "
    "measured.",
)
NOT_WHOLE = Notice(
    code="not-whole",
    text="FLAIR slices are missing, uneven or but one: the network learned whole stacks alone; a "
    "lesion may be missed.",
)
NOT_OUTLINED = Notice(
    code="not-outlined",
    text="A lesion is suspected by its score, and no voxel is sure enough to be outlined; "
    "nothing was measured.",
)
KEPT = "Finding and outline were"
REST_NOT_SEEN = (
    "What lies outside was not looked at; a lesion there is missed, one at the edge may be "
    "larger, and no share of the head is stated."
)
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesions:
    """What the network says of one volume on its own grid."""

    mask: Mask
    slice_probability: Array
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BrainLesionModel:
    """The lesion network with its calibration."""

    weights: WeightsFolder
    segmenter: VolumeSegmenter
    sequences: tuple[SequenceRole, ...]
    calibration: Mapping[str, Any]

    @classmethod
    def open(cls, weights: WeightsFolder, device: torch.device) -> BrainLesionModel:
        """Load a weights folder. Raises: IntegrityError if one of its files was altered."""
        return cls(
            weights=weights,
            segmenter=VolumeSegmenter.open(weights, device),
            sequences=tuple(
                SequenceRole(name) for name in weights.json("config.json")["sequences"]
            ),
            calibration=weights.json("calibration.json"),
        )

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """The network that it reads with."""
        return (self.weights.identity,)

    @property
    def declares(self) -> Declaration:
        """What the catalogue says of the network."""
        return declarations()[self.weights.row.name]

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Read the FLAIR series of a study with the others that the network knows.

        See `ReadingModel.read`.
        """
        flair = study.chosen(SequenceRole.FLAIR)
        if flair is None:
            return not_read(study, NO_FLAIR)
        if flair.affine_lps_mm is not None and not axial(flair.affine_lps_mm):
            return not_read(study, NOT_AXIAL)
        if flair.shape_zyx[0] == 1 and _slices_of_series(study, flair) > 1:
            return not_read(study, SLICES_APART)
        signals, left_out = sequences_on_grid(study, SequenceRole.FLAIR, flair, self.sequences)
        turn = turn_to(LEARNED, flair.affine_lps_mm, slices_stay=True)
        inputs = [
            turn.there(signal) for signal in in_order(signals, self.sequences, SequenceRole.FLAIR)
        ]
        labelled = self.segmenter.read(inputs, None)
        lesions = lesions_of(labelled, self.calibration)
        mask = turn.back(lesions.mask)
        label_map = LabelMap.from_array(MAP, flair.sha256, (LESION,), mask.astype(np.uint8))
        head = head_of(signals[SequenceRole.FLAIR])
        extent = extent_of(label_map, LESION, flair, midline_x_lps_mm=middle_x_lps_mm(head, flair))
        finding = self._finding(lesions, extent)
        coverage = head_coverage(head, flair)
        measurements = (
            self._measurements(mask, flair, head, extent, coverage) if finding.suspected else ()
        )
        signs = labelled.signs(self.sequences.index(SequenceRole.FLAIR))
        doubts = doubt_notice([signs], bounds_in(self.calibration), KEPT) if measurements else ()
        assumed = (AXES_ASSUMED,) if flair.affine_lps_mm is None else ()
        part = (NOT_WHOLE,) if _uneven(flair) or flair.shape_zyx[0] < 2 else ()
        unmeasured, why = (
            finding.suspected and not measurements,
            NOT_MEASURED if extent else NOT_OUTLINED,
        )
        return Reading(
            study_uid=study.uid,
            models=self.identities,
            findings=(finding,),
            measurements=() if doubts else measurements,
            label_maps=(label_map,),
            volumes_read=tuple(
                v.sha256 for role in (SequenceRole.FLAIR, *signals) if (v := study.chosen(role))
            ),
            coverage=(coverage,),
            warnings=(
                *coverage_notice(coverage, REST_NOT_SEEN),
                _used(signals),
                *left_out,
                *assumed,
                *part,
                *((why,) if unmeasured else ()),
                *doubts,
            ),
        )

    def _finding(self, lesions: Lesions, extent: Extent | None) -> Finding:
        return Finding(
            name=FINDING,
            probability=round(lesions.probability, 4),
            threshold=self.calibration["volume"]["threshold"],
            codings=finding_term(FINDING).codings,
            model=self.weights.row.name,
            extent=extent,
        )

    def _measurements(
        self, mask: Mask, flair: Volume, head: Mask, extent: Extent | None, coverage: Coverage
    ) -> tuple[Measurement, ...]:
        """Measure share of the head if it is whole, and volume if the geometry is known.

        Nothing is measured of a single slice or an uneven stack.

        An array without geometry states no voxel size that can be relied on, so it gets no volume.
        """
        if extent is None or _uneven(flair) or flair.shape_zyx[0] < 2:
            return ()
        voxels, extents, model = int(mask.sum()), (extent,), self.weights.row.name
        share = measured(
            SHARE,
            share_of_head(mask, head),
            "%",
            self.calibration[SHARE],
            most=100.0,
            extents=extents,
            model=model,
        )
        size = voxel_ml(flair) if flair.affine_lps_mm is not None else None
        shares = (share,) if coverage.whole else ()
        if size is None:
            return shares
        return *shares, measured(
            VOLUME, voxels * size, "ml", self.calibration[VOLUME], extents=extents, model=model
        )


def _slices_of_series(study: Study, volume: Volume) -> int:
    """Count the slices of the same series and role, joined to the volume or not."""
    role = volume.sequence.role if volume.sequence else None
    own = (
        v
        for v in study.volumes
        if v.series_uid == volume.series_uid and v.sequence and v.sequence.role is role
    )
    return sum(v.shape_zyx[0] for v in own)


def _uneven(volume: Volume) -> bool:
    """Tell whether slices of a stack of images have no even distance.

    An array says nothing of it.
    """
    return (
        volume.spacing_z_mm is None and max(len(volume.file_sha256s), len(volume.frame_numbers)) > 1
    )


def share_of_head(mask: Mask, head: Mask) -> float:
    """Compute labelled voxels over voxels of the head, in %.

    Args:
        mask, head: (slices, rows, columns) of one grid; a label outside the head counts as head.
    """
    return 100 * float(mask.sum()) / max(float((head | mask).sum()), 1.0)


def lesions_of(labelled: Labelled, calibration: Mapping[str, Any]) -> Lesions:
    """Find mask, and the probability of a lesion in each slice and in the volume."""
    probability = labelled.probabilities[1]
    mask = without_specks(
        probability > calibration["voxel_threshold"],
        int(calibration["smallest_voxels"]),
        calibration["smallest_share"],
    )
    row = calibration["slice"]
    slices = _sigmoid(slice_features(labelled) @ np.asarray(row["weights"]) + row["intercept"])
    volume = calibration["volume"]
    whole = _sigmoid(volume["slope"] * volume_score(slices) + volume["intercept"])
    return Lesions(mask=mask, slice_probability=slices, probability=float(whole))


def slice_features(labelled: Labelled) -> Array:
    """Compute what speaks for a lesion in a slice, (slices, 3).

    These are the log-odds of its surest voxel and of the head for presence, and the logarithm of
    the expected number of lesion voxels.

    Raises: ConfigError if the network says nothing of presence.
    """
    probability = (
        labelled.probabilities[1].reshape(labelled.probabilities.shape[1], -1).astype(np.float64)
    )
    if labelled.presence is None:
        raise ConfigError(
            "the network of brain lesions has no head for presence",
            remedy="take the weights of one that has it",
        )
    expected = np.log1p(probability.sum(1))
    return np.stack(
        [_logit(probability.max(1)), _logit(labelled.presence.astype(np.float64)), expected], 1
    )


def volume_score(slice_probability: Array) -> float:
    """Compute what speaks for a lesion in a volume: its surest pair of neighbouring slices.

    Args:
        slice_probability: (slices,) of 0 to 1; a single slice counts by itself.
    Returns: log-odds.
    """
    if len(slice_probability) == 1:
        return float(_logit(slice_probability)[0])
    return float(_logit(np.minimum(slice_probability[1:], slice_probability[:-1])).max())


def _logit(probability: Array) -> Array:
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def _used(there: Iterable[SequenceRole]) -> Notice:
    names = ", ".join(role.value for role in there)
    return Notice(code="sequences-used", text=f"Brain lesions were looked for on: {names}.")
