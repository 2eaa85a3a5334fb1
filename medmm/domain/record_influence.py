"""What the record does to a draft."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.draft import Assertion, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One finding that is said otherwise; None means that nothing is said of it."""

    finding: str
    before: Assertion | None
    after: Assertion | None

    @property
    def claims(self) -> bool:
        """Whether a finding is claimed that was not claimed before."""
        claims = (Assertion.PRESENT, Assertion.POSSIBLE)
        return self.after in claims and self.before not in claims


@dataclass(frozen=True, slots=True, kw_only=True)
class FactInfluence:
    """What one fact does: the draft without it against the draft with it.

    `shift` is the greatest change of a finding's probability, and `finding` the finding that it is
    of; both None if the language model does not read the fact.
    """

    fact_id: str
    label: str
    shift: float | None
    finding: str | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The same case drafted from the image alone, from the record alone and from both.

    `changes` are what the whole record changes in what is said of the image; `facts` each fact's
    part, the strongest first.
    """

    case_id: str
    image_only: Draft
    record_only: Draft
    both: Draft
    changes: tuple[Change, ...]
    facts: tuple[FactInfluence, ...]
