"""What the viewer is told of a case: one JSON text of series, overlays and statements.

Pixels are not in it. The viewer fetches them by the links that stand here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.images import time_words, what_words
from medmm.domain.report import CaseFile
from medmm.domain.stored_frame import GreyTable, SentFrame, StoredFrame, Window
from medmm.domain.study import Modality, SpacingMeaning, Volume
from medmm.presentation.orientation import Edges, Flip, display_flip, stored_edges
from medmm.presentation.overlays import Overlay, StatementPlace, overlays, statement_places

Json = dict[str, Any]


class ViewerLinks(Protocol):
    """Makes the addresses from which a viewer fetches pixels."""

    def frames(self, series: str) -> str:
        """Return that of the frames of a series, with `{index}` where the slice stands."""
        ...

    def overlay(self, series: str, source: str) -> str:
        """Return that of the pixels of an overlay."""
        ...

    def pictures(self, series: str) -> str:
        """Return that of pictures drawn here, with `{index}`; window and size are its query."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """How the stored values of a frame are to be shown; see `StoredFrame`."""

    pixel_type: str
    slope: float
    intercept: float
    unit: str
    inverted: bool
    windows: tuple[Window, ...]
    table: GreyTable | None
    background: int | None
    exact: bool

    @classmethod
    def of(cls, sent: SentFrame) -> FrameFacts:
        """Take the facts of a frame as it is sent."""
        frame = sent.frame
        return cls(
            pixel_type=frame.values.dtype.name,
            slope=frame.slope,
            intercept=frame.intercept,
            unit=frame.unit,
            inverted=frame.inverted,
            windows=frame.windows,
            table=frame.table,
            background=sent.background_value,
            exact=frame.exact,
        )

    def json(self) -> Json:
        """Write them for the viewer."""
        table = self.table
        return {
            "pixel_type": self.pixel_type,
            "slope": self.slope,
            "intercept": self.intercept,
            "unit": self.unit,
            "inverted": self.inverted,
            "windows": [
                {"name": w.name, "center": w.center, "width": w.width, "function": w.function.value}
                for w in self.windows
            ],
            "lut": {"first": table.first, "values": list(table.greys)} if table else None,
            "background": self.background,
            "exact": self.exact,
        }


def frame_body(frame: StoredFrame) -> bytes:
    """Write a frame for the viewer: its values, little-endian, and behind them its facts.

    The values are rows times columns of 16 bits; the facts are a JSON text up to the end.
    """
    sent = frame.sent()
    values = sent.frame.values.astype(sent.frame.values.dtype.newbyteorder("<"), copy=False)
    facts = json.dumps(FrameFacts.of(sent).json(), allow_nan=False)
    return b"".join((np.ascontiguousarray(values).data, facts.encode("ascii")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerSeries:
    """One film or stack, with how it lies and how it is shown.

    Attributes:
        facts: of the frame that is shown first; each frame carries its own.
        problem: why its frames can't be shown, in words; then `facts` are None.
        edges: the patient's direction at each edge of the picture as it lies in the frame.
    """

    id: str
    title: str
    modality: Modality
    frames: int
    rows: int
    columns: int
    frame_url: str
    picture_url: str
    facts: FrameFacts | None
    edges: Edges
    flip: Flip
    problem: str = ""
    affine_lps_mm: tuple[tuple[float, ...], ...] | None = None
    spacing_yx_mm: tuple[float, float] | None = None
    spacing_z_mm: float | None = None
    spacing_meaning: SpacingMeaning | None = None
    pixel_aspect: float = 1.0
    frame_of_reference: str | None = None
    prior: bool = False
    acquired: str = ""

    def json(self) -> Json:
        """Write it for the viewer."""
        affine, meaning = self.affine_lps_mm, self.spacing_meaning
        return {
            "id": self.id,
            "title": self.title,
            "modality": self.modality.value,
            "frames": self.frames,
            "rows": self.rows,
            "columns": self.columns,
            "frame_url": self.frame_url,
            "picture_url": self.picture_url,
            **(self.facts.json() if self.facts else {}),
            "problem": self.problem,
            "affine_lps_mm": [list(row) for row in affine] if affine else None,
            "spacing_yx_mm": list(self.spacing_yx_mm) if self.spacing_yx_mm else None,
            "spacing_z_mm": self.spacing_z_mm,
            "slices_even": self.spacing_z_mm is not None,
            "spacing_meaning": meaning.value if meaning else None,
            "pixel_aspect": self.pixel_aspect,
            "frame_of_reference": self.frame_of_reference,
            "edges": {
                "left": self.edges.left,
                "right": self.edges.right,
                "top": self.edges.top,
                "bottom": self.edges.bottom,
            },
            "display_flip": {"columns": self.flip.columns, "rows": self.flip.rows},
            "prior": self.prior,
            "acquired": self.acquired,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerStudy:
    """A case for the viewer, with the links of its pixels."""

    case: str
    draft: str | None
    series: tuple[ViewerSeries, ...]
    overlays: tuple[Overlay, ...]
    overlay_urls: Mapping[str, str]
    statements: tuple[StatementPlace, ...]
    shown_statement: str | None = None
    place: tuple[str, int] | None = None

    def text(self) -> str:
        """Write it as the one JSON text that goes to the viewer."""
        return json.dumps(
            {
                "case": self.case,
                "draft": self.draft,
                "series": [one.json() for one in self.series],
                "overlays": [self._overlay(one) for one in self.overlays],
                "statements": [
                    {
                        "id": one.id,
                        "series": one.series,
                        "slice": one.slice,
                        "overlays": list(one.overlays),
                    }
                    for one in self.statements
                ],
                "shown_statement": self.shown_statement,
                "place": {"series": self.place[0], "slice": self.place[1]} if self.place else None,
            },
            allow_nan=False,
        )

    def _overlay(self, one: Overlay) -> Json:
        return {
            "id": one.id,
            "kind": one.kind.value,
            "series": one.series,
            "name": one.name,
            "label": one.label,
            "source": one.source,
            "url": self.overlay_urls.get(one.id),
            "box_xyxy": list(one.box_xyxy) if one.box_xyxy else None,
            "slices": list(one.slices) if one.slices else None,
            "rows": one.grid_yx[0] if one.grid_yx else None,
            "columns": one.grid_yx[1] if one.grid_yx else None,
            "statements": list(one.statements),
        }


def viewer_study(
    file: CaseFile,
    links: ViewerLinks,
    *,
    order: Callable[[CaseFile], tuple[Volume, ...]] | None = None,
    draft_digest: str | None = None,
    shown_statement: str | None = None,
    place: tuple[str, int] | None = None,
) -> ViewerStudy:
    """Make what the viewer is told of a case.

    Of each series one frame is decoded, the first that is shown: that of a statement, else the
    middle one.

    Args:
        order: the series in the order of the page; that of the study without it.
        place: series and slice at which the viewer opens, where a reader was before.
    """
    places, laid = statement_places(file), overlays(file)
    first = {place.series: place.slice for place in reversed(places)}
    volumes = order(file) if order else file.case.study.volumes
    return ViewerStudy(
        case=file.case.id,
        draft=draft_digest,
        series=tuple(
            viewer_series(volume, file.case.study.modality, links, first.get(volume.sha256))
            for volume in volumes
        ),
        overlays=laid,
        overlay_urls=dict(_overlay_urls(laid, links)),
        statements=places,
        shown_statement=shown_statement,
        place=place,
    )


def _overlay_urls(laid: tuple[Overlay, ...], links: ViewerLinks) -> Iterator[tuple[str, str]]:
    for one in laid:
        if one.source:
            yield one.id, links.overlay(one.series, one.source)


def viewer_series(
    volume: Volume,
    modality: Modality,
    links: ViewerLinks,
    first: int | None = None,
    *,
    prior: bool = False,
) -> ViewerSeries:
    """Make what the viewer is told of one film or stack; `first` is the slice it begins with."""
    count, rows, columns = volume.shape_zyx
    facts, problem = _facts(volume, count // 2 if first is None else first)
    return ViewerSeries(
        id=volume.sha256,
        title=what_words(volume, modality),
        modality=modality,
        frames=count,
        rows=rows,
        columns=columns,
        frame_url=links.frames(volume.sha256),
        picture_url=links.pictures(volume.sha256),
        facts=facts,
        problem=problem,
        affine_lps_mm=volume.affine_lps_mm,
        spacing_yx_mm=volume.spacing_yx_mm,
        spacing_z_mm=volume.spacing_z_mm,
        spacing_meaning=spacing_meaning(volume),
        pixel_aspect=volume.pixel_aspect,
        frame_of_reference=volume.frame_of_reference_uid,
        edges=stored_edges(volume),
        flip=display_flip(volume.affine_lps_mm if volume.sequence is not None else None),
        prior=prior,
        acquired=time_words(volume.acquired) if volume.acquired else "",
    )


def _facts(volume: Volume, index: int) -> tuple[FrameFacts | None, str]:
    """Take the facts of a frame, or say why there are none: other series stay readable."""
    try:
        return FrameFacts.of(volume.stored_frame(index).sent()), ""
    except (InputError, IntegrityError) as error:
        return None, f"{error.problem}; {error.remedy}"


def spacing_meaning(volume: Volume) -> SpacingMeaning | None:
    """Say where a volume's spacing holds; None if it has none.

    What a study of an earlier release does not say is not guessed for a film; slices of a stack
    lie in the patient.
    """
    if volume.spacing_yx_mm is None:
        return None
    if volume.spacing_meaning is not None:
        return volume.spacing_meaning
    return SpacingMeaning.UNSTATED if volume.sequence is None else SpacingMeaning.PATIENT
