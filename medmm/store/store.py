"""The store: reads, and steps that keep values together with their audit entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.head import HeadFile, HeadSigner, TreeHead
from medmm.domain.audit_event import AuditEvent, AuditProof, AuditTrail, AuditVerification
from medmm.domain.clock import Clock, utc_now
from medmm.domain.delivery import Delivery, DeliveryFilter
from medmm.domain.double_reading import DoubleReading, FirstReads
from medmm.domain.draft_version import DraftVersion
from medmm.domain.errors import ConfigError, StateError
from medmm.domain.first_read import FirstRead
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.lease import Lease
from medmm.domain.model_standing import ModelStanding
from medmm.domain.printed_report import Printed
from medmm.domain.reading import Reading
from medmm.domain.reading_model import Declaration
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, CaseSummary, SignedReport
from medmm.domain.shadow_reading import ShadowReading
from medmm.domain.study import NotEvaluable, Study
from medmm.domain.unfinished_text import UnfinishedText
from medmm.domain.waiting_order import WaitingOrder
from medmm.domain.worklist import ALL_CASES, WHOLE, CaseFilter, Page, SavedFilter, Worklist
from medmm.store import (
    audit_trail,
    deliveries,
    drafts,
    failpoint,
    files,
    first_reads,
    last_words,
    leases,
    log_coverage,
    model_trials,
    reading_room,
    reads,
    recall,
    replays,
    reviewed_cases,
    saved_filters,
    search,
    tables,
    unfinished,
    verification,
    waiting_orders,
    worklist,
)
from medmm.store.database import Database
from medmm.store.dialects import Dialect, dialect_of
from medmm.store.object_store import ObjectStore
from medmm.store.reading_room import Asked
from medmm.store.recall import DraftsOfCase
from medmm.store.reviewed_cases import SignedCase
from medmm.store.step import Step

T = TypeVar("T")


class Store:
    """The store of one data folder: everything that lies under it.

    Safe from several threads and processes; no global state.

    A folder that can't be written to, or that nobody may write to by its modes, is a read-only
    copy: its log can be checked, and no step be taken. Nothing is made or changed in it.
    """

    def __init__(
        self,
        data_dir: Path,
        heads_path: Path | None,
        expiry: replays.Expiry,
        dialect: Dialect,
        objects: ObjectStore | None = None,
        progress: worklist.Progress | None = None,
    ) -> None:
        self.data_dir, self._expiry, self.dialect = data_dir, expiry, dialect
        self.objects: ObjectStore = objects or files.Objects(data_dir / "objects")
        self._closed = False
        try:
            self.read_only = files.is_read_only(data_dir, self.dialect.marker)
            if not self.read_only:
                data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.objects.sweep()
            self._signer = HeadSigner(self.secret("audit"))
            self._database = Database(self.dialect, read_only=self.read_only)
        except OSError as error:
            raise ConfigError(
                f"the data folder can't be used: {type(error).__name__}",
                remedy="set data_dir to a folder that this user may write to",
                data_dir=str(data_dir),
            ) from error
        heads = heads_path or data_dir.with_name(data_dir.name + ".heads")
        self.heads = HeadFile(heads, self._signer, read_only=self.read_only)
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            if self.read_only:
                self._database.is_newest()
            else:
                self._database.upgrade(lambda c: _fill(c, self.secret("patient"), progress))
                self._refuse_other_keys()
                # A crash may have left the last entries without their line in the heads file
                self._cover()
            on_failure.pop_all()

    def _refuse_other_keys(self) -> None:
        """Refuse a shared database whose log is of an installation with other keys.

        Raises: ConfigError if its keys are not in this folder.
        """
        if self.dialect.shared and self._read(lambda c: log.is_signed_by_another(c, self._signer)):
            raise ConfigError(
                "the log of the database was signed with a key that is not in the data folder",
                remedy="let data_dir be the folder that all hosts of this installation share",
                data_dir=str(self.data_dir),
                **self.dialect.where,
            )

    def database(self) -> str:
        """Name the database, its release and its place; it is asked, so that it must answer."""
        (place,) = self.dialect.where.values()
        return f"{self._read(self.dialect.version)}, {place}"

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        heads_path: Path | None = None,
        replay_days: float = replays.REPLAY_DAYS,
        clock: Clock = utc_now,
        objects: ObjectStore | None = None,
        url: str | None = None,
        progress: worklist.Progress | None = None,
    ) -> Store:
        """Open a data folder, making folder, keys and tables if they are missing.

        Heads go beside the folder unless told otherwise.

        Args:
            replay_days: how long a call with the same idempotency key gets the first result again.
            clock: gives the time now, with its zone.
            objects: keeps the files of images; without it the folder `objects` does.
            url: of a PostgreSQL database; None: an SQLite file in the folder.
            progress: told how many cases of an earlier release were gone through, of how many.
        """
        expiry, dialect = replays.Expiry(days=replay_days, clock=clock), dialect_of(url, data_dir)
        return cls(data_dir, heads_path, expiry, dialect, objects, progress)

    def close(self) -> None:
        """Let go of all connections."""
        self._closed = True
        self._database.close()

    def refuse_closed(self) -> None:
        """Refuse what comes after `close`.

        Raises: StateError if so.
        """
        if self._closed:
            raise StateError(
                "it was closed already", remedy="open it again", data_dir=str(self.data_dir)
            )

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def step(self, *, look: bool = False) -> Iterator[Step]:
        """Open a write transaction that commits all or nothing.

        Args:
            look: keeps nothing but its entry: then the database alone is flushed, and its head with
                the next step that keeps something, or the next opening.

        Raises: StateError if nothing was recorded in the audit log; Unavailable if the database is
            locked or full; ConfigError if the data folder is a read-only copy.
        """
        self.refuse_read_only()
        with self._database.write() as connection:
            step = Step(
                connection,
                self._signer,
                self.heads.flushed_size(),
                self.secret("patient"),
                self._expiry,
            )
            yield step
            step.finish()
            failpoint.reach(step.verb, "before commit")
        failpoint.reach(step.verb, "after commit")
        self._cover(flush=not look)
        failpoint.reach(step.verb, "after heads")

    def exclusive(self, key: str) -> AbstractContextManager[None]:
        """Hold a lock on an idempotency key across threads and processes."""
        self.refuse_read_only()
        return self._database.exclusive(key)

    def exclusive_study(self, uid: str) -> AbstractContextManager[None]:
        """Hold a lock on a study while a case is opened of it.

        It stands inside the lock of an idempotency key, never the other way round.
        """
        return self._database.exclusive(uid, of="studies")

    def exclusive_model(self, manifest_sha256: str) -> AbstractContextManager[None]:
        """Hold a lock on a version of a model while a person decides on it.

        It stands inside the lock of an idempotency key, never the other way round.
        """
        return self._database.exclusive(manifest_sha256, of="models")

    def exclusive_server(self, key: str) -> AbstractContextManager[None]:
        """Hold a lock on a model server while a request to it is counted.

        It stands inside every other lock, never the other way round.
        """
        return self._database.exclusive(key, of="servers")

    def working(
        self, subject: str, purpose: str, holder: str, clock: Clock
    ) -> AbstractContextManager[leases.Work]:
        """Hold a process's lease while a model runs; wait while another holds it.

        It stands inside the lock of an idempotency key, never the other way round. See
        `leases.working`.
        """
        self.refuse_read_only()
        return leases.working(leases.Work(subject, purpose, holder), clock, self._read, self._write)

    def delivering(
        self, case_id: str, destination: str, holder: str, clock: Clock
    ) -> AbstractContextManager[leases.Work | None]:
        """Hold a process's lease on the way of a case's report to a destination.

        Yields: the lease; None while another process holds it.
        """
        self.refuse_read_only()
        return self._delivering(leases.of_delivery(case_id, destination, holder), clock)

    @contextmanager
    def _delivering(self, work: leases.Work, clock: Clock) -> Iterator[leases.Work | None]:
        with leases.working_if_free(work, clock, self._read, self._write) as held:
            yield work if held else None

    def next_delivery(
        self, destinations: Collection[str], at: datetime, passed: Collection[int] = ()
    ) -> Delivery | None:
        """Find the delivery that is to be tried next; see `deliveries.next_due`."""
        return self._read(lambda c: deliveries.next_due(c, destinations, at, passed))

    def deliveries(self, wanted: DeliveryFilter) -> tuple[Delivery, ...]:
        """Read deliveries, the newest first."""
        return self._read(lambda c: deliveries.listed(c, wanted))

    def versions_arrived(self, case_id: str, destination: str) -> frozenset[str]:
        """Name by id the versions of a case's report that have arrived at a destination."""
        return self._read(lambda c: deliveries.versions_arrived(c, case_id, destination))

    def drafting(self, case_id: str, at: datetime) -> Lease | None:
        """Find the lease of the process that drafts a case at this time."""
        return self._read(lambda c: leases.drafting(c, case_id, at))

    def lease(self, case_id: str, at: datetime) -> Lease | None:
        """Find the lease of the reader who works on a case at this time."""
        return self._read(lambda c: leases.active(c, case_id, at))

    def refuse_others(self, case_id: str, by: str, at: datetime) -> None:
        """Refuse a case while another reader works on it.

        Raises: StateError as `leases.refuse_others`.
        """
        self._read(lambda c: leases.refuse_others(c, case_id, by, at))

    def secret(self, name: str) -> bytes:
        """Read a 32-byte key of this installation, made on first use.

        Raises: ConfigError if it can't be read or made.
        """
        try:
            return files.secret(self.data_dir / "keys", name, make=not self.read_only)
        except OSError as error:
            raise ConfigError(
                f"the keys of the data folder can't be used: {type(error).__name__}",
                remedy="make the folder `keys` in data_dir readable for this user; a copy needs "
                "its keys too",
                data_dir=str(self.data_dir),
            ) from error

    def put_object(self, path: Path) -> str:
        """Keep a copy of a file under the digest of its content."""
        return self.objects.put(path)

    def copied(self, sources: Mapping[str, Path]) -> AbstractContextManager[Callable[[], None]]:
        """Copy files in, by the digests that they must have; see `ObjectStore.copied`."""
        return self.objects.copied(sources)

    def files_of(self, study_uid: str) -> dict[str, str | None]:
        """List the files that a study was made of: SOP Instance UID by digest."""
        return self._read(lambda c: reads.files_of(c, study_uid))

    def object_place(self, sha256: str) -> Path:
        """Say where a kept file lies, unchecked: whoever opens it compares its digest."""
        return self.objects.place(sha256)

    def object_path(self, sha256: str) -> Path:
        """Find a kept file, with its content verified.

        That is done the first time, and again when the file system says it changed.

        Raises: IntegrityError if its content is no longer what it is named after.
        """
        return self.objects.verified_path(sha256)

    def study(self, uid: str) -> Study:
        """Read the study of this UID.

        Raises: IntegrityError if it or its record is not what the log says.
        """
        return self._read(lambda c: reads.study(c, uid))

    def keeps_study(self, uid: str) -> bool:
        """Tell whether a study of this UID passed the gate and is kept."""
        found = self._read(
            lambda c: c.scalar(reads.select(tables.studies.c.uid, tables.studies.c.uid, uid))
        )
        return found is not None

    def context(self, study_uid: str) -> ClinicalContext | None:
        """Read the record that was last joined to a study."""
        return self._read(lambda c: reads.context(c, study_uid))

    def study_of(self, case_id: str) -> str:
        """Read the UID of the study of a case."""
        return self._read(lambda c: reads.study_of(c, case_id))

    def identity(self, patient_key: str) -> PatientIdentity:
        """Read who a patient key is.

        Raises: IntegrityError if that is not what its last entry in the log says.
        """
        return self._read(lambda c: reads.identity(c, self.secret("patient"), patient_key))

    def report(self, report_id: str) -> SignedReport:
        """Read a signed report.

        Raises: IntegrityError if it is not what its entry in the log says.
        """
        return self._read(lambda c: reads.report(c, report_id))

    def order(self, study_uid: str) -> StudyOrder:
        """Read what joins a study to its order; of a study of an earlier release nothing does.

        Raises: IntegrityError as `study`.
        """
        return self._read(lambda c: reads.order(c, self.secret("patient"), study_uid))

    def waiting_orders(self, study_uid: str, order: StudyOrder) -> dict[str, WaitingOrder]:
        """Read by key the orders that a study may be made for; see `waiting_orders.fitting`."""
        secret = self.secret("patient")
        return self._read(lambda c: waiting_orders.fitting(c, secret, study_uid, order))

    def printed(self, report_id: str) -> Printed:
        """Read a signed report with all that it is printed from, checked in one transaction.

        Its images are checked too.

        Raises: IntegrityError naming what is not what the log says, and the entry.
        """
        secret = self.secret("patient")
        printed, named = self._read(lambda c: reads.printed(c, secret, report_id))
        log_coverage.refuse_altered_objects(self.objects, named)
        return printed

    def refused_study(self, study_uid: str) -> NotEvaluable | None:
        """Read what the gate last said of a study that it did not let pass.

        None if it was never asked, or let the study pass.
        """
        return next((one for one in reversed(self.not_evaluable()) if one.uid == study_uid), None)

    def standings(self) -> dict[str, ModelStanding]:
        """Read how each version of a model stands, by the digest of its manifest.

        Raises: IntegrityError if one is not what the log says.
        """
        return self._read(lambda c: model_trials.standings(c, earlier=self.read_only))

    def shadow_readings(
        self, manifest_sha256: str, since: datetime | None = None
    ) -> tuple[ShadowReading, ...]:
        """Read what a version of a model read in shadow, oldest first.

        Raises: IntegrityError if one is not what the log says.
        """
        return self._read(lambda c: model_trials.shadow_readings(c, manifest_sha256, since))

    def readings(self, since: datetime | None = None) -> Iterator[Reading]:
        """Read the newest reading of each case that was drafted since a time, oldest draft first.

        Raises: IntegrityError if one is not what the log says.
        """
        for case_ids in self._read(lambda c: model_trials.drafted_since(c, since)):
            yield from self._read(partial(model_trials.newest_readings, case_ids=case_ids))

    def shadow_counts(self) -> dict[str, int]:
        """Count the cases that each version of a model read in shadow."""
        return self._read(lambda c: model_trials.shadow_counts(c, earlier=self.read_only))

    def lacks_shadow(self, case_id: str, manifests: Collection[str]) -> list[str]:
        """List those of some versions of models that have not read a case in shadow yet."""
        return self._read(lambda c: model_trials.lacking(c, case_id, manifests))

    def oldest_without_shadow(self, manifest_sha256: str, declares: Declaration) -> str | None:
        """Find the first case that a version of a model missed; see `model_trials`."""
        return self._read(lambda c: model_trials.oldest_lacking(c, manifest_sha256, declares))

    def signed_cases(self) -> Iterator[SignedCase]:
        """Read the signed cases by patient, with what was kept of their reviews.

        Raises: as `reviewed_cases.some`.
        """
        rows, at_once = self._read(reviewed_cases.signed), reviewed_cases.AT_ONCE
        for first in range(0, len(rows), at_once):
            batch = rows[first : first + at_once]
            yield from self._read(partial(reviewed_cases.some, rows=batch))

    def unsigned(self, site: str | None, modality: str | None) -> int:
        """Count the drafted cases that wait for a signature, of a site and a modality."""
        return self._read(lambda c: reviewed_cases.unsigned(c, site, modality))

    def site_of(self, case_id: str) -> str | None:
        """Read the site at which a case was opened; None if the settings named none."""
        return self._read(lambda c: reads.site_of(c, case_id))

    def drafted_cases(self) -> list[str]:
        """List the cases that were ever drafted, by id."""
        return self._read(recall.drafted)

    def drafts_of_cases(self, case_ids: Sequence[str]) -> list[DraftsOfCase]:
        """Read every version of the drafts of these cases.

        Raises: as `recall.some`.
        """
        return self._read(lambda c: [*recall.some(c, case_ids)])

    def not_evaluable(self) -> tuple[NotEvaluable, ...]:
        """Read all refusals and holds, oldest first."""
        return self._read(reads.not_evaluable)

    def released(self) -> dict[str, frozenset[str]]:
        """Read the codes of what persons let pass the gate, by the digest of the file."""
        return self._read(reads.released)

    def case_file(self, case_id: str) -> CaseFile:
        """Read everything of one case, checked and read in one transaction.

        Raises: IntegrityError if a part is not what the log says.
        """
        return self._read(lambda c: reads.case_file(c, case_id))

    def drafts(self, case_id: str) -> tuple[DraftVersion, ...]:
        """List every version of a case's draft, oldest first.

        Raises: as `case_file`.
        """
        self.study_of(case_id)
        return self._read(lambda c: drafts.versions(c, case_id))

    def drafted_from(self, case_id: str) -> str | None:
        """Read what a case's last draft was made from; None if it is an earlier release's."""
        word = self._read(lambda c: last_words.of(c, last_words.DRAFTED_FROM, case_id))
        return None if word is None else word.value

    def studies_of_patient(self, patient_key: str) -> tuple[Study, ...]:
        """Read the studies of a patient, checked and read in one transaction.

        Raises: IntegrityError as `study`.
        """
        return self._read(lambda c: reads.studies_of_patient(c, patient_key))

    def cases_of_studies(self, study_uids: Collection[str]) -> dict[str, list[CaseFile]]:
        """Read the cases of studies, of each the oldest first, in one transaction.

        Raises: as `case_file`.
        """
        return self._read(lambda c: reads.cases_of_studies(c, study_uids))

    def signed_of(self, study_uid: str) -> list[CaseFile]:
        """Read the cases of a study with a signed report."""
        table = tables.cases
        query = sa.select(table.c.id).where(
            (table.c.study_uid == study_uid) & table.c.report_id.is_not(None)
        )
        return [self.case_file(case_id) for case_id in self._read(lambda c: c.scalars(query).all())]

    def cases(
        self, wanted: CaseFilter = ALL_CASES, part: Page = WHOLE, at: datetime | None = None
    ) -> tuple[CaseSummary, ...]:
        """Read the worklist: what is asked for, and of that a page.

        Args and Raises: as `worklist.page`.
        """
        return self._read(lambda c: worklist.page(c, wanted, part, at))

    def worklist(self, asked: Asked, part: Page, *, named: bool, counted: bool = True) -> Worklist:
        """Read a page of the worklist with who its cases are.

        Args and Raises: as `reading_room.page`.
        """
        return self._read(lambda c: reading_room.page(c, asked, part, named=named, counted=counted))

    def arrived(self, asked: Asked, entry: int) -> int:
        """Count the cases that came after an entry of the log; see `reading_room.arrived`."""
        return self._read(lambda c: reading_room.arrived(c, asked, entry))

    def following(self, asked: Asked, part: Page, reader: str) -> CaseSummary | None:
        """Find the next case for a reader; see `reading_room.following`."""
        return self._read(lambda c: reading_room.following(c, asked, part, reader))

    def asked(self, wanted: CaseFilter, at: datetime, words: str = "") -> Asked:
        """Say what cases are asked for: by a filter, and by the words of a search."""
        return Asked(wanted=wanted, at=at, search=words, secret=self.secret("patient"))

    def filters(self, reader: str) -> tuple[SavedFilter, ...]:
        """Read a reader's saved filters, by name."""
        return self._read(lambda c: saved_filters.of_reader(c, reader))

    def keep_unfinished(self, reader: str, typed: UnfinishedText) -> None:
        """Keep what a reader is typing; no entry of the log tells of it.

        Raises: as `unfinished.keep`.
        """
        self.refuse_read_only()
        self._write(lambda c: unfinished.keep(c, reader, typed))

    def unfinished(self, case_id: str, reader: str) -> tuple[UnfinishedText, ...]:
        """Read what a reader has typed in a case, by field."""
        return self._read(lambda c: unfinished.of_reader(c, case_id, reader))

    def first_reads(self, case_id: str) -> FirstReads:
        """Read who read a case first, and what they saw.

        Raises: InputError if there is no such case; IntegrityError if it is not what the log says.
        """
        self.study_of(case_id)
        return self._read(lambda c: first_reads.of_case(c, case_id))

    def double_reading(self, case_id: str) -> DoubleReading | None:
        """Read the order to read a case twice; None if there never was one.

        Raises: IntegrityError as `first_reads`.
        """
        return self._read(lambda c: first_reads.order_of(c, case_id))

    def first_reads_since(self, since: datetime | None = None) -> Iterator[FirstRead]:
        """Read all first reads since a time, oldest first, some at a time.

        Raises: IntegrityError as `first_reads`.
        """
        for ids in self._read(lambda c: first_reads.ids_since(c, since)):
            yield from self._read(partial(first_reads.named, ids=ids))

    def has_seen(self, case_id: str, reader: str) -> bool:
        """Tell whether the log says that a reader saw what was read or drafted in a case."""
        return self._read(lambda c: first_reads.has_seen(c, case_id, reader))

    def first_read_by(self, reader: str, case_ids: Collection[str]) -> frozenset[str]:
        """Find those of some cases that a reader has read first."""
        return self._read(lambda c: first_reads.read_by(c, reader, case_ids))

    def double_readings(self, case_ids: Collection[str]) -> dict[str, DoubleReading]:
        """Read which of some cases are or were to be read twice."""
        return self._read(lambda c: first_reads.orders_of(c, tuple(case_ids)))

    def recall(self, key: str, verb: str, request_sha256: str) -> object:
        """Recall the JSON of the result given under an idempotency key.

        None if there is none, or it is too long ago.

        Raises: as `replays.recall`.
        """
        return self._read(lambda c: replays.recall(c, self._expiry, key, verb, request_sha256))

    def events(self, *subjects: str) -> tuple[AuditEvent, ...]:
        """Read audit events of these subjects, or all, in the order of the log.

        That holds whatever the clock said.
        """
        return tuple(self._read(lambda c: log.events(c, subjects)))

    def audit_trail(self, after: int, limit: int, span: audit_trail.Span) -> AuditTrail:
        """Read a part of the log from a number on.

        Raises: as `audit_trail.page`.
        """
        events, goes_on_after = self._read(lambda c: audit_trail.page(c, after, limit, span))
        return AuditTrail(
            installation=self._signer.public_key(), events=events, after=goes_on_after
        )

    def prove(self, number: int, since: int | None = None) -> AuditProof:
        """Prove that an entry stands in the log.

        Raises: as `log.proof_of`.
        """
        return self._read(lambda c: log.proof_of(c, number, self._signer, since))

    def verify(self) -> AuditVerification:
        """Check the whole log against the heads file, and what is kept against the log.

        That is cases, reports, identities, studies and files.
        """

        def check(connection: sa.Connection) -> tuple[AuditVerification, dict[str, str]]:
            with self.heads.locked() as lines:  # until the snapshot is taken: no entry runs ahead
                self.dialect.take_snapshot(connection)
            secret = self._secret_there("patient")
            return verification.check(connection, lines, self._signer, secret, self.dialect)

        found, objects = self._read(check)
        altered = log_coverage.object_problems(self.objects, objects)
        return replace(found, problems=(*found.problems, *altered))

    def _secret_there(self, name: str) -> bytes | None:
        """Read a key of this installation, if it was made: a check makes none."""
        return (
            self.secret(name) if files.secret_path(self.data_dir / "keys", name).exists() else None
        )

    def refuse_read_only(self) -> None:
        """Refuse to write to a read-only copy.

        Raises: ConfigError if the data folder is one.
        """
        if self.read_only:
            raise ConfigError(
                "the data folder is a read-only copy, where no audit entry can be kept",
                remedy="`medmm audit verify` and `medmm doctor` work on it; for all else open the "
                "installation itself",
                data_dir=str(self.data_dir),
            )

    def _cover(self, *, flush: bool = True) -> None:
        self.heads.cover(self._heads_after, flush=flush)

    def _heads_after(self, size: int) -> list[TreeHead]:
        return self._read(lambda c: log.heads_after(c, size))

    def _write(self, change: Callable[[sa.Connection], T]) -> T:
        """Change what no entry tells of: leases of processes, and words that are being typed."""
        with self._database.write() as connection:
            return change(connection)

    def _read(self, query: Callable[[sa.Connection], T]) -> T:
        return self._database.read(query)


def _fill(connection: sa.Connection, secret: bytes, progress: worklist.Progress | None) -> None:
    """Derive what a database of an earlier release does not hold yet."""
    last_words.fill(connection)
    drafts.fill(connection)
    search.fill(connection, secret)
    worklist.fill(connection, progress)
