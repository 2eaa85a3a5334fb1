"""Label maps to frames: what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.grid import SourceFrame, from_frames, index_transform, source_frames, to_frames
from tests.factories import make_volume

VOLUME = make_volume(shape_zyx=(2, 3, 4), sop_uids=("1.2.1", "1.2.2"), spacing_yx_mm=None)
FLAT = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1.0))


def test_a_slice_without_a_frame_is_empty() -> None:
    labels = np.arange(24).reshape(2, 3, 4)
    _, second = to_frames(labels, VOLUME)
    found = from_frames([second], VOLUME)
    np.testing.assert_array_equal(found[1], labels[1])
    assert not found[0].any()


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([(SourceFrame(sop_uid="9.9"), np.zeros((3, 4)))], "none of this volume"),
        ([(SourceFrame(sop_uid="1.2.1", frame_number=2), np.zeros((3, 4)))], "none of this volume"),
        ([(SourceFrame(sop_uid="1.2.1"), np.zeros((3, 4)))] * 2, "twice"),
        ([(SourceFrame(sop_uid="1.2.1"), np.zeros((4, 3)))], "another size"),
    ],
)
def test_frames_that_do_not_fit(frames: list, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        from_frames(frames, VOLUME)


def test_a_label_map_of_another_grid() -> None:
    with pytest.raises(InputError, match="on a grid of"):
        to_frames(np.zeros((2, 4, 3)), VOLUME)


@pytest.mark.parametrize(
    "changes",
    [
        {"sop_uids": ("1.2.1",)},
        {"frame_numbers": (1, 2)},
        {"sop_uids": ("1",), "frame_numbers": (1,)},
    ],
)
def test_slices_that_do_not_name_their_frame(changes: dict) -> None:
    with pytest.raises(InputError, match="frame numbers"):
        source_frames(replace(VOLUME, **changes))


def test_an_affine_that_spans_no_volume() -> None:
    with pytest.raises(InputError, match="no volume"):
        index_transform(FLAT, FLAT)
