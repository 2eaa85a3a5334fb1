"""Naming one picture of a study: films, slices that are images, frames of a multi-frame image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medmm.domain.errors import InputError
from medmm.domain.frame_reference import FrameReference, frame_of, has_frame
from medmm.domain.study import Volume
from tests.factories import FILM, make_study, make_volume

SERIES = make_volume(shape_zyx=(3, 4, 5), sop_uids=("1.1", "1.2", "1.3"))
FRAMES = make_volume(shape_zyx=(2, 4, 5), sop_uids=("1.9",), frame_numbers=(7, 3))
ARRAY = make_volume(shape_zyx=(2, 4, 5), sop_uids=("2.25.1",))
NAMELESS = make_volume(sop_uids=("",))


@pytest.mark.parametrize(
    ("volume", "index", "sop_uid", "frame_number"),
    [
        (make_volume(), 0, FILM.sop_uid, None),
        (SERIES, 2, "1.3", None),
        (FRAMES, 0, "1.9", 7),
        (FRAMES, 1, "1.9", 3),
        (ARRAY, 1, "2.25.1", None),
        (NAMELESS, 0, None, None),
    ],
)
def test_a_slice_is_named_by_its_image_and_frame(
    volume: Volume, index: int, sop_uid: str | None, frame_number: int | None
) -> None:
    named = frame_of(volume, index)
    assert (named.sop_uid, named.frame_number) == (sop_uid, frame_number)
    assert named.volume_sha256 == volume.sha256
    assert has_frame(make_study(volumes=(volume,)), named)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_slice_that_is_not_there_has_no_name(index: int) -> None:
    with pytest.raises(InputError, match="no slice"):
        frame_of(SERIES, index)


def test_frames_count_from_one() -> None:
    with pytest.raises(InputError, match="below 1"):
        FrameReference(volume_sha256="a", frame_number=0)


@pytest.mark.parametrize(
    "other",
    [
        replace(FILM, volume_sha256="b" * 64),
        replace(FILM, sop_uid="1.2.3"),
        replace(FILM, sop_uid=None),
        replace(FILM, frame_number=1),
    ],
)
def test_a_picture_of_another_study_is_none_of_this_one(other: FrameReference) -> None:
    assert has_frame(make_study(), FILM)
    assert not has_frame(make_study(), other)
