"""A call of a verb on its way into the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from medmm.domain.audit_event import AuditEvent
from medmm.domain.codec import to_json
from medmm.domain.report import Reader
from medmm.store.store import Step


class VerbCall:
    """One call of a verb: who asks, for what, and the audit entry that will say so."""

    def __init__(self, verb: str, by: Reader | None, key: str | None, request_sha256: str) -> None:
        self.verb, self.key, self.request_sha256 = verb, key, request_sha256
        self.actor = Reader(id=by.id if by else "unknown", name="", role="nobody")  # until it is checked
        self.recalled: Any = None

    def event(self, outcome: str, subject: str, **details: object) -> AuditEvent:
        """The audit event of this call, with its time."""
        return AuditEvent(
            at=datetime.now(UTC),
            verb=self.verb,
            outcome=outcome,
            actor=self.actor.id,
            role=self.actor.role,
            subject=subject,
            details={"request": self.request_sha256[:16], **{k: str(v) for k, v in details.items()}},
        )

    def done(self, step: Step, result: Any, subject: str, outcome: str = "done", **details: object) -> None:
        """Record the event in the step that keeps the result, and remember the result under the key."""
        step.record(self.event(outcome, subject, **details))
        if self.key is not None:
            step.remember(self.key, self.verb, self.request_sha256, to_json(result))
