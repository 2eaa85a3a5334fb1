"""What a header says of modality, body part and view."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medmm.domain.study import Modality, View
from medmm.imaging.dicom.film_views import coded_view, views_against
from medmm.imaging.dicom.geometry import film_lies
from medmm.imaging.dicom.header import Tags

MODALITIES = {"CR": Modality.RADIOGRAPH, "DX": Modality.RADIOGRAPH, "MR": Modality.MR}

DESCRIPTIONS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
    "AcquisitionDeviceProcessingDescription",
)

OF_ONE_IMAGE = (
    "PatientPosition",
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
)

_VIEW_WORDS = {
    "PA": View.PA,
    "AP": View.AP,
    "LL": View.LATERAL,
    "RL": View.LATERAL,
    "LAT": View.LATERAL,
    "LATERAL": View.LATERAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart:
    """A body part as the header names it: its word, its region, and whether that is certain.

    The region is CHEST, BRAIN, HEART, OTHER or "".
    """

    word: str
    region: str
    certain: bool = True


def modality_of(tags: Tags) -> Modality | None:
    """Group Modality (0008,0060); return None if it is not one that medmm knows."""
    return MODALITIES.get(tags.word("Modality"))


@cache
def body_part_table() -> dict[str, BodyPart]:
    """Read the known words for body parts from data/body_parts.csv."""
    text = files("medmm.imaging").joinpath("data/body_parts.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    parts = (
        BodyPart(word=r["term"], region=r["region"], certain=r["certain"] == "yes") for r in rows
    )
    return {part.word: part for part in parts}


def body_part_of(tags: Tags) -> BodyPart:
    """Read the body part from the first source that names one.

    These are Body Part Examined (0018,0015), a coded region, and words of the descriptions.

    Words of a description count only if all of them mean one region. A PA view says nothing:
    hands are taken so too.
    """
    region = tags.first_item("AnatomicRegionSequence")
    stated = tags.word("BodyPartExamined") or (region.word("CodeMeaning") if region else "")
    if stated:
        return (
            body_part_table().get(stated)
            or _from_words(stated)
            or BodyPart(word=stated, region="OTHER")
        )
    found = _from_words(" ".join(tags.word(keyword) for keyword in DESCRIPTIONS))
    return found if found is not None else BodyPart(word="", region="")


def _from_words(text: str) -> BodyPart | None:
    parts = [
        body_part_table()[word] for word in re.findall(r"[A-Z]+", text) if word in body_part_table()
    ]
    if not parts:
        return None
    others = [part for part in parts if part.region != parts[0].region]
    return BodyPart(word=others[0].word, region="OTHER") if others else parts[0]


def view_of(tags: Tags) -> View | None:
    """Read the projection of a film from the first element that states one.

    These are View Position, View Code Sequence, Patient Position and the descriptions.

    Returns: None if a view is stated that medmm does not read (decubitus, oblique). A frontal view
        that another element contradicts is unknown.
    """
    view, _ = named_view(tags)
    return View.UNKNOWN if any(views_against(view, tags)) else view


def view_conflict(tags: Tags) -> str | None:
    """Say which elements contradict each other on a frontal view; return None if none do."""
    view, source = named_view(tags)
    against = next(views_against(view, tags), None)
    return f"{source} says {view.value}, but {against.words}" if view and against else None


def named_view(tags: Tags) -> tuple[View | None, str]:
    """Return the view by the first source that names one, and that source."""
    stated = tags.word("ViewPosition")
    if stated:
        return view_in(stated), "View Position"
    if film_lies(tags) == "lateral":
        return View.LATERAL, "Patient Orientation"
    coded = coded_view(tags)
    if coded is not None:
        return coded, "View Code Sequence"
    views = [view for keyword in OF_ONE_IMAGE if (view := view_in(tags.word(keyword)))]
    return views[0] if len(set(views)) == 1 else View.UNKNOWN, "a description"


def view_in(text: str) -> View | None:
    """Return the one view that a text names; None if it names none or several."""
    found = {_VIEW_WORDS[word] for word in re.findall(r"[A-Z]+", text) if word in _VIEW_WORDS}
    return found.pop() if len(found) == 1 else None
