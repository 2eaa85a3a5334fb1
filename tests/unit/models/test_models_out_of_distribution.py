"""Signs that an input is unlike what a volume network learned from, by hand, and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.models.mr.out_of_distribution import (
    DISAGREEMENT,
    EDGE,
    ENTROPY,
    GRAIN,
    LEAN,
    LOOSE,
    SAID,
    SKEW,
    SLICE_STEP,
    beyond,
    bounds_in,
    bounds_of,
    disagreement_of,
    doubt_notice,
    entropy,
    image_signs,
)
from medmm.models.mr.volume_segmenter import Labelled, VolumeSegmenter
from tests.volume_models import tiny

SHAPE = (6, 24, 20)


def labelled(probabilities: np.ndarray) -> Labelled:
    return Labelled(probabilities=probabilities.astype(np.float32), presence=None)


def blob() -> np.ndarray:
    """A round thing that is brighter to its middle, on dark ground."""
    z, y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    distance = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2
    return np.exp(-3 * distance)


def test_entropy_is_summed_and_shared_by_the_marked_voxels() -> None:
    probabilities = np.zeros((3, 1, 1, 4), dtype=np.float32)
    probabilities[0] = [[[1, 1, 0.5, 0]]]
    probabilities[1] = [[[0, 0, 0.5, 0]]]
    probabilities[2] = [[[0, 0, 0, 1]]]
    assert entropy(probabilities) == pytest.approx(np.log(2))  # one voxel is marked, one wavers
    assert entropy(np.full((3, 1, 1, 4), 1 / 3, np.float32)) > np.log(3)
    assert labelled(probabilities).signs() == {ENTROPY: pytest.approx(np.log(2)), LOOSE: 0.0}


def test_passes_that_differ_disagree() -> None:
    one = torch.tensor([[[1, 1, 0, 2]]])
    other = torch.tensor([[[1, 0, 0, 2]]])
    assert disagreement_of([one, other]) == pytest.approx(1 - (2 / 3 + 1) / 2)
    assert disagreement_of([one, one]) == 0
    assert disagreement_of([one, torch.zeros_like(one)]) == 1
    assert (
        disagreement_of([torch.zeros_like(one)] * 2) == 0
    )  # nothing is marked: nothing is measured either
    assert disagreement_of([one]) is None


def test_what_hangs_apart_is_loose() -> None:
    marked = np.zeros((1, 1, 6))
    marked[0, 0, [0, 1, 2, 4]] = 1
    assert labelled(np.stack([1 - marked, marked])).signs()[LOOSE] == pytest.approx(1 / 4)
    assert labelled(np.stack([np.ones((1, 1, 6)), np.zeros((1, 1, 6))])).signs()[LOOSE] == 0


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1, 1000), offset=st.floats(-1000, 1000))
def test_no_brightness_or_contrast_changes_the_look(factor: float, offset: float) -> None:
    plain = image_signs(torch.from_numpy(blob()))
    assert image_signs(torch.from_numpy(factor * blob() + offset)) == pytest.approx(
        plain, rel=1e-4, abs=1e-4
    )


def test_damages_change_the_look_in_their_own_sign() -> None:
    plain = image_signs(torch.from_numpy(blob()))
    inverted = image_signs(torch.from_numpy(-blob()))
    assert (inverted[SKEW], inverted[EDGE]) == pytest.approx((-plain[SKEW], -plain[EDGE]))
    noisy = blob() + np.random.default_rng(0).normal(0, 0.3, SHAPE)
    assert image_signs(torch.from_numpy(noisy))[GRAIN] > 2 * plain[GRAIN]
    exchanged = image_signs(torch.from_numpy(np.ascontiguousarray(blob().transpose(0, 2, 1))))
    assert exchanged[LEAN] == pytest.approx(-plain[LEAN])
    assert exchanged[SLICE_STEP] == pytest.approx(plain[SLICE_STEP])


def test_the_look_of_one_slice_or_one_tone_is_a_number() -> None:
    for signs in (image_signs(torch.ones(1, 4, 4)), image_signs(torch.zeros(3, 1, 1))):
        assert all(np.isfinite(value) for value in signs.values())


def test_bounds_are_extremes_with_room() -> None:
    outlines = [{ENTROPY: 0.1, LOOSE: 0.0}, {ENTROPY: 0.3, LOOSE: 0.05}]
    images = [{SKEW: -1.0}, {SKEW: 1.0}, {SKEW: 0.0}]
    bounds = bounds_of(outlines, images)
    assert bounds == {ENTROPY: [0.0, 0.36], LOOSE: [0.0, 0.06], SKEW: [-2.0, 2.0]}
    assert beyond({ENTROPY: 0.35, LOOSE: 0.05, SKEW: -1.9}, bounds) == ()
    assert beyond({SKEW: 2.1, ENTROPY: 0.37}, bounds) == (ENTROPY, SKEW)
    assert beyond({ENTROPY: float("nan")}, bounds) == (ENTROPY,)
    assert beyond({DISAGREEMENT: 1.0}, bounds) == ()  # not learned


def test_calibrations_of_earlier_releases_bound_what_they_did() -> None:
    assert bounds_in({"doubt": {SKEW: [0, 1]}, "most_doubt": 0.3}) == {SKEW: [0, 1]}
    assert bounds_in({"most_doubt": 0.3}) == {ENTROPY: (0.0, 0.3)}
    assert bounds_in({}) == {}


def test_the_notice_names_every_sign_of_every_volume_once() -> None:
    bounds = {ENTROPY: [0, 1], SKEW: [0, 1]}
    (notice,) = doubt_notice(
        [{ENTROPY: 2, SKEW: 0.5}, {ENTROPY: 3, SKEW: 2}], bounds, "The outline was"
    )
    assert notice.code == "unsure"
    assert notice.text.startswith("Not measured, because ")
    assert (notice.text.count(SAID[ENTROPY]), notice.text.count(SAID[SKEW])) == (1, 1)
    assert "The outline was kept" in notice.text
    assert doubt_notice([{ENTROPY: 0.5}], bounds, "The outline was") == ()


def test_the_segmenter_takes_the_signs_of_its_own_passes() -> None:
    preprocessing = {
        "spacing_zyx_mm": [1.0, 1.0, 1.0], "side_px": None, "window_zyx": [8, 24, 24], "multiple_zyx": [2, 2, 2], "flips": [2],
    }  # fmt: skip
    segmenter = VolumeSegmenter.of(tiny(), preprocessing, torch.device("cpu"))
    signal = blob().astype(np.float32)
    found = segmenter.read([signal], (1.0, 1.0, 1.0))
    assert found.disagreement is not None
    assert 0 <= found.disagreement <= 1
    assert set(found.signs()) == set(SAID)
    assert found.looks[0] == pytest.approx(
        segmenter.read([3 * signal + 7], (1.0, 1.0, 1.0)).looks[0], abs=1e-4
    )
