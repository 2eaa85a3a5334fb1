"""What happened: one event of the audit log, in keys and hashes only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from medmm.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One step of one verb by one actor.

    Attributes:
        verb: a verb or look of the assistant ("admit", "sign", ...).
        outcome: "done", "refused" (a NotEvaluable), or "failed" (an error; its class name in details).
        actor: id of the reader or of the service, never a name.
        subject: what it was done to: a case, study or report key.
        details: short strings: digests, versions, counts; never names or text of a record.
    """

    at: datetime
    verb: str
    outcome: str
    actor: str
    role: str
    subject: str
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InputError("an audit event without time zone", remedy="use an aware time", verb=self.verb)
        if self.outcome not in ("done", "refused", "failed"):
            raise InputError(f"audit outcome {self.outcome!r}", remedy="use done, refused or failed", verb=self.verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProblem:
    """One damage to the log: what kind, and at which place."""

    kind: str
    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerification:
    """What a check of the whole log found.

    `uncovered` entries are committed and not yet in the heads file; the next step or opening covers them.
    """

    size: int
    problems: tuple[AuditProblem, ...]
    uncovered: int

    @property
    def ok(self) -> bool:
        """Whether nothing was changed, removed, reordered or inserted."""
        return not self.problems
