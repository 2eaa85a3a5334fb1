"""What the claims of a draft are worth: how many are right at least, at which prevalence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from medmm.domain.draft import CLAIMS, Draft, Statement
from medmm.domain.promise import LEAST_POSITIVES, Withheld
from medmm.domain.reading import Finding, Reading
from medmm.domain.study import Notice
from medmm.domain.vocabulary import finding_term
from medmm.drafting.versions import UNNUMBERED, identified

ALARM, WORTH, UNFAMILIAR = "alarm-burden", "worth-of-claims", "unfamiliar-image"
READ_BY_A_PERSON = (
    "This image is unlike those that the reading model learned from: a person has to read it, and "
    "nothing is said of its findings."
)


def with_promises(draft: Draft, reading: Reading, prevalence: Mapping[str, float]) -> Draft:
    """Add to a draft what its claims are worth.

    Args:
        prevalence: of findings where the draft is read, 0 to 1 by their names; of others that of
            the calibration studies is taken, and said.
    """
    notices = tuple(_notices(draft, reading, prevalence))
    if not notices:
        return draft
    return identified(replace(draft, id=UNNUMBERED, warnings=(*draft.warnings, *notices)))


def _notices(draft: Draft, reading: Reading, prevalence: Mapping[str, float]) -> Iterator[Notice]:
    if any(f.withheld is Withheld.UNFAMILIAR_IMAGE for f in reading.findings):
        yield Notice(code=UNFAMILIAR, text=READ_BY_A_PERSON)
        return
    if reading.alarm is not None:
        yield Notice(
            code=ALARM,
            text=f"Of studies without any finding at most {reading.alarm.burden:.0%} carry a claim "
            f"({reading.alarm.studies} calibration studies without one).",
        )
    claimed = [f for f in reading.findings if _claims(draft.statements, f)]
    worth = [_worth(f, prevalence.get(f.name)) for f in claimed if f.promise is not None]
    if worth:
        yield Notice(code=WORTH, text=f"Claims are right in at least: {'; '.join(worth)}.")
    if reading.alarm is None:
        return
    unpromised = sorted(finding_term(f.name).words for f in claimed if f.promise is None)
    if unpromised:
        yield Notice(
            code=WORTH,
            text=f"Nothing is promised of claims of {', '.join(unpromised)}: fewer than "
            f"{LEAST_POSITIVES} calibration studies had it, or its claims were not counted there.",
        )


def _claims(statements: tuple[Statement, ...], finding: Finding) -> bool:
    return any(s.finding == finding.name and s.assertion in CLAIMS for s in statements)


def _worth(finding: Finding, of_the_site: float | None) -> str:
    if finding.promise is None:
        return ""
    prevalence = finding.promise.prevalence if of_the_site is None else of_the_site
    whose = " of the calibration studies" if of_the_site is None else ""
    right = finding.promise.right_at(prevalence)
    return (
        f"{finding_term(finding.name).words} {right:.0%} at a prevalence of {prevalence:.0%}{whose}"
    )
