"""A slice with its outlines: what was marked, where it lies for a reader, letters only where they are known."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from medmm.domain.reading import LabelMap
from medmm.domain.report import CaseFile
from medmm.domain.study import Volume
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.doors.draft_page import draft_page
from medmm.doors.study_page import study_page
from medmm.presentation.draft_html import draft_html
from medmm.presentation.slice_picture import COLOURS, MarkedSlice, marked_slices, slice_picture
from medmm.presentation.study_html import MOST_SLICES, study_html
from tests.mr_cases import case_file
from tests.mr_phantoms import head


def marked(file: CaseFile) -> tuple[MarkedSlice, ...]:
    return marked_slices(file.case.study, file.reading, file.draft)


def printed(file: CaseFile, **console: Any) -> str:
    text = io.StringIO()
    draft_page(file, Console(file=text, width=80, highlight=False, **console))
    return text.getvalue()


def drawn(rgb: np.ndarray, colour: tuple[int, int, int] = COLOURS[0]) -> np.ndarray:
    """Pixels of an outline's colour, shape (n, 2): row, column; the legend in the corner is left out."""
    found = np.argwhere((rgb == colour).all(2))
    return found[(found[:, 0] > 60) | (found[:, 1] > 150)]


def test_each_label_map_is_shown_once_at_the_slice_with_the_most_of_it() -> None:
    (one,) = marked(case_file("BRAIN"))
    areas = one.label_map.array().astype(bool).sum((1, 2))
    assert one.index_z == areas.argmax()
    assert one.statements == ("s1", "s2", "s3")
    assert one.caption(one.index_z) == (
        "brain-lesion on FLAIR, patient's left side, slice 7 of 12: lesion, outlined by a network (s1, s2, s3)."
    )
    ed, es = marked(case_file("HEART"))
    assert (ed.labels, es.labels) == (("RV", "myocardium", "LV"), ("RV", "LV"))
    assert [m.side and m.side.value for m in marked(case_file("HIPPOCAMPUS"))] == ["right", "left"]


def test_without_labels_or_draft_nothing_is_outlined() -> None:
    file = case_file("BRAIN")
    assert file.reading is not None
    assert marked(replace(file, draft=None)) == ()
    assert marked(replace(file, reading=replace(file.reading, label_maps=()))) == ()


def picture(volume: Volume, label_map: LabelMap, index_z: int = 6) -> np.ndarray:
    return slice_picture(volume, index_z, label_map, ("lesion",))


def lesion(values: np.ndarray) -> LabelMap:
    return LabelMap.from_array("brain-lesion", "1" * 64, ("lesion",), values)


def test_the_outline_stays_within_the_label_and_runs_all_around_it() -> None:
    (flair, _), values = head()
    rgb = picture(flair, lesion(values))
    times = rgb.shape[0] // values.shape[1]
    covered = np.repeat(np.repeat(values[6].astype(bool), times, 0), times, 1)
    rim = drawn(rgb)
    assert covered[rim[:, 0], rim[:, 1]].all()
    rows, columns = np.nonzero(covered)
    assert (rim.min(0) == (rows.min(), columns.min())).all()
    assert (rim.max(0) == (rows.max(), columns.max())).all()
    assert len(rim) < 0.3 * covered.sum(), "an outline, not a cover"


def test_the_patients_left_is_on_the_right_however_columns_are_stored() -> None:
    (flair, _), values = head()
    assert flair.affine_lps_mm is not None
    x, *rest = flair.affine_lps_mm
    stored = flair.pixels()[:, :, ::-1]
    other = replace(
        flair,
        affine_lps_mm=((-x[0], 0.0, 0.0, x[3] + x[0] * 39), *rest),
        loader=lambda: np.ascontiguousarray(stored),
    )
    one, two = picture(flair, lesion(values)), picture(other, lesion(values[:, :, ::-1]))
    assert drawn(one)[:, 1].mean() > one.shape[1] / 2
    assert (one == two).all()


