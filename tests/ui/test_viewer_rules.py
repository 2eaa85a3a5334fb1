"""What the viewer decides without a browser: sides, greys, lengths, keys. Node runs its own sources."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from medmm.presentation.orientation import Edges, edge_letters, turned
from tests.ui.viewer_answers import BATCH, NEEDS_NODE, SOURCES, affines, answers

KEYS = json.loads((SOURCES / "keys.json").read_text(encoding="utf-8"))
TURNS = ("turnedRight", "turnedLeft", "mirrored")

pytestmark = NEEDS_NODE


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
