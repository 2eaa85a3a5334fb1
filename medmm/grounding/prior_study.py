"""G4: no comparison where nothing was compared."""

from __future__ import annotations

import re

from medmm.domain.draft import Assertion, Case, FactEvidence, Statement
from medmm.domain.reading import Reading
from medmm.domain.record import FactKind
from medmm.domain.wording import without_words_of
from medmm.grounding.verdicts import Result, evidence_of, failed, passed

# Words that claim a change or its absence. "increased" alone may be a description; it fails, since a reader
# can't tell. Not meant: the interval of a number, New York, stable patients' charts (words of the record).
_COMPARING = re.compile(
    r"\b(?:new(?!\s+york\b)|newly|unchanged|unaltered|changed?|changes|changing|"
    r"interval(?=\s+(?:change|increase|decrease|development|improvement|resolution|worsening|progression|"
    r"appearance|removal|placement|enlargement|growth|clearing))|(?:in|over)\s+the\s+interval|"
    r"increas(?:e|es|ed|ing)|decreas(?:e|es|ed|ing)|diminish(?:ed|ing)|reduced|enlarging|growing|grown|shrunk|"
    r"shrinking|stable|stability|improv(?:e|es|ed|ing|ement)|worse|worsen(?:s|ed|ing)?|better|"
    r"progress(?:es|ed|ing|ion|ive|ively)?|regress(?:es|ed|ing|ion)?|resolv(?:e|es|ed|ing)|"
    r"(?<!spatial )(?<!image )(?<!high )resolution|clearing|cleared|compar(?:e|es|ed|ing|ison|isons|able|ative)|"
    r"previous|previously|prior|earlier|formerly|again|persist(?:s|ed|ing|ent|ently|ence)?|remain(?:s|ed|ing)?|"
    r"still|redemonstrat(?:ed|ion)|recurr(?:ed|ent|ence|ing)|residual|evolving|no\s+longer|"
    r"since(?=\s+(?:then|yesterday|admission|surgery|(?:the\s+)?(?:last|\w+\s+(?:study|film|exam\w*))|\d))|as\s+before|than\s+before|"
    r"last\s+(?:study|exam|examination|film|image|radiograph|x-ray|time)|"
    r"follow(?:ing)?[-\s]up|baseline|serial|long-?\s?standing|now\s+(?:seen|shows?|visible|larger|smaller|appears?))\b",
    re.IGNORECASE,
)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for comparing words; only what is reported from an earlier report may carry them."""
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    facts = [f for f in case.context.facts if f.id in ids] if case.context else []
    text = statement.text
    if statement.assertion is Assertion.REPORTED:
        text = without_words_of(text, facts)
    words = list(dict.fromkeys(m.group().casefold() for m in _COMPARING.finditer(text)))
    if not words:
        return passed("nothing is compared")
    quoted = ", ".join(words)
    if statement.assertion is Assertion.REPORTED and any(f.kind is FactKind.PRIOR_REPORT for f in facts):
        return passed(f"compares ({quoted}) as an earlier report does")
    return failed(f"compares ({quoted}) although no earlier image was compared")
