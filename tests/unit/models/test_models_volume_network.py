"""The networks over volumes: shapes, saving and loading, windows, mirror images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medmm.domain.errors import IntegrityError
from medmm.models.mr.preprocessing import Grid, prepare_sequences
from medmm.models.mr.volume_segmenter import VolumeSegmenter
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.models.weights.loading import load_network
from medmm.training.weights_export import write_weights_folder
from tests.volume_models import TINY, VoxelNetwork, tiny

CPU = torch.device("cpu")
PREPROCESSING = {
    "spacing_zyx_mm": [None, None, None],
    "side_px": None,
    "window_zyx": [8, 8, 8],
    "multiple_zyx": [2, 2, 2],
    "flips": [],
}


def signal(shape: tuple[int, int, int], seed: int = 0) -> Any:
    return np.random.default_rng(seed).gamma(2, 200, shape).astype(np.float32)


def segmenter(network: Any, **changes: Any) -> VolumeSegmenter:
    return VolumeSegmenter.of(network, {**PREPROCESSING, **changes}, CPU)


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("step", [[2, 2, 2], [1, 2, 2], [2, 1, 2], [1, 1, 1], [1, 4, 2]])
def test_logits_have_the_grid_of_the_volume(step: list[int], norm: str) -> None:
    network = tiny(
        sequences=["a", "b", "c"],
        kernels=[[1, 3, 3], [3, 3, 3]],
        strides=[[1, 1, 1], step],
        norm=norm,
    )
    labels, presence = network(torch.randn(2, 3, 4, 8, 12))
    assert labels.shape == (2, 3, 4, 8, 12)
    assert presence is None


def test_presence_is_said_of_each_slice() -> None:
    network = tiny(labels=["one"], strides=[[1, 1, 1], [1, 2, 2]], presence=True)
    labels, presence = network(torch.randn(2, 1, 5, 8, 8))
    assert labels.shape == (2, 2, 5, 8, 8)
    assert presence.shape == (2, 5)
    assert len(set(presence.flatten().tolist())) == 10


@pytest.mark.parametrize("presence", [False, True])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_saved_network_loads_with_the_same_logits(
    tmp_path: Path, norm: str, presence: bool
) -> None:
    config = {**TINY, "norm": norm, "presence": presence, "strides": [[1, 1, 1], [1, 2, 2]]}
    network = tiny(**config)
    for name, value in network.state_dict().items():  # running statistics must be kept too
        if "running" in name:
            value.add_(torch.rand(value.shape))
    write_weights_folder(
        tmp_path, network, config=config, preprocessing=PREPROCESSING, calibration={}
    )
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.half().float()
    weights = WeightsFolder(row=row_named("hippocampus"), folder=tmp_path)
    loaded = load_network(weights, CPU)
    assert not loaded.training
    volume = torch.randn(1, 1, 4, 8, 8)
    for one, other in zip(network(volume), loaded(volume), strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
    opened = VolumeSegmenter.open(weights, CPU)
    assert (opened.grid, opened.window_zyx, opened.multiple_zyx) == (Grid(), (8, 8, 8), (2, 2, 2))


def test_parameters_of_another_network_are_refused(tmp_path: Path) -> None:
    write_weights_folder(
        tmp_path, tiny(), config={**TINY, "presence": True}, preprocessing={}, calibration={}
    )
    with pytest.raises(IntegrityError, match="missing or too many"):
        load_network(WeightsFolder(row=row_named("hippocampus"), folder=tmp_path), CPU)
    write_weights_folder(
        tmp_path, tiny(), config={**TINY, "channels": [4, 6]}, preprocessing={}, calibration={}
    )
    with pytest.raises(IntegrityError, match="do not fit"):
        load_network(WeightsFolder(row=row_named("hippocampus"), folder=tmp_path), CPU)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 5, 7), (9, 21, 17), (3, 8, 30)])
def test_probabilities_lie_on_the_grid_of_the_source(shape: tuple[int, int, int]) -> None:
    found = segmenter(tiny()).read([signal(shape)], None)
    assert found.probabilities.shape == (3, *shape)
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-5)
    assert found.labels.shape == shape
    assert np.array_equal(found.labels, found.probabilities.argmax(0))
    assert found.presence is None


@pytest.mark.parametrize("shape", [(1, 8, 8), (9, 21, 17), (20, 11, 40)])
@pytest.mark.parametrize("flips", [[], [2], [0, 1, 2]])
def test_a_volume_larger_than_the_window_is_put_together_in_its_place(
    shape: tuple[int, int, int], flips: list[int]
) -> None:
    volume = signal(shape)
    prepared, _ = prepare_sequences([volume], Grid(), None)
    found = segmenter(VoxelNetwork(), flips=flips).read([volume], None)
    wanted = torch.stack([-10 * prepared[0], 10 * prepared[0]]).softmax(0).numpy()
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-4)


def test_presence_is_that_of_its_slice_whatever_the_window() -> None:
    volume = signal((11, 8, 8)) * np.linspace(0.3, 1, 11, dtype=np.float32)[:, None, None]
    prepared, _ = prepare_sequences([volume], Grid(), None)
    found = segmenter(VoxelNetwork(presence=True), window_zyx=[4, 8, 8]).read([volume], None)
    assert found.presence is not None
    np.testing.assert_allclose(
        found.presence, prepared[0].mean((1, 2)).sigmoid().numpy(), atol=1e-5
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_means_over_mirror_images_make_no_difference_of_sides(axis: int) -> None:
    volume, network = signal((6, 10, 14), seed=3), tiny(seed=1)
    symmetric = segmenter(network, flips=[axis])
    there = symmetric.read([volume], None).probabilities
    mirrored = symmetric.read([np.flip(volume, axis).copy()], None).probabilities
    np.testing.assert_allclose(np.flip(mirrored, axis + 1), there, atol=1e-4)
    plain = segmenter(network)
    once = plain.read([volume], None).probabilities
    turned = plain.read([np.flip(volume, axis).copy()], None).probabilities
    assert (
        np.abs(np.flip(turned, axis + 1) - once).max() > 1e-3
    )  # the network alone is not symmetric


def test_an_anisotropic_source_is_read_on_the_network_s_grid_and_comes_back() -> None:
    body = np.full((6, 12, 16), 100, dtype=np.float32)
    body[2:4, 2:6, 4:12] = 900
    body[2:4, 6:10, 4:12] = 500
    found = segmenter(VoxelNetwork(), spacing_zyx_mm=[None, 1.0, 1.0]).read([body], (8.0, 2.0, 0.5))
    wanted = np.zeros((6, 12, 16))
    wanted[2:4, 2:6, 4:12] = 1  # the brighter half of the body
    differing = np.argwhere(found.labels != wanted)
    assert found.labels.sum() >= 40
    assert set(differing[:, 1]) <= {1, 2, 5, 6}  # at its edges alone
    assert not found.labels[[0, 1, 4, 5]].any()
