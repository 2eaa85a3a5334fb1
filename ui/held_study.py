"""A study that the gate holds: its pictures, what holds it, and the form to release it.

That takes a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from medmm.assistant import Assistant
from medmm.domain.errors import StateError
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable, Volume
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.presentation.film_picture import film_picture
from medmm.presentation.slice_picture import png_bytes, slice_title
from medmm.web.uploads import Upload
from ui import presenter
from ui.presenter import inert

KEY = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A study that was to be admitted and is held: where it lies, and why.

    `confirmed` is as in `Assistant.admit`. `upload` is kept as long as it is shown."""

    path: Path
    record: Path | None
    confirmed: bool
    outcome: NotEvaluable
    upload: Upload | None = None


def hold(held: Held) -> None:
    """Show a held study in place of a case."""
    st.session_state.pop("inspection", None)
    st.session_state[KEY] = held


def forget_held() -> None:
    """Stop showing a held study; what was uploaded of it goes."""
    held = st.session_state.pop(KEY, None)
    st.session_state.pop("inspection", None)
    if held is not None and held.upload is not None:
        held.upload.drop()


def show_held(
    assistant: Assistant,
    reader: Reader,
    told: Callable[[], AbstractContextManager[None]],
    admit: Callable[[Held], None],
) -> None:
    """Show the held study with its form; `admit` is called once it was released."""
    held: Held = st.session_state[KEY]
    if held.upload is not None:
        held.upload.touch()
    st.subheader("Held: a person must look", anchor=False)
    st.error(
        f"{inert(held.outcome.reason)} ({inert(held.outcome.reason_code)})",
        icon=":material/front_hand:",
    )
    st.button("Leave it held", key="leave held", on_click=forget_held)
    with told():
        look = looked_at(assistant, held, reader)
        left, right = st.columns([5, 6], gap="medium")
        with left:
            show_pictures(look)
        with right:
            show_series(look)
            show_form(assistant, held, reader, told, admit)


def looked_at(assistant: Assistant, held: Held, reader: Reader) -> Inspection:
    """Read what the study is understood as: one audited look, kept while it is shown.

    Raises: StateError if the files are not what was held.
    """
    wanted = (held.outcome.sha256, reader.id)
    kept = st.session_state.get("inspection")
    if kept is None or kept[0] != wanted:
        looks = assistant.inspect(held.path, by=reader)
        found = [
            one
            for one in looks
            if one.not_evaluable and one.not_evaluable.sha256 == held.outcome.sha256
        ]
        if not found:
            raise StateError(
                "the files are no longer what was held", remedy="admit the study again"
            )
        kept = st.session_state["inspection"] = (wanted, found[0])
    look: Inspection = kept[1]
    return look


def show_pictures(look: Inspection) -> None:
    """Show a picture of the study with its window; every picture can be chosen."""
    volumes = {volume.sha256: volume for series in look.series for volume in series.volumes}
    if not volumes:
        st.info("No picture of it can be shown.")
        return
    digests = list(volumes)
    chosen = digests[0]
    if len(digests) > 1:
        chosen = st.selectbox(
            "Picture", digests, format_func=lambda d: _line(digests.index(d), volumes[d])
        )
    volume = volumes[chosen]
    window = st.slider(
        "Window (black to white)", 0.0, 1.0, (0.0, 1.0), 0.01, key=f"held window {chosen}"
    )
    slices = volume.shape_zyx[0]
    index_z = (
        st.slider("Slice", 1, slices, slices // 2 + 1, key=f"held slice {chosen}") - 1
        if slices > 1
        else 0
    )
    grey = volume.frame(index_z)
    st.image(png_bytes(film_picture(grey, window, None, 0.0, volume.pixel_aspect)), width="stretch")
    st.caption(
        side_by_tags(volume) if slices == 1 else f"{slice_title(volume, index_z).capitalize()}."
    )


def side_by_tags(volume: Volume) -> str:
    """Say which side of the patient is where, as no more than what the tags say.

    A film may be held for just that.
    """
    side = volume.patient_left_on
    if volume.sequence is not None or side is None:
        return presenter.side_line(volume)
    return (
        f"By its tags the patient's left is on the {side} of the picture; while the film is "
        "held, that is not certain."
    )


def _line(number: int, volume: Volume) -> str:
    slices, rows, columns = volume.shape_zyx
    return f"{number + 1}: {rows} x {columns}" + (f", {slices} slices" if slices > 1 else "")


def show_series(look: Inspection) -> None:
    """Show whose it says it is, each series as understood, and what the gate has against it."""
    if look.identity is not None:
        st.markdown(f"**{inert(presenter.patient_line(look.identity))}**")
    for series in look.series:
        st.markdown(
            f"{inert(series.kind)}, {series.file_count} "
            f"{'file' if series.file_count == 1 else 'files'}, {inert(series.encoding)}"
        )
        st.caption("  \n".join(f"• {inert(line)}" for line in lines_of(series)))


def lines_of(series: SeriesLook) -> tuple[str, ...]:
    """List what speaks against a series, then what a reader would have to know of it."""
    notices = (*series.objections, *series.warnings)
    return (*(notice.text for notice in notices), *((series.problem,) if series.problem else ()))


def show_form(
    assistant: Assistant,
    held: Held,
    reader: Reader,
    told: Callable[[], AbstractContextManager[None]],
    admit: Callable[[Held], None],
) -> None:
    """Show the form for reason and release.

    What is held for something else too is held again for that.
    """
    with st.form("release", border=True):
        reason = st.text_area(
            "What did you see that lets it pass?", key=f"reason {held.outcome.sha256}"
        )
        st.caption(
            f"Acting as {inert(reader.name)} ({inert(reader.role)}). The release and its reason "
            "go into the audit log, and the study carries a warning that it was held."
        )
        if st.form_submit_button("Release, admit and draft", type="primary"):
            with told(), st.spinner("Reading the study …"):
                assistant.release(
                    held.path, reason=reason, by=reader, held_sha256=held.outcome.sha256
                )
                admit(held)
