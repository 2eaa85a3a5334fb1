"""Where labelled voxels lie, in words: slices, and a side only if the volume tells."""

from __future__ import annotations

from dataclasses import replace

from medmm.domain.draft import ExtentEvidence
from medmm.domain.reading import Extent
from medmm.domain.study import Study
from medmm.drafting.phrases import phrases
from medmm.presentation.value_words import slice_words


def extent_evidence(extent: Extent, study: Study) -> ExtentEvidence:
    """Build the evidence of an extent, without a side if its volume has no orientation."""
    return ExtentEvidence(extent=extent if oriented(extent, study) else replace(extent, side=None))


def oriented(extent: Extent, study: Study) -> bool:
    """Tell whether the volume of an extent says where the patient's sides are."""
    volume = study.volume(extent.volume_sha256)
    return volume is not None and volume.affine_lps_mm is not None


def place_words(extent: Extent, study: Study) -> list[str]:
    """Write sentences on where it lies: slices, and at best a half, never a lobe.

    The half is that of the columns, if nothing better is known.
    """
    row, volume = phrases().extent, study.volume(extent.volume_sha256)
    series = f" of the {volume.sequence.role.value} series" if volume and volume.sequence else ""
    slices = slice_words(extent, volume.shape_zyx[0] if volume else None)
    words = [row.place.format(slices=slices, series=series)]
    if extent.image_half is not None and not oriented(extent, study):
        words.append(row.half.format(half=row.halves[extent.image_half]))
    return [*words, row.lobe] if study.body_part == "BRAIN" else words
