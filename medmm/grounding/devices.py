"""G14: no tube, line or implant is stated that neither the reading nor the record has."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.claim import CLAIMS, Assertion
from medmm.domain.draft import Case, Statement
from medmm.domain.reading import Reading
from medmm.domain.record import FactStatus
from medmm.grounding.verdicts import Result, judged, not_applicable
from medmm.language.claims import claims_of
from medmm.language.devices import devices_named
from medmm.language.record_words import fact_words

_FINDING = "Support_Devices"


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for devices that the words affirm."""
    if statement.assertion is Assertion.REPORTED:
        return not_applicable("reported from the record")
    stated = [
        device
        for claim in claims_of(statement.text)
        if claim.assertion in CLAIMS
        for device in devices_named(claim.text)
    ]
    if not stated:
        return not_applicable("no device is stated")
    return judged(_problems(stated, case, reading), "the reading or the record has such a device")


def _problems(stated: list[str], case: Case, reading: Reading) -> Iterator[str]:
    found = reading.finding(_FINDING)
    if found is not None and found.suspected:
        return
    recorded = set(_recorded(case))
    for device in dict.fromkeys(stated):
        if device not in recorded:
            yield f"a {device} is stated, which neither the reading nor the record has"


def _recorded(case: Case) -> Iterator[str]:
    for fact in case.context.facts if case.context else ():
        if fact.status in (FactStatus.ACTIVE, FactStatus.INACTIVE):
            displays = [coding.display or "" for coding in fact.codings]
            yield from devices_named(" . ".join([*fact_words(fact), *displays]))
