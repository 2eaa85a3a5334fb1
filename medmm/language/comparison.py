"""The words that compare with something earlier."""

from __future__ import annotations

import re

# Words that claim a change or its absence. "increased" alone may be a description; it fails, since a reader
# can't tell. Not meant: the interval of a number, New York, a previous infarction, stable patients' charts (words of the
# record).
_COMPARING = re.compile(
    r"\b(?:new(?!\s+york\b)|newly|unchanged|unaltered|changed?|changes|changing|"
    r"interval(?=\s+(?:change|increase|decrease|development|improvement|resolution|worsening|progression|"
    r"appearance|removal|placement|enlargement|growth|clearing))|(?:in|over)\s+the\s+interval|"
    r"increas(?:e|es|ed|ing)|decreas(?:e|es|ed|ing)|diminish(?:ed|ing)|reduced|enlarging|growing|grown|shrunk|"
    r"shrinking|stable|stability|improv(?:e|es|ed|ing|ement)|worse|worsen(?:s|ed|ing)?|better|"
    r"progress(?:es|ed|ing|ion|ive|ively)?|regress(?:es|ed|ing|ion)?|resolv(?:e|es|ed|ing)|"
    r"(?<!spatial )(?<!image )(?<!high )resolution|clearing|cleared|compar(?:e|es|ed|ing|ison|isons|able|ative)|"
    r"(?:previous|prior)(?!\s+(?:myocardial\s+)?infarct)|previously|earlier|formerly|again|persist(?:s|ed|ing|ent|ently|ence)?|remain(?:s|ed|ing)?|"
    r"still|redemonstrat(?:ed|ion)|recurr(?:ed|ent|ence|ing)|residual|evolving|no\s+longer|"
    r"since(?=\s+(?:then|yesterday|admission|surgery|(?:the\s+)?(?:last|\w+\s+(?:study|film|exam\w*))|\d))|as\s+before|than\s+before|"
    r"last\s+(?:study|exam|examination|film|image|radiograph|x-ray|time)|"
    r"follow(?:ing)?[-\s]up|baseline|serial|long-?\s?standing|now\s+(?:seen|shows?|visible|larger|smaller|appears?))\b",
    re.IGNORECASE,
)


def comparing_words(text: str) -> tuple[str, ...]:
    """The words of a text that compare with something earlier, each once, in lower case."""
    return tuple(dict.fromkeys(match.group().casefold() for match in _COMPARING.finditer(text)))
