"""G2: sides in words, code and evidence agree, and none is named when unknown."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.draft import (
    Assertion,
    Case,
    ExtentEvidence,
    FactEvidence,
    MeasurementEvidence,
    RegionEvidence,
    Statement,
)
from medmm.domain.reading import Reading, Side
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable, of_a_reader
from medmm.language.claims import claims_of
from medmm.language.record_words import without_words_of
from medmm.language.sides import named_side

# A line or a lead enters on a side, though the label of all devices has none.
_COME_FROM_A_SIDE = frozenset({"Support_Devices"})


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare the sides; words that are the record's own are the record's."""
    if statement.assertion is Assertion.REPORTED:
        return _examine_reported(statement, case)
    said = _said(statement)
    if said is None and statement.side is None:
        return not_applicable("no side is named")
    if _denies_a_side(statement, case, said):
        return judged([], "what is denied of a side lies on no side")
    problems = _problems(statement, case, said, set(_sides_of_evidence(statement, reading)))
    return judged(problems, "words, code and evidence name the same side")


def _said(statement: Statement) -> Side | None:
    """Return the side of the words; of several findings, the one that the coded one has."""
    claims = [c for c in claims_of(statement.text) if c.finding is not None]
    own = [c.side for c in claims if c.finding == statement.finding]
    if not own or len(own) == len(claims):
        return named_side(statement.text)
    return _together({side for side in own if side is not None})


def _denies_a_side(statement: Statement, case: Case, said: Side | None) -> bool:
    """Tell whether a denial of a side rests on scores alone; both sides need no orientation."""
    if statement.assertion is not Assertion.ABSENT or said is not statement.side:
        return False
    if any(isinstance(e, RegionEvidence | ExtentEvidence) for e in statement.evidence):
        return False
    return said is Side.BILATERAL or case.study.orientation_known


def _sides_of_evidence(statement: Statement, reading: Reading) -> Iterator[Side]:
    """Yield sides of regions, of labelled voxels, and of what was measured with these values."""
    regions = evidence_of(statement, RegionEvidence)
    sides = [e.side for e in regions if statement.finding in (None, e.finding)]
    sides += [e.extent.side for e in evidence_of(statement, ExtentEvidence)]
    for item in evidence_of(statement, MeasurementEvidence):
        same = (item.name, item.value, item.interval)
        sides += [m.side for m in reading.measurements if (m.name, m.value, m.interval) == same]
    return (side for side in sides if side is not None)


def _orientation_known(statement: Statement, case: Case) -> bool:
    """Tell whether volumes of the evidence, or else all images, say where the sides are."""
    extents = [e.extent for e in evidence_of(statement, ExtentEvidence)]
    if not extents:
        return case.study.orientation_known
    volumes = [case.study.volume(extent.volume_sha256) for extent in extents]
    return all(volume is not None and volume.affine_lps_mm is not None for volume in volumes)


def _sided(statement: Statement) -> Iterator[tuple[str, bool]]:
    """Yield in words what the statement is of, and whether that has a side."""
    term = finding_terms().get(statement.finding or "")
    if term is not None:
        yield term.words, term.sided or term.name in _COME_FROM_A_SIDE
    for item in evidence_of(statement, MeasurementEvidence):
        measured = measurement_terms().get(item.name)
        yield item.name, measured is not None and measured.sided


def _problems(
    statement: Statement, case: Case, said: Side | None, regions: set[Side]
) -> Iterator[str]:
    if not _orientation_known(statement, case):
        yield "a side is named although the image does not say where the patient's left is"
    if said is not statement.side:
        yield f"the words say {_word(said)}, the code says {_word(statement.side)}"
    seen = _together(regions)
    if of_a_reader(statement):
        seen = statement.side  # the reader's own look
    if seen is None:
        yield "a side is named without evidence whose side is known"
    elif statement.side is not seen:
        yield f"the evidence lies {_word(seen)}, the code says {_word(statement.side)}"
    for words, sided in _sided(statement):
        if not sided:
            yield f"{words} has no side in the vocabulary"


def _examine_reported(statement: Statement, case: Case) -> Result:
    if statement.side is not None:
        return judged(["a side is coded for what is reported from the record"], "")
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    facts = [f for f in case.context.facts if f.id in ids] if case.context else []
    said = named_side(without_words_of(statement.text, facts))
    if said is not None:
        return judged([f"the words say {_word(said)}, the record's words do not"], "")
    if named_side(statement.text) is None:
        return not_applicable("no side is named")
    return judged([], "the side stands in the record's own words")


def _together(sides: set[Side]) -> Side | None:
    return next(iter(sides)) if len(sides) == 1 else Side.BILATERAL if sides else None


def _word(side: Side | None) -> str:
    return side.value if side else "no side"
