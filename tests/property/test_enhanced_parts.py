"""Frames of several contrasts and times, in any order in one image, come back as the parts they were, each at its places."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.grid import from_frames, source_frames, to_frames
from medmm.domain.study import Study
from medmm.imaging import read_studies
from tests.enhanced_files import FrameSpec, axial, enhanced_file

ECHOES_MS = (5.0, 20.0, 60.0, 150.0)  # no two are near enough for one contrast
B_VALUES = (0.0, 500.0, 1000.0)


def groups(echo_ms: float, b_value: float, time: int) -> dict[str, dict[str, Any]]:
    return {
        "MREchoSequence": {"EffectiveEchoTime": echo_ms},
        "MRDiffusionSequence": {"DiffusionBValue": b_value},
        "FrameContentSequence": {"TemporalPositionIndex": time},
    }


def read(frames: list[FrameSpec]) -> tuple[Study, list[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        enhanced_file(Path(folder) / "a.dcm", frames)
        (intake,) = read_studies(Path(folder), patient_secret=b"x")
        assert isinstance(intake.outcome, Study), intake.outcome
        return intake.outcome, [volume.signal() for volume in intake.outcome.volumes]


def agree(frames: list[FrameSpec], parts: list[list[int]]) -> None:
    """The volumes are these parts: marks by height; each frame number and place is that of the frame with the mark."""
    study, signals = read(frames)
    found = [[int(mark) for mark in signal[:, 0, 0]] for signal in signals]
    assert sorted(found) == sorted(parts)
    numbers = [number for volume in study.volumes for number in volume.frame_numbers]
    assert sorted(numbers) == list(range(1, len(frames) + 1))
    for volume, marks in zip(study.volumes, found, strict=True):
        labels = np.random.default_rng(len(marks)).integers(0, 5, volume.shape_zyx).astype(np.uint8)
        back = to_frames(labels, volume)
        np.testing.assert_array_equal(from_frames(reversed(back), volume), labels)
        for slice_, mark in zip(source_frames(volume), marks, strict=True):
            frame = frames[slice_.frame_number - 1]
            assert frame.mark == mark
            np.testing.assert_allclose(slice_.position_lps_mm, frame.position_lps_mm, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ECHOES_MS), st.sampled_from(B_VALUES), st.integers(1, 3)), min_size=1, max_size=6, unique=True),
    st.integers(2, 5),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_parts_of_the_same_places_come_back(
    kinds: list[tuple[float, float, int]], places: int, random: Any
) -> None:
    frames = [
        axial(4.0 * z, 10 * n + z, **groups(*kind))
        for n, kind in enumerate(kinds)
        for z in range(places)
    ]
    random.shuffle(frames)
    agree(frames, [[10 * n + z for z in range(places)] for n in range(len(kinds))])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(2, 5)), min_size=2, max_size=4),
    st.randoms(use_true_random=False),
)
def test_contrasts_of_places_of_their_own_come_back(
    extents: list[tuple[int, int]], random: Any
) -> None:
    frames, parts = [], []
    for n, (first, count) in enumerate(extents):
        parts.append([20 * n + z for z in range(count)])
        frames += [
            axial(4.0 * (first + z), 20 * n + z, **groups(ECHOES_MS[n], 0.0, 1))
            for z in range(count)
        ]
    random.shuffle(frames)
    agree(frames, parts)
