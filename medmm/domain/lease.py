"""A lease: who works on a case, and until when; one that has expired is free."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medmm.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A case in the hands of one reader.

    Attributes:
        holder: id of the reader.
        since: when the holder took it.
        renewed: when the holder last took or renewed it.
        until: when it ends; then the case is free, whoever held it.
    """

    case_id: str
    holder: str
    since: datetime
    renewed: datetime
    until: datetime

    def __post_init__(self) -> None:
        if None in (self.since.tzinfo, self.renewed.tzinfo, self.until.tzinfo):
            raise InputError(
                "a lease without time zone", remedy="use aware times", case=self.case_id
            )
        if not self.renewed < self.until:
            raise InputError(
                "a lease ends before it begins", remedy="give it minutes", case=self.case_id
            )

    @property
    def counts_from(self) -> datetime:
        """The first moment at which it counts.

        A clock that was set back a little finds the lease held. One that was set back by more than
        the lease's length finds it free: it was taken by a clock that ran ahead, and would keep
        everybody out for as long.
        """
        return self.renewed - (self.until - self.renewed)

    def holds(self, at: datetime) -> bool:
        """Tell whether the case is in the holder's hands at this time."""
        return self.counts_from <= at < self.until
