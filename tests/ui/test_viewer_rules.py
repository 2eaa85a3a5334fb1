"""What the viewer decides without a browser: sides, greys, lengths, keys. Node runs its own sources."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from medmm.presentation.orientation import Edges, edge_letters, turned

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "viewer" / "src"
KEYS = json.loads((SOURCES / "keys.json").read_text(encoding="utf-8"))
NODE = shutil.which("node")
# node starts anew for each example, so a failing one is shown as it was found
BATCH = settings(
    max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
TURNS = ("turnedRight", "turnedLeft", "mirrored")

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed, so nothing runs it")


def answers(calls: list[tuple[str, str, list[Any]]]) -> list[Any]:
    """Let node answer a batch of calls of (module, function, arguments)."""
    done = subprocess.run(
        [str(NODE), str(ROOT / "tests" / "ui" / "viewer_answers.mjs"), SOURCES.as_uri()],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


@st.composite
def affines(draw: st.DrawFn) -> list[list[float]]:
    """Affines of slices that lie any way in the patient, mirrored ones among them."""
    numbers = draw(st.lists(st.floats(-1, 1), min_size=9, max_size=9))
    axes, _ = np.linalg.qr(np.array(numbers).reshape(3, 3) + np.eye(3) * 1e-3)
    nearly = draw(st.booleans())
    if nearly:  # along the axes of the patient, in any order and direction
        order = draw(st.permutations(range(3)))
        axes = np.eye(3)[order] * np.array(draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3)))
    sides = draw(st.tuples(*[st.floats(0.3, 9)] * 3))
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(sides)
    affine[:3, 3] = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    return [[float(part) for part in row] for row in affine]


def flips(affine: list[list[float]]) -> dict[str, bool]:
    """How `turned` mirrors a slice, seen on a slice of numbers."""
    probe = np.arange(4).reshape(2, 2)
    lying = turned(probe, tuple(tuple(row) for row in affine))
    return {"columns": bool(lying[0, 0] % 2 == 1), "rows": bool(lying[0, 0] >= 2)}


def on_array(grid: NDArray[Any], turns: list[str]) -> NDArray[Any]:
    """The same turns by numpy, of (rows, columns, …)."""
    for name in turns:
        if name == "mirrored":
            grid = grid[:, ::-1]
        else:
            grid = np.rot90(grid, -1 if name == "turnedRight" else 1)
    return grid


def turn_after(start: Any, turns: list[str]) -> Any:
    """An argument: the turn after others, which node works out."""
    turn = start
    for name in turns:
        turn = {"call": ["orientation", name, [turn]]}
    return turn


@BATCH
@given(st.lists(affines(), min_size=1, max_size=40))
def test_the_letters_of_a_slice_turned_for_reading_are_those_of_the_report(
    many: list[list[list[float]]],
) -> None:
    readings = [{"call": ["orientation", "readingTurn", [flips(affine)]]} for affine in many]
    edges = answers(
        [
            ("orientation", "edgesByAffine", [affine, turn])
            for affine, turn in zip(many, readings, strict=True)
        ]
    )
    for affine, found in zip(many, edges, strict=True):
        assert Edges(**found) == edge_letters(tuple(tuple(row) for row in affine))


@BATCH
@given(affines(), st.lists(st.sampled_from(TURNS), max_size=6))
def test_letters_follow_every_turn_and_mirror(affine: list[list[float]], turns: list[str]) -> None:
    matrix = np.array(affine)
    rows, columns = np.mgrid[0:3, 0:3]
    voxels = np.stack([columns, rows, np.zeros_like(rows), np.ones_like(rows)], axis=-1)
    lying = on_array((voxels @ matrix.T)[..., :3], turns)
    right, down = lying[1, 2] - lying[1, 0], lying[2, 1] - lying[0, 1]
    turn = turn_after([1, 0, 0, 1], turns)
    by_affine, by_positions = answers(
        [
            ("orientation", "edgesByAffine", [affine, turn]),
            ("orientation", "edgesOfDirections", [right.tolist(), down.tolist()]),
        ]
    )
    assert by_affine == by_positions
    # and the letters of a direction are those that the report would name
    as_slice = np.eye(4)
    as_slice[:3, 0], as_slice[:3, 1] = right, down
    as_slice[:3, 2] = np.cross(right, down)
    named = edge_letters(tuple(tuple(row) for row in as_slice))
    flip = flips(as_slice.tolist())
    swapped = Edges(
        left=named.right if flip["columns"] else named.left,
        right=named.left if flip["columns"] else named.right,
        top=named.bottom if flip["rows"] else named.top,
        bottom=named.top if flip["rows"] else named.bottom,
    )
    assert Edges(**by_affine) == swapped


@BATCH
@given(st.lists(st.sampled_from(TURNS), max_size=6), st.booleans(), st.booleans())
def test_a_films_letters_follow_every_turn(turns: list[str], columns: bool, rows: bool) -> None:
    stored = {"left": "R", "right": "L", "top": "H", "bottom": "F"}
    grid = np.array([["", "H", ""], ["R", "", "L"], ["", "F", ""]])
    grid = grid[:: -1 if rows else 1, :: -1 if columns else 1]
    start = {"call": ["orientation", "readingTurn", [{"columns": columns, "rows": rows}]]}
    [found] = answers([("orientation", "edgesByLetters", [stored, turn_after(start, turns)])])
    lying = on_array(grid, turns)
    assert found == {
        "left": lying[1, 0],
        "right": lying[1, 2],
        "top": lying[0, 1],
        "bottom": lying[2, 1],
    }


def test_every_turn_is_a_mirror_and_quarter_turns() -> None:
    turns = [
        turn_after([1, 0, 0, 1], ["mirrored"] * mirror + ["turnedRight"] * quarters)
        for mirror in (0, 1)
        for quarters in range(4)
    ]
    found = answers([("orientation", "mirrorAndQuarters", [turn]) for turn in turns])
    assert [(one["mirror"], one["quarters"]) for one in found] == [
        (mirror, quarters) for mirror in (False, True) for quarters in range(4)
    ]


def test_a_series_without_sides_names_none() -> None:
    empty = {"left": "", "right": "", "top": "", "bottom": ""}
    [found] = answers([("orientation", "edgesByLetters", [empty, [0, -1, 1, 0]])])
    assert found == empty


WINDOWS = st.fixed_dictionaries(
    {
        "center": st.integers(-5_000, 30_000).map(lambda n: n / 10),
        "width": st.integers(20, 50_000).map(lambda n: n / 10),
        "function": st.sampled_from(("LINEAR", "LINEAR_EXACT", "SIGMOID")),
    }
)


def by_pydicom(values: NDArray[np.float64], window: dict[str, Any]) -> NDArray[np.float64]:
    """Grey of 0 to 1 by pydicom's reading of PS3.3 C.11.2."""
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsStored, header.PixelRepresentation = 16, 1
    header.RescaleSlope, header.RescaleIntercept = 1, 0
    header.WindowCenter, header.WindowWidth = window["center"], window["width"]
    header.VOILUTFunction = window["function"]
    with np.errstate(over="ignore"):
        shown = apply_windowing(values, header)
    low, high = -(2.0**15), 2.0**15 - 1
    return np.asarray((shown - low) / (high - low))


