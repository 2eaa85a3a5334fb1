"""G13: the words state nothing abnormal beside the findings that a network reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medmm.domain.claim import CLAIMS, Assertion
from medmm.domain.draft import Case, ExtentEvidence, MeasurementEvidence, Statement
from medmm.domain.reading import Reading
from medmm.domain.study import Modality
from medmm.grounding.verdicts import Result, judged, not_applicable
from medmm.language.claims import claims_of
from medmm.language.devices import devices_named
from medmm.language.normality import says_normal
from medmm.language.plain_words import says_nothing
from medmm.language.report_parser import findings_of_clause

# What stands beside a finding in its clause: "effusion and a dissected aorta".
_PARTS = re.compile(r"[,;:]|\b(?:and|with|as\s+well\s+as|in\s+addition\s+to|plus)\b", re.IGNORECASE)


DEVICES = "Support_Devices"
_DEVICE = re.compile(r"\b(?:lines?|tubes?|wires?|drains?|devices?)\b", re.IGNORECASE)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for parts of clauses that affirm something and name no finding of the vocabulary.

    What rules write of MR names places and measured chambers, which G1, G8 and G9 look at.
    """
    if statement.assertion is Assertion.REPORTED:
        return not_applicable("reported from the record")
    if any(isinstance(e, MeasurementEvidence | ExtentEvidence) for e in statement.evidence):
        return not_applicable("a measurement or a place is stated")
    if case.study.modality is not Modality.RADIOGRAPH and statement.generation is None:
        return not_applicable("written by rules")
    return judged(_problems(statement), "nothing is stated beside the findings")


def _problems(statement: Statement) -> Iterator[str]:
    said = dict.fromkeys(c.text for c in claims_of(statement.text) if c.assertion in CLAIMS)
    for text in said:
        devices = DEVICES in findings_of_clause(text)
        for part in _PARTS.split(text):
            read = findings_of_clause(part) or (devices and _of_devices(part))
            if not (read or says_nothing(part) or says_normal(part)):
                yield f"no network read what {part.strip()!r} says"


def _of_devices(part: str) -> bool:
    """Tell whether a part of a sentence about devices names one: "a line, tube or …"."""
    return bool(devices_named(part) or _DEVICE.search(part))
