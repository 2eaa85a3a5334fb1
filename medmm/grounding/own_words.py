"""What readers wrote, as statements that the checks can hold against case and reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medmm.domain.draft import Assertion, ReaderEvidence, Section, Statement
from medmm.domain.report import Add, Addendum, CaseFile, Edit, Impression
from medmm.language.report_parser import Polarity, findings_named, polarity
from medmm.language.sides import named_side

_ASSERTION = {
    Polarity.AFFIRMED: Assertion.PRESENT,
    Polarity.HEDGED: Assertion.POSSIBLE,
    Polarity.DENIED: Assertion.ABSENT,
}


def own_words(file: CaseFile) -> Iterator[Statement]:
    """Yield each edit, added finding, addendum and the own impression, coded as its words say."""
    drafted = {s.id: s for s in (file.draft.draft.decidable if file.draft else ())}
    for one in file.decisions:
        if isinstance(one, Edit) and one.statement_id in drafted:
            yield _edited(drafted[one.statement_id], one.text)
        elif isinstance(one, Add):
            yield _own(
                one.statement_id,
                Section.FINDINGS,
                one.text,
                one.by.id if one.by else "",
                one.finding,
            )
        elif isinstance(one, Impression | Addendum):
            section = Section.IMPRESSION if isinstance(one, Impression) else Section.ADDENDUM
            yield _own(one.statement_id, section, one.text, one.by.id if one.by else "", None)


def _edited(drafted: Statement, text: str) -> Statement:
    """Put the drafted statement with its evidence in the reader's words.

    It is as certain and of the side that they say.
    """
    if drafted.assertion is Assertion.REPORTED:
        return replace(drafted, text=text)
    named = findings_named(text)
    said = named.get(drafted.finding or "", polarity(text))
    return replace(drafted, text=text, assertion=_ASSERTION[said], side=named_side(text))


def _own(
    statement_id: str, section: Section, text: str, reader_id: str, finding: str | None
) -> Statement:
    said = findings_named(text).get(finding or "", polarity(text))
    return Statement(
        id=statement_id,
        section=section,
        text=text,
        assertion=_ASSERTION[said],
        evidence=(ReaderEvidence(reader_id=reader_id),),
        finding=finding,
        side=named_side(text),
    )