@BATCH
@given(st.lists(st.tuples(WINDOWS, st.booleans()), min_size=1, max_size=20))
def test_greys_are_within_two_levels_of_the_standards(
    many: list[tuple[dict[str, Any], bool]],
) -> None:
    found = answers([("grey", "greyNodes", [window, inverted]) for window, inverted in many])
    values = np.linspace(-5000, 5000, 2001)
    for (window, inverted), nodes in zip(many, found, strict=True):
        places, greys = np.array(nodes).T
        assert all(one < two for one, two in pairwise(places))
        wanted = by_pydicom(values, window)
        shown = np.interp(values, places, greys)
        far = np.abs((1 - wanted if inverted else wanted) - shown) * 255
        edge = np.zeros_like(far, dtype=bool)
        if window["function"] == "LINEAR" and window["width"] < 40:
            # a step between two values: the standard's "<=" falls on either side of it
            edge = np.abs(values - window["center"]) <= window["width"]
        assert far[~edge].max(initial=0) <= 2


def test_a_lookup_table_is_applied_and_its_ends_hold_beyond_it() -> None:
    lut = {"first": 10, "values": [0, 100, 200, 255]}
    look = {"call": ["grey", "tableLook", [lut]]}
    plain, inverted = answers(
        [("grey", "greyNodes", [look, False, lut]), ("grey", "greyNodes", [look, True, lut])]
    )
    for nodes, wanted in (
        (plain, [0, 0, 100, 200, 255, 255]),
        (inverted, [255, 255, 155, 55, 0, 0]),
    ):
        shown = np.interp([0, 10, 11, 12, 13, 99], *np.array(nodes).T) * 255
        assert shown == pytest.approx(wanted)


MEANINGS = {
    "calibrated": "mm (calibrated)",
    "at the detector": "mm at the detector",
    "in the patient": "mm in the patient",
    "unstated": "mm (plane not stated)",
    None: "px",
}


