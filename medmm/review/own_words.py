"""What a reader states without a draft: own findings and impression, to check and sign."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medmm.domain.draft import ReaderEvidence, Section
from medmm.domain.errors import InputError
from medmm.domain.report import (
    OWN_IMPRESSION,
    Add,
    Addendum,
    CaseFile,
    Impression,
    Reader,
    SignedStatement,
)
from medmm.domain.suspicion import ASSERTED as ASSERTIONS
from medmm.language.report_parser import findings_named, polarity
from medmm.language.sides import named_side


def reworded(
    own: Add | Impression | Addendum, text: str, by: Reader | None
) -> Add | Impression | Addendum:
    """Change a reader's own words.

    The code stays only if the new words still say the same of the same side.
    """
    if isinstance(own, Addendum):
        return replace(own, text=text, by=by, at=None)
    if isinstance(own, Impression):
        return replace(own, text=text, by=by)
    named = {name: ASSERTIONS[said] for name, said in findings_named(text).items()}
    same = named == {own.finding: own.assertion} and named_side(text) is own.side
    if same:
        return replace(own, text=text, place="", by=by)
    return Add(text, assertion=ASSERTIONS[polarity(text)], statement_id=own.statement_id, by=by)


def refuse_miscoded(added: Add, case_id: str) -> None:
    """Refuse an addition whose code or side is not what its words say.

    Raises: InputError if so.
    """
    named = {name: ASSERTIONS[said] for name, said in findings_named(added.text).items()}
    if added.finding is not None and named != {added.finding: added.assertion}:
        raise InputError(
            "the words of an added finding say something else than its code",
            remedy="make it with Add.of, or leave the code out",
            case=case_id,
            finding=added.finding,
        )
    if added.side is not None and named_side(added.text) is not added.side:
        raise InputError(
            "the words of an added finding name another side than it is coded for",
            remedy="make it with Add.of, or leave the side out",
            case=case_id,
        )


def own_statements(file: CaseFile, signer: Reader | None = None) -> Iterator[SignedStatement]:
    """List the reader's own findings, impression by line, and addenda, as they will be signed."""
    for added in file.added:
        yield SignedStatement(
            id=added.statement_id,
            section=Section.FINDINGS,
            text=added.text,
            assertion=added.assertion if added.finding else ASSERTIONS[polarity(added.text)],
            finding=added.finding,
            side=added.side,
            evidence=(_seen_by(added.by or signer),),
            author=added.by or signer,
            place=added.place,
        )
    if file.impression is not None:
        yield from _impression(file.impression, signer)
    yield from (addendum_statement(one) for one in file.decisions if isinstance(one, Addendum))


def addendum_statement(addendum: Addendum) -> SignedStatement:
    """Make the statement of what was added to a signed report, as it is signed."""
    return SignedStatement(
        id=addendum.statement_id,
        section=Section.ADDENDUM,
        text=addendum.text,
        assertion=ASSERTIONS[polarity(addendum.text)],
        finding=None,
        side=None,
        evidence=(_seen_by(addendum.by),),
        author=addendum.by,
        added_at=addendum.at,
    )


def _impression(own: Impression, signer: Reader | None) -> Iterator[SignedStatement]:
    lines = [line for line in map(str.strip, own.text.splitlines()) if line]
    for number, line in enumerate(lines, start=1):
        yield SignedStatement(
            id=OWN_IMPRESSION if number == 1 else f"{OWN_IMPRESSION}-{number}",
            section=Section.IMPRESSION,
            text=line,
            assertion=ASSERTIONS[polarity(line)],
            finding=None,
            side=None,
            evidence=(_seen_by(own.by or signer),),
            author=own.by or signer,
        )


def _seen_by(reader: Reader | None) -> ReaderEvidence:
    return ReaderEvidence(reader_id=reader.id if reader else "")
