"""An MR volume: a slice with what a network marked, and what was measured on it."""

from __future__ import annotations

import streamlit as st

from medmm.domain.draft import CheckedDraft
from medmm.domain.report import CaseFile
from medmm.domain.study import Volume
from medmm.presentation.slice_picture import (
    MarkedSlice,
    marked_slices,
    png_bytes,
    slice_picture,
    slice_title,
)
from medmm.presentation.value_words import MEASURED_HEAD, measurement_rows
from ui.presenter import inert, side_line


def marked_on(file: CaseFile) -> tuple[MarkedSlice, ...]:
    """List the label maps that statements rest on, each with the slice that shows most of it."""
    return marked_slices(file.case.study, file.reading, file.draft)


def measured_rows(draft: CheckedDraft | None) -> list[dict[str, str]]:
    """List what the draft states as measured, as a table."""
    rows = measurement_rows(draft.statements if draft else ())
    return [dict(zip(MEASURED_HEAD, row.cells, strict=True)) for row in rows]


def show_volume(file: CaseFile, image: Volume) -> None:
    """Show a slice of an MR volume, and what was measured.

    At first it is the one that shows most of what a statement is marked on.
    """
    maps = {one.title: one for one in marked_on(file) if one.volume == image}
    one, two = st.columns(2)
    names = [*maps, ""]
    name = one.selectbox(
        "Outline", names, format_func=lambda n: n or "none", key=f"outline {image.sha256}"
    )
    marked = maps.get(name)
    window = two.slider(
        "Window (black to white)", 0.0, 1.0, (0.0, 1.0), 0.01, key=f"window {image.sha256}"
    )
    slices = image.shape_zyx[0]
    first = next(iter(maps.values())).index_z if maps else slices // 2
    index_z = (
        st.slider("Slice", 1, slices, first + 1, key=f"slice {image.sha256}") - 1
        if slices > 1
        else 0
    )
    label_map, labels = (marked.label_map, marked.labels) if marked else (None, ())
    st.image(png_bytes(slice_picture(image, index_z, label_map, labels, window)), width="stretch")
    words = marked.caption(index_z) if marked else f"{slice_title(image, index_z).capitalize()}."
    st.caption(inert(f"{words} {side_line(image)}" if image.affine_lps_mm or not marked else words))
    if rows := measured_rows(file.draft):
        st.dataframe(rows, hide_index=True, width="stretch")
