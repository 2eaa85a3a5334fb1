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
    r"baseline|serial|long-?\s?standing|now|today|yesterday|ago|already|recently|before|afterwards|"
    r"meantime|meanwhile|altered|continu(?:es|ed|ing)|once\s+(?:more|again)|"
    r"preceding|antecedent|foregoing|(?:old|outside)\s+(?:films?|stud(?:y|ies)|exam\w*|images?)|"
    r"last\s+(?:week|month|year|night|visit|admission|\w+day)|in\s+the\s+past|over\s+time|"
    r"over\s+the\s+(?:past|last|years|months|weeks|days)|known(?!\s+(?:as|to))|"
    r"(?:much\s+)?the\s+same(?=\s+(?:as|size|appearance|extent|position))|similar\s+to|"
    r"much\s+the\s+same|relative\s+to|used\s+to\s+be|(?<!well )(?<!well-)develop(?:ed|ing|ment)|"
    r"reappear(?:s|ed)?|relapsed?|migrat(?:ed|ion)|subsided|receded|faded|abated|came\s+back|"
    r"re-?(?:accumulat|expan|identif|develop)\w+|accumulat(?:ed|ing|ion)|further|identical|steady|"
    r"remission|normali[sz]ed|(?:more|less)\s+(?:prominent|extensive|conspicuous|pronounced|severe|"
    r"evident|dense|confluent|widespread)|come\s+back|than\s+it\s+was|"
    r"(?:bigger|larger|smaller|wider|denser|thicker|fewer|(?:more|less)\s+\w+)\s+"
    r"(?:than(?!\s+(?:the\s+)?(?:left|right|half|\d))|this\s+time))\b",
    re.IGNORECASE,
)

# The perfect tense tells what became of something: "has been removed", "had not grown".
_BECAME = re.compile(
    r"\b(?:has|have|had)\s+(?:not\s+|\w+ly\s+)?(?:been\s+)?(?:\w+ly\s+)?"
    r"(?!(?:ruled|excluded|obtained|provided|performed|submitted|reviewed|limited|marked|mixed)\b)"
    r"(?:\w+(?:ed|own|one)|been|become|gotten|risen|shrunk|spread|come|moved)\b",
    re.IGNORECASE,
)


def comparing_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that compare with something earlier, once, in lower case."""
    found = (m for pattern in (_COMPARING, _BECAME) for m in pattern.finditer(text))
    return tuple(dict.fromkeys(" ".join(match.group().casefold().split()) for match in found))
