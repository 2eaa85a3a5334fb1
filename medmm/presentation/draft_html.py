"""A draft as one HTML page that stands alone: pictures and statements side by side."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.draft import Section
from medmm.domain.notices import FOR_THE_RECORD_TITLE
from medmm.domain.report import CaseFile
from medmm.domain.study import Volume
from medmm.domain.suspicion import Standing
from medmm.presentation.case_view import CaseView, HeatChoice, case_view
from medmm.presentation.draft_words import LEGEND
from medmm.presentation.film_picture import HEAT_NOTE, grey_bytes, heat_picture
from medmm.presentation.opinion_words import NOTE, TITLE
from medmm.presentation.orientation import film_side_words
from medmm.presentation.pages import Figure, page
from medmm.presentation.record_view import record_view
from medmm.presentation.slice_picture import (
    OUTLINE_NOTE,
    marked_slices,
    slice_picture,
    slice_title,
)
from medmm.presentation.suspicion_words import ALSO_NOTE
from medmm.presentation.value_words import MEASURED_HEAD

LONGEST_PX = 900
SMALL_PX = 420
OPACITY = 0.6  # of the heat in the small pictures


def draft_html(file: CaseFile) -> str:
    """Make the page of a case; it says on top that what it shows is a draft."""
    view = case_view(file)
    return page(
        "draft.html",
        view=view,
        title=f"{view.what}, case {view.case_id}",
        pictures=_pictures(file, view),
        record=record_view(file.case.context) if file.case.context else None,
        sections=tuple(Section),
        findings=Section.FINDINGS,
        also_title=Standing.NOT_STATED.value,
        also_note=ALSO_NOTE,
        measured=[row.cells for row in view.measured] if file.case.study.frontal is None else [],
        measured_head=MEASURED_HEAD,
        recorded_title=FOR_THE_RECORD_TITLE.lower(),
        opinions_title=TITLE,
        opinions_note=NOTE,
        legend=LEGEND,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pictures:
    """The film with its heat-maps, or the slices that statements are marked on."""

    main: tuple[Figure, ...]
    heats: tuple[Figure, ...] = ()
    note: str = ""


def _pictures(file: CaseFile, view: CaseView) -> _Pictures:
    film = file.case.study.frontal
    return _slices(file) if film is None else _film(film, view)


def _film(film: Volume, view: CaseView) -> _Pictures:
    grey, on = film.frame(0), film.patient_left_on
    edges = {"left": ("L", "R"), "right": ("R", "L")}.get(on or "", ("", ""))
    main = grey_bytes(grey, LONGEST_PX, aspect=film.pixel_aspect)
    small = grey_bytes(grey, SMALL_PX, aspect=film.pixel_aspect)

    def heat(choice: HeatChoice) -> Figure:
        picture = heat_picture(small, choice.region, OPACITY, box_width_px=1)
        return Figure.of(picture, choice.caption)

    heats = tuple(heat(choice) for choice in view.heats if choice.suspected)
    return _Pictures(
        main=(Figure.of(main, film_side_words(on), edges),),
        heats=heats,
        note=HEAT_NOTE if heats else "",
    )


def _slices(file: CaseFile) -> _Pictures:
    """Show of each label map that a statement rests on the slice with most of it.

    Without such a label map it is the middle slice of the main volume, or of the first one.
    """
    study = file.case.study
    marked = marked_slices(study, file.reading, file.draft)
    if marked:
        figures = (
            Figure.of(
                slice_picture(m.volume, m.index_z, m.label_map, m.labels), m.caption(m.index_z)
            )
            for m in marked
        )
        return _Pictures(main=tuple(figures), note=OUTLINE_NOTE)
    first = (study.volume(study.main_sha256) if study.main_sha256 else None) or study.volumes[0]
    middle = first.shape_zyx[0] // 2
    caption = f"{slice_title(first, middle)}, nothing marked"
    return _Pictures(main=(Figure.of(slice_picture(first, middle), caption),))
