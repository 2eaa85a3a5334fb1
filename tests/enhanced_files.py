"""Enhanced multi-frame MR images made for tests: each frame with its place, its number in the pixels, and its own groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from tests.dicom_files import MR_SLICE, dataset, picture, write

SIDE = 64
Groups = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """One frame: place of its first pixel, a value that its first pixel holds, and functional groups of its own."""

    position_lps_mm: Sequence[float]
    mark: int
    groups: Groups = field(default_factory=dict)


def axial(height_mm: float, mark: int, **groups: Mapping[str, Any]) -> FrameSpec:
    """An axial frame at a height."""
    return FrameSpec(position_lps_mm=(-30, -40, height_mm), mark=mark, groups=groups)


def group(sequence: str, elements: Mapping[str, Any]) -> list[Dataset]:
    """The one item of a functional group; an element whose value is a mapping is a sequence of its own."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, group(keyword, value) if isinstance(value, Mapping) else value)
    return [item]


def enhanced_file(
    path: Path,
    frames: Sequence[FrameSpec],
    *,
    shared: Groups | None = None,
    dimensions: Sequence[str | int] = (),
    **changes: Any,
) -> Path:
    """An enhanced MR image of a brain; `shared` groups come over the plane and the spacing that all frames have."""
    pixels = np.stack([picture(SIDE, SIDE)] * len(frames))
    pixels[:, 0, 0] = [frame.mark for frame in frames]
    gone = dict.fromkeys(
        ("PixelSpacing", "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient")
    )
    uids = {
        "SOPClassUID": EnhancedMRImageStorage,
        "NumberOfFrames": len(frames),
        "SOPInstanceUID": "1.2.4.9",
    }
    made = dataset(MR_SLICE, pixels, **{**gone, **uids, **changes})
    common: dict[str, Mapping[str, Any]] = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        "PixelMeasuresSequence": {"PixelSpacing": [2, 1.5], "SliceThickness": 2},
        **(shared or {}),
    }
    everyone = Dataset()
    for sequence, elements in common.items():
        setattr(everyone, sequence, group(sequence, elements))
    own = []
    for frame in frames:
        item = Dataset()
        place = {
            "PlanePositionSequence": {
                "ImagePositionPatient": [float(v) for v in frame.position_lps_mm]
            }
        }
        for sequence, elements in {**place, **frame.groups}.items():
            setattr(item, sequence, group(sequence, elements))
        own.append(item)
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = [everyone], own
    pointers = []
    for dimension in dimensions:
        pointer = Dataset()
        pointer.DimensionIndexPointer = (
            tag_for_keyword(dimension) if isinstance(dimension, str) else dimension
        )
        pointers.append(pointer)
    if pointers:
        made.DimensionIndexSequence = pointers
    return write(path, made)
