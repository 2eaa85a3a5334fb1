"""An MR case on the dashboard: slice, outline, measurements."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from medmm.presentation.case_view import case_view
from tests.mr_cases import case_file
from ui import presenter
from ui.volumes import marked_on, measured_rows


def page_of_a_head() -> None:
    from tests.mr_cases import case_file
    from ui import presenter
    from ui.volumes import show_volume

    file = case_file("BRAIN")
    show_volume(file, presenter.pictures(file)[0])


def page_without_orientation() -> None:
    from tests.mr_cases import case_file
    from ui import presenter
    from ui.volumes import show_volume

    file = case_file("BRAIN", oriented=False)
    show_volume(file, presenter.pictures(file)[0])


def shown(page: AppTest) -> str:
    """The caption under the picture as a browser shows it."""
    return page.caption[0].value.replace("\\", "").replace(presenter.JOINER, "")


def test_the_slice_with_the_most_of_the_label_is_shown_first_with_its_outline() -> None:
    page = AppTest.from_function(page_of_a_head, default_timeout=60).run()
    assert not page.exception
    (sliced,) = [s for s in page.slider if s.label == "Slice"]
    assert sliced.value == 7
    assert page.selectbox[0].value == "brain-lesion on FLAIR"
    caption = shown(page)
    assert "patient's left side, slice 7 of 12" in caption
    assert "Letters name the patient's directions." in caption
    assert page.dataframe[0].value["95 % interval"].tolist() == ["1.9 to 2.3 %", "27.7 to 33.9 ml"]
    page = sliced.set_value(2).run()
    assert "slice 2 of 12" in shown(page)
    page = page.selectbox[0].set_value("").run()
    assert not page.exception
    assert "outlined" not in page.caption[0].value


def test_without_orientation_the_page_names_no_side() -> None:
    page = AppTest.from_function(page_without_orientation, default_timeout=60).run()
    assert not page.exception
    caption = shown(page)
    assert caption.count("Orientation unknown: shown as stored, no side is named.") == 1
    assert "Letters" not in caption


def test_marked_volumes_come_first_with_their_role() -> None:
    file = case_file("BRAIN")
    first, second = presenter.pictures(file)
    assert [m.volume for m in marked_on(file)] == [first]
    assert presenter.picture_line(first) == "FLAIR · 40 × 48, 12 slices"
    assert presenter.picture_line(second) == "T1 · 40 × 48, 12 slices"


def test_the_view_of_an_mr_case_tells_extents_and_numbers() -> None:
    file = case_file("HEART")
    view = case_view(file)
    assert view.title == "MR HEART, 2026-01-02 08:15"
    lines = [s.evidence_line for s in view.statements]
    assert any(
        "LVEF 55 %, 95 % interval 50 to 61 %" in line and "marked as LV in cardiac-ed" in line
        for line in lines
    )
    assert measured_rows(file.draft)[0] == {
        "no.": "s2",
        "measured": "left ventricular ejection fraction (LVEF)",
        "side": "",
        "value": "55 %",
        "95 % interval": "50 to 61 %",
    }
    assert measured_rows(None) == []
