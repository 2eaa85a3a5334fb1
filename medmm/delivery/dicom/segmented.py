"""Which label maps and outlines a signed report rests on, each one segmentation.

What a reader rejected, or what no statement came of, does not leave: a segmentation in a PACS looks
like a result whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.delivery.dicom.source_study import SourceStudy
from medmm.delivery.observed import measured, observations
from medmm.domain.draft import CLAIMS, ExtentEvidence
from medmm.domain.reading import Extent, LabelMap, Mask, Reading, Side
from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.study import Modality, Volume

OUTLINES = "outlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """What becomes one segmentation: the labels of a volume, segment n being the n-th.

    Attributes:
        model: name of the network that drew it; None if the reading names none.
        sides: the patient's side of a label, where known.
        projection: whether the image is a film, which has no place in the patient.
    """

    name: str
    volume: Volume
    labels: tuple[str, ...]
    drawn: LabelMap | tuple[Mask, ...]
    model: str | None = None
    sides: tuple[tuple[str, Side], ...] = ()
    projection: bool = False

    @property
    def overlapping(self) -> bool:
        """Whether a voxel may be of several labels, as on a projection."""
        return not isinstance(self.drawn, LabelMap)

    def by_label(self) -> NDArray[np.uint8]:
        """Build the labels on the volume's grid.

        Returns: label values, shape (slices, rows, columns); of what may overlap 0 and 1, shape
            (slices, rows, columns, labels).
        """
        if isinstance(self.drawn, LabelMap):
            return self.drawn.array()
        planes = [mask.array().astype(np.uint8) for mask in self.drawn]
        return np.stack(planes, axis=-1)[None]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The rows and columns of each plane or outline."""
        if isinstance(self.drawn, LabelMap):
            return (self.drawn.shape_zyx[1:],)
        return tuple(mask.shape_yx for mask in self.drawn)

    def number(self, label: str) -> int:
        """Return the Segment Number (0062,0004) of a label, from 1."""
        return self.labels.index(label) + 1

    def empty(self) -> tuple[str, ...]:
        """List the labels without a voxel."""
        if isinstance(self.drawn, LabelMap):
            drawn = self.drawn
            return tuple(one for one in self.labels if not drawn.voxels_by_slice(one).any())
        return tuple(mask.name for mask in self.drawn if not mask.array().any())


def segmented(report: SignedReport, source: SourceStudy) -> tuple[Segmented, ...]:
    """List what the statements of a report rest on, in the order of the reading."""
    reading = source.reading
    if reading is None:
        return ()
    return (*_label_maps(report, source, reading), *_outlines(report, source, reading))


def objection(one: Segmented, source: SourceStudy) -> str | None:
    """Say why what a report rests on can't be a segmentation; None if it can."""
    volume = one.volume
    header = source.headers.get(volume.sop_uids[0]) if volume.sop_uids else None
    if header is None:
        return "its image was not kept as DICOM"
    if any(shape != volume.shape_zyx[1:] for shape in one.shapes):
        return "its grid is not that of its image"
    if len(one.empty()) == len(one.labels):
        return "none of its labels has a voxel"
    if one.projection:
        return None
    if None in (volume.affine_lps_mm, volume.spacing_yx_mm) or not header.get(
        "FrameOfReferenceUID"
    ):
        return "its images don't state their place in the patient"
    frames = len(volume.frame_numbers) or len(volume.sop_uids)
    return None if frames == volume.shape_zyx[0] else "its slices don't name their images"


def unsent(report: SignedReport, source: SourceStudy) -> tuple[str, ...]:
    """Name the label maps and outlines of the reading that no statement rests on."""
    if source.reading is None:
        return ()
    sent = {(one.name, one.volume.sha256) for one in segmented(report, source)}
    names = [m.name for m in source.reading.label_maps if (m.name, m.volume_sha256) not in sent]
    if source.reading.masks and not any(name == OUTLINES for name, _ in sent):
        names += [mask.name for mask in source.reading.masks]
    return tuple(names)


def extents_of(statement: SignedStatement) -> tuple[Extent, ...]:
    """List the places in volumes that an observation claims something of."""
    if statement.assertion not in CLAIMS:
        return ()
    return tuple(e.extent for e in statement.evidence if isinstance(e, ExtentEvidence))


def _label_maps(report: SignedReport, source: SourceStudy, reading: Reading) -> Iterator[Segmented]:
    claimed = [extent for s in observations(report) for extent in extents_of(s)]
    for label_map in reading.label_maps:
        of_map = [
            e
            for e in claimed
            if (e.label_map, e.volume_sha256) == (label_map.name, label_map.volume_sha256)
        ]
        volume = source.study.volume(label_map.volume_sha256)
        if of_map and volume is not None:
            yield Segmented(
                name=label_map.name,
                volume=volume,
                labels=label_map.labels,
                drawn=label_map,
                model=_model_of(label_map, reading),
                sides=tuple(dict.fromkeys((e.label, e.side) for e in of_map if e.side)),
                projection=source.study.modality is Modality.RADIOGRAPH,
            )


def _model_of(label_map: LabelMap, reading: Reading) -> str | None:
    """Name the network whose finding or measurement names places in the label map.

    Where none does, it is that by whose name an added model calls its own.
    """
    named = [
        (m.model, extent)
        for m in (*reading.measurements, *reading.other_measurements)
        for extent in m.extents
    ]
    named += [
        (f.model, f.extent)
        for f in (*reading.findings, *reading.other_findings)
        if f.extent is not None
    ]
    key = (label_map.name, label_map.volume_sha256)
    of_places = (m for m, e in named if m and (e.label_map, e.volume_sha256) == key)
    called = (m.name for m in reading.models if f"{label_map.name} ".startswith(f"{m.name} "))
    return next(of_places, next(called, None))


def _outlines(report: SignedReport, source: SourceStudy, reading: Reading) -> Iterator[Segmented]:
    """Yield the outlines of each film on which a signed measurement was made."""
    if source.study.modality is not Modality.RADIOGRAPH:
        return
    stated = {of.name for s in observations(report) if (of := measured(s)) is not None}
    made = [m for m in reading.measurements if m.name in stated and not m.extents]
    if not made:
        return
    frontal = source.study.frontal
    films: dict[str, list[Mask]] = {}
    for mask in reading.masks:  # readings of earlier releases did not say which film
        sha256 = mask.image.volume_sha256 if mask.image else frontal.sha256 if frontal else ""
        films.setdefault(sha256, []).append(mask)
    for sha256, masks in films.items():
        volume = source.study.volume(sha256)
        if volume is not None:
            yield Segmented(
                name=OUTLINES,
                volume=volume,
                labels=tuple(mask.name for mask in masks),
                drawn=tuple(masks),
                model=next((m.model for m in made if m.model), None),
                projection=True,
            )
