"""G2: the side in the words, the coded side and the side of the region agree, and none is named when unknown."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.draft import Assertion, Case, FactEvidence, RegionEvidence, Statement
from medmm.domain.reading import Reading, Side
from medmm.domain.vocabulary import finding_terms
from medmm.domain.wording import named_side, without_words_of
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare the sides; words that are the record's own are the record's."""
    if statement.assertion is Assertion.REPORTED:
        return _examine_reported(statement, case)
    said = named_side(statement.text)
    regions = {e.side for e in evidence_of(statement, RegionEvidence) if e.side is not None}
    if said is None and statement.side is None:
        return not_applicable("no side is named")
    return judged(_problems(statement, case, said, regions), "words, code and region name the same side")


def _problems(statement: Statement, case: Case, said: Side | None, regions: set[Side]) -> Iterator[str]:
    if not case.study.orientation_known:
        yield "a side is named although the image does not say where the patient's left is"
    if said is not statement.side:
        yield f"the words say {_word(said)}, the code says {_word(statement.side)}"
    seen = _together(regions)
    if seen is None:
        yield "a side is named without a region whose side is known"
    elif statement.side is not seen:
        yield f"the region lies {_word(seen)}, the code says {_word(statement.side)}"
    term = finding_terms().get(statement.finding or "")
    if term is not None and not term.sided:
        yield f"{term.words} has no side in the vocabulary"


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
