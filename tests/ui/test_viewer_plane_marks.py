"""Where marks lie on a plane through a volume: node runs the viewer's own sources, numpy says what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.ui.viewer_answers import BATCH, NEEDS_NODE, affines, answers

pytestmark = NEEDS_NODE
PATIENTS_PLANES = {"axial": (0, 1), "sagittal": (1, 2), "coronal": (0, 2)}  # axes of the screen
SHAPE = (5, 4, 6)  # slices, rows, columns
PIXELS = 40


def lying(
    affine: NDArray[np.float64], place: NDArray[np.float64], plane: str, near: bool = False
) -> Any:
    """A canvas of 40 x 40 pixels that shows a plane of the patient around a place.

    Args:
        near: so large that every voxel has several pixels.
    Returns: its plane, which node works out, and the voxels of its pixels (40, 40, 3).
    """
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    side = 6 * sides.min() if near else 0.7 * (sides * SHAPE[::-1]).max()
    right, down = (np.eye(3)[axis] * side / PIXELS for axis in PATIENTS_PLANES[plane])
    corner = place - (right + down) * (PIXELS / 2)
    corners = [corner, corner + right * PIXELS, corner + down * PIXELS]
    found = answers([("geometry", "toVoxel", [affine.tolist(), one.tolist()]) for one in corners])
    called = {"call": ["plane_marks", "canvasPlane", [found, PIXELS, PIXELS]]}
    y, x = np.mgrid[0:PIXELS, 0:PIXELS][..., np.newaxis] + 0.5
    places = corner + x * right + y * down
    back = np.linalg.inv(affine)
    return called, places @ back[:3, :3].T + back[:3, 3]


def painted(plane: Any, values: NDArray[np.uint8], **more: Any) -> tuple[str, str, list[Any]]:
    grid = {"bytes": values.ravel().tolist()}
    grid |= dict(zip(("slices", "rows", "columns"), values.shape, strict=True))
    voxels, palette = more.get("voxels", SHAPE)[::-1], list(range(256))
    given = [[0] * PIXELS**2, PIXELS, plane, grid, list(voxels), palette, more.get("range")]
    return ("plane_marks", "paintPlane", given)


def nearest(values: NDArray[np.uint8], voxels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The value of the voxel in which each place lies; 0 outside."""
    column, row, slice_ = np.moveaxis(np.rint(voxels).astype(int), -1, 0)
    far = np.pad(values, 1)
    at = [
        np.clip(n + 1, 0, most + 1)
        for n, most in zip((slice_, row, column), values.shape, strict=True)
    ]
    return np.asarray(far[tuple(at)])


@BATCH
@given(affines(), st.sampled_from(list(PATIENTS_PLANES)), st.tuples(*[st.booleans()] * 3))
def test_a_mark_of_one_corner_voxel_lies_on_a_plane_where_that_voxel_does(
    affine: list[list[float]], plane: str, corner: tuple[bool, bool, bool]
) -> None:
    at = tuple((most - 1) * last for most, last in zip(SHAPE, corner, strict=True))
    values = np.zeros(SHAPE, np.uint8)
    values[at] = 7
    matrix = np.array(affine)
    place = (matrix @ [*at[::-1], 1])[:3]
    canvases = [lying(matrix, place, plane, near) for near in (True, False)]
    shown = answers([painted(called, values) for called, _ in canvases])
    for near, (_, voxels), pixels in zip((True, False), canvases, shown, strict=True):
        found = np.array(pixels).reshape(PIXELS, PIXELS)
        sure = (np.abs(voxels - np.floor(voxels) - 0.5) > 1e-5).all(-1)
        assert (found == nearest(values, voxels))[sure].all()
        middle = slice(PIXELS // 2 - 1, PIXELS // 2 + 1)  # around the place of the voxel
        assert not near or (found[middle, middle] == 7).all()


@BATCH
@given(affines(), st.sampled_from(list(PATIENTS_PLANES)), st.integers(0, 2**32 - 1))
def test_a_plane_shows_the_labels_of_the_voxels_it_cuts(
    affine: list[list[float]], plane: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 4, SHAPE, dtype=np.uint8)
    matrix = np.array(affine)
    place = (matrix @ [*random.uniform(0, 3, 3), 1])[:3]
    called, voxels = lying(matrix, place, plane)
    some = values * np.isin(np.arange(SHAPE[0]), (1, 2))[:, np.newaxis, np.newaxis]
    heat = random.integers(0, 4, (1, 2, 3), dtype=np.uint8)  # coarser, and one for all slices
    fine = np.repeat(np.repeat(np.repeat(heat, 5, 0), 2, 1), 2, 2)
    calls = [painted(called, values), painted(called, values, range=[1, 2]), painted(called, heat)]
    sure = (np.abs(voxels - np.floor(voxels) - 0.5) > 1e-5).all(-1)
    for found, wanted in zip(answers(calls), (values, some, fine), strict=True):
        shown = np.array(found).reshape(PIXELS, PIXELS)
        assert (shown == nearest(wanted, voxels))[sure].all()


@BATCH
@given(affines(), st.sampled_from(list(PATIENTS_PLANES)), st.integers(0, 2**32 - 1))
def test_a_box_is_outlined_where_the_plane_cuts_it(
    affine: list[list[float]], plane: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    low = random.uniform(-0.5, 2, 3)
    high = low + random.uniform(0.5, 3, 3)
    matrix = np.array(affine)
    place = (matrix @ [*random.uniform(low - 0.5, high + 0.5), 1])[:3]
    called, voxels = lying(matrix, place, plane)
    size = {"width": PIXELS, "height": PIXELS}
    call = ("plane_marks", "cutBox", [size, called, low.tolist(), high.tolist()])
    corners = np.array(answers([call])[0]).reshape(-1, 2)
    inside = ((voxels >= low) & (voxels <= high)).all(-1)
    pixels = np.stack(np.mgrid[0:PIXELS, 0:PIXELS][::-1], -1)
    sides = np.roll(corners, -1, 0) - corners
    from_corner = pixels[:, :, np.newaxis] - corners
    turns = sides[:, 0] * from_corner[..., 1] - sides[:, 1] * from_corner[..., 0]
    within = (turns >= 0).all(-1) | (turns <= 0).all(-1) if len(corners) else np.zeros_like(inside)
    # a pixel on the line may be on either side of it
    nearly = (np.abs(voxels - low) < 1e-4) | (np.abs(voxels - high) < 1e-4)
    assert (within == inside)[~nearly.any(-1)].all()


def test_the_middle_of_a_mark_lies_in_it() -> None:
    ring = np.zeros((7, 9), int)
    ring[1:6, 2:7] = 1
    ring[2:5, 3:6] = 0
    [middle, alone, none] = answers(
        [
            ("plane_marks", "middleCell", [ring.ravel().tolist(), 9]),
            ("plane_marks", "middleCell", [[0, 0, 0, 1], 2]),
            ("plane_marks", "middleCell", [[0, 0, 0, 0], 2]),
        ]
    )
    assert ring[middle[1], middle[0]] == 1
    assert (alone, none) == ([1, 1], None)
