"""A held study on the page: its picture and reason, and the release that lets it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.report import CaseState
from tests.kept import kept
from tests.ui.pressing import keys, opened_page, said, sound, until


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.yaml"
    readers = [
        {"id": "reader-1", "name": "ZZREADER One", "role": "reader"},
        {"id": "resident-1", "name": "ZZREADER Two", "role": "resident"},
    ]
    path.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "data"), "threads": 1, "readers": readers})
    )
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


@pytest.fixture
def held_film(tmp_path: Path, demo_films: Path) -> Path:
    """A real film held for two reasons: dated in the future, and mirrored."""
    dataset = pydicom.dcmread(demo_films / "RG1_UNCR.dcm")
    pixels = np.ascontiguousarray(dataset.pixel_array[::4, ::-4])
    dataset.Rows, dataset.Columns, dataset.PixelData = *pixels.shape, pixels.tobytes()
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = (
        "20990101"
    )
    path = tmp_path / "held.dcm"
    dataset.save_as(path)
    return path


@pytest.fixture
def page(config: Path, held_film: Path) -> Iterator[AppTest]:
    """The page after the film was to be admitted."""
    streamlit.cache_resource.clear()
    page = opened_page()
    page.default_timeout = 300  # seconds
    page.text_input(key="admit_path").set_value(str(held_film))
    yield click(page, "Admit and draft")
    streamlit.cache_resource.clear()


def click(page: AppTest, label: str) -> AppTest:
    return sound(next(button for button in page.button if button.label == label).click().run())


def released(page: AppTest, reason: str) -> AppTest:
    next(area for area in page.text_area if str(area.key).startswith("reason ")).set_value(reason)
    return click(page, "Release, admit and draft")


def test_a_held_film_is_shown_with_what_holds_it_and_released_for_a_reason(
    page: AppTest, config: Path
) -> None:
    assert "dated in the future" in said(page, "error")
    assert [s for s in page.slider if str(s.key).startswith("held window ")], (
        f"no picture: {said(page, 'error')}"
    )
    captions = said(page, "caption")
    assert "mirrored" in captions, "everything that holds it is said, not the first alone"
    assert "By its tags the patient's left is on the right of the picture" in captions, (
        "a mirrored film's side is no fact"
    )
    page = released(page, "the device's clock was wrong")
    assert "mirrored" in said(page, "error"), "held again for what was not released yet"
    page = released(page, "looked at: the marker shows a plain mirrored export")
    assert not [b for b in page.button if b.label == "Release, admit and draft"]
    until(page, lambda p: keys(p, "accept s"))  # the case is shown in its place
    with Assistant.from_config(config) as assistant:
        (case,) = assistant.cases()
        assert case.state is CaseState.DRAFTED
        events = [event for event in kept(assistant).events() if event.verb == "release"]
        assert [(event.actor, event.details["held_for"]) for event in events] == [
            ("reader-1", "future-date"),
            ("reader-1", "picture-mirrored"),
        ]
        assert "released" in {
            notice.code for notice in assistant.case(case.case_id).case.study.warnings
        }


def test_without_a_reason_nothing_is_released(page: AppTest, config: Path) -> None:
    page = released(page, "   ")
    assert "needs a reason" in said(page, "error")
    with Assistant.from_config(config) as assistant:
        assert kept(assistant).released() == {}


def test_a_role_that_may_not_release_is_told_so(page: AppTest, config: Path) -> None:
    page = page.selectbox(key="reader").select_index(1).run()
    assert "dated in the future" in said(page, "error"), "it may look"
    page = released(page, "I should like to")
    assert "may not release" in said(page, "error")
    with Assistant.from_config(config) as assistant:
        assert kept(assistant).released() == {}


def test_files_that_changed_since_the_look_are_not_released(
    page: AppTest, config: Path, held_film: Path
) -> None:
    dataset = pydicom.dcmread(held_film)
    dataset.SeriesDescription = "another file under the same path"
    dataset.save_as(held_film)
    page = released(page, "the device's clock was wrong")
    assert "no longer what was looked at" in said(page, "error")
    with Assistant.from_config(config) as assistant:
        assert kept(assistant).released() == {}


def test_a_held_film_can_be_left_held(page: AppTest) -> None:
    page = click(page, "Leave it held")
    assert not [b for b in page.button if b.label == "Release, admit and draft"]
    assert "medmm demo" in said(page, "caption")
