"""What the viewer is told of a case: links, geometry, overlays, and where each statement is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.report import CaseFile
from medmm.domain.study import Modality, SpacingMeaning, View
from medmm.presentation.orientation import display_flip, edge_letters, stored_edges
from medmm.presentation.overlays import overlay_pixels, overlay_volume, overlays
from medmm.presentation.viewer_data import spacing_meaning, viewer_series, viewer_study
from tests.factories import make_volume
from tests.mr_cases import case_file


class Links:
    def frames(self, series: str) -> str:
        return f"/frames/{series[:4]}/{{index}}"

    def overlay(self, series: str, source: str) -> str:
        return f"/overlays/{series[:4]}/{source}"

    def pictures(self, series: str) -> str:
        return f"/pictures/{series[:4]}/{{index}}"


def told(file: CaseFile) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(viewer_study(file, Links()).text())
    return data


def test_every_overlay_of_a_statement_exists_and_names_the_statement() -> None:
    data = told(case_file("BRAIN"))
    overlay_of = {one["id"]: one for one in data["overlays"]}
    seen = [(place["id"], overlay) for place in data["statements"] for overlay in place["overlays"]]
    assert seen
    for statement, overlay in seen:
        assert statement in overlay_of[overlay]["statements"]
        assert overlay_of[overlay]["series"] in {one["id"] for one in data["series"]}


def test_a_statement_on_labels_begins_on_a_slice_that_shows_them() -> None:
    file = case_file("BRAIN")
    data = told(file)
    places = [
        place
        for place in data["statements"]
        if any(o.startswith("labels:") for o in place["overlays"])
    ]
    assert places
    for place in places:
        first = next(one for one in overlays(file) if one.id == place["overlays"][0])
        assert first.label in overlay_pixels(file, first.source, place["slice"])


def test_blind_nothing_that_was_read_is_told() -> None:
    data = told(case_file("BRAIN").blinded())
    assert data["series"]
    assert (data["overlays"], data["statements"]) == ([], [])


def test_an_overlay_that_the_case_has_not_is_refused() -> None:
    file = case_file("BRAIN")
    known = next(one.source for one in overlays(file) if one.source.startswith("labels:"))
    for source, index in (
        ("labels:none:0", 0),
        ("mask:../x", 0),
        ("", 0),
        (known, 999),
        (known, -1),
    ):
        with pytest.raises(InputError):
            overlay_pixels(file, source, index)


@pytest.mark.parametrize("case", ["BRAIN", "HIPPOCAMPUS"])
def test_all_slices_of_an_overlay_are_its_slices(case: str) -> None:
    file = case_file(case)
    assert file.reading is not None
    found = {one.source: one.series for one in overlays(file) if one.source}
    assert found
    for source, series in found.items():
        volume = file.case.study.volume(series)
        whole = overlay_volume(file, source)
        assert volume is not None
        assert whole.shape == volume.shape_zyx
        for index, plane in enumerate(whole):
            assert np.array_equal(plane, overlay_pixels(file, source, index))
    told_sources = {one["source"] for one in told(file)["overlays"]}
    assert told_sources == set(found)
    with pytest.raises(InputError):
        overlay_volume(file, "labels:none:0")


def test_a_series_that_can_not_be_read_is_said_and_others_stay() -> None:
    def broken(index: int) -> Any:
        raise InputError("frame can't be decoded", remedy="send it again")

    volume = replace(make_volume(), stored_frame_loader=broken)
    data = viewer_series(volume, Modality.RADIOGRAPH, Links()).json()
    assert data["problem"] == "frame can't be decoded; send it again"
    assert "windows" not in data


SPACED = replace(make_volume(), spacing_yx_mm=(0.15, 0.15))


@pytest.mark.parametrize(
    ("volume", "meaning"),
    [
        (replace(SPACED, spacing_yx_mm=None, spacing_meaning=SpacingMeaning.DETECTOR), None),
        (replace(SPACED, spacing_meaning=SpacingMeaning.DETECTOR), SpacingMeaning.DETECTOR),
        (replace(SPACED, spacing_meaning=None), SpacingMeaning.UNSTATED),
    ],
)
def test_what_a_spacing_means_is_never_guessed(volume: Any, meaning: SpacingMeaning | None) -> None:
    assert spacing_meaning(volume) is meaning


ANGLE = st.floats(-3.1, 3.1)


@given(ANGLE, ANGLE, st.booleans(), st.booleans())
def test_edges_as_stored_are_those_of_the_turned_picture_turned_back(
    about_z: float, about_x: float, mirrored: bool, headless: bool
) -> None:
    """Letters of a stored picture, mirrored as it is shown, are the letters of the shown one."""
    cz, sz, cx, sx = np.cos(about_z), np.sin(about_z), np.cos(about_x), np.sin(about_x)
    turn = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, cx, -sx], [0, sx, cx]]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag([-1.0 if mirrored else 1.0, 1.0, -1.0 if headless else 1.0])
    affine = tuple(tuple(float(v) for v in row) for row in matrix)
    volume = replace(make_volume(), affine_lps_mm=affine, patient_left_on=None, view=View.UNKNOWN)
    stored, shown, flip = stored_edges(volume), edge_letters(affine), display_flip(affine)
    across = (stored.right, stored.left) if flip.columns else (stored.left, stored.right)
    down = (stored.bottom, stored.top) if flip.rows else (stored.top, stored.bottom)
    assert (*across, *down) == (shown.left, shown.right, shown.top, shown.bottom)
    assert len({stored.left, stored.right}) == len({stored.top, stored.bottom}) == 2


def test_a_film_whose_left_is_known_has_letters_on_that_side() -> None:
    film = replace(make_volume(), patient_left_on="right", affine_lps_mm=None)
    edges = stored_edges(film)
    assert (edges.left, edges.right, edges.top) == ("R", "L", "")
