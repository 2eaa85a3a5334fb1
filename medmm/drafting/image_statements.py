"""What the reading supports: findings at their operating points, measurements, an impression.

The record has no part in this file: a disease that is recorded must never be claimed to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from medmm.domain.display import unit_words
from medmm.domain.draft import (
    Assertion,
    Evidence,
    Generation,
    MeasurementEvidence,
    RegionEvidence,
    ScoreEvidence,
    Section,
)
from medmm.domain.errors import InputError
from medmm.domain.reading import Finding, Measurement, Reading, Side
from medmm.domain.study import Study, View
from medmm.domain.vocabulary import finding_term, most_urgent_first
from medmm.drafting.phrases import FindingPhrases, phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A statement without its number; `summarises` is the sentence of the findings that it repeats."""

    section: Section
    text: str
    assertion: Assertion
    evidence: tuple[Evidence, ...]
    finding: str | None = None
    side: Side | None = None
    summarises: Sentence | None = None
    generation: Generation | None = None


Wording = Callable[[Sentence], Sentence | None]


def image_sentences(study: Study, reading: Reading, wording: Wording | None = None) -> Iterator[Sentence]:
    """Findings, measurements and impression, in the order in which a reader should meet them.

    Suspected findings come first, critical ones before others, then by probability. All are POSSIBLE: a
    calibrated probability above its operating point is a suspicion, and only a measured number is PRESENT,
    unless `wording` says otherwise.

    `wording` gives a sentence other words, or takes it out; without it the phrases stand.
    """
    say = wording or _as_it_is
    suspected = most_urgent_first(f for f in reading.findings if f.suspected)
    stated = [s for s in (say(_possible(f, study, reading)) for f in suspected) if s is not None]
    yield from stated
    yield from (_measured(m, study) for m in reading.measurements)
    denied = (_not_suspected(f, reading) for f in most_urgent_first(reading.findings) if f.ruled_out)
    yield from (s for s in map(say, denied) if s is not None)
    yield from (replace(s, section=Section.IMPRESSION, summarises=s) for s in stated)
    if reading.findings and not suspected:
        yield _nothing_suspected(reading)


def _as_it_is(sentence: Sentence) -> Sentence:
    return sentence


def _possible(finding: Finding, study: Study, reading: Reading) -> Sentence:
    side = _side(finding, study)
    evidence: tuple[Evidence, ...] = (_score(finding, reading),)
    if finding.region is not None:
        shown = finding.region.side if study.orientation_known else None
        evidence += (RegionEvidence(finding=finding.name, box_xyxy=finding.region.box_xyxy, side=shown),)
    return Sentence(
        section=Section.FINDINGS,
        text=_phrases_of(finding).possible.format(side=f"{side.value} " if side else ""),
        assertion=Assertion.POSSIBLE,
        evidence=evidence,
        finding=finding.name,
        side=side,
    )


def _side(finding: Finding, study: Study) -> Side | None:
    """The side to name: only of a finding that has sides, on a film whose orientation is known."""
    if finding.region is None or not study.orientation_known or not finding_term(finding.name).sided:
        return None
    return finding.region.side


def _not_suspected(finding: Finding, reading: Reading) -> Sentence:
    return Sentence(
        section=Section.FINDINGS,
        text=_phrases_of(finding).absent,
        assertion=Assertion.ABSENT,
        evidence=(_score(finding, reading),),
        finding=finding.name,
    )


def _nothing_suspected(reading: Reading) -> Sentence:
    nearest = max(reading.findings, key=lambda f: (f.probability / f.threshold, f.name))
    return Sentence(
        section=Section.IMPRESSION,
        text=phrases().impression.nothing_suspected,
        assertion=Assertion.ABSENT,
        evidence=(_score(nearest, reading),),
    )


def _measured(measurement: Measurement, study: Study) -> Sentence:
    row = phrases().measurements.get(measurement.name, phrases().any_measurement)
    low, high = measurement.interval
    numbers = {"value": measurement.value, "low": low, "high": high}
    text = row.text.format(
        name=measurement.name.replace("_", " ").capitalize(),
        unit=f" {unit_words(measurement.unit)}".rstrip(),
        **{name: f"{number:.{row.decimals}f}" for name, number in numbers.items()},
    )
    frontal = study.frontal
    if frontal is None or frontal.view is not View.PA:
        text += row.unless_pa
    return Sentence(
        section=Section.FINDINGS,
        text=text,
        assertion=Assertion.PRESENT,
        evidence=(
            MeasurementEvidence(
                name=measurement.name,
                value=measurement.value,
                unit=measurement.unit,
                interval=measurement.interval,
            ),
        ),
    )


def _phrases_of(finding: Finding) -> FindingPhrases:
    row = phrases().findings.get(finding.name)
    if row is None:
        raise InputError("a finding without words", remedy="add a row to phrases.yaml", finding=finding.name)
    return row


def _score(finding: Finding, reading: Reading) -> ScoreEvidence:
    if not reading.models:
        raise InputError("a finding without a model", remedy="name the model in the reading", finding=finding.name)
    return ScoreEvidence(
        finding=finding.name,
        probability=finding.probability,
        threshold=finding.threshold,
        model=finding.model or reading.models[0].name,  # the findings network stands first
    )
