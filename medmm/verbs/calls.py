"""A call of a verb on its way: who asks, what was answered before, and its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress

from medmm.domain.audit_event import AuditEvent
from medmm.domain.clock import Clock
from medmm.domain.directory import Directory
from medmm.domain.errors import InputError, PermissionDenied, Unavailable
from medmm.domain.report import Reader
from medmm.domain.roles import require
from medmm.store import Step, Store, digest

WITHOUT_ENTRY = ("verify", "prove")  # what works on a read-only copy
Request = Mapping[str, object] | Callable[[], Mapping[str, object]] | None


class VerbCall:
    """One call of a verb: who asks, for what, and the audit entry that will say so."""

    def __init__(
        self, verb: str, by: Reader | str | None, key: str | None, request_sha256: str, clock: Clock
    ) -> None:
        self.verb, self.by, self.key, self.request_sha256, self._clock = (
            verb,
            by,
            key,
            request_sha256,
            clock,
        )
        who = by if isinstance(by, str) else by.id if by else "unknown"
        self.actor = Reader(id=who, name="", role="nobody")  # until it is checked
        self.recalled: object = None  # the JSON that an earlier call of the same key kept
        self.subject = ""  # of a look
        self.seen: dict[str, object] = {}  # what its entry says of it

    def event(self, outcome: str, subject: str, **details: object) -> AuditEvent:
        """Build the audit event of this call, with its time."""
        return AuditEvent(
            at=self._clock(),
            verb=self.verb,
            outcome=outcome,
            actor=self.actor.id,
            role=self.actor.role,
            subject=subject,
            details={
                "request": self.request_sha256[:16],
                **{k: str(v) for k, v in details.items()},
            },
        )

    def done(
        self, step: Step, result: object, subject: str, outcome: str = "done", **details: object
    ) -> None:
        """Record the event in the step that keeps the result, remembered under its key."""
        step.record(self.event(outcome, subject, **details))
        if self.key is not None:
            step.remember(self.key, self.verb, self.request_sha256, result, subject)


class Calls:
    """The opening of calls: permission first, then the answer kept under the idempotency key.

    A call that fails leaves its entry too.
    """

    def __init__(self, store: Store, service: str, directory: Directory, clock: Clock) -> None:
        self._store, self._service, self._directory, self._clock = store, service, directory, clock

    def reader_named(self, reader_id: str) -> Reader:
        """Find who has this id in the directory.

        Raises: PermissionDenied if nobody has.
        """
        self._store.refuse_closed()
        return self._directory.reader(reader_id)

    def allow(self, verb: str, by: Reader | str | None) -> None:
        """Refuse a verb that this one may not do.

        Raises: PermissionDenied if so.
        """
        self._store.refuse_closed()
        require(verb, self._actor(by))

    def person_who_may(self, verb: str, by: Reader | str | None) -> None:
        """Refuse a verb that needs a person if nobody is named, or this one may not do it.

        Raises: InputError if nobody is named; PermissionDenied if this one may not do this verb.
        """
        if by is None:
            raise InputError(
                "a confirmation needs a person",
                remedy="name yourself: medmm --by READER …, by=reader",
            )
        self.allow(verb, by)

    def person(self, verb: str, by: Reader | str | None) -> Reader:
        """Find the person who asks, and refuse a verb that this one may not do.

        Raises: PermissionDenied if so.
        """
        self.allow(verb, by)
        return self._actor(by)

    @contextmanager
    def call(
        self, verb: str, by: Reader | str | None, key: str | None = None, request: Request = None
    ) -> Iterator[VerbCall]:
        """Open one call of a verb; its body commits the step with the entry.

        `request` says by its content, never by a path, what is asked for; where that must be read
        first, a function that gives it is asked once it is known that this one may.
        """
        self._store.refuse_closed()
        call = VerbCall(
            verb, by, key, digest({} if callable(request) else request or {}), self._clock
        )
        with ExitStack() as stack:
            stack.push(self._entry_of_failure(call))
            call.actor = self._actor(by)
            require(verb, call.actor)
            if verb not in WITHOUT_ENTRY:  # no log, no verb: before anything is read
                self._store.refuse_read_only()
            if callable(request):
                call.request_sha256 = digest(request())
            if (
                key is not None
            ):  # a second caller with the same key waits and gets the first one's result
                stack.enter_context(self._store.exclusive(key))
                call.recalled = self._store.recall(key, verb, call.request_sha256)
            yield call

    def _entry_of_failure(self, call: VerbCall) -> Callable[..., bool]:
        """Make what leaves an entry of whatever error ends a call, and lets the error go on.

        Where nothing can be kept, the error itself must be seen.
        """

        def leave(kind: type[BaseException] | None, *_: object) -> bool:
            if kind is not None and issubclass(kind, Exception) and not self._store.read_only:
                # of a store that is out of reach this error is seen, not that of the entry
                gone = suppress(Unavailable) if issubclass(kind, Unavailable) else nullcontext()
                with gone, self._store.step() as step:
                    step.record(call.event("failed", "request", error=kind.__name__))
            return False

        return leave

    @contextmanager
    def look(self, verb: str, subject: str, by: Reader | str | None) -> Iterator[VerbCall]:
        """Open a look, which keeps nothing but its entry of what was seen.

        Its body may say of what it is, once that is known.

        Nothing is given out before the entry is kept; a look that failed is in the log as failed
        alone.
        """
        with self.call(verb, by) as call:
            call.subject = subject
            yield call
            with self._store.step(look=True) as step:
                call.done(step, None, call.subject, "done", **call.seen)

    def _actor(self, by: Reader | str | None) -> Reader:
        if by is None:
            return Reader(id=self._service, name=self._service, role="service")
        if isinstance(by, str):
            return self.reader_named(by)
        known = self.reader_named(by.id)
        if known.role != by.role:
            raise PermissionDenied(
                f"reader's role is {known.role!r}, not {by.role!r}",
                remedy="take the reader from Assistant.reader_named",
                reader=by.id,
                role=known.role,
            )
        return known
