"""A line as it is seen: runs from right to left turned round, letters joined.

The lines of a report go from left to right and may hold a name in Hebrew or Arabic, with digits
and brackets. That is the part of the Unicode Bidirectional Algorithm (UAX 9) without marks,
isolates and bracket pairs (rules W1 to W7, N1, N2, I1, I2, L1 in part, L2, L4); the libraries that
have all of it are under LGPL.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
RIGHT = ("R", "AL")
STRONG = ("L", *RIGHT)
NEUTRAL = ("B", "S", "WS", "ON")


def seen(line: str) -> str:
    """Order a line of a paragraph from left to right as it is seen, from left to right.

    Args:
        line: in the order in which it is read, of one line and without explicit direction marks.
    """
    if all(unicodedata.bidirectional(c) not in (*RIGHT, "AN") for c in line):
        return line
    line = _joined(line)
    levels = _levels(line)
    order = _visual(levels)
    return "".join(line[n].translate(MIRRORED) if levels[n] % 2 else line[n] for n in order)


def _joined(line: str) -> str:
    """Give Arabic letters the forms that they have beside each other."""
    if not any(unicodedata.bidirectional(c) == "AL" for c in line):
        return line
    return str(_shaper().reshape(line))


@cache
def _shaper() -> Any:
    """Make what joins letters; the name of God as one glyph is in few fonts."""
    from arabic_reshaper import ArabicReshaper

    return ArabicReshaper({"delete_harakat": False, "ARABIC LIGATURE ALLAH": False})


def _levels(line: str) -> list[int]:
    """Compute the embedding level of each character: odd where it goes from right to left."""
    kinds = _weak([unicodedata.bidirectional(c) or "L" for c in line])
    kinds = _neutral(kinds)
    return [1 if k == "R" else 2 if k in ("AN", "EN") else 0 for k in kinds]


def _weak(kinds: Sequence[str]) -> list[str]:
    """Resolve numbers, their signs and separators, and marks (W1 to W7)."""
    found = list(kinds)
    for n, kind in enumerate(found):  # W1: a mark is as what it stands on
        if kind in ("NSM", "BN"):
            found[n] = found[n - 1] if n else "L"
    strong = "L"
    for n, kind in enumerate(found):  # W2: digits after Arabic letters
        if kind in STRONG:
            strong = kind
        elif kind == "EN" and strong == "AL":
            found[n] = "AN"
    found = ["R" if kind == "AL" else kind for kind in found]  # W3
    for n in range(1, len(found) - 1):  # W4: one separator between two numbers of a kind
        before, kind, after = found[n - 1 : n + 2]
        if before == after and (
            (kind == "ES" and before == "EN") or (kind == "CS" and before in ("EN", "AN"))
        ):
            found[n] = before
    for n in range(1, len(found)):  # W5: terminators beside a number
        if found[n] == "ET" and found[n - 1] == "EN":
            found[n] = "EN"
    for n in reversed(range(len(found) - 1)):
        if found[n] == "ET" and found[n + 1] == "EN":
            found[n] = "EN"
    found = ["ON" if kind in ("ES", "ET", "CS") else kind for kind in found]  # W6
    strong = "L"
    for n, kind in enumerate(found):  # W7: digits after letters from left to right
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            found[n] = "L"
    return found


def _neutral(kinds: Sequence[str]) -> list[str]:
    """Give spaces and signs the direction of both their neighbours, else the line's (N1, N2)."""
    found, n = list(kinds), 0
    while n < len(found):
        if found[n] not in NEUTRAL:
            n += 1
            continue
        end = next((m for m in range(n, len(found)) if found[m] not in NEUTRAL), len(found))
        before = _side(found[n - 1]) if n else "L"
        after = _side(found[end]) if end < len(found) else "L"
        found[n:end] = [before if before == after else "L"] * (end - n)
        n = end
    return found


def _side(kind: str) -> str:
    return "L" if kind == "L" else "R"  # numbers count as right to left (N1)


def _visual(levels: Sequence[int]) -> list[int]:
    """Order the places of characters from left to right (L2)."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        n = 0
        while n < len(order):
            if levels[order[n]] < level:
                n += 1
                continue
            end = next((m for m in range(n, len(order)) if levels[order[m]] < level), len(order))
            order[n:end] = reversed(order[n:end])
            n = end
    return order
