"""One unit of work: what it keeps and the audit entry that says so, committed together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.head import HeadSigner
from medmm.audit.identity_digest import identity_hmac
from medmm.domain.audit_event import AuditEvent
from medmm.domain.codec import from_json, to_json
from medmm.domain.confirmation import Confirmation
from medmm.domain.critical_result import Communication
from medmm.domain.delivery import Delivery
from medmm.domain.double_reading import DoubleReading, FirstReads
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.errors import StateError
from medmm.domain.first_read import FirstRead
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.lease import Lease
from medmm.domain.model_standing import ModelStanding
from medmm.domain.priority import CasePriority
from medmm.domain.reading import Reading
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, CaseState, Decision, Preliminary, SignedReport
from medmm.domain.reviewed_case import ReviewedCase
from medmm.domain.shadow_reading import ShadowReading
from medmm.domain.study import NotEvaluable, Release, Study
from medmm.domain.waiting_order import WaitingOrder
from medmm.domain.worklist import SavedFilter
from medmm.store import (
    confirmations,
    decision_history,
    deliveries,
    drafts,
    first_reads,
    integrity,
    last_words,
    leases,
    log_coverage,
    model_trials,
    reads,
    replays,
    saved_filters,
    search,
    tables,
    unfinished,
    waiting_orders,
    worklist,
)
from medmm.store.reads import missing

# The details of an event that say whose the digests are
OWNERS = {kind.owner for kind in last_words.KINDS}


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
        """Append the last event.

        Raises: StateError if there is none, or if a part or the state of a case changed after it.
        """
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
        search.write_identity(self._connection, self._secret, patient_key, identity)
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
        """Keep a study, and the files that it is made of now: SOP Instance UIDs by digest.

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
        search.write_order(self._connection, self._secret, study_uid, order)
        self._names("study", study_uid, order_hmac=identity_hmac(self._secret, study_uid, body))

    def waiting_order(self, key: str) -> WaitingOrder | None:
        """Read an order that waits for its study; None if none is known by this key.

        Raises: IntegrityError if it is not what the log says.
        """
        return waiting_orders.named(self._connection, self._secret, (key,)).get(key)

    def known_as(self, order: WaitingOrder) -> str:
        """Find the key of an order; see `waiting_orders.known_as`."""
        return waiting_orders.known_as(self._connection, self._secret, order)

    def save_waiting_order(self, key: str, order: WaitingOrder) -> None:
        """Keep an order as its newest message states it."""
        row = waiting_orders.row_of(order)
        self._put(tables.waiting_orders, {"key": key}, row)
        digest = identity_hmac(self._secret, key, row["body"])
        self._names("waiting_order", key, waiting_order_hmac=digest)

    def drop_context(self, study_uid: str) -> None:
        """Take its record from a study; its cases keep theirs."""
        self._connection.execute(
            tables.contexts.delete().where(tables.contexts.c.study_uid == study_uid)
        )
        self._names("study", study_uid, context_sha256=log_coverage.GONE)

    def save_context(self, study_uid: str, context: ClinicalContext) -> None:
        """Keep the record that was joined to a study; cases opened earlier keep theirs."""
        body = to_json(context)
        self._put(tables.contexts, {"study_uid": study_uid}, {"body": body})
        self._names("study", study_uid, context_sha256=integrity.digest(body))

    def save_shadow_reading(self, reading: ShadowReading) -> None:
        """Keep what a model in shadow read of a case, in place of an earlier one of its version."""
        row = model_trials.row_of(reading)
        self._put(tables.shadow_readings, {"id": reading.id}, row)
        self._names("shadow", reading.id, shadow_sha256=integrity.digest(row["body"]))

    def save_standing(self, standing: ModelStanding) -> None:
        """Keep how a version of a model stands, with all decisions that led there."""
        body, key = to_json(standing), standing.model.manifest_sha256
        self._put(tables.model_standings, {"manifest_sha256": key}, {"body": body})
        self._names("standing", key, standing_sha256=integrity.digest(body))

    def save_reviewed(self, reviewed: ReviewedCase) -> None:
        """Keep what a reader made of a draft, for reading statistics."""
        body, case_id = to_json(reviewed), reviewed.case_id
        self._put(tables.reviewed_cases, {"case_id": case_id}, {"body": body})
        self._names("reviewed", case_id, reviewed_sha256=integrity.digest(body))

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

    def open_case(self, case: Case, at: datetime, site: str | None = None) -> None:
        """Keep a case; one that is there already gets the study's newest notices.

        After a reader has decided on it, nothing changes.
        """
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
            if site is not None:
                self._kept["site_sha256"] = integrity.digest(site)
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
                    site=site,
                )
            )
            if site is not None:
                self._kept["site_sha256"] = integrity.digest(site)

    def cases_of(self, study_uid: str) -> dict[str, CaseState]:
        """Read the cases of a study and their states."""
        query = sa.select(tables.cases.c.id, tables.cases.c.state).where(
            tables.cases.c.study_uid == study_uid
        )
        return {row.id: CaseState(row.state) for row in self._connection.execute(query)}

    def case_file(self, case_id: str) -> CaseFile:
        """Read everything of one case as it stands in this step.

        Raises: IntegrityError if a part is not what the log says.
        """
        return reads.case_file(self._connection, case_id)

    def identity(self, patient_key: str) -> PatientIdentity:
        """Read who a patient key is, as it stands in this step.

        Raises: IntegrityError if that is not what its last entry in the log says.
        """
        return reads.identity(self._connection, self._secret, patient_key)

    def set_priority(self, case_id: str, priority: CasePriority) -> None:
        """Keep how urgent a case is, in place of what was said before."""
        self._update_case(case_id, priority=to_json(priority))

    def save_communications(self, case_id: str, communications: tuple[Communication, ...]) -> None:
        """Keep who was told of critical findings, in place of what was kept before."""
        self._update_case(case_id, communications=to_json(communications))

    def save_preliminary(self, case_id: str, preliminary: Preliminary) -> None:
        """Keep who left a case to another's signature."""
        self._update_case(case_id, preliminary=to_json(preliminary))

    def first_reads(self, case_id: str) -> FirstReads:
        """Read who read a case first, and what they saw; see `first_reads.of_case`."""
        return first_reads.of_case(self._connection, case_id)

    def double_reading(self, case_id: str) -> DoubleReading | None:
        """Read the order to read a case twice; see `first_reads.order_of`."""
        return first_reads.order_of(self._connection, case_id)

    def refuse_seen(self, case_id: str, reader: str) -> None:
        """Refuse a first read by who has seen what was read or drafted.

        Raises: StateError as `first_reads.refuse_seen`.
        """
        first_reads.refuse_seen(self._connection, case_id, reader)

    def may_have_listed(self, case_id: str, reader: str) -> bool:
        """Tell whether a worklist may have named to a reader what is suspected in a case."""
        return first_reads.may_have_listed(self._connection, case_id, reader)

    def save_first_read(self, read: FirstRead) -> None:
        """Keep what a reader saw first, which nothing changes any more.

        Raises: StateError as `first_reads.keep`.
        """
        row = first_reads.keep(self._connection, read)
        self._names("first_read", read.id, first_read_sha256=integrity.digest(row["body"]))

    def save_double_reading(self, order: DoubleReading) -> None:
        """Keep the order to read a case twice, in place of what was kept before."""
        body = to_json(order)
        self._put(tables.double_readings, {"case_id": order.case_id}, {"body": body})
        sha256 = integrity.digest(body)
        self._names("double_reading", order.case_id, double_reading_sha256=sha256)

    def ask_confirmation(
        self, case_id: str, reader: str, shown: str, until: datetime
    ) -> Confirmation:
        """Make a confirmation of a signature; see `confirmations.ask`."""
        return confirmations.ask(self._connection, case_id, reader, shown, until)

    def take_confirmation(
        self, case_id: str, reader: str, token: str, shown: str, at: datetime
    ) -> None:
        """Use a confirmation up.

        Raises: as `confirmations.take`.
        """
        confirmations.take(self._connection, case_id, reader, token, shown, at)

    def save_reading(self, case_id: str, reading: Reading) -> None:
        """Keep what the models read, as the newest version."""
        self._update_case(case_id)
        self._kept |= drafts.keep_reading(self._connection, case_id, reading)

    def save_draft(self, case_id: str, checked: CheckedDraft, at: datetime | None = None) -> None:
        """Keep a draft as the newest version; decisions on an earlier one fall away."""
        self._update_case(case_id, decisions=[])
        decision_history.clear(self._connection, case_id)
        self._kept |= drafts.keep_draft(self._connection, case_id, checked, at)

    def save_decisions(
        self, case_id: str, decisions: tuple[Decision, ...], *, expected: tuple[Decision, ...]
    ) -> None:
        """Keep decisions.

        Raises: StateError if somebody else decided since `expected` was read.
        """
        kept = self._connection.scalar(
            sa.select(tables.cases.c.decisions).where(tables.cases.c.id == case_id)
        )
        if kept is None or from_json(tuple[Decision, ...], kept) != expected:
            raise _outdated(case_id)
        self._update_case(case_id, decisions=to_json(decisions))

    def remember_decisions(self, case_id: str, reader: str, before: tuple[Decision, ...]) -> None:
        """Keep what stood decided before this reader's act, to undo it by."""
        decision_history.push(self._connection, case_id, reader, before)

    def decisions_before(self, case_id: str, reader: str) -> tuple[Decision, ...]:
        """Take back what stood decided before the last act of this reader.

        Raises: as `decision_history.pop`.
        """
        return decision_history.pop(self._connection, case_id, reader)

    def set_state(self, case_id: str, state: CaseState, *, expected: CaseState) -> None:
        """Move a case on.

        Raises: StateError if it is no longer where `expected` says; IntegrityError if it was put
            back.
        """
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
        """Keep a signed report, beside those that it replaces.

        Raises: StateError if the decisions changed after they were read for signing, or the report
            that it replaces is not that of the case any more.
        """
        self.save_decisions(report.case_id, decisions, expected=decisions)
        kept = tables.cases.c
        newest = (kept.id == report.case_id) & kept.report_id.is_not_distinct_from(report.replaces)
        if self._connection.scalar(sa.select(kept.id).where(newest)) is None:
            raise _outdated(report.case_id)
        decision_history.clear(self._connection, report.case_id)
        values = {"id": report.id, "case_id": report.case_id, "body": to_json(report)}
        self._connection.execute(tables.reports.insert().values(**values))
        self._kept |= {"report": report.id, "sha256": integrity.digest(values["body"])}
        self._update_case(report.case_id, report_id=report.id)

    def claim(
        self,
        case_id: str,
        holder: str,
        at: datetime,
        until: datetime,
        since: datetime | None = None,
    ) -> Lease:
        """Take or renew a reader's lease on a case.

        Args and Raises: as `leases.claim`.
        """
        return leases.claim(self._connection, case_id, holder, at, until, since)

    def unclaim(self, case_id: str) -> None:
        """End the reader's lease on a case, if there is one."""
        leases.unclaim(self._connection, case_id)

    def refuse_lost(self, case_id: str, holder: str, since: datetime) -> None:
        """Refuse to go on by a lease that was lost.

        Raises: StateError as `leases.refuse_lost`.
        """
        leases.refuse_lost(self._connection, case_id, holder, since)

    def refuse_others(self, case_id: str, by: str, at: datetime) -> None:
        """Refuse a case while another reader works on it.

        Raises: StateError as `leases.refuse_others`.
        """
        leases.refuse_others(self._connection, case_id, by, at)

    def refuse_drafting(self, case_id: str, at: datetime) -> None:
        """Refuse a case while it is drafted.

        Raises: Unavailable if so.
        """
        leases.refuse_drafting(self._connection, case_id, at)

    def drop_unfinished(
        self, case_id: str, reader: str, fields: Collection[str] | None = None
    ) -> None:
        """Drop what a reader has typed in a case; see `unfinished.drop`."""
        unfinished.drop(self._connection, case_id, reader, fields)

    def save_filter(self, reader: str, saved: SavedFilter) -> None:
        """Keep a reader's filter under its name.

        Raises: as `saved_filters.keep`.
        """
        saved_filters.keep(self._connection, reader, saved)

    def drop_filter(self, reader: str, name: str) -> None:
        """Drop a reader's filter.

        Raises: InputError if there is none of this name.
        """
        saved_filters.refuse_missing(self._connection, reader, name)
        saved_filters.drop(self._connection, reader, name)

    def addressed(self, case_id: str) -> frozenset[str]:
        """Name the destinations to which any version of a case's report was addressed."""
        return deliveries.addressed(self._connection, case_id)

    def make_delivery(self, delivery: Delivery) -> None:
        """Keep a delivery that begins."""
        deliveries.make(self._connection, delivery)

    def delivery(self, number: int) -> Delivery:
        """Read a delivery.

        Raises: InputError if there is none of this number.
        """
        return deliveries.named(self._connection, number)

    def save_delivery(self, before: Delivery, after: Delivery) -> None:
        """Keep where a delivery stands now.

        Raises: StateError if it is not any more as `before` says.
        """
        deliveries.save(self._connection, before, after)

    def refuse_overtaken(self, delivery: Delivery, at: datetime) -> None:
        """Refuse to put back a version that a later one overtook, or may be overtaking now.

        Raises: StateError as `deliveries.refuse_overtaken`; Unavailable while one is being sent.
        """
        case_id, destination = delivery.case_id, delivery.destination
        leases.refuse_delivering(self._connection, case_id, destination, at)
        deliveries.refuse_overtaken(self._connection, delivery)

    def end(self, work: leases.Work) -> None:
        """End a process's lease with what it was held for.

        Raises: as `leases.Work.end`.
        """
        work.end(self._connection)

    def remember(
        self, key: str, verb: str, request_sha256: str, result: object, subject: str = ""
    ) -> None:
        """Keep a verb's result under its idempotency key; see `replays.remember`.

        Raises: StateError if the key is taken.
        """
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
        where, table = tables.cases.c.id == case_id, tables.cases
        if values:
            found = self._connection.execute(table.update().where(where), values).rowcount > 0
        else:
            found = self._connection.scalar(sa.select(table.c.id).where(where)) is not None
        if not found:
            raise missing("case", case_id)
        self._relisted.add(case_id)

    def _names(self, owner: str, value: str, **digests: str) -> None:
        """Have the next event name something, with whose it is."""
        _refuse_second(owner, self._named.get(owner, value), value)
        self._named |= {owner: value, **digests}

    def _put(self, table: sa.Table, key: dict[str, str], values: dict[str, Any]) -> None:
        if table.name in replays.PLACES:
            replays.replaced(self._connection, table.name, tuple(key.values()), values["body"])
        where = sa.and_(*(table.c[column] == value for column, value in key.items()))
        if self._connection.execute(table.update().where(where).values(**values)).rowcount == 0:
            self._connection.execute(table.insert().values(**key, **values))


def _refuse_second(owner: str, named: str, value: str) -> None:
    if named != value:
        raise StateError(
            f"an event about a second {owner}", remedy="record an event between the two"
        )


def _outdated(case_id: str) -> StateError:
    return StateError(
        "somebody else changed this case meanwhile", remedy="reload it and look again", case=case_id
    )
