"""Which side of the patient words name."""

from __future__ import annotations

import re
from functools import cache

from medmm.domain.reading import Side
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.language.patterns import any_of, blank

# Left and right that are no sides of the patient; what could be one is not in here.
_NO_SIDE = any_of(
    r"(?:nothing|what|little|much|none|all_that)(?:_is|_was|['’]s)?_left",
    r"left_(?:out|open|over|off|behind|alone|untreated|unchanged|undecided|in_place|unread|"
    r"blank|as_is)",
    r"left_(?=(?:the_)?(?:hospital|ward|department|home)\b|against)",
    r"right_(?:away|now|after|diagnosis|decision|answer|time|patient|angles?|order|way)",
    r"all_right",
)

_ANATOMY = (
    r"(?=[-_](?:sided|pleural|lung|lower|upper|middle|bas|apic|apex|hil|hemi|cost|mid|effus|"
    r"pneumo|perihil))"
)

_LEFT = any_of(
    "left", "leftward", "LUL", "LLL", "lingula", r"(?-i:L)" + _ANATOMY.replace("_", r"\s")
)

_RIGHT = any_of(
    "right", "rightward", "RUL", "RML", "RLL", r"(?-i:R)" + _ANATOMY.replace("_", r"\s")
)

_BOTH = any_of(
    "bilateral",
    "bilaterally",
    r"both_(?:\w+_)?(?:sides?|lungs?|bases?|hemithora(?:x|ces)|pleural_spaces?|lower_lobes?|"
    r"upper_lobes?|apices)",
    "bibasilar",
    "bibasal",
    "biapical",
)


@cache
def _chambers() -> re.Pattern[str]:
    """Compile the vocabulary's words with left or right that name a chamber of the heart."""
    terms = [
        *(t.words for t in finding_terms().values()),
        *(t.words for t in measurement_terms().values()),
    ]
    found = sorted(
        (words for words in terms if re.search(r"\b(?:left|right)\b", words)), key=len, reverse=True
    )
    return re.compile("|".join(re.escape(words) for words in found), re.IGNORECASE)


def named_side(text: str) -> Side | None:
    """Return the patient side that a text names; left and right together are bilateral.

    Chambers are none if they stand in the vocabulary's own words ("left ventricular mass").
    """
    plain = _NO_SIDE.sub(blank, _chambers().sub(blank, text))
    left, right = bool(_LEFT.search(plain)), bool(_RIGHT.search(plain))
    if _BOTH.search(plain) or (left and right):
        return Side.BILATERAL
    return Side.LEFT if left else Side.RIGHT if right else None
