"""G15: no image, series or slice is referred to that is not the evidence's."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.draft import Case, ExtentEvidence, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable, writers_words
from medmm.language.image_references import ImageMention, image_references

_SLICES = frozenset({"slice", "slices"})


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Hold numbers of slices against labelled voxels; nothing else bears out a reference."""
    mentions = image_references(writers_words(statement, case))
    if not mentions:
        return not_applicable("no image is referred to")
    extents = [e.extent.slices for e in evidence_of(statement, ExtentEvidence)]
    return judged(_problems(mentions, extents), "the slices are those of the labelled voxels")


def _problems(mentions: tuple[ImageMention, ...], extents: list[tuple[int, int]]) -> Iterator[str]:
    for one in mentions:
        if one.first is None or one.last is None:
            yield f"{one.words!r} points to a picture that the report does not have"
        elif one.what not in _SLICES:
            yield f"{one.words!r} names an image by a number that no evidence has"
        elif not any(low + 1 <= one.first <= one.last <= high + 1 for low, high in extents):
            yield f"{one.words!r} are not the slices of the labelled voxels"
