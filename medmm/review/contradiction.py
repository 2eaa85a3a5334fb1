"""What an impression says must stand in the findings: a contradiction is not signed.

It is read from the words, since words are what is signed: the reader's own may say something else
than was drafted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medmm.domain.draft import Assertion, CheckedDraft, Section
from medmm.domain.errors import StateError
from medmm.domain.reading import Side
from medmm.domain.report import SignedStatement
from medmm.domain.vocabulary import finding_term
from medmm.language.report_parser import Polarity, clauses, findings_named
from medmm.language.sides import named_side

# Words that leave no room for any finding; "no acute abnormality" does.
ALL_CLEAR = re.compile(
    r"\bnormal\s+(?:chest|film|radiograph|x-?ray|study|exam(?:ination)?|brain|mri?|"
    r"cxr)\b(?!\s+wall)|\b(?:chest|film|radiograph|study|exam(?:ination)?|brain|cxr)\s+(?:is|"
    r"appears)\s+(?:normal|unremarkable)\b|\bunremarkable\s+(?:chest|film|radiograph|study|"
    r"exam(?:ination)?|brain|cxr)\b|\bno\s+(?:abnormalit(?:y|ies)|"
    r"(?:abnormal|pathological|radiological)\s+findings?)\b(?!\s+(?:of|in)\b)|"
    r"\bnothing\s+abnormal\b|^\s*(?:no\s+findings?|normal|unremarkable)\W*$",
    re.IGNORECASE,
)

_BUT = re.compile(r"\b(?:otherwise|apart|aside|besides?|except|other|else|but)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of one statement about one finding."""

    statement_id: str
    finding: str
    polarity: Polarity
    side: Side | None

    def borne_out_by(self, other: Claim) -> bool:
        """Tell whether the other says the same; it may name a side if this one names none."""
        return self.polarity is other.polarity and self.side in (None, other.side)

    def denied_by(self, other: Claim) -> bool:
        """Tell whether one denies what the other states, on sides that meet."""
        apart = {self.side, other.side} == {Side.LEFT, Side.RIGHT}
        return (self.polarity is Polarity.DENIED) != (
            other.polarity is Polarity.DENIED
        ) and not apart


def claims_of(statement: SignedStatement) -> Iterator[Claim]:
    """Parse what a statement claims, clause by clause, so each finding keeps its own side."""
    for clause in clauses(statement.text):
        for finding, polarity in findings_named(clause).items():
            yield Claim(
                statement_id=statement.id,
                finding=finding,
                polarity=polarity,
                side=named_side(clause),
            )


def refuse_contradiction(
    statements: Sequence[SignedStatement], draft: CheckedDraft, case_id: str
) -> None:
    """Hold the impression against the findings.

    What the impression states, the findings state, as certain and of the same side; what it denies
    they do not state; and the drafted sentence that nothing is suspected stands beside no finding.

    What a reader added to the findings is held against the other findings too.

    Raises: StateError naming the statement of the impression, or the added one, and that of the
        findings.
    """
    found = [c for s in statements if s.section is Section.FINDINGS for c in claims_of(s)]
    added = [s for s in statements if s.section is Section.FINDINGS and s.author is not None]
    _refuse_added(added, found, case_id)
    for statement in (s for s in statements if s.section is Section.IMPRESSION):
        for claim in claims_of(statement):
            there = [c for c in found if c.finding == claim.finding]
            denied = next((c for c in there if claim.denied_by(c)), None)
            if claim.polarity is Polarity.DENIED and denied is None:
                continue  # a denial needs no line of its own
            if not any(claim.borne_out_by(c) for c in there):
                nearest = denied or next(iter(there), None)
                where = (
                    nearest.statement_id if nearest else _drafted(draft, claim.finding, statement)
                )
                raise _contradiction(statement, finding_term(claim.finding).words, where, case_id)
        if not _calm(statement):
            continue
        stated = next((c for c in found if c.polarity is not Polarity.DENIED), None)
        if stated is not None:
            raise _contradiction(
                statement, finding_term(stated.finding).words, stated.statement_id, case_id
            )
        own = next((s for s in added if s.assertion is not Assertion.ABSENT), None)
        if own is not None:  # in words that the vocabulary does not know
            raise _contradiction(statement, "what a reader added", own.id, case_id)


def refuse_contradicting_addendum(statements: Sequence[SignedStatement], case_id: str) -> None:
    """Refuse an addendum that contradicts the rest of the report.

    Whoever reads one of them alone must not be misled.

    Raises: StateError naming both, if an addendum states what the report denies or calls normal, or
        denies what it states.
    """
    told = [s for s in statements if s.section is not Section.CLINICAL_INFORMATION]
    for addendum in (s for s in told if s.section is Section.ADDENDUM):
        others = [s for s in told if s is not addendum]
        said = [c for s in others for c in claims_of(s)]
        calm = next((s for s in others if _calm(s)), None)
        for claim in claims_of(addendum):
            other = next(
                (c for c in said if c.finding == claim.finding and claim.denied_by(c)), None
            )
            against = other.statement_id if other else None
            if against is None and calm is not None and claim.polarity is not Polarity.DENIED:
                against = calm.id
            if against is not None:
                raise StateError(
                    "an addendum and the report that it is added to say different things of "
                    f"{finding_term(claim.finding).words}",
                    remedy="amend the report, so that it says so itself, or reword the addendum",
                    case=case_id,
                    addendum=addendum.id,
                    statement=against,
                )


def _refuse_added(added: Sequence[SignedStatement], found: Sequence[Claim], case_id: str) -> None:
    """Refuse findings that deny what a reader added, or the other way round.

    Raises: StateError if they do.
    """
    for claim in (c for s in added for c in claims_of(s)):
        other = next((c for c in found if c.finding == claim.finding and claim.denied_by(c)), None)
        if other is not None:
            raise StateError(
                f"the findings say different things of {finding_term(claim.finding).words}",
                remedy="reject or edit one of the two",
                case=case_id,
                added=claim.statement_id,
                findings=other.statement_id,
            )


def _calm(statement: SignedStatement) -> bool:
    """Tell whether a statement says that there is nothing to see.

    It does so as drafted, or in the reader's own words of the whole image.
    """
    if statement.author is not None or statement.drafted_text is not None:
        return bool(ALL_CLEAR.search(statement.text)) and not _BUT.search(statement.text)
    return statement.assertion is Assertion.ABSENT and statement.finding is None


def _drafted(draft: CheckedDraft, finding: str, summary: SignedStatement) -> str:
    """Name the statement of the findings that would have had to say it.

    It is the one summarised, else the one drafted of it.
    """
    drafted = (
        s.id for s in draft.statements if s.section is Section.FINDINGS and s.finding == finding
    )
    return summary.summarises or next(drafted, "none")


def _contradiction(
    statement: SignedStatement, finding: str, findings_id: str, case_id: str
) -> StateError:
    return StateError(
        f"impression and findings say different things of {finding}",
        remedy="decide alike on both, or edit one until they agree",
        case=case_id,
        impression=statement.id,
        findings=findings_id,
    )
