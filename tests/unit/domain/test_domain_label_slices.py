"""Slices of a label map from its runs: equal to those of the whole array."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medmm.domain.label_location import largest_slice
from medmm.domain.reading import LabelMap

MAPS = arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3), elements=st.integers(0, 2))


@given(MAPS)
def test_slices_and_counts_are_those_of_the_array(values: np.ndarray) -> None:
    label_map = LabelMap.from_array("map", "a" * 64, ("one", "two"), values)
    for index_z, plane in enumerate(values):
        assert np.array_equal(label_map.plane(index_z), plane)
    for number, label in enumerate(label_map.labels, start=1):
        counts = (values == number).sum((1, 2))
        assert label_map.voxels_by_slice(label).tolist() == counts.tolist()
        assert largest_slice(label_map, label) == (int(counts.argmax()) if counts.any() else None)
    assert not label_map.voxels_by_slice("none of these").any()
    both = (values > 0).sum((1, 2))
    assert largest_slice(label_map, "one", "two", "one") == (
        int(both.argmax()) if both.any() else None
    )
    assert largest_slice(label_map) is None
