"""Whether slices are axial: one decision for the check of the pixels and for the network, at 45 degrees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medmm.domain.reading_model import read_by
from medmm.domain.study import Affine, SequenceRole
from medmm.imaging.mr.contrast_check import bears_out
from medmm.models.mr.brain_lesion import BrainLesionModel
from medmm.models.weights.catalogue import WeightsFolder, row_named
from tests.factories import make_mr_study
from tests.volume_models import SPREAD, Planted

STUDY = make_mr_study()
MODEL = BrainLesionModel(
    weights=WeightsFolder(row=row_named("brain-lesion"), folder=Path()),
    segmenter=Planted(lambda signal: np.zeros(signal.shape, np.uint8)),  # type: ignore[arg-type]
    sequences=(SequenceRole.FLAIR,),
    calibration={
        "voxel_threshold": 0.5,
        "smallest_voxels": 3,
        "smallest_share": 0.0,
        "slice": {"weights": [1.0, 0.5, 0.0], "intercept": 0.0},
        "volume": {"slope": 1.0, "intercept": 0.0, "threshold": 0.5},
        "lesion share of head": SPREAD,
        "lesion volume": SPREAD,
    },
)
FLIPS = st.tuples(*[st.sampled_from([1, -1])] * 3)
SPACINGS = st.tuples(*[st.floats(0.3, 8)] * 3)


def tilted(
    tilt: float, toward: float, in_plane: float, spacing_mm: tuple, flips: tuple, swapped: bool
) -> Affine:
    """Slices whose normal lies so many degrees off the long axis; turned in their plane, and stored in any order."""
    about = (np.cos(np.radians(toward)), np.sin(np.radians(toward)), 0.0)
    turn = Rotation.from_rotvec(np.multiply(tilt, about), degrees=True)
    axes = (turn * Rotation.from_euler("z", in_plane, degrees=True)).as_matrix() * np.multiply(
        spacing_mm, flips
    )
    matrix = np.eye(4)
    matrix[:3, :3] = axes[:, [1, 0, 2]] if swapped else axes
    return tuple(map(tuple, matrix.tolist()))


def pixels_can_say(affine: Affine) -> bool:
    """Whether the check of a role by its pixels takes the slices as axial."""
    from_middle = np.hypot(*np.mgrid[-1:1:64j, -1:1:64j])
    plane = np.select([from_middle < 0.2, from_middle < 0.9], [60.0, 400.0], 3.0).astype(
        np.float32
    )  # dark fluid
    return bears_out(SequenceRole.FLAIR, np.stack([plane] * 3), affine) is not None


def network_reads(affine: Affine) -> bool:
    """Whether the network of brain lesions takes the slices as axial."""
    flair = replace(STUDY.volumes[0], affine_lps_mm=affine)
    reading = read_by([MODEL], replace(STUDY, volumes=(flair,), sequences=STUDY.sequences[:1]))
    return "not-axial" not in [notice.code for notice in reading.warnings]


@given(st.floats(0, 180), st.floats(0, 360), st.floats(0, 360), SPACINGS, FLIPS, st.booleans())
@example(44.9, 0, 0, (1, 1, 5), (1, 1, 1), False)
@example(
    45.3, 0, 0, (1, 1, 5), (1, 1, 1), False
)  # between 45 degrees and the angle whose cosine is 0.7
@example(45.3, 60, 20, (1, 2, 5), (1, -1, 1), True)
@example(134.7, 90, 0, (1, 1, 5), (1, 1, 1), False)
@settings(max_examples=60, deadline=None)
def test_slices_are_axial_up_to_45_degrees_for_all_who_ask(
    tilt: float, toward: float, in_plane: float, spacing_mm: tuple, flips: tuple, swapped: bool
) -> None:
    off = min(tilt, 180 - tilt)
    assume(abs(off - 45) > 1e-6)
    affine = tilted(tilt, toward, in_plane, spacing_mm, flips, swapped)
    assert (pixels_can_say(affine), network_reads(affine)) == (off < 45, off < 45)


def test_of_an_unknown_geometry_the_pixels_say_nothing_and_the_network_takes_the_usual_axes() -> (
    None
):
    flair = replace(STUDY.volumes[0], affine_lps_mm=None)
    reading = read_by([MODEL], replace(STUDY, volumes=(flair,), sequences=STUDY.sequences[:1]))
    assert "not-axial" not in [notice.code for notice in reading.warnings]
    assert bears_out(SequenceRole.FLAIR, flair.signal(), None) is None
