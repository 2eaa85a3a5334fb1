"""What the reading supports: findings at their operating points, measurements, impression.

The record has no part in this file: a disease that is recorded must never be claimed to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from medmm.domain.draft import Assertion, Evidence, RegionEvidence, ScoreEvidence, Section
from medmm.domain.errors import InputError
from medmm.domain.images import kind_words, rivals_unread
from medmm.domain.promise import SILENT, Withheld
from medmm.domain.reading import Finding, Reading, Side
from medmm.domain.study import Study
from medmm.domain.vocabulary import finding_term, most_urgent_first
from medmm.drafting.location_text import extent_evidence, place_words
from medmm.drafting.measured_statements import measured_sentences
from medmm.drafting.phrases import phrases, phrases_of
from medmm.drafting.sentences import Sentence

Wording = Callable[[Sentence], Sentence | None]


def image_sentences(
    study: Study, reading: Reading, wording: Wording | None = None
) -> Iterator[Sentence]:
    """Yield findings, measurements and impression in the order a reader should meet them.

    Suspected findings come first, critical ones before others, then by probability. All are
    POSSIBLE: a calibrated probability above its operating point is a suspicion, and only a measured
    number is PRESENT, unless `wording` says otherwise.

    `wording` gives a sentence other words, or takes it out; without it the phrases stand.
    """
    say = wording or _as_it_is
    suspected = most_urgent_first(f for f in reading.findings if f.suspected)
    stated = [s for s in (say(_possible(f, study, reading)) for f in suspected) if s is not None]
    yield from stated
    yield from measured_sentences(study, reading)
    denied = (
        _not_suspected(f, reading) for f in most_urgent_first(reading.findings) if f.ruled_out
    )
    yield from (s for s in map(say, denied) if s is not None)
    yield from (replace(s, section=Section.IMPRESSION, summarises=s) for s in stated)
    if _spoken_of(reading) and not suspected:
        yield _nothing_suspected(study, reading)


def unstated_sentences(
    study: Study, reading: Reading, wording: Wording | None = None
) -> Iterator[Sentence]:
    """Yield what is suspected and `wording` takes out, in the rule's words."""
    suspected = most_urgent_first(f for f in reading.findings if f.suspected)
    say = wording or _as_it_is
    return (s for s in (_possible(f, study, reading) for f in suspected) if say(s) is None)


def _as_it_is(sentence: Sentence) -> Sentence:
    return sentence


def evidence_of(finding: Finding, study: Study, reading: Reading) -> tuple[Evidence, ...]:
    """Give what a claim of a finding rests on: its score, and its region or labelled voxels."""
    evidence: tuple[Evidence, ...] = (_score(finding, reading),)
    if finding.region is not None:
        shown = finding.region.side if study.orientation_known else None
        evidence += (
            RegionEvidence(
                finding=finding.name,
                box_xyxy=finding.region.box_xyxy,
                side=shown,
                image=finding.region.image,
            ),
        )
    if finding.extent is not None:
        evidence += (extent_evidence(finding.extent, study),)
    return evidence


def _possible(finding: Finding, study: Study, reading: Reading) -> Sentence:
    side = _side(finding, study)
    row = phrases_of(finding.name)
    words = [row.possible.format(side=f"{side.value} " if side else "")]
    words += place_words(finding.extent, study) if finding.extent else []
    words += [row.beside.format(probability=f"{finding.probability:.2f}")] if row.beside else []
    return Sentence(
        section=Section.FINDINGS,
        text=" ".join(words),
        assertion=Assertion.POSSIBLE,
        evidence=evidence_of(finding, study, reading),
        finding=finding.name,
        side=side,
    )


def _side(finding: Finding, study: Study) -> Side | None:
    """Return the side to name.

    It is named only of a finding that has sides, on an image whose orientation is known.
    """
    if not finding_term(finding.name).sided:
        return None
    if finding.region is not None:
        return finding.region.side if study.orientation_known else None
    return extent_evidence(finding.extent, study).extent.side if finding.extent else None


def _not_suspected(finding: Finding, reading: Reading) -> Sentence:
    return Sentence(
        section=Section.FINDINGS,
        text=phrases_of(finding.name).absent,
        assertion=Assertion.ABSENT,
        evidence=(_score(finding, reading),),
        finding=finding.name,
    )


def _spoken_of(reading: Reading) -> bool:
    """Tell whether the reading models may speak of anything in the image at all."""
    return any(finding.withheld not in SILENT for finding in reading.findings)


def _nothing_suspected(study: Study, reading: Reading) -> Sentence:
    """Say that nothing is suspected, with what limits that.

    It is never said plainly if only a part is shown, if another image could have been read as well,
    or if a finding at its operating point is not claimed.
    """
    row = phrases().impression
    parts = dict.fromkeys(
        row.nothing_in_part.format(of=one.of) for one in reading.coverage if not one.whole
    )
    rivals = dict.fromkeys(kind_words(v, study.modality) for v in rivals_unread(study, reading))
    below = any(f.withheld is Withheld.BELOW_ALARM_POINT for f in reading.findings)
    unmeasured = any(f.withheld is Withheld.NOT_MEASURED for f in reading.findings)
    withheld = [row.nothing_claimed] * below + [row.nothing_measured] * unmeasured
    limits = [*withheld, *parts, *(row.nothing_on_one.format(what=what) for what in rivals)]
    spoken = (f for f in reading.findings if f.withheld not in SILENT)
    nearest = max(spoken, key=lambda f: (f.probability / f.threshold, f.name))
    return Sentence(
        section=Section.IMPRESSION,
        text=" ".join(limits) or row.nothing_suspected,
        assertion=Assertion.ABSENT,
        evidence=(_score(nearest, reading),),
    )


def _score(finding: Finding, reading: Reading) -> ScoreEvidence:
    if not reading.models:
        raise InputError(
            "a finding without a model",
            remedy="name the model in the reading",
            finding=finding.name,
        )
    return ScoreEvidence(
        finding=finding.name,
        probability=finding.probability,
        threshold=finding.threshold,
        model=finding.model or reading.models[0].name,  # the findings network stands first
    )
