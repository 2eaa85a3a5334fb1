"""The store: reads, and steps that keep values together with their audit entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.head import HeadFile, HeadSigner, TreeHead
from medmm.audit.identity_digest import identity_hmac
from medmm.audit.verify import verify
from medmm.domain.audit_event import AuditEvent, AuditProof, AuditVerification
from medmm.domain.clock import Clock, utc_now
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.printed_report import Printed
from medmm.domain.reading import Reading
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, CaseState, CaseSummary, Decision, SignedReport
from medmm.domain.study import NotEvaluable, Release, Study
from medmm.domain.worklist import ALL_CASES, WHOLE, CaseFilter, Page
from medmm.store import (
    failpoint,
    files,
    integrity,
    last_words,
    log_coverage,
    replays,
    tables,
    worklist,
)
from medmm.store.database import (
    database_border,
    open_engine,
    read_only_engine,
    refuse_other_release,
    upgrade,
)
from medmm.store.object_store import ObjectStore

T = TypeVar("T")
OWNERS = {"patient", "study"}  # the details of an event that say whose the digests are


class Step:
    """One unit of work. It commits only if an audit event was recorded: no log, no verb."""

    def __init__(
        self,
        connection: sa.Connection,
        signer: HeadSigner,
        covered: int,
        secret: bytes,
        expiry: replays.Expiry,
    ) -> None:
        self._connection, self._signer, self._covered, self._secret = (
            connection,
            signer,
            covered,
            secret,
        )
        self._expiry = expiry
        self.verb = ""  # of the last event; empty until one is recorded
        self._event: AuditEvent | None = (
            None  # the last one: appended when all that it names is known
        )
        self._kept: dict[str, str] = {}  # digests of the parts of a case that no event names yet
        self._named: dict[str, str] = {}  # and of identities, studies and files
        self._relisted: set[str] = set()  # cases whose line of the worklist is to be derived anew
        self._moved: dict[
            str, CaseState
        ] = {}  # where cases stand now, until an event about them says so

    def record(self, event: AuditEvent) -> None:
        """Append an event to the audit log, with the digests of what this step kept."""
        self._append()
        if event.subject in self._relisted:
            self._relisted.remove(event.subject)
            self._kept[last_words.LINE] = worklist.write(self._connection, event.subject)
        moved = (
            {"state": self._moved.pop(event.subject).value} if event.subject in self._moved else {}
        )
        self._event = replace(
            event, details={**event.details, **moved, **self._kept, **self._named}
        )
        self.verb, self._kept, self._named = event.verb, {}, {}

    def finish(self) -> None:
        """Append the last event. Raises: StateError if there is none, or if a part or the state of a case changed after it."""
        if self._event is None or self._kept or self._moved or self._relisted:
            raise StateError(
                "a step without an audit entry", remedy="record an event in every step"
            )
        for owner in OWNERS & self._named.keys() & self._event.details.keys():
            _refuse_second(owner, self._event.details[owner], self._named[owner])
        self._event = replace(self._event, details={**self._event.details, **self._named})
        self._append()

    def _append(self) -> None:
        if self._event is not None:
            number = log.append(self._connection, self._event, self._signer, self._covered)
            last_words.take(self._connection, number, self._event)

    def save_identity(self, patient_key: str, identity: PatientIdentity) -> None:
        """Keep who a patient key is; the newest statement counts."""
        body = to_json(identity)
        self._put(tables.identities, {"patient_key": patient_key}, {"body": body})
        self._names(
            "patient", patient_key, identity_hmac=identity_hmac(self._secret, patient_key, body)
        )

    def cover_identity(self, patient_key: str) -> None:
        """Have the next event name the identity as it is kept now.

        Raises: IntegrityError if that is not what the last entry says.
        """
        if found := log_coverage.identity_now(self._connection, self._secret, patient_key):
            self._names("patient", patient_key, identity_hmac=found)

    def cover_objects(self, study_uid: str, sha256s: Iterable[str]) -> None:
        """Have the next event name the stored files of a study."""
        self._names("study", study_uid, objects=" ".join(sorted(set(sha256s))))

    def save_study(self, study: Study, files: Mapping[str, str | None] | None = None) -> None:
        """Keep a study, and by their digests the files it is made of now with their SOP Instance UIDs.

        Its cases keep the images that they were opened with.
        """
        body = to_json(study)
        self._put(
            tables.studies, {"uid": study.uid}, {"patient_key": study.patient_key, "body": body}
        )
        self._names("study", study.uid, study_sha256=integrity.digest(body))
        kept = tables.study_files
        if files is not None:
            self._connection.execute(kept.delete().where(kept.c.study_uid == study.uid))
            rows = [
                {"study_uid": study.uid, "sha256": sha256, "sop_uid": uid}
                for sha256, uid in files.items()
            ]
            self._connection.execute(kept.insert(), rows)

    def save_order(self, study_uid: str, order: StudyOrder) -> None:
        """Keep what joins a study to its order."""
        body = to_json(order)
        self._put(tables.orders, {"study_uid": study_uid}, {"body": body})
        self._names("study", study_uid, order_hmac=identity_hmac(self._secret, study_uid, body))

    def drop_context(self, study_uid: str) -> None:
        """Join no record to a study any more; its cases keep theirs."""
        self._connection.execute(
            tables.contexts.delete().where(tables.contexts.c.study_uid == study_uid)
        )
        self._names("study", study_uid, context_sha256=log_coverage.GONE)

    def save_context(self, study_uid: str, context: ClinicalContext) -> None:
        """Keep the record that was joined to a study; cases opened earlier keep theirs."""
        body = to_json(context)
        self._put(tables.contexts, {"study_uid": study_uid}, {"body": body})
        self._names("study", study_uid, context_sha256=integrity.digest(body))

    def save_not_evaluable(self, refused: NotEvaluable) -> None:
        """Keep and count what was not evaluable."""
        values = {
            "sha256": refused.sha256,
            "reason_code": refused.reason_code,
            "held": refused.held,
        }
        self._connection.execute(
            tables.not_evaluable.insert().values(body=to_json(refused), **values)
        )

    def save_release(self, release: Release) -> None:
        """Keep that a person let these contents pass the gate; the newest reason counts."""
        for sha256 in release.file_sha256s:
            self._put(
                tables.releases,
                {"sha256": sha256, "reason_code": release.reason_code},
                {"body": to_json(release)},
            )

    def open_case(self, case: Case, at: datetime) -> None:
        """Keep a case; of one that is there already the study's newest notices, until a reader has decided on it."""
        query = sa.select(tables.cases.c.body, tables.cases.c.state).where(
            tables.cases.c.id == case.id
        )
        kept = self._connection.execute(query).first()
        if kept is not None:
            undecided = kept.state in (CaseState.OPENED.value, CaseState.DRAFTED.value)
            self._update_case(case.id, body=to_json(case) if undecided else kept.body)
        else:
            self._kept["case_sha256"] = integrity.digest(to_json(case))
            self._kept["decisions_sha256"] = integrity.digest([])
            self._moved[case.id] = CaseState.OPENED
            self._relisted.add(case.id)
            self._connection.execute(
                tables.cases.insert().values(
                    id=case.id,
                    study_uid=case.study.uid,
                    state=CaseState.OPENED.value,
                    opened_at=at.isoformat(),
                    body=to_json(case),
                    decisions=[],
                )
            )

    def cases_of(self, study_uid: str) -> dict[str, CaseState]:
        """The cases of a study and where they stand."""
        query = sa.select(tables.cases.c.id, tables.cases.c.state).where(
            tables.cases.c.study_uid == study_uid
        )
        return {row.id: CaseState(row.state) for row in self._connection.execute(query)}

    def save_reading(self, case_id: str, reading: Reading) -> None:
        """Keep what the models read."""
        self._update_case(case_id, reading=to_json(reading))

    def save_draft(self, case_id: str, checked: CheckedDraft) -> None:
        """Keep a draft; decisions on an earlier draft fall away with it."""
        self._update_case(case_id, draft=to_json(checked), decisions=[])

    def save_decisions(
        self, case_id: str, decisions: tuple[Decision, ...], *, expected: tuple[Decision, ...]
    ) -> None:
        """Keep decisions. Raises: StateError if somebody else decided since `expected` was read."""
        kept = self._connection.scalar(
            sa.select(tables.cases.c.decisions).where(tables.cases.c.id == case_id)
        )
        if kept != to_json(expected):
            raise _outdated(case_id)
        self._update_case(case_id, decisions=to_json(decisions))

    def set_state(self, case_id: str, state: CaseState, *, expected: CaseState) -> None:
        """Move a case on. Raises: StateError if it is no longer where `expected` says, IntegrityError if it was put back."""
        last_words.refuse_put_back(self._connection, case_id)
        where = (tables.cases.c.id == case_id) & (tables.cases.c.state == expected.value)
        if (
            self._connection.execute(
                tables.cases.update().where(where).values(state=state.value)
            ).rowcount
            != 1
        ):
            raise _outdated(case_id)
        self._moved[case_id] = state
        self._relisted.add(case_id)

    def save_report(self, report: SignedReport, *, decisions: tuple[Decision, ...]) -> None:
        """Keep a signed report. Raises: StateError if the decisions changed after they were read for signing."""
        self.save_decisions(report.case_id, decisions, expected=decisions)
        values = {"id": report.id, "case_id": report.case_id, "body": to_json(report)}
        self._connection.execute(tables.reports.insert().values(**values))
        self._kept |= {"report": report.id, "sha256": integrity.digest(values["body"])}
        self._update_case(report.case_id, report_id=report.id)

    def remember(
        self, key: str, verb: str, request_sha256: str, result: object, subject: str = ""
    ) -> None:
        """Keep a verb's result under its idempotency key; see `replays.remember`. Raises: StateError if the key is taken."""
        replays.remember(self._connection, self._expiry, key, verb, request_sha256, result, subject)

    def _update_case(self, case_id: str, **values: Any) -> None:
        parts = {"case" if name == "body" else name: value for name, value in values.items()}
        for kind in parts.keys() & replays.PLACES.keys():
            replays.replaced(self._connection, kind, (case_id,), parts[kind])
        self._kept |= {
            f"{part}_sha256": integrity.digest(value)
            for part, value in parts.items()
            if part in last_words.PARTS
        }
        where = tables.cases.c.id == case_id
        if (
            self._connection.execute(tables.cases.update().where(where).values(**values)).rowcount
            != 1
        ):
            raise _missing("case", case_id)
        self._relisted.add(case_id)

    def _names(self, owner: str, value: str, **digests: str) -> None:
        """What the next event will name, with whose it is."""
        _refuse_second(owner, self._named.get(owner, value), value)
        self._named |= {owner: value, **digests}

    def _put(self, table: sa.Table, key: dict[str, str], values: dict[str, Any]) -> None:
        if table.name in replays.PLACES:
            replays.replaced(self._connection, table.name, tuple(key.values()), values["body"])
        where = sa.and_(*(table.c[column] == value for column, value in key.items()))
        if self._connection.execute(table.update().where(where).values(**values)).rowcount == 0:
            self._connection.execute(table.insert().values(**key, **values))


