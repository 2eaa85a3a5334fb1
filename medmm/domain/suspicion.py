"""What is suspected in one case: one list that every surface shows and none makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from medmm.domain.certainty import certainty_of
from medmm.domain.claim import Assertion, Claim
from medmm.domain.draft import CLAIMS, Draft, Section, Statement
from medmm.domain.reading import Reading, Side
from medmm.domain.vocabulary import finding_term, finding_terms, most_urgent_first
from medmm.language.report_parser import Polarity, clauses, findings_named
from medmm.language.sides import named_side

NO_STATEMENT = "no statement of the draft says it"
ASSERTED = {
    Polarity.AFFIRMED: Assertion.PRESENT,
    Polarity.HEDGED: Assertion.POSSIBLE,
    Polarity.DENIED: Assertion.ABSENT,
}


class Standing(Enum):
    """Where a suspected finding stands."""

    READ = "read"  # there is no draft
    STATED = "stated"
    NOT_STATED = "also suspected, not stated"
    ADDED = "added by a reader"
    REJECTED = "rejected by a reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """One finding at or above its operating point, or one that a reader states.

    Attributes:
        words: the finding's words in the vocabulary.
        critical: whether a reader must be told at once; not of what a reader rejected.
        probability: calibrated, with its operating point `threshold` and its `meaning` in words;
            None if only a reader states the finding.
        statement_id: the statement that says it, or would.
        why: why it is not stated, or no longer.
    """

    finding: str
    words: str
    critical: bool
    standing: Standing
    side: Side | None = None
    probability: float | None = None
    threshold: float | None = None
    meaning: str = ""
    statement_id: str | None = None
    why: str = ""

    @property
    def rejected(self) -> bool:
        """Whether a reader rejected it."""
        return self.standing is Standing.REJECTED

    @property
    def undecided(self) -> bool:
        """Whether it is not stated and could be: a reader may accept or edit its statement."""
        return self.standing is Standing.NOT_STATED and self.statement_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWords:
    """What a reader wrote into the findings, an edit or an addition, and what was chosen.

    `finding` and `side` are set if they were chosen.
    """

    statement_id: str
    text: str
    finding: str | None = None
    side: Side | None = None

    @property
    def claims(self) -> dict[str, Side | None]:
        """The findings that the words state or suspect, with the side that is named of each."""
        return dict(self._said(denied=False)) | ({self.finding: self.side} if self.finding else {})

    @property
    def denials(self) -> frozenset[str]:
        """The findings that the words deny, and state nowhere."""
        return frozenset(name for name, _ in self._said(denied=True)) - frozenset(self.claims)

    @property
    def by_clause(self) -> tuple[Claim, ...]:
        """What each clause says of each finding that it names, denials among it."""
        return tuple(
            Claim(finding=name, assertion=ASSERTED[said], text=clause, side=named_side(clause))
            for clause in clauses(self.text)
            for name, said in findings_named(clause).items()
        )

    def _said(self, *, denied: bool) -> Iterator[tuple[str, Side | None]]:
        for clause in clauses(self.text):
            for name, polarity in findings_named(clause).items():
                if (polarity is Polarity.DENIED) == denied:
                    yield name, named_side(clause)


def suspicions(
    reading: Reading | None,
    draft: Draft | None = None,
    decided: Mapping[str, str | None] | None = None,
    own: Iterable[OwnWords] = (),
) -> tuple[Suspicion, ...]:
    """Build the one list: everything suspected in a case, rejected findings too.

    Critical findings come first, then by probability.

    Args:
        reading: what the models saw; a finding from its operating point on is in the list, whatever
            is said of it.
        draft: what is stated of that, and why the rest is not.
        decided: the words that a reader lets stand of a statement, by its id; None if it was
            rejected.
        own: the reader's own words in the findings; a finding that they state is in the list too.
    """
    said = decided or {}
    found = {one.finding: one for one in _read(reading, draft, said)}
    for words in own:
        for name in words.denials:
            if name in found and found[name].standing is Standing.NOT_STATED:
                found[name] = _rejected(found[name], "the reader's own words deny it")
        for name, side in words.claims.items():
            known = found.get(name) or _suspicion(name, Standing.ADDED)
            if known.standing is not Standing.STATED:
                critical = finding_term(name).critical
                found[name] = replace(
                    known,
                    standing=Standing.ADDED,
                    critical=critical,
                    side=side,
                    statement_id=words.statement_id,
                    why="",
                )
    return tuple(sorted(found.values(), key=_urgency))


def flagged(listed: Iterable[Suspicion], *, signed: bool = False) -> tuple[Suspicion, ...]:
    """Keep what of the list is up to date.

    That is nothing that a reader rejected, or signed a report without.

    What no reader could decide on, since a draft of an earlier release does not list it, stays.
    """
    return tuple(one for one in listed if not one.rejected and not (signed and one.undecided))


def _read(
    reading: Reading | None, draft: Draft | None, said: Mapping[str, str | None]
) -> Iterator[Suspicion]:
    """Yield what the models suspect, and what a draft states beside, with its standing."""
    stated = {s.finding: s for s in reversed(draft.statements if draft else ()) if _claims(s)}
    also = {one.statement.finding: one for one in (draft.also_suspected if draft else ())}
    findings = {f.name: f for f in most_urgent_first(reading.findings if reading else ())}
    names = [name for name, f in findings.items() if f.suspected or name in stated]
    for name in [*names, *(name for name in stated if name and name not in findings)]:
        one = _suspicion(name, Standing.READ if draft is None else Standing.STATED)
        if finding := findings.get(name):
            one = replace(
                one,
                probability=finding.probability,
                threshold=finding.threshold,
                meaning=certainty_of(finding.probability).meaning,
            )
        if draft is None:
            yield one
        elif name in stated:
            yield _decided(one, stated[name], said)
        elif name in also and also[name].statement.id in said:
            yield _decided(one, also[name].statement, said)
        else:
            statement, why = (
                (also[name].statement, also[name].why) if name in also else (None, NO_STATEMENT)
            )
            yield replace(
                one,
                standing=Standing.NOT_STATED,
                side=statement.side if statement else None,
                statement_id=statement.id if statement else None,
                why=why,
            )


def _claims(statement: Statement) -> bool:
    known = statement.finding in finding_terms()
    return known and statement.section is Section.FINDINGS and statement.assertion in CLAIMS


def _decided(one: Suspicion, statement: Statement, said: Mapping[str, str | None]) -> Suspicion:
    """Return a stated finding after the decision on its statement, or as drafted without one."""
    one = replace(one, statement_id=statement.id, side=statement.side)
    text = said.get(statement.id, statement.text)
    if text is None:
        return _rejected(one, "")
    if text == statement.text:
        return one
    claims = OwnWords(statement_id=statement.id, text=text).claims
    if one.finding not in claims:
        return _rejected(one, "the reader's own words no longer say it")
    return replace(one, side=claims[one.finding])


def _rejected(one: Suspicion, why: str) -> Suspicion:
    return replace(one, standing=Standing.REJECTED, critical=False, why=why)


def _suspicion(name: str, standing: Standing) -> Suspicion:
    term = finding_term(name)
    return Suspicion(finding=name, words=term.words, critical=term.critical, standing=standing)


def _urgency(one: Suspicion) -> tuple[bool, bool, float, str]:
    """Return a sort key: critical ones first, then the reader's own, then by probability."""
    alone = one.probability is None
    return not one.critical, not alone, -(one.probability or 0.0), one.finding
