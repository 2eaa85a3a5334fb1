"""References of words to images: "image 3", "series 2", "see figure"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBERED = re.compile(
    r"\b(?P<what>images?|imgs?|series|slices?|frames?|figures?|figs?\.?|cuts?|sections?|sequence)\s*"
    r"(?:no\.?|nos\.?|numbers?|#)?\s*(?P<number>\d+)(?:\s*(?:to|-|–|and)\s*(?P<last>\d+))?",
    re.IGNORECASE,
)
_POINTED = re.compile(
    r"\b(?:see|refer\s+to|cf\.?|as\s+shown\s+(?:in|on|by)|marked|annotated|indicated|arrowed)\s+"
    r"(?:the\s+|in\s+the\s+|on\s+the\s+)?(?:key\s+)?"
    r"(?:figures?|images?|attachments?|arrows?|link|table|below|above|annotations?|screenshots?)\b|"
    r"\b(?:key|attached|accompanying|annotated|following)\s+(?:figures?|images?|screenshots?)\b|"
    r"\b(?:the|white|red|black|yellow)\s+arrows?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMention:
    """What words refer to: "slice" with its first and last number, or a mere pointer."""

    words: str
    what: str
    first: int | None = None
    last: int | None = None


def image_references(text: str) -> tuple[ImageMention, ...]:
    """Return the images, series and slices that a text refers to by number or by pointing."""
    found = [
        ImageMention(
            words=match.group().strip(),
            what=match["what"].casefold().rstrip("."),
            first=int(match["number"]),
            last=int(match["last"] or match["number"]),
        )
        for match in _NUMBERED.finditer(text)
    ]
    found += [
        ImageMention(words=match.group().strip(), what="pointer")
        for match in _POINTED.finditer(text)
    ]
    return tuple(found)