class Store:
    """Everything under one data folder. Safe from several threads and processes; no global state.

    A folder that can't be written to, or that nobody may write to by its modes, is a read-only copy: its log can be
    checked, and no step be taken. Nothing is made or changed in it.
    """

    def __init__(
        self,
        data_dir: Path,
        heads_path: Path | None,
        expiry: replays.Expiry,
        objects: ObjectStore | None = None,
    ) -> None:
        self.data_dir, self.file, self._expiry = data_dir, data_dir / "medmm.sqlite", expiry
        self.objects: ObjectStore = objects or files.Objects(data_dir / "objects")
        self._open = ExitStack()
        self._closed = False
        try:
            self.read_only = files.is_read_only(data_dir, self.file)
            if not self.read_only:
                data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.objects.sweep()
            self._signer = HeadSigner(self.secret("audit"))
            self._engine = self._opened()
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
                refuse_other_release(self._engine, self.file)
            else:
                upgrade(self._engine, self.file, data_dir / "locks", _fill)
                self._cover()  # a crash may have left the last entries without their line in the heads file
            on_failure.pop_all()

    def _opened(self) -> sa.Engine:
        if self.read_only:
            return self._open.enter_context(read_only_engine(self.file))
        engine = open_engine(self.file)
        self._open.callback(engine.dispose)
        return engine

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        heads_path: Path | None = None,
        replay_days: float = replays.REPLAY_DAYS,
        clock: Clock = utc_now,
        objects: ObjectStore | None = None,
    ) -> Store:
        """Open, making folder, keys and tables where missing. Heads go beside the folder unless told otherwise.

        Args:
            replay_days: how long a call with the same idempotency key gets the first result again.
            clock: gives the time now, with its zone.
            objects: keeps the files of images; without it the folder `objects` does.
        """
        return cls(data_dir, heads_path, replays.Expiry(days=replay_days, clock=clock), objects)

    def close(self) -> None:
        """Let go of all connections."""
        self._closed = True
        self._open.close()

    def refuse_closed(self) -> None:
        """Raises: StateError after `close`."""
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
        """A write transaction that commits all or nothing.

        Args:
            look: keeps nothing but its entry: then the database alone is flushed, and its head with the next step that keeps
                something, or the next opening.

        Raises: StateError if nothing was recorded in the audit log; Unavailable if the database is locked or full;
            ConfigError if the data folder is a read-only copy.
        """
        self.refuse_read_only()
        with (
            database_border(self.file),
            self._engine.connect() as connection,
            connection.execution_options(medmm_write=True).begin(),
        ):
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
        return files.exclusive(self.data_dir / "locks", key)

    def exclusive_study(self, uid: str) -> AbstractContextManager[None]:
        """Hold a lock on a study while images are joined to it; inside that of a key, never the other way round."""
        return files.exclusive(self.data_dir / "locks" / "studies", uid)

    def secret(self, name: str) -> bytes:
        """A 32-byte key of this installation, made on first use. Raises: ConfigError if it can't be read or made."""
        try:
            return files.secret(self.data_dir / "keys", name, make=not self.read_only)
        except OSError as error:
            raise ConfigError(
                f"the keys of the data folder can't be used: {type(error).__name__}",
                remedy="make the folder `keys` in data_dir readable for this user; a copy needs its keys too",
                data_dir=str(self.data_dir),
            ) from error

    def put_object(self, path: Path) -> str:
        """Keep a copy of a file under the digest of its content."""
        return self.objects.put(path)

    def copied(self, sources: Mapping[str, Path]) -> AbstractContextManager[Callable[[], None]]:
        """Copy files in, by the digests that they must have; see `ObjectStore.copied`."""
        return self.objects.copied(sources)

    def files_of(self, study_uid: str) -> dict[str, str | None]:
        """The files that a study was made of: SOP Instance UID by digest."""
        table = tables.study_files
        query = (
            sa.select(table.c.sha256, table.c.sop_uid)
            .where(table.c.study_uid == study_uid)
            .order_by(table.c.sha256)
        )
        return {row.sha256: row.sop_uid for row in self._read(lambda c: c.execute(query).all())}

    def object_place(self, sha256: str) -> Path:
        """Where a kept file lies, unchecked: who opens it compares its digest."""
        return self.objects.place(sha256)

    def object_path(self, sha256: str) -> Path:
        """Where a kept file lies. Its content is verified the first time, and again when the file system says it changed.

        Raises: IntegrityError if its content is no longer what it is named after.
        """
        return self.objects.verified_path(sha256)

    def study(self, uid: str) -> Study:
        """The study of this UID. Raises: IntegrityError if it or its record is not what the log says."""
        return self._read(lambda c: _checked_study(c, uid))

    def keeps_study(self, uid: str) -> bool:
        """Whether a study of this UID passed the gate and is kept."""
        found = self._read(
            lambda c: c.scalar(_select(tables.studies.c.uid, tables.studies.c.uid, uid))
        )
        return found is not None

    def context(self, study_uid: str) -> ClinicalContext | None:
        """The record that was last joined to a study."""
        body = self._read(
            lambda c: c.scalar(
                _select(tables.contexts.c.body, tables.contexts.c.study_uid, study_uid)
            )
        )
        return None if body is None else from_json(ClinicalContext, body)

    def study_of(self, case_id: str) -> str:
        """UID of the study of a case."""
        query = sa.select(tables.cases.c.study_uid).where(tables.cases.c.id == case_id)
        found = self._read(lambda c: c.scalar(query))
        if found is None:
            raise _missing("case", case_id)
        return str(found)

    def identity(self, patient_key: str) -> PatientIdentity:
        """Who a patient key is. Raises: IntegrityError if that is not what its last entry in the log says."""
        return self._read(lambda c: _checked_identity(c, self.secret("patient"), patient_key))

    def report(self, report_id: str) -> SignedReport:
        """A signed report. Raises: IntegrityError if it is not what its entry in the log says."""
        return self._read(lambda c: _checked_report(c, report_id))

    def order(self, study_uid: str) -> StudyOrder:
        """What joins a study to its order; of a study of an earlier release nothing. Raises: IntegrityError as `study`."""
        return self._read(lambda c: _checked_order(c, self.secret("patient"), study_uid))

    def printed(self, report_id: str) -> Printed:
        """A signed report with all that it is printed from, read and checked in one transaction; its images are checked too.

        Raises: IntegrityError naming what is not what the log says, and the entry.
        """

        secret = self.secret("patient")

        def read(connection: sa.Connection) -> tuple[Printed, dict[str, str]]:
            report = _checked_report(connection, report_id)
            last_words.refuse_put_back(connection, report.case_id)
            named = integrity.files_of_case(connection, report.case_id)
            case = _noun(connection, Case, tables.cases.c.body, tables.cases.c.id, report.case_id)
            identity = _checked_identity(connection, secret, report.patient_key)
            order = _checked_order(connection, secret, report.study.uid)
            restated = log_coverage.restated_entry(connection, report.case_id, report.patient_key)
            found = Printed(
                report=report,
                identity=identity,
                study=case.study,
                order=order,
                restated_entry=restated,
            )
            return found, named

        printed, named = self._read(read)
        log_coverage.refuse_altered_objects(self.objects, named)
        return printed

    def refused_study(self, study_uid: str) -> NotEvaluable | None:
        """What the gate last said of a study that it did not let pass; None where it was never asked or let it pass."""
        return next((one for one in reversed(self.not_evaluable()) if one.uid == study_uid), None)

    def not_evaluable(self) -> tuple[NotEvaluable, ...]:
        """All refusals and holds, oldest first."""
        query = sa.select(tables.not_evaluable.c.body).order_by(tables.not_evaluable.c.id)
        return tuple(
            from_json(NotEvaluable, body) for body in self._read(lambda c: c.scalars(query).all())
        )

    def released(self) -> dict[str, frozenset[str]]:
        """Codes of what persons let pass the gate, by the digest of the file."""
        query = sa.select(tables.releases.c.sha256, tables.releases.c.reason_code)
        codes: dict[str, set[str]] = {}
        for sha256, code in self._read(lambda c: c.execute(query).all()):
            codes.setdefault(sha256, set()).add(code)
        return {sha256: frozenset(found) for sha256, found in codes.items()}

    def case_file(self, case_id: str) -> CaseFile:
        """Everything of one case, checked and read in one transaction. Raises: IntegrityError if a part is not what the log says."""
        return self._read(lambda c: _checked_case(c, case_id))

    def drafted_from(self, case_id: str) -> str | None:
        """What the last draft of a case says that it was made from; None of an earlier release's."""
        word = self._read(lambda c: last_words.of(c, last_words.DRAFTED_FROM, case_id))
        return None if word is None else word.value

    def signed_of(self, study_uid: str) -> list[CaseFile]:
        """The cases of a study with a signed report."""
        table = tables.cases
        query = sa.select(table.c.id).where(
            (table.c.study_uid == study_uid) & table.c.report_id.is_not(None)
        )
        return [self.case_file(case_id) for case_id in self._read(lambda c: c.scalars(query).all())]

    def cases(self, wanted: CaseFilter = ALL_CASES, part: Page = WHOLE) -> tuple[CaseSummary, ...]:
        """The worklist, newest first: what is asked for, and of that a page. Raises: as `worklist.page`."""
        return self._read(lambda c: worklist.page(c, wanted, part))

    def recall(self, key: str, verb: str, request_sha256: str) -> object:
        """The JSON of the result that was given under an idempotency key; None if there is none, or it is too long ago.

        Raises: as `replays.recall`.
        """
        return self._read(lambda c: replays.recall(c, self._expiry, key, verb, request_sha256))

    def events(self, *subjects: str) -> tuple[AuditEvent, ...]:
        """Audit events of these subjects, or all, in the order of the log whatever the clock said."""
        return tuple(self._read(lambda c: log.events(c, subjects)))

    def prove(self, number: int, since: int | None = None) -> AuditProof:
        """Prove that an entry stands in the log. Raises: as `log.proof_of`."""
        return self._read(lambda c: log.proof_of(c, number, self._signer, since))

    def verify(self) -> AuditVerification:
        """Check the whole log against the heads file, and cases, reports, identities, studies and files against the log."""

        def check(connection: sa.Connection) -> tuple[AuditVerification, log_coverage.LogCoverage]:
            with (
                self.heads.locked() as heads
            ):  # until the snapshot is taken: the database may not run ahead of it
                connection.execute(sa.text("SELECT count(*) FROM sqlite_master")).first()
            found = verify(connection, heads, self._signer)
            covered = log_coverage.check(connection, self._secret_there("patient"))
            words = last_words.collected(connection)
            said = {
                name: integrity.marks_of(some)
                for name, some in last_words.by_case(words.values()).items()
            }
            derived = (
                *worklist.problems(connection, said),
                *last_words.problems(connection, words),
            )
            problems = (
                *found.problems,
                *integrity.problems(connection, said),
                *covered.problems,
                *derived,
            )
            return replace(found, problems=problems), covered

        found, covered = self._read(check)
        return replace(
            found,
            problems=(
                *found.problems,
                *log_coverage.object_problems(self.objects, covered.objects),
            ),
            not_covered_before=covered.not_covered_before,
            identities_not_covered=covered.identities_not_covered,
            studies_not_covered=covered.studies_not_covered,
        )

    def _secret_there(self, name: str) -> bytes | None:
        """A key of this installation, if it was made: a check makes none."""
        return (
            self.secret(name) if files.secret_path(self.data_dir / "keys", name).exists() else None
        )

    def refuse_read_only(self) -> None:
        """Raises: ConfigError if the data folder is a read-only copy."""
        if self.read_only:
            raise ConfigError(
                "the data folder is a read-only copy, where no audit entry can be kept",
                remedy="`medmm audit verify` and `medmm doctor` work on it; for all else open the installation itself",
                data_dir=str(self.data_dir),
            )

    def _cover(self, *, flush: bool = True) -> None:
        self.heads.cover(self._heads_after, flush=flush)

    def _heads_after(self, size: int) -> list[TreeHead]:
        return self._read(lambda c: log.heads_after(c, size))

    def _read(self, query: Callable[[sa.Connection], T]) -> T:
        with database_border(self.file), self._engine.connect() as connection:
            return query(connection)


