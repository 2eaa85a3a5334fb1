"""The projection of a film from all elements that name one, by data/film_views.csv.

If they contradict each other, it is unknown.

An AP film enlarges the heart: what is called PA in one element and AP in another, or taken at the
bed, is not known to be PA.
Source: PS3.3 C.8.7.1 (View Position), C.8.11.5 (View Code Sequence), PS3.16 CID 4010 (views of
projection radiography).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydicom.datadict import dictionary_description

from medmm.domain.study import View
from medmm.imaging.dicom.header import Tags

FRONTAL = (View.PA, View.AP)
OF_ONE_IMAGE = (
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionProtocolDescription",
    "AcquisitionDeviceProcessingDescription",
)
OF_THE_STUDY = (
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTerm:
    """A row of film_views.csv: what a pattern means.

    A row that is not sure only speaks against another view.
    """

    of_code: bool
    pattern: re.Pattern[str]
    view: View
    sure: bool
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidView:
    """The views that one element names, and the words for it."""

    element: str
    views: frozenset[View]
    bedside: bool
    name: str

    @property
    def words(self) -> str:
        """What it says, in the table's own words: a text of the header is not repeated."""
        return f"{dictionary_description(self.element)} says {self.name}"


@cache
def view_terms() -> tuple[ViewTerm, ...]:
    """Read the known terms."""
    text = files("medmm.imaging").joinpath("data/film_views.csv").read_text(encoding="utf-8")
    return tuple(
        ViewTerm(
            of_code=row["element"] == "code",
            pattern=re.compile(row["pattern"]),
            view=View[row["view"]],
            sure=row["sure"] == "yes",
            name=row["name"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def coded_view(tags: Tags) -> View | None:
    """Return the view of View Code Sequence; None if it names none that is known."""
    said = _coded(tags)
    return next(iter(said.views)) if said else None


def views_against(view: View | None, tags: Tags) -> Iterator[SaidView]:
    """Yield the elements that contradict a frontal view.

    They name the other frontal view, a film taken at the bed and called PA, or a lateral one.

    The words for a whole study name a lateral film beside a frontal one, so there only the other
    frontal view counts.
    """
    if view in FRONTAL:
        yield from (said for said in _said(tags) if _contradicts(said, view))


def _contradicts(said: SaidView, view: View | None) -> bool:
    if view in said.views:
        return False
    other = View.AP if view is View.PA else View.PA
    if other in said.views or (said.bedside and view is View.PA):
        return True
    return View.LATERAL in said.views and said.element not in OF_THE_STUDY


def _said(tags: Tags) -> Iterator[SaidView]:
    coded = _coded(tags)
    if coded is not None:
        yield coded
    for keyword in ("ViewPosition", *OF_ONE_IMAGE, *OF_THE_STUDY):
        plain = _plain(tags.text(keyword) or "")
        found = [term for term in view_terms() if not term.of_code and term.pattern.search(plain)]
        if found:
            views = frozenset(term.view for term in found if term.sure)
            names = dict.fromkeys(term.name for term in found)
            yield SaidView(
                element=keyword,
                views=views,
                bedside=any(not t.sure for t in found),
                name=" and ".join(names),
            )


def _coded(tags: Tags) -> SaidView | None:
    item = tags.first_item("ViewCodeSequence")
    stated = (
        [_plain(item.text(keyword) or "", keep="-") for keyword in ("CodeValue", "CodeMeaning")]
        if item
        else []
    )
    for term in view_terms():
        if term.of_code and any(
            term.pattern.fullmatch(text) or term.pattern.fullmatch(text.replace("-", " "))
            for text in stated
        ):
            return SaidView(
                element="ViewCodeSequence",
                views=frozenset({term.view}),
                bedside=False,
                name=term.name,
            )
    return None


def _plain(text: str, keep: str = "") -> str:
    """Reduce a text to capitals without accents.

    Dots within an abbreviation (A.P.) go, other marks become spaces.
    """
    bare = "".join(
        c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
    ).upper()
    bare = re.sub(r"\b([AP])[.\-/]([AP])\b\.?", r"\1\2", bare)
    return " ".join(re.sub(rf"[^A-Z0-9{keep}]+", " ", bare).split())
