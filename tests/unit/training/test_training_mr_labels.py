"""Labels of outlines are whole numbers however their file was scaled."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.training.data.mr_sets import whole_labels


@pytest.mark.parametrize("kept_as", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("highest", [1, 2, 6, 255])
def test_labels_that_were_saved_as_floats_come_back_whole(kept_as: type, highest: int) -> None:
    labels = np.arange(6 * 7 * 8).reshape(6, 7, 8) % (highest + 1)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(kept_as)
    saved = nibabel.Nifti1Image(labels.astype(np.float64), np.eye(4), header)
    read = nibabel.Nifti1Image.from_bytes(saved.to_bytes())
    np.testing.assert_array_equal(whole_labels(np.asanyarray(read.dataobj), "s1"), labels)


@pytest.mark.parametrize("values", [[0.0, 0.5], [-1.0, 0.0], [0.0, 256.0], [0.0, np.nan]])
def test_values_that_are_no_labels_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError, match="not labels"):
        whole_labels(np.asarray(values), "s1")