def _fill(connection: sa.Connection) -> None:
    """Derive what a database of an earlier release does not hold yet."""
    worklist.fill(connection)
    last_words.fill(connection)


def _refuse_second(owner: str, named: str, value: str) -> None:
    if named != value:
        raise StateError(
            f"an event about a second {owner}", remedy="record an event between the two"
        )


def _noun(
    c: sa.Connection, kind: type[T], body: sa.Column[Any], column: sa.Column[Any], value: str
) -> T:
    found = c.scalar(_select(body, column, value))
    if found is None:
        raise _missing(column.table.name, value)
    return from_json(kind, found)


def _checked_report(connection: sa.Connection, report_id: str) -> SignedReport:
    integrity.refuse_altered_report(connection, report_id)
    return _noun(connection, SignedReport, tables.reports.c.body, tables.reports.c.id, report_id)


def _checked_study(connection: sa.Connection, uid: str) -> Study:
    log_coverage.refuse_altered_study(connection, uid)
    return _noun(connection, Study, tables.studies.c.body, tables.studies.c.uid, uid)


def _checked_identity(
    connection: sa.Connection, secret: bytes, patient_key: str
) -> PatientIdentity:
    log_coverage.identity_now(connection, secret, patient_key)
    table = tables.identities
    return _noun(connection, PatientIdentity, table.c.body, table.c.patient_key, patient_key)


def _checked_order(connection: sa.Connection, secret: bytes, study_uid: str) -> StudyOrder:
    log_coverage.refuse_altered_order(connection, secret, study_uid)
    body = connection.scalar(_select(tables.orders.c.body, tables.orders.c.study_uid, study_uid))
    return StudyOrder() if body is None else from_json(StudyOrder, body)


def _checked_case(connection: sa.Connection, case_id: str) -> CaseFile:
    integrity.refuse_altered_case(connection, case_id)
    row = connection.execute(sa.select(*worklist.READ).where(tables.cases.c.id == case_id)).first()
    if row is None:
        raise _missing("case", case_id)
    return worklist.decoded_file(
        row, None if row.report_id is None else _checked_report(connection, row.report_id)
    )


def _select(body: sa.Column[Any], column: sa.Column[Any], value: str) -> sa.Select[Any]:
    return sa.select(body).where(column == value)


def _outdated(case_id: str) -> StateError:
    return StateError(
        "somebody else changed this case meanwhile", remedy="reload it and look again", case=case_id
    )


def _missing(kind: str, value: str) -> InputError:
    return InputError(
        f"no such {kind} in the store", remedy="list the cases with `medmm cases`", **{kind: value}
    )
