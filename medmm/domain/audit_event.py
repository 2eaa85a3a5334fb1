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
        outcome: "done", "refused" (a NotEvaluable), or "failed" (an error; its class name in
            details).
        actor: id of the reader or of the service, never a name.
        subject: what it was done to: a case, study or report key.
        details: short strings: digests, versions, counts; never names or text of a record.
        number: its entry's number in the log, from 1; None before it has one. No part of the entry.
    """

    at: datetime
    verb: str
    outcome: str
    actor: str
    role: str
    subject: str
    details: Mapping[str, str] = field(default_factory=dict)
    number: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InputError(
                "an audit event without time zone", remedy="use an aware time", verb=self.verb
            )
        if self.outcome not in ("done", "refused", "failed"):
            raise InputError(
                f"audit outcome {self.outcome!r}",
                remedy="use done, refused or failed",
                verb=self.verb,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedEvent:
    """An event, and the keys of the patients whom it concerns as far as the log tells."""

    event: AuditEvent
    patients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """A part of the log, in its order.

    Attributes:
        installation: whose log it is: its public key, raw, in hex.
        after: the number to go on after; None where the log ended.
    """

    installation: str
    events: tuple[AuditedEvent, ...]
    after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProblem:
    """One damage to the log: what kind, and at which place."""

    kind: str
    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProof:
    """Proof that an entry stands in the log of a signed tree head (RFC 6962, 2.1).

    It is for whoever has nothing else of the log.

    A leaf is SHA-256 of a zero byte and the entry's UTF-8 bytes, a node SHA-256 of a one byte and
    both hashes below it. The signature is Ed25519 (RFC 8032) of "medmm tree head v1", size and root
    in hex, each with a line feed.

    Attributes:
        number: of the entry, from 1.
        entry: its canonical JSON.
        path: hashes in hex that lead from its leaf to the root, lowest first.
        size: entries of the log, whose root and signature these are, in hex.
        public_key: of the installation, raw, in hex.
        since: size of an earlier head; None if none was asked for.
        since_root: its root.
        since_path: hashes that show that the log only appended to it.
    """

    number: int
    entry: str
    path: tuple[str, ...]
    size: int
    root: str
    signature: str
    public_key: str
    since: int | None = None
    since_root: str | None = None
    since_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerification:
    """What a check of the whole log, and of what is kept against it, found.

    Attributes:
        uncovered: entries that are committed and not yet in the heads file; the next step or
            opening covers them.
        not_covered_before: entries before this number were written by an earlier release and say
            nothing of identities, studies and stored files; None if there are none.
        identities_not_covered, studies_not_covered: the patient keys, and the study UIDs, of which
            no later entry speaks either: what is kept of them is neither known to be sound nor
            altered.
    """

    size: int
    problems: tuple[AuditProblem, ...]
    uncovered: int
    not_covered_before: int | None = None
    identities_not_covered: tuple[str, ...] = ()
    studies_not_covered: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was changed, removed, reordered or inserted, as entries tell."""
        return not self.problems

    @property
    def not_covered(self) -> tuple[str, ...]:
        """In sentences: what entries of an earlier release leave open."""
        if self.not_covered_before is None:
            return ()
        before = f"Identity not covered before entry {self.not_covered_before}"
        patients, studies = len(self.identities_not_covered), len(self.studies_not_covered)
        if not patients and not studies:
            return (f"{before}: all that is kept now is covered by later entries.",)
        open_still = (
            f"{patients} patient{'s'[: patients != 1]} and the images of {studies} "
            f"stud{'y' if studies == 1 else 'ies'}"
        )
        return (
            (
                f"{before}: what an earlier release kept of the identity of {open_still} is "
                "neither known to be sound nor altered."
            ),
            "Admit these studies again to cover them from then on.",
        )
