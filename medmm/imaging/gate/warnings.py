"""Warnings that travel with an image that passed the gate, as a table of codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from medmm.domain.patient_age import CHILD, under_age
from medmm.domain.study import Modality, Notice, View
from medmm.imaging.dicom.acquisition_time import study_time
from medmm.imaging.dicom.anatomy import body_part_of, modality_of, view_conflict, view_of
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import age_years, stated_ages
from medmm.imaging.gate.rules import SECONDARY_CAPTURE


def _note(code: str, text: str) -> Callable[[bool], tuple[Notice, ...]]:
    notice = Notice(code=code, text=text)
    return lambda holds: (notice,) if holds else ()


_SECONDARY = _note(
    "secondary-capture", "The image is a secondary capture; its acquisition is not described."
)
_LOSSY = _note("lossy", "The image was compressed with loss.")
_BURNED = _note("burned-in-annotation", "The image declares text burned into its pixels.")
_NO_ID = _note("no-patient-id", "The image names no patient ID; a person must confirm the patient.")
_PART = _note(
    "body-part-unclear", "The body part is stated in an unclear word; check that it is right."
)
_VIEW = _note("view-unknown", "The projection (PA or AP) is not stated.")
_AGE = _note("age-unknown", "The age is not stated or impossible; the models were made for adults.")
_PREFIX = _note("no-dicm-prefix", "The file has no DICM prefix; it was read all the same.")
_LOSSY_SYNTAXES = [f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 81, 91, 203)]


def _view_notes(tags: Tags, film: bool) -> tuple[Notice, ...]:
    conflict = view_conflict(tags) if film else None
    if conflict is None:
        return _VIEW(film and view_of(tags) is View.UNKNOWN)
    return (
        Notice(
            code="view-conflict", text=f"{conflict}: the projection (PA or AP) is taken as unknown."
        ),
    )


def burned_in_text(images: Iterable[Tags]) -> bool | None:
    """Tell whether images state text burned into their pixels.

    Returns: True if one does, False if all state that there is none, None if it is not known.
    """
    stated = {tags.word("BurnedInAnnotation") for tags in images}
    return True if "YES" in stated else False if stated == {"NO"} else None


def notes(tags: Tags, *, syntax: str = "", prefixed: bool = True) -> tuple[Notice, ...]:
    """List the warnings from the header of an image that passed."""
    when, _ = study_time(tags)
    age = age_years(tags, when.moment.date() if when else None)
    part = body_part_of(tags)
    lossy = tags.text("LossyImageCompression") == "01" or syntax in _LOSSY_SYNTAXES
    film = modality_of(tags) is Modality.RADIOGRAPH
    return (
        *_SECONDARY(tags.text("SOPClassUID") == SECONDARY_CAPTURE),
        *_LOSSY(lossy),
        *_BURNED(burned_in_text([tags]) is True),
        *_NO_ID(tags.text("PatientID") is None),
        *_PART(not part.certain),
        *_view_notes(tags, film),
        *((CHILD,) if under_age(stated_ages([tags])) else ()),
        *_AGE(age is None),
        *_PREFIX(not prefixed),
    )
