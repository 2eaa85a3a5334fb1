"""The words that compare with something earlier."""

from __future__ import annotations

import re

# Words that claim a change or its absence. "increased" alone may be a description; it fails, since
# a reader can't tell. Not meant: the interval of a number, New York, a previous infarction, stable
# patients' charts (words of the record).
_COMPARING = re.compile(
    r"\b(?:new(?!\s+york\b)|newly|unchanged|unaltered|changed?|changes|changing|"
    r"interval(?=\s+(?:change|increase|decrease|development|improvement|resolution|worsening|"
    r"progression|appearance|removal|placement|enlargement|growth|clearing))|"
    r"(?:in|over)\s+the\s+interval|increas(?:e|es|ed|ing)|decreas(?:e|es|ed|ing)|"
    r"diminish(?:ed|ing)|reduced|enlarging|growing|grown|shrunk|shrinking|stable|stability|"
    r"improv(?:e|es|ed|ing|ement)|worse|worsen(?:s|ed|ing)?|better|"
    r"progress(?:es|ed|ing|ion|ive|ively)?|regress(?:es|ed|ing|ion)?|resolv(?:e|es|ed|ing)|"
    r"(?<!spatial )(?<!image )(?<!high )resolution|clearing|cleared|"
    r"compar(?:e|es|ed|ing|ison|isons|able|ative)|"
    r"(?:previous|prior)(?!\s+(?:myocardial\s+)?infarct)|previously|earlier|formerly|again|"
    r"persist(?:s|ed|ing|ent|ently|ence)?|remain(?:s|ed|ing)?|still|redemonstrat(?:ed|ion)|"
    r"recurr(?:ed|ent|ence|ing)|residual|evolving|no\s+longer|"
    r"since(?=\s+(?:then|yesterday|admission|surgery|"
    r"(?:the\s+)?(?:last|\w+\s+(?:study|film|exam\w*))|\d))|as\s+before|than\s+before|"
    r"last\s+(?:study|exam|examination|film|image|radiograph|x-ray|time)|follow(?:ing)?[-\s]up|"
    r"baseline|serial|long-?\s?standing|now\s+(?:seen|shows?|visible|larger|smaller|appears?))\b",
    re.IGNORECASE,
)


def comparing_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that compare with something earlier, once, in lower case."""
    return tuple(dict.fromkeys(match.group().casefold() for match in _COMPARING.finditer(text)))
