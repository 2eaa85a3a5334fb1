"""What the images of a study state of its order, from accession to contrast agent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from medmm.domain.imaging_order import StudyOrder
from medmm.domain.priority import OF_DICOM
from medmm.imaging.dicom.header import Tags
from medmm.imaging.mr.physics import NO_AGENT

# PS3.3: General Study (C.7.2.1); Imaging Service Request (C.4.12); Request Attributes (10.6), in
# the sequence of C.7.3.1.
NUMBERS = {
    "accession": ("accession number", ("AccessionNumber",)),
    "placer_order": ("placer order number", ("PlacerOrderNumberImagingServiceRequest",)),
    "filler_order": ("filler order number", ("FillerOrderNumberImagingServiceRequest",)),
}
DESCRIPTIONS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
)
PORTABLE = re.compile(r"(?<!\bNON[- ])(?<!\bNOT )(?<!\bNO )\b(PORTABLE|BEDSIDE|MOBILE)\b")


def stated_order(images: Sequence[Tags], *, mr: bool) -> StudyOrder:
    """Return the order numbers that images of a study state and none contradicts."""
    found: dict[str, Any] = {}
    contradicting = []
    for field, (words, keywords) in NUMBERS.items():
        values = {value for image in images for value in _values(image, keywords)}
        if len(values) == 1:
            found[field] = values.pop()
        elif values:
            contradicting.append(words)
    return StudyOrder(
        **found,
        contradicting=tuple(contradicting),
        portable=not mr and any(_portable(image) for image in images),
        contrast=_contrast(images) if mr else None,
        priority=_priority(images),
    )


def _values(image: Tags, keywords: Sequence[str]) -> Iterator[str]:
    for tags in (image, *image.items("RequestAttributesSequence")):
        for keyword in keywords:
            if value := tags.text(keyword):
                yield value


def _priority(images: Sequence[Tags]) -> str | None:
    words = {image.word("RequestedProcedurePriority") for image in images}
    levels = [OF_DICOM[word] for word in words if word in OF_DICOM]
    return min(levels, key=lambda level: level.rank).value if levels else None


def _portable(image: Tags) -> bool:
    return any(PORTABLE.search(image.word(keyword)) for keyword in DESCRIPTIONS)


def _contrast(images: Sequence[Tags]) -> str | None:
    if any(image.word("ContrastBolusAgent") == "UNKNOWN" for image in images):
        return None
    given = {
        image.word("ContrastBolusAgent") not in NO_AGENT
        or image.first_item("ContrastBolusAgentSequence") is not None
        for image in images
    }
    return "some" if len(given) == 2 else "all" if given == {True} else "none"
