"""The images of the open case, in the viewer."""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st

from medmm.presentation.viewer_data import ViewerSeries, ViewerStudy, viewer_series, viewer_study
from medmm.web.frame_links import STEP_S
from ui import presenter, sentences
from ui.desk import Desk
from ui.open_case import OpenCase
from ui.reading_room import case_links
from ui.viewer import show_viewer

HEIGHT_PX = 640


def show_images(case: OpenCase, desk: Desk, sentence: str | None) -> None:
    """Show the viewer; it goes to the image, slice and region of the sentence that is read."""
    chosen = st.session_state.get("sentence")
    study = replace(_study(case, desk), shown_statement=chosen)
    events = show_viewer(study.text(), key=f"viewer {case.id}", height_px=HEIGHT_PX)
    if events.links_wanted:
        st.session_state.pop("viewer", None)
        st.rerun(scope="fragment")
    if events.region and sentence not in events.region:
        sentences.choose(events.region[0])
        st.rerun(scope="fragment")


def _study(case: OpenCase, desk: Desk) -> ViewerStudy:
    """Make what the viewer is told; kept as long as its links hold and the draft is the same."""
    draft = case.file.draft.draft.id if case.file.draft else None
    beside: str | None = st.session_state.get("beside")
    of = (case.id, draft, desk.reader.id, beside, int(time.time() // STEP_S))
    kept = st.session_state.get("viewer")
    if kept is None or kept[0] != of:
        links = case_links(case.file, desk.reader)
        made = viewer_study(case.file, links, order=presenter.pictures, draft_digest=draft)
        if beside is not None:
            made = replace(made, series=(*made.series, *_series_of(beside, desk)))
        kept = st.session_state["viewer"] = (of, made)
    made_before: ViewerStudy = kept[1]
    return made_before


def _series_of(case_id: str, desk: Desk) -> tuple[ViewerSeries, ...]:
    """Open an earlier case for its images, which is a look of its own, by links of its own."""
    file = desk.assistant.case(case_id, by=desk.reader)
    links, modality = case_links(file, desk.reader), file.case.study.modality
    found = (viewer_series(v, modality, links, prior=True) for v in presenter.pictures(file))
    # the same pixels may stand in two studies, and are two pictures in the viewer
    return tuple(replace(series, id=f"prior {series.id}") for series in found)
