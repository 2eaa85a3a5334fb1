"""What the claims of a draft are worth: how many are right at least, at which prevalence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from medmm.domain.draft import CLAIMS, Draft
from medmm.domain.promise import LEAST_POSITIVES, AlarmRule, Promise, Withheld
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
    said = {s.finding for s in draft.statements if s.assertion in CLAIMS}
    claimed = [f for f in reading.findings if f.name in said]
    if any(f.withheld is Withheld.UNFAMILIAR_IMAGE for f in reading.findings):
        yield Notice(code=UNFAMILIAR, text=READ_BY_A_PERSON)
    elif reading.alarm is not None:
        yield from _counted(reading.alarm, claimed, prevalence)
    unpromised = sorted(finding_term(f.name).words for f in claimed if f.promise is None)
    if unpromised:
        yield Notice(
            code=WORTH,
            text=f"Nothing is promised of claims of {', '.join(unpromised)}: how often such a "
            "claim is right was not measured, or on fewer than "
            f"{LEAST_POSITIVES} studies that had it.",
        )


def _counted(
    alarm: AlarmRule, claimed: Sequence[Finding], prevalence: Mapping[str, float]
) -> Iterator[Notice]:
    """Say what was counted on calibration films, and that this site's are others."""
    yield Notice(
        code=ALARM,
        text=f"Of {alarm.films} without any finding at most {alarm.burden:.0%} carry a claim of "
        f"{alarm.model} ({alarm.studies} films). On this site's own films this was not measured.",
    )
    worth = [
        _worth(f.name, f.promise, prevalence.get(f.name)) for f in claimed if f.promise is not None
    ]
    if worth:
        yield Notice(
            code=WORTH,
            text=f"By the {alarm.films}, claims are right in at least: {'; '.join(worth)}.",
        )


def _worth(finding: str, promise: Promise, of_the_site: float | None) -> str:
    prevalence = promise.prevalence if of_the_site is None else of_the_site
    whose = " as on those films" if of_the_site is None else ""
    right = promise.right_at(prevalence)
    words = finding_term(finding).words
    return f"{words} {right:.0%} at a prevalence of {prevalence:.0%}{whose}"
