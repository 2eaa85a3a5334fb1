"""The shipped MR networks on shared subjects: own ones are measured, unlike ones are not, and a suspicion stays."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from medmm.evaluation.mr.unmeasured_rates import MODELS
from medmm.evaluation.mr.unsuitable_inputs import Volumes, damaged
from medmm.models.mr.out_of_distribution import beyond, bounds_in
from medmm.models.weights.catalogue import WeightsFolder, packaged_weights, row_named
from medmm.training.data.mr_sets import read_outlined_volumes, study_of, subjects
from medmm.training.mr.calibration import look_of

UNSURE = "unsure"
TASKS = ("hippocampus", "brain-lesion", "cardiac")
LOOKS_UNLIKE = "noise alone"


def validation(shared_data: Path, task: str, count: int) -> list[Volumes]:
    """The first validation subjects: bounds were learned on them, so none may be doubted."""
    if not (shared_data / "mri" / "subjects.csv").exists():
        pytest.skip("the shared data hold no MR sets")
    return list(islice(subjects(read_outlined_volumes(shared_data, task, "val")), count))


def weights(task: str) -> WeightsFolder:
    return WeightsFolder(row=row_named(task), folder=packaged_weights() / task)


@pytest.mark.parametrize("task", TASKS)
def test_no_own_subject_looks_unlike_its_set_and_noise_does(task: str, shared_data: Path) -> None:
    bounds = bounds_in(weights(task).json("calibration.json"))
    grid = MODELS[task].open(weights(task), torch.device("cpu")).segmenter.grid

    def looks(subject: Volumes) -> list[tuple[str, ...]]:
        return [beyond(look_of(task, one, grid), bounds) for one in subject]

    for subject in validation(shared_data, task, 3):
        assert not any(looks(subject))
        assert all(looks(dict(damaged(subject))[LOOKS_UNLIKE]))


@pytest.mark.parametrize("task", TASKS)
def test_numbers_of_unlike_images_are_left_out_and_the_outline_stays(
    task: str, shared_data: Path
) -> None:
    (subject,) = validation(shared_data, task, 1)
    model = MODELS[task].open(weights(task), torch.device("cpu"))
    own = model.read(study_of(task, subject))
    assert own.measurements
    assert UNSURE not in [n.code for n in own.warnings]
    forms = dict(damaged(subject))
    form = next(name for name in forms if name.startswith("noise of"))
    reading = model.read(study_of(task, forms[form]))
    assert reading.measurements == ()
    assert reading.label_maps
    if task == "brain-lesion" and reading.findings[0].suspected:
        assert {UNSURE, "not-measured", "not-outlined"} & {n.code for n in reading.warnings}
