"""Training over volumes: what views, losses and looks are, and that tiny networks on made-up volumes learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medmm.models.mr.preprocessing import Grid, prepare_sequences
from medmm.training.mr.objective import IMAGE, LABEL, VolumeObjective, views, without_some
from medmm.training.mr.volume_networks import outline_on, prepared, preprocessing_of, val_dice
from medmm.training.recipes import recipe_of
from tests.volume_models import VoxelNetwork, tiny
from tests.volume_sets import ONE, TINY_RECIPE, TWO, block, outlined, recipe, trained


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def config(**changes: Any) -> dict[str, Any]:
    return recipe("hippocampus", **{**TINY_RECIPE, **changes})


def checked(**changes: Any) -> dict[str, Any]:
    """With the keys that a recipe may leave out."""
    return recipe_of(config(**changes)).model_dump(mode="json")


def test_training_lowers_the_loss_and_is_the_same_at_each_run(tmp_path: Path) -> None:
    network, log = trained(tmp_path / "one")
    assert [row["epoch"] for row in log] == list(range(1, 9))
    losses = [row["loss"] for row in log]
    assert sum(losses[-2:]) / 2 < 0.8 * losses[0]
    assert ["val_dice" in row for row in log] == [False, False, False, True] * 2
    untrained = val_dice(tiny(), checked(), [outlined(ONE)])
    for name, value in log[-1]["val_dice"].items():
        assert value > 0.6 > untrained[name]
    again, same = trained(tmp_path / "two")
    assert same == log
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        assert value.is_contiguous()
    assert not network.training


def test_another_seed_draws_otherwise_and_every_cycle_ends_with_a_look(tmp_path: Path) -> None:
    _, one = trained(tmp_path / "one", cycles=[1, 1], patches=2)
    _, other = trained(tmp_path / "other", cycles=[1, 1], patches=2, seed=1)
    assert [row["name"] for row in one] == ["cycle 1", "cycle 2"]
    assert one[0]["loss"] != other[0]["loss"]
    assert one[0]["loss"] != one[1]["loss"]
    assert [(row["epoch"], "val_dice" in row) for row in one] == [(1, True), (1, True)]


def test_a_batch_hangs_on_torch_s_generator_alone_and_lies_channels_last() -> None:
    made = checked(sequences=["T1", "FLAIR"])
    two = [prepared(outlined(values), Grid()) for values in (ONE, TWO)]
    for one in two:
        one[IMAGE] = one[IMAGE].repeat(2, 1, 1, 1)
    drawn = []
    for seed, before in ((3, 0), (3, 5), (4, 0)):
        objective = VolumeObjective.of(made, two)
        for _ in range(before):
            objective.batch([1, 0])
        np.random.seed(before)
        torch.manual_seed(seed)
        drawn.append(objective.batch([0, 3, 0]))
    for key in (IMAGE, LABEL):
        assert torch.equal(drawn[0][key], drawn[1][key])
    assert not torch.equal(drawn[0][IMAGE], drawn[2][IMAGE])
    first, _, third = drawn[0][IMAGE]
    assert not torch.equal(first, third), "one volume, two views"
    assert drawn[0][IMAGE].shape == (3, 2, 4, 8, 8)
    assert drawn[0][IMAGE].is_contiguous(memory_format=torch.channels_last_3d)


def test_views_keep_image_and_outline_together() -> None:
    made = config()
    one = prepared(outlined(TWO), Grid())
    one[IMAGE] = one[LABEL].clone()  # the image is its own outline
    augmentation = {
        **made["augmentation"],
        "noise": 0.0,
        "contrast": 0.0,
        "brightness": 0.0,
        "gamma": [0.999, 1.001],
    }
    drawn = views(
        {**made, "patch_zyx": [8, 16, 16], "augmentation": {**augmentation, "blur": 0.31}}
    )
    drawn.set_random_state(0)
    moved = 0
    for _ in range(10):
        (view,) = drawn(one)
        assert view[IMAGE].shape == view[LABEL].shape == (1, 8, 16, 16)
        assert set(view[LABEL].unique().tolist()) <= {0.0, 1.0, 2.0}
        agrees = ((view[IMAGE] > 0.5) == (view[LABEL] > 0.5)).float().mean()
        assert agrees > 0.9
        moved += not torch.equal(view[LABEL], drawn({**one})[0][LABEL])
    assert moved


def test_an_outline_takes_the_label_of_the_greatest_share() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    labels[0, :2, :2] = torch.tensor([[1, 1], [1, 0]])
    labels[0, 2:, 2:] = torch.tensor([[2, 0], [0, 0]])
    signal = np.random.default_rng(0).uniform(0, 1, (1, 4, 4)).astype(np.float32)
    _, placement = prepare_sequences([signal], Grid(side_px=2), None)
    assert outline_on(labels, placement).tolist() == [[[1, 0], [0, 0]]]


def test_an_outline_is_padded_as_the_image_is() -> None:
    values = block((2, 4, 8), (slice(0, 2), slice(1, 3), slice(2, 6)))
    made = prepared(outlined(values, spacing_zyx_mm=None), Grid(side_px=8))
    assert made[LABEL].shape == (1, 2, 8, 8)
    assert made[LABEL][0, :, 3:5, 2:6].min() == 1
    assert made[LABEL].sum() == values.sum()
    assert float(made[IMAGE][made[LABEL] == 1].min()) > float(made[IMAGE][0, :, :2].max())


def test_a_missing_sequence_is_flair_again_at_times() -> None:
    made = {
        "sequences": ["T1", "FLAIR", "T1 post-contrast"],
        "augmentation": {"missing_share": 0.5},
    }
    images = torch.arange(3.0).reshape(1, 3, 1, 1, 1).repeat(40, 1, 2, 2, 2)
    found = without_some(images.clone(), made, torch.Generator().manual_seed(0))
    assert torch.equal(found[:, 1], images[:, 1])
    for number in (0, 2):
        gone = (found[:, number] == 1).flatten(1).all(1)
        kept = (found[:, number] == number).flatten(1).all(1)
        assert (gone | kept).all()
        assert 8 < int(gone.sum()) < 32
    never = {**made, "augmentation": {"missing_share": 0.0}}
    assert torch.equal(
        without_some(images.clone(), never, torch.Generator().manual_seed(0)), images
    )


def test_the_loss_counts_presence_by_its_weight() -> None:
    labels = torch.zeros(1, 1, 3, 4, 4)
    labels[0, 0, 1, :2, :2] = 1
    network = VoxelNetwork(presence=True).requires_grad_(False)
    images = 2 * labels - 1
    plain = loss_of(network, images, labels, 0.0)
    assert plain < 0.05  # the labels are right
    weighed = loss_of(network, images, labels, 0.5)
    logits = torch.tensor([-1.0, -0.5, -1.0])  # means of the slices
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor([0.0, 1.0, 0.0])
    )
    assert weighed - plain == pytest.approx(0.5 * float(wanted), rel=0.02)
    assert loss_of(network, -images, labels, 0.0) > 1


def loss_of(
    network: VoxelNetwork, images: torch.Tensor, labels: torch.Tensor, weight: float
) -> float:
    objective = VolumeObjective.of(config(presence=True, presence_weight=weight), [])
    batch = {IMAGE: images, LABEL: labels}
    assert objective.counts(batch) == (1, 1)
    costs = objective.costs(network, batch)
    assert all(part is not None for part in costs.parts)
    return sum(w * float(part) for w, part in zip(costs.weights, costs.parts, strict=True))  # type: ignore[arg-type]


def test_a_network_without_presence_learns_outlines_alone() -> None:
    objective = VolumeObjective.of(config(), [])
    batch = {IMAGE: torch.zeros(2, 1, 3, 4, 4), LABEL: torch.zeros(2, 1, 3, 4, 4)}
    assert objective.counts(batch) == (2, 0)
    assert objective.costs(VoxelNetwork(), batch).parts[1] is None


def test_the_look_at_val_is_that_of_live_use() -> None:
    values = block((4, 12, 12), (slice(1, 3), slice(3, 9), slice(3, 9)))
    made = checked(labels=["one"], spacing_zyx_mm=[None, None, None])
    found = val_dice(VoxelNetwork(), made, [outlined(values)])  # type: ignore[arg-type]
    assert found["one"] > 0.5
    empty = val_dice(
        VoxelNetwork(), made, [outlined(values, labels=(values == 0).astype(np.uint8))]
    )  # type: ignore[arg-type]
    assert empty["one"] < found["one"]


@pytest.mark.parametrize(
    ("name", "multiple"),
    [("hippocampus", [8, 8, 8]), ("brain_lesion", [1, 16, 16]), ("cardiac", [1, 16, 16])],
)
def test_the_multiples_are_the_products_of_the_strides(name: str, multiple: list[int]) -> None:
    assert preprocessing_of(recipe(name))["multiple_zyx"] == multiple
