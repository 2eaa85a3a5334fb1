"""The viewer in a page: given the text of a study, it answers with what its reader did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from medmm.domain.errors import InputError

HEIGHT_PX = 640


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A slice of a series, counted from 0."""

    series: str
    slice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A length in mm or px, or an angle in degrees, that a reader laid on a picture.

    Attributes:
        slice: None if it was laid on a plane through several slices.
        spacing_meaning: where its mm hold; None without mm.
    """

    series: str
    slice: int | None
    kind: str
    value: float
    unit: str
    spacing_meaning: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerEvents:
    """What a reader did in the viewer.

    Attributes:
        region: ids of the statements whose mark was clicked in this run.
        measured: what was measured in this run.
        links_wanted: whether links have expired: the page then sends new ones.
        place: the slice that is shown; it stays from run to run.
    """

    region: tuple[str, ...] = ()
    measured: Measured | None = None
    links_wanted: bool = False
    place: Place | None = None


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("medmm.viewer", js="viewer.js", css="viewer.css")


def show_viewer(study: str, *, key: str, height_px: int = HEIGHT_PX) -> ViewerEvents:
    """Show the images of a study; unchanged text leaves the picture as it is.

    Args:
        study: the JSON text that `medmm.presentation.viewer_data` writes.
        key: names the case, so that another case gets a viewer of its own.

    Raises: InputError if the browser answers with what the study doesn't hold.
    """
    found = _component()(
        key=key,
        data={"study": study},
        default={"place": None},
        height=height_px,
        on_region_change=_noted,
        on_measured_change=_noted,
        on_links_change=_noted,
        on_place_change=_noted,
    )
    return viewer_events(study, found)


def _noted() -> None:
    """Let Streamlit keep an event; the run that follows reads it."""


def viewer_events(study: str, found: Any) -> ViewerEvents:
    """Check what came from the browser against the study that was sent there.

    Raises: InputError if it names a series, a slice or a statement of another study.
    """
    told = json.loads(study)
    frames = {series["id"]: series["frames"] for series in told["series"]}
    statements = {statement["id"] for statement in told["statements"]}
    region = tuple(found.get("region") or ())
    if not statements.issuperset(region):
        raise _foreign("a statement")
    measured = found.get("measured")
    return ViewerEvents(
        region=region,
        measured=_measured(measured, frames) if measured else None,
        links_wanted=bool(found.get("links")),
        place=_place(found["place"], frames) if found.get("place") else None,
    )


def _place(value: Any, frames: dict[str, int]) -> Place:
    series, index = value.get("series"), value.get("slice")
    if series not in frames or not isinstance(index, int) or not 0 <= index < frames[series]:
        raise _foreign("a slice")
    return Place(series=series, slice=index)


def _measured(value: Any, frames: dict[str, int]) -> Measured:
    series, index, size = value.get("series"), value.get("slice"), value.get("value")
    known = (
        series in frames
        and (index is None or (isinstance(index, int) and 0 <= index < frames[series]))
        and isinstance(size, int | float)
        and (value.get("kind"), value.get("unit"))
        in {("length", "mm"), ("length", "px"), ("angle", "°")}
    )
    if not known:
        raise _foreign("a measurement")
    return Measured(
        series=series,
        slice=index,
        kind=value["kind"],
        value=float(size),
        unit=value["unit"],
        spacing_meaning=value.get("spacing_meaning"),
    )


def _foreign(what: str) -> InputError:
    return InputError(
        f"the viewer named {what} that this study does not hold",
        remedy="reload the page; another study may have been opened in it",
    )