def test_without_orientation_it_is_shown_as_stored_and_says_so() -> None:
    (known, _), values = head()
    (unknown, _), _ = head(oriented=False)
    one, two = picture(known, lesion(values)), picture(unknown, lesion(values))
    assert (drawn(one) == drawn(two)).all()
    middle = slice(one.shape[0] // 2 - 30, one.shape[0] // 2 + 30)
    edges = [(middle, slice(0, 26)), (middle, slice(-26, None))]
    assert all((one[edge].max() == 255) and (two[edge].max() < 200) for edge in edges), (
        "no letter R or L"
    )
    mirrored = replace(unknown, loader=lambda: np.ascontiguousarray(unknown.pixels()[:, :, ::-1]))
    assert not (picture(mirrored, lesion(values[:, :, ::-1])) == two).all(), (
        "nothing turns what has no orientation"
    )


def test_a_small_picture_has_an_outline_and_no_letters() -> None:
    (flair, _), values = head()
    small = slice_picture(flair, 6, lesion(values), ("lesion",), longest_px=64)
    assert max(small.shape) <= 64
    assert ((small == COLOURS[0]).all(2)).sum() > 10
    assert not (small == 255).all(2).any()


@pytest.mark.parametrize(
    ("body_part", "pictures"), [("BRAIN", 1), ("HEART", 2), ("HIPPOCAMPUS", 2)]
)
def test_the_html_page_shows_slices_and_what_was_measured(body_part: str, pictures: int) -> None:
    file = case_file(body_part)
    page = draft_html(file)
    assert page.count("data:image/png;base64,") == pictures
    assert file.draft is not None
    assert "outlined by a network" in page
    assert "95 % interval" in page
    assert "<script" not in page
    assert "it does not write MR" in page
    for value in {"BRAIN": ("30.8 ml", "27.7 to 33.9 ml"), "HEART": ("55 %", "50 to 61 %")}.get(
        body_part, ("3.10 ml",)
    ):
        assert f"<td>{value}</td>" in page


def test_an_mr_case_without_anything_marked_shows_its_middle_slice() -> None:
    page = draft_html(replace(case_file("BRAIN"), reading=None, draft=None))
    assert "slice 7 of 12, nothing marked" in page
    assert page.count("data:image/png;base64,") == 1


def test_the_terminal_page_has_words_and_a_table_and_pictures_only_in_colour() -> None:
    file = case_file("HEART")
    page = printed(file, no_color=True)
    assert max(len(line) for line in page.splitlines()) <= 80
    assert "cardiac-ed on cine, end-diastole, slice 4 of 8" in " ".join(page.split())
    assert "R on the left of the picture, L on the right." in " ".join(page.split())
    assert "left ventricular mass" in page
    assert "▀" not in page
    assert "▀" in printed(file, force_terminal=True, color_system="truecolor")


def test_no_letters_are_told_where_they_are_unknown() -> None:
    file = case_file("BRAIN", oriented=False)
    words = " ".join(printed(file, no_color=True).split())
    assert "on the left of the picture" not in words
    assert "Orientation unknown: shown as stored, no side is named." in words
    assert "Orientation unknown: shown as stored, no side is named." in draft_html(file)


def test_every_page_asks_for_its_slices_alone() -> None:
    """No page loads a volume to show a slice of it."""

    def whole() -> np.ndarray:
        raise AssertionError("the whole volume was loaded")

    file = case_file("BRAIN")
    pixels = {volume.sha256: volume.pixels() for volume in file.case.study.volumes}
    asked: list[tuple[str, int]] = []

    def alone(volume: Volume) -> Volume:
        def frame(index: int) -> np.ndarray:
            asked.append((volume.sha256, index))
            return pixels[volume.sha256][index]

        return replace(volume, loader=whole, frame_loader=frame)

    study = replace(file.case.study, volumes=tuple(map(alone, file.case.study.volumes)))
    lazy = replace(file, case=replace(file.case, study=study))
    (one,) = marked(lazy)
    assert np.array_equal(slice_picture(one.volume, 3), slice_picture(marked(file)[0].volume, 3))
    assert asked == [(one.volume.sha256, 3)]
    assert draft_html(lazy) == draft_html(file)
    assert set(asked[1:]) == {(one.volume.sha256, one.index_z)}
    seen = SeriesLook(
        series_uid="1",
        kind="MR",
        encoding="",
        file_count=1,
        frame_count=1,
        polarity="",
        volumes=study.volumes,
    )
    page = study_html([Inspection(path="x", file_count=1, series=(seen,))])
    shown = sum(min(volume.shape_zyx[0], MOST_SLICES) for volume in study.volumes)
    assert page.count("<img") == shown
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    study_page(Inspection(path="x", file_count=1, series=(seen,)), console)
