"""What can be laid over the pictures of a case: heat-maps, boxes, masks, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from medmm.domain.draft import (
    ExtentEvidence,
    MeasurementEvidence,
    RegionEvidence,
    Statement,
)
from medmm.domain.errors import InputError
from medmm.domain.frame_reference import FrameReference
from medmm.domain.label_location import largest_slice
from medmm.domain.reading import Extent, LabelMap, Mask, Reading, Region
from medmm.domain.report import CaseFile
from medmm.domain.vocabulary import finding_term


class OverlayKind(Enum):
    """What an overlay is: where a score comes from, or what a network outlined."""

    HEAT = "heat"
    BOX = "box"
    MASK = "mask"
    LABELS = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """One thing that can be laid over the pictures of one series.

    Attributes:
        source: names its pixels among those of the case; "" for a box, which has none. The labels
            of one map share them.
        name: in words.
        label: its value in a label map.
        box_xyxy: of a heat-map or a box, fractions of the film.
        slices: first and last slice (from 0, inclusive) with a label.
        grid_yx: rows and columns of its pixels; None for a box.
    """

    kind: OverlayKind
    id: str
    series: str
    source: str
    name: str
    label: int | None = None
    box_xyxy: tuple[float, float, float, float] | None = None
    slices: tuple[int, int] | None = None
    grid_yx: tuple[int, int] | None = None
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPlace:
    """Where a statement is seen: its series, the slice that shows most of it, its overlays."""

    id: str
    series: str | None = None
    slice: int | None = None
    overlays: tuple[str, ...] = ()


def overlays(file: CaseFile) -> tuple[Overlay, ...]:
    """List what can be laid over the pictures of a case; nothing if it is looked at blind."""
    reading = file.reading
    if reading is None:
        return ()
    named = {place.id: place.overlays for place in statement_places(file)}
    found = (*_heats(file, reading), *_masks(file, reading), *_labels(reading))
    return tuple(
        replace(one, statements=tuple(n for n, ids in named.items() if one.id in ids))
        for one in found
    )


def statement_places(file: CaseFile) -> tuple[StatementPlace, ...]:
    """Say of every statement of the draft, also suspected ones too, where it is seen."""
    draft = file.draft
    if draft is None or file.reading is None:
        return ()
    return tuple(_place(file, file.reading, one) for one in draft.draft.decidable)


def _place(file: CaseFile, reading: Reading, statement: Statement) -> StatementPlace:
    ids: list[str] = []
    places: list[tuple[str, int]] = []
    for evidence in statement.evidence:
        if isinstance(evidence, RegionEvidence):
            ids += [f"heat:{evidence.finding}", f"box:{evidence.finding}"]
            places += [(film, 0) for film in _film(file, evidence.image)]
        elif isinstance(evidence, ExtentEvidence):
            extent = evidence.extent
            label_map = reading.label_map(extent.label_map, extent.volume_sha256)
            if label_map is None or extent.label not in label_map.labels:
                continue  # check G8 says so
            index_z = largest_slice(label_map, extent.label)
            ids.append(f"{_source(label_map)}:{label_map.labels.index(extent.label) + 1}")
            places.append((extent.volume_sha256, _middle(extent) if index_z is None else index_z))
        elif isinstance(evidence, MeasurementEvidence):
            ids += [f"mask:{mask.name}" for mask in reading.masks]
            places += [(film, 0) for mask in reading.masks for film in _film(file, mask.image)]
    series, index = next(iter(places), (None, None))
    return StatementPlace(
        id=statement.id, series=series, slice=index, overlays=tuple(dict.fromkeys(ids))
    )


def _middle(extent: Extent) -> int:
    return sum(extent.slices) // 2


def _film(file: CaseFile, image: FrameReference | None) -> Iterator[str]:
    """Yield the film that something lies on: what is named, else the one that is read."""
    frontal = file.case.study.frontal
    if image is not None:
        yield image.volume_sha256
    elif frontal is not None:
        yield frontal.sha256


def _heats(file: CaseFile, reading: Reading) -> Iterator[Overlay]:
    for finding in reading.findings:
        region = finding.region
        if region is None:
            continue
        grid = (len(region.heat), len(region.heat[0]))
        for film in _film(file, region.image):
            for kind in (OverlayKind.HEAT, OverlayKind.BOX):
                yield Overlay(
                    kind=kind,
                    id=f"{kind.value}:{finding.name}",
                    series=film,
                    source=f"heat:{finding.name}" if kind is OverlayKind.HEAT else "",
                    name=finding_term(finding.name).words,
                    box_xyxy=region.box_xyxy,
                    grid_yx=grid if kind is OverlayKind.HEAT else None,
                )


def _masks(file: CaseFile, reading: Reading) -> Iterator[Overlay]:
    for mask in reading.masks:
        for film in _film(file, mask.image):
            source = f"mask:{mask.name}"
            yield Overlay(
                kind=OverlayKind.MASK,
                id=source,
                series=film,
                source=source,
                name=mask.name,
                grid_yx=mask.shape_yx,
            )


def _labels(reading: Reading) -> Iterator[Overlay]:
    for label_map in reading.label_maps:
        extents = {e.label: e for e in reading.extents if _of(e, label_map)}
        for number, label in enumerate(label_map.labels, start=1):
            extent = extents.get(label)
            yield Overlay(
                kind=OverlayKind.LABELS,
                id=f"{_source(label_map)}:{number}",
                series=label_map.volume_sha256,
                source=_source(label_map),
                name=f"{label_map.name}: {label}",
                label=number,
                slices=extent.slices if extent else None,
                grid_yx=label_map.shape_zyx[1:],
            )


def _of(extent: Extent, label_map: LabelMap) -> bool:
    named = (extent.label_map, extent.volume_sha256)
    return named == (label_map.name, label_map.volume_sha256)


def _source(label_map: LabelMap) -> str:
    return f"labels:{label_map.name}:{label_map.volume_sha256[:16]}"


def overlay_pixels(file: CaseFile, source: str, index_z: int) -> NDArray[np.uint8]:
    """Return the pixels of an overlay, one byte each.

    Args:
        source: of an `Overlay`.
        index_z: the slice, from 0; a heat-map and a mask have slice 0 alone.

    Returns: of a mask 0 or 1, of labels their values, on the grid of the picture (rows, columns);
        of a heat-map 0 to 255 on a grid of its own that covers the picture.
    Raises: InputError if the case has no such overlay or slice.
    """
    found = _found(file, source)
    if isinstance(found, LabelMap):
        if 0 <= index_z < found.shape_zyx[0]:
            return found.plane(index_z)
    elif index_z == 0:
        return _flat(found)
    raise _has_none(file)


def overlay_volume(file: CaseFile, source: str) -> NDArray[np.uint8]:
    """Return the pixels of an overlay on all slices, as `overlay_pixels` does of one.

    Returns: shape (slices, rows, columns); a heat-map and a mask have one slice.
    Raises: InputError if the case has no such overlay.
    """
    found = _found(file, source)
    return found.array() if isinstance(found, LabelMap) else _flat(found)[np.newaxis]


def _flat(found: Mask | Region) -> NDArray[np.uint8]:
    if isinstance(found, Mask):
        return found.array().astype(np.uint8)
    return np.asarray(found.heat, dtype=np.uint8)


def _has_none(file: CaseFile) -> InputError:
    return InputError(
        "the case has no such overlay, or not on this slice",
        remedy="open the case again: its draft may be another one now",
        case=file.case.id,
    )


def _found(file: CaseFile, source: str) -> LabelMap | Mask | Region:
    found = _content(file.reading, source) if file.reading is not None else None
    if found is None:
        raise _has_none(file)
    return found


def _content(reading: Reading, source: str) -> LabelMap | Mask | Region | None:
    kind, _, name = source.partition(":")
    if kind == "heat":
        finding = reading.finding(name)
        return finding.region if finding is not None else None
    if kind == "mask":
        return next((mask for mask in reading.masks if mask.name == name), None)
    return next((one for one in reading.label_maps if _source(one) == source), None)
