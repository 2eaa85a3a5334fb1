"""What a read, a draft or a report says of each finding, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from medmm.domain.claim import CLAIMS, Assertion
from medmm.domain.draft import Draft, Section, Statement
from medmm.domain.first_read import FirstRead
from medmm.domain.reading import Side
from medmm.domain.report import Add, SignedReport, SignedStatement
from medmm.domain.suspicion import OwnWords
from medmm.domain.vocabulary import finding_term, finding_terms

WEIGHT = {Assertion.PRESENT: 3, Assertion.POSSIBLE: 2, Assertion.ABSENT: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSaid:
    """What is said of one finding.

    Attributes:
        finding: its name in the vocabulary.
        assertion: PRESENT, POSSIBLE or ABSENT.
        side: the patient's side; None where none is named.
    """

    finding: str
    assertion: Assertion
    side: Side | None = None

    @property
    def claimed(self) -> bool:
        """Whether the finding is stated or suspected; a denial is neither."""
        return self.assertion in CLAIMS


Saids = dict[str, FindingSaid]  # by finding


def said_first(read: FirstRead) -> Saids:
    """Gather what a reader said first; see `said_by_choice`."""
    return said_by_choice(read.findings, read.text)


def said_by_choice(findings: Iterable[Add], text: str) -> Saids:
    """Gather what a person chose, and what the words beside it say of more.

    Of what was chosen without a side, words that claim it too give theirs.
    """
    words = said_in_words(text)
    chosen = gathered(
        FindingSaid(finding=one.finding, assertion=one.assertion, side=one.side)
        for one in findings
        if one.finding is not None
    )
    for name, one in chosen.items():
        beside = words.get(name)
        if one.side is None and beside is not None and beside.claimed and one.claimed:
            chosen[name] = replace(one, side=beside.side)
    return words | chosen


def said_in_words(text: str) -> Saids:
    """Gather what a person's own words say."""
    return gathered(_of_words(OwnWords(statement_id="", text=text)))


def said_in_draft(draft: Draft) -> Saids:
    """Gather what the findings of a draft state."""
    return gathered(_drafted(draft.statements))


def said_beside_draft(draft: Draft) -> Saids:
    """Gather what is also suspected and not stated, on which nobody has to decide."""
    return gathered(_drafted(one.statement for one in draft.also_suspected))


def _drafted(statements: Iterable[Statement]) -> Iterator[FindingSaid]:
    for one in statements:
        known = one.finding in finding_terms() and one.assertion in WEIGHT
        if known and one.finding is not None and one.section is Section.FINDINGS:
            yield FindingSaid(finding=one.finding, assertion=one.assertion, side=one.side)


def said_in_report(report: SignedReport) -> Saids:
    """Gather what a signed report says, by its codes and by its readers' own words."""
    return gathered(said for one in report.statements for said in _of_signed(one))


def gathered(said: Iterable[FindingSaid]) -> Saids:
    """Take of each finding the strongest that is said, with every side that is named of it."""
    found: Saids = {}
    for one in map(_sided, said):
        known = found.get(one.finding)
        if known is None or (one.claimed and not known.claimed):
            found[one.finding] = one
        elif one.claimed == known.claimed:
            strongest = max(one.assertion, known.assertion, key=WEIGHT.__getitem__)
            side = _both(known.side, one.side)
            found[one.finding] = replace(known, assertion=strongest, side=side)
    return found


def _sided(one: FindingSaid) -> FindingSaid:
    """Drop the side of a finding that has none: "left" in its clause is of something else."""
    return one if finding_term(one.finding).sided else replace(one, side=None)


def _both(one: Side | None, other: Side | None) -> Side | None:
    if one is None or other is None or one is other:
        return one or other
    return Side.BILATERAL


def _of_signed(statement: SignedStatement) -> Iterator[FindingSaid]:
    if statement.section is Section.CLINICAL_INFORMATION:
        return
    coded = statement.finding in finding_terms() and statement.assertion in WEIGHT
    if coded and statement.finding is not None:
        yield FindingSaid(
            finding=statement.finding, assertion=statement.assertion, side=statement.side
        )
    if statement.drafted_text is not None or statement.author is not None:
        named = {statement.finding} if coded else set()
        words = OwnWords(statement_id=statement.id, text=statement.text)
        yield from (one for one in _of_words(words) if one.finding not in named)


def _of_words(words: OwnWords) -> Iterator[FindingSaid]:
    for claim in words.by_clause:
        if claim.finding is not None:
            yield FindingSaid(finding=claim.finding, assertion=claim.assertion, side=claim.side)