@BATCH
@given(
    st.lists(st.sampled_from(list(MEANINGS)), min_size=1, max_size=8),
    st.floats(0.1, 3),
    st.floats(0.1, 3),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_a_length_says_which_spacing_and_never_another(
    meanings: list[str | None], dy: float, dx: float, columns: int, rows: int
) -> None:
    series = [
        {"spacing_meaning": one, "spacing_yx_mm": [dy, dx] if one else None, "pixel_aspect": 1.0}
        for one in meanings
    ]
    found = answers(
        [("measuring", "lengthOf", [one, [3, 4], [3 + columns, 4 + rows]]) for one in series]
    )
    for meaning, measured in zip(meanings, found, strict=True):
        assert measured["unit"] == MEANINGS[meaning]
        step = (dx, dy) if meaning else (1, 1)
        assert measured["value"] == pytest.approx(np.hypot(columns * step[0], rows * step[1]))


@pytest.mark.parametrize(
    ("spacing", "meaning"), [([0.2, 0.2], None), (None, "calibrated"), ([0.2, 0.2], "elsewhere")]
)
def test_half_known_spacing_measures_pixels(
    spacing: list[float] | None, meaning: str | None
) -> None:
    series = {"spacing_meaning": meaning, "spacing_yx_mm": spacing, "pixel_aspect": 1.0}
    [measured] = answers([("measuring", "lengthOf", [series, [0, 0], [30, 40]])])
    assert measured == {"value": 50, "unit": "px"}
    [words] = answers([("measuring", "measuredWords", [measured])])
    assert words == "50 px"


def test_an_angle_is_that_of_the_body_not_of_the_grid() -> None:
    flat = {"spacing_meaning": None, "spacing_yx_mm": None, "pixel_aspect": 2.0}
    [measured] = answers([("measuring", "angleOf", [flat, [2, 0], [0, 0], [2, 1]])])
    assert measured == {"value": pytest.approx(45), "unit": "°"}


@BATCH
@given(st.lists(affines(), min_size=1, max_size=20))
def test_voxels_go_to_the_patient_and_back(many: list[list[list[float]]]) -> None:
    voxel = [3.25, 40.0, 7.5]
    places = [("geometry", "toPatient", [affine, voxel]) for affine in many]
    for affine, place in zip(many, answers(places), strict=True):
        assert place == pytest.approx((np.array(affine) @ [*voxel, 1])[:3].tolist())
    back = answers(
        [
            ("geometry", "toVoxel", [affine, {"call": place}])
            for affine, place in zip(many, places, strict=True)
        ]
    )
    assert np.abs(np.array(back) - voxel).max() < 1e-6


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


MR = {
    "modality": "MR",
    "frames": 20,
    "spacing_meaning": "in the patient",
    "spacing_z_mm": 3.0,
    "columns": 10,
    "rows": 10,
    "affine_lps_mm": np.diag([1.0, 1, 3, 1]).tolist(),
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({"modality": "DX"}, "MR series only"),
        ({"frames": 1}, "more than one slice"),
        ({"affine_lps_mm": None}, "position"),
        ({"spacing_meaning": "at the detector"}, "position"),
        ({"spacing_z_mm": None}, "evenly"),
        (
            {"affine_lps_mm": [[1, 0, 0.5, 0], [0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]},
            "sheared",
        ),
    ],
)
def test_planes_are_offered_only_where_they_are_true(change: dict[str, Any], why: str) -> None:
    [found] = answers([("geometry", "whyNoReformat", [{**MR, **change}])])
    assert (why in found) if why else found == ""


def test_linked_scrolling_goes_as_many_millimetres() -> None:
    thick = {**MR, "affine_lps_mm": np.diag([1.0, 1, -6, 1]).tolist(), "frames": 10}
    across = {
        **MR,
        "affine_lps_mm": np.array(
            [[0, 0, 3.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
        ).tolist(),
    }
    film = {**MR, "affine_lps_mm": None, "frames": 39}
    shared = {"frame_of_reference": "1"}
    shifted = {
        **MR,
        "affine_lps_mm": (np.diag([1.0, 1, 3, 1]) + np.eye(4, k=1) * [[0], [0], [6], [0]]).tolist(),
    }
    calls = [
        ("geometry", "linkedSlice", [MR, 9, 4, MR, 2]),
        ("geometry", "linkedSlice", [MR, 9, 4, thick, 5]),  # the other way up, twice as thick
        ("geometry", "linkedSlice", [MR, 9, 4, across, 5]),
        ("geometry", "linkedSlice", [MR, 19, 19, film, 0]),
        ("geometry", "linkedSlice", [{**MR, **shared}, 9, 1, {**shifted, **shared}, 0]),
        (
            "geometry",
            "linkedSlice",
            [{**MR, **shared}, 9, 1, {**shifted, "frame_of_reference": "2"}, 0],
        ),
    ]
    assert answers(calls) == [6, 3, None, 38, 7, 1]


def test_each_key_does_one_thing_that_exists_and_none_is_the_browsers() -> None:
    keys = [key for row in KEYS for key in row["keys"]]
    assert len(keys) == len(set(keys))
    [actions] = answers([("actions", "ACTIONS", [])])
    assert {row["action"] for row in KEYS} == set(actions) - {"movePointer"}
    reserved = {"c", "C", "r", "R", "Tab", "Enter"} | {f"F{n}" for n in range(1, 13)}
    assert not reserved & set(keys)
    assert not any(part in key for key in keys for part in ("Control", "Alt", "Meta", "Ctrl"))
