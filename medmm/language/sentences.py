"""Report prose into sentences, without its headings, bullets and numbers of a list."""

from __future__ import annotations

import re
from collections.abc import Iterator

# After these a full stop ends no sentence; after the last two only where the sentence goes on.
_ABBREVIATED = re.compile(
    r"\b(?:Drs?|Mrs?|Ms|Prof|St|vs|approx|ca|cf|Figs?|e\.g|i\.e|a\.m|p\.m|resp|incl|[B-HJ-Z])$"
)
_NUMBERED = re.compile(r"\b(?:Nos?|nos?)$")
_GOES_ON = re.compile(r"\b(?:etc|max|min|approx|incl)$", re.IGNORECASE)
_MAY_END = re.compile(r"[.!?]+(?:[\"'’”)\]]+)?(?=\s|$|[A-Z][a-z])|\n+")
# "1. Small effusion. 2) No edema": the number of an item, at its start.
_ITEM = re.compile(r"^\s*(?:[-*•–]+\s+|\(?\d{1,2}[.)]\s*(?!\d)|\(?[a-h]\)\s+)")
_ITEM_NUMBER = re.compile(r"\(?\d{1,2}")
_HEADING = re.compile(
    r"^\s*[*_#\s]*(?:findings|impressions?|conclusions?|summary|report|opinion|comparison|"
    r"technique|indication|history|clinical information|lungs?(?: and pleura)?|pleura|heart|"
    r"cardiac|mediastinum|bones?|other)\s*:\s*[*_]*\s*",
    re.IGNORECASE,
)


def sentences_of(text: str) -> tuple[str, ...]:
    """Split the prose of a report into its sentences.

    A full stop of a decimal, of an abbreviation or of an item's number ends none. Headings
    ("FINDINGS:"), bullets and numbers of items are left out.
    """
    found = (_bare(part) for part in _parts(text))
    return tuple(sentence for sentence in found if re.search(r"\w", sentence))


def _parts(text: str) -> Iterator[str]:
    start = 0
    for match in _MAY_END.finditer(text):
        before = text[start : match.start()]
        if "\n" not in match.group() and _ends_nothing(before, text[match.end() :].lstrip()):
            continue
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]


def _ends_nothing(before: str, after: str) -> bool:
    """Tell whether the full stop between these is of an abbreviation or of an item's number."""
    if _ABBREVIATED.search(before) or _ITEM_NUMBER.fullmatch(before.strip()):
        return True
    if _NUMBERED.search(before):
        return after[:1].isdigit()
    return bool(_GOES_ON.search(before)) and after[:1].islower()


def _bare(part: str) -> str:
    part = part.strip()
    for pattern in (_ITEM, _HEADING, _ITEM):
        part = pattern.sub("", part)
    return " ".join(part.split())
