"""What is bright in the source is labelled in the mask, voxel for voxel, however the array lies and its axes run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.read_task import ReadTask
from medmm.domain.study import Study
from medmm.doors.mask_files import write_label_map
from medmm.imaging import read_arrays
from tests.array_files import BrightIsLabel, blob
from tests.nifti_files import nifti_file

CODES = st.sampled_from([(1, 0), (2, 0), (0, 1), (1, 1), (0, 0)])
MM = st.sampled_from([0.7, 1.0, 1.2])


@st.composite
def crops(draw: st.DrawFn) -> tuple[Any, Any]:
    """Values of a crop with its affine: any size within the bound, any order and direction of axes, some obliquity."""
    spacing = np.array([draw(MM) for _ in range(3)])
    sides = np.array([draw(st.floats(21, 60)) for _ in range(3)])
    shape = np.round(sides / spacing).astype(int)
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from([-1.0, 1.0])) for _ in range(3)]
    angle = draw(st.sampled_from([0.0, 0.2]))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.eye(3)[:, order] * signs * spacing
    affine[:3, 3] = [draw(st.integers(-90, 90)) for _ in range(3)]
    return blob(
        (int(shape[0]), int(shape[1]), int(shape[2])), seed=draw(st.integers(0, 99))
    ), affine


@contextmanager
def written(values: Any, affine: Any, codes: tuple[int, int]) -> Iterator[tuple[Any, Any]]:
    """The source and the mask of it as nibabel opens them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nifti_file(folder / "in", "t1.nii.gz", values, affine=affine, codes=codes)
        (intake,) = read_arrays(folder / "in", ReadTask.HIPPOCAMPUS, patient_secret=b"x")
        assert isinstance(intake.outcome, Study), intake.outcome
        (found,) = BrightIsLabel().read(intake.outcome).label_maps
        mask = write_label_map(found, folder / "in", folder / "out")
        yield nibabel.load(folder / "in" / "t1.nii.gz"), nibabel.load(mask)


@settings(max_examples=40)
@given(crop=crops(), codes=CODES)
def test_a_mask_lies_voxel_for_voxel_on_its_source(
    crop: tuple[Any, Any], codes: tuple[int, int]
) -> None:
    values, affine = crop
    with written(values, affine, codes) as (source, mask):
        np.testing.assert_array_equal(np.asarray(mask.dataobj), np.where(values > 500, 2, 0))
        np.testing.assert_array_equal(mask.affine, source.affine)
        assert mask.shape == source.shape
        for form in ("get_sform", "get_qform"):
            ours, theirs = (getattr(image.header, form)(coded=True) for image in (mask, source))
            assert ours[1] == theirs[1]
            if theirs[0] is not None:
                np.testing.assert_array_equal(ours[0], theirs[0])


@settings(max_examples=20)
@given(crop=crops(), axis=st.integers(0, 2), codes=CODES)
def test_a_flip_of_the_source_flips_the_mask(
    crop: tuple[Any, Any], axis: int, codes: tuple[int, int]
) -> None:
    values, affine = crop
    flipped = affine.copy()
    flipped[:, axis] = -affine[:, axis]
    flipped[:3, 3] += affine[:3, axis] * (values.shape[axis] - 1)
    with (
        written(values, affine, codes) as (_, one),
        written(np.flip(values, axis).copy(), flipped, codes) as (_, other),
    ):
        np.testing.assert_array_equal(
            np.asarray(other.dataobj), np.flip(np.asarray(one.dataobj), axis)
        )
        assert np.asarray(one.dataobj).any()
        assert not np.array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
