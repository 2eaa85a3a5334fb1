"""G1: the evidence of a statement is there, with its values, and speaks of the text.

It speaks of what the text names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medmm.domain.draft import (
    Assertion,
    Case,
    Evidence,
    ExtentEvidence,
    FactEvidence,
    MeasurementEvidence,
    ReaderEvidence,
    RegionEvidence,
    ScoreEvidence,
    Section,
    Statement,
)
from medmm.domain.frame_reference import has_frame
from medmm.domain.reading import Measurement, Reading
from medmm.domain.report import OWN, OWN_IMPRESSION
from medmm.grounding.verdicts import Result, evidence_of, judged, of_a_reader
from medmm.language.report_parser import Polarity, findings_named


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look up every piece of evidence, and every finding that the text names."""
    problems = [p for item in statement.evidence for p in _missing(item, case, reading)]
    if of_a_reader(statement):
        return judged([*problems, *_own_problems(statement)], "a reader saw it")
    if statement.assertion is Assertion.REPORTED:
        problems += _reported_problems(statement)
    else:
        problems += _image_problems(statement, reading)
    return judged(problems, "all evidence is there, with the same values")


def _own_problems(statement: Statement) -> Iterator[str]:
    own = OWN.fullmatch(statement.id) or statement.id == OWN_IMPRESSION
    if not own and statement.section is not Section.ADDENDUM:  # which a reader alone writes
        yield "a draft names what a reader saw as its evidence"
    if statement.finding is not None and statement.finding not in findings_named(statement.text):
        yield f"the text does not name {statement.finding}"


def _missing(item: Evidence, case: Case, reading: Reading) -> Iterator[str]:
    if isinstance(item, ScoreEvidence):
        yield from _wrong_score(item, reading)
    elif isinstance(item, RegionEvidence):
        yield from _wrong_region(item, case, reading)
    elif isinstance(item, MeasurementEvidence):
        measured = [m for m in reading.measurements if m.name == item.name]
        if not measured:
            yield f"the reading has no measurement {item.name}"
        elif all(
            (m.value, m.unit, m.interval) != (item.value, item.unit, item.interval)
            for m in measured
        ):
            yield f"the measurement {item.name} differs from the reading's"
        yield from _foreign_models(measured, reading)
    elif isinstance(item, ExtentEvidence):
        if item.extent not in (*reading.extents, *(replace(e, side=None) for e in reading.extents)):
            yield (
                f"the reading has no such extent of {item.extent.label} in {item.extent.label_map}"
            )
    elif not isinstance(item, ReaderEvidence):
        facts = case.context.facts if case.context else ()
        if not any(f.id == item.fact_id and f.source == item.source for f in facts):
            yield f"the record has no fact {item.fact_id} at {item.source}"


def _wrong_score(item: ScoreEvidence, reading: Reading) -> Iterator[str]:
    found = reading.finding(item.finding)
    if found is None:
        yield f"the reading has no finding {item.finding}"
    elif (found.probability, found.threshold) != (item.probability, item.threshold):
        yield f"the score of {item.finding} differs from the reading's"
    if item.model not in {m.name for m in reading.models}:
        yield f"the reading was not made by {item.model}"


def _wrong_region(item: RegionEvidence, case: Case, reading: Reading) -> Iterator[str]:
    """Object to a region missing in the reading, or of an image not read or not of the case."""
    found = reading.finding(item.finding)
    region = found.region if found else None
    if region is None:
        yield f"the reading has no region for {item.finding}"
    elif (region.box_xyxy, region.image) != (item.box_xyxy, item.image) or item.side not in (
        None,
        region.side,
    ):
        yield f"the region of {item.finding} differs from the reading's"
    if item.image is None:  # of an earlier release, which did not say
        return
    if not has_frame(case.study, item.image):
        yield f"the region of {item.finding} lies on an image that the study does not have"
    elif reading.volumes_read and item.image.volume_sha256 not in reading.volumes_read:
        yield f"the region of {item.finding} lies on an image that was not read"


def _foreign_models(measured: list[Measurement], reading: Reading) -> Iterator[str]:
    known = {model.name for model in reading.models}
    for name in dict.fromkeys(m.model for m in measured if m.model not in (None, *known)):
        yield f"the reading was not made by {name}"


def _reported_problems(statement: Statement) -> Iterator[str]:
    if not evidence_of(statement, FactEvidence):
        yield "reported, but no fact of the record is named"
    if statement.finding is not None:
        yield "coded as a finding of the image, but reported from the record"


def _image_problems(statement: Statement, reading: Reading) -> Iterator[str]:
    """Yield findings of words and evidence that differ.

    A sentence may name further findings, if it names the score of each; G12 looks at them.
    """
    scored = {e.finding for e in evidence_of(statement, ScoreEvidence)}
    if evidence_of(statement, FactEvidence):
        yield "a fact of the record stands as evidence of the image"
    if statement.finding is not None and statement.finding not in scored:
        yield f"no score of {statement.finding} is named"
    named = findings_named(statement.text)
    coded = {statement.finding, *(scored & set(named) if statement.finding else ())}
    for item in evidence_of(statement, RegionEvidence):
        if item.finding not in coded:
            yield f"the region is of {item.finding}"
    yield from _foreign_extents(statement, reading)
    if statement.finding is not None and statement.finding not in named:
        yield f"the text does not name {statement.finding}"
    for other in sorted(set(named) - coded):
        if not _denied_together(other, statement.finding, named):
            yield f"the text names {other} without being coded for it"


def _foreign_extents(statement: Statement, reading: Reading) -> Iterator[str]:
    """Yield labelled voxels of another finding or measurement than the statement is of."""
    found = reading.finding(statement.finding or "")
    own = [found.extent] if found is not None and found.extent is not None else []
    names = {item.name for item in evidence_of(statement, MeasurementEvidence)}
    own += [extent for m in reading.measurements if m.name in names for extent in m.extents]
    for item in evidence_of(statement, ExtentEvidence):
        if not any(replace(item.extent, side=None) == replace(extent, side=None) for extent in own):
            yield f"the labelled voxels of {item.extent.label} belong to another statement"


def _denied_together(other: str, finding: str | None, named: dict[str, Polarity]) -> bool:
    """Clear lungs deny several findings at once, and one of them is the coded one."""
    together = {other, finding} <= {"Consolidation", "Infiltration", "Lung_Opacity"}
    return together and named[other] is named.get(finding or "") is Polarity.DENIED
