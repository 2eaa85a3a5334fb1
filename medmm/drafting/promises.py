"""What the claims of a draft are worth: how many are right at least, at which prevalence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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


def with_promises(
    draft: Draft, reading: Reading, prevalence: Mapping[str, float], told: Collection[str] = ()
) -> Draft:
    """Add to a draft what its claims are worth.

    Args:
        prevalence: of findings where the draft is read, 0 to 1 by their names; of others that of
            the calibration studies is taken, and said.
        told: names of the networks of which the reading itself says on which studies they were
            accepted.
    """
    notices = tuple(_notices(draft, reading, prevalence, told))
    if not notices:
        return draft
    return identified(replace(draft, id=UNNUMBERED, warnings=(*draft.warnings, *notices)))


def _notices(
    draft: Draft, reading: Reading, prevalence: Mapping[str, float], told: Collection[str]
) -> Iterator[Notice]:
    said = {s.finding for s in draft.statements if s.assertion in CLAIMS}
    claimed = [f for f in reading.findings if f.name in said]
    everything = (*reading.findings, *reading.other_findings)
    unfamiliar = {
        reading.model_of(f) for f in everything if f.withheld is Withheld.UNFAMILIAR_IMAGE
    }
    if unfamiliar:
        yield _unfamiliar(reading, unfamiliar)
    for alarm in reading.alarms:
        if alarm.model not in unfamiliar:
            of_alarm = [f for f in claimed if _led_by(reading, f) == alarm.model]
            yield from _counted(alarm, of_alarm, prevalence, alarm.model in told)
    unpromised = sorted(finding_term(f.name).words for f in claimed if f.promise is None)
    if unpromised:
        yield Notice(
            code=WORTH,
            text=f"Nothing is promised of claims of {', '.join(unpromised)}: how often such a "
            "claim is right was not measured, or on fewer than "
            f"{LEAST_POSITIVES} studies that had it.",
        )


def _unfamiliar(reading: Reading, models: Collection[str | None]) -> Notice:
    """Leave an image to a person, of which one model says nothing or all do."""
    if all(reading.model_of(finding) in models for finding in reading.findings):
        return Notice(code=UNFAMILIAR, text=READ_BY_A_PERSON)
    names = ", ".join(sorted(name for name in models if name is not None))
    return Notice(
        code=UNFAMILIAR,
        text=f"This image is unlike those that {names} learned from: a person has to read it, and "
        "what is said of it is by other models.",
    )


def _led_by(reading: Reading, finding: Finding) -> str | None:
    """Name the model whose alarm rule holds a finding: its own, else the reading's first."""
    own, rules = reading.model_of(finding), [alarm.model for alarm in reading.alarms]
    return own if own in rules else next(iter(rules), None)


def _counted(
    alarm: AlarmRule, claimed: Sequence[Finding], prevalence: Mapping[str, float], told: bool
) -> Iterator[Notice]:
    """Say what was counted on calibration films, and that this site's are others."""
    elsewhere = "" if told else " On this site's own films this was not measured."
    yield Notice(
        code=ALARM,
        text=f"Of {alarm.films} without any finding at most {alarm.burden:.0%} carry a claim of "
        f"{alarm.model} ({alarm.studies} films).{elsewhere}",
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
