"""The one door for Python users, doors, dashboard and pipelines: each method is a docstring and a call of its verb."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from medmm.config import Settings, load_settings
from medmm.domain.argument_checks import checked_methods, paths_of
from medmm.domain.audit_event import AuditEvent, AuditProof, AuditVerification
from medmm.domain.clock import Clock, utc_now
from medmm.domain.directory import Directory
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.draft_version import DraftVersion
from medmm.domain.identity import PatientIdentity
from medmm.domain.lease import Lease
from medmm.domain.priority import CasePriority, Order, Priority
from medmm.domain.read_task import ReadTask
from medmm.domain.reading import ReadResult
from medmm.domain.record import ClinicalContext
from medmm.domain.record_influence import Influence
from medmm.domain.report import (
    CaseFile,
    CaseState,
    CaseSummary,
    Decision,
    Reader,
    SignedReport,
    SignedStatement,
)
from medmm.domain.study import Modality, NotEvaluable, Release, Study
from medmm.domain.study_inspection import Capabilities, FoundStudy, Inspection, ModelRow
from medmm.domain.worklist import CaseFilter, Page
from medmm.verbs import (
    Asked,
    By,
    Networks,
    admitting,
    amending,
    auditing,
    cases,
    claiming,
    deciding,
    inspecting,
    installing,
    opened_house,
    publishing,
    reading,
    writing,
)
from medmm.verbs.incoming import Incoming

Paths = str | Path | Iterable[str | Path]
Record = str | Path | None


@checked_methods
class Assistant:
    """Reads studies with their record, drafts findings, and keeps what clinicians decide.

    Safe from several threads and processes. Every verb checks the role of who asks (`by`: a reader or a reader's id; without
    it the configured service acts), commits its result together with its audit entry, and leaves an entry when it
    fails. A verb given the same idempotency `key` and request within `replay_days` returns the first result again.

    Raises: the errors of `medmm.domain.errors`; what can't be evaluated is a `NotEvaluable`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        networks: Networks | None = None,
        directory: Directory | None = None,
        clock: Clock = utc_now,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Open the data folder of the settings.

        Args:
            networks: what reads and words; without them those that the settings name.
            directory: who may act; without one the readers of the settings.
            clock: gives the time now, with its zone.
            progress: told how many cases of an earlier release were gone through at the first
                opening of their folder, of how many.
        """
        self.settings = settings
        self._house = opened_house(settings, networks, directory, clock, progress)

    @classmethod
    def from_config(cls, path: str | Path | None = None) -> Assistant:
        """Open with a YAML file (default: `$MEDMM_CONFIG`, else the `local.yaml` that ships)."""
        return cls(load_settings(path))

    @property
    def read_only(self) -> bool:
        """Whether the data folder is a read-only copy: `verify`, `models` and `capabilities` work on it."""
        return self._house.store.read_only

    def close(self) -> None:
        """Let go of files and connections."""
        self._house.store.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def admit(
        self,
        path: Paths,
        *,
        record: str | Path | None = None,
        study_uid: str | None = None,
        confirmed: bool = False,
        by: By | None = None,
        key: str | None = None,
    ) -> Study | NotEvaluable:
        """Take one study in: gate passed, or a kept `NotEvaluable` that says why. Images that come later join it.

        Args:
            path: a file, a folder, or several; where they hold several studies, `study_uid` says which.
            record: a FHIR R4 Bundle, or a folder of them: then the one by Study UID, by name, or by patient ID.
            confirmed: `by`, who may see identities, says that both are of one patient; counts where that can't be told.

        Raises: InputError if the path holds no study or several, a file changes while it is copied, or `record` is
            another's or must be confirmed.
        """
        return admitting.admit(
            self._house, Asked(by, key), Incoming.of(path), record, study_uid, confirmed
        )

    def read(
        self, paths: Paths, *, task: ReadTask | None = None, by: By | None = None
    ) -> Iterator[ReadResult]:
        """Read studies by the models alone, without a record and without keeping them; one result a study.

        Files of one Study Instance UID are one study, under whichever of the paths they lie. With a `task`, paths are
        folders of NIfTI files under fixed names. Raises: InputError for a folder without them.
        """
        places = paths_of(paths)
        groups = [[place] for place in places] if task else [places]
        return reading.read(self._house, groups, task, by)

    def release(
        self,
        path: Paths,
        *,
        reason: str,
        by: By,
        study_uid: str | None = None,
        held_sha256: str | None = None,
        key: str | None = None,
    ) -> Release:
        """Let one held study pass the gate from now on, because a person looked and says why; `admit` takes it then.

        `held_sha256`: of the `NotEvaluable` that was looked at; other contents are not released.
        Raises: StateError if the study is not held, or holds something else than was looked at.
        """
        came = Incoming.of(path)
        return admitting.release(self._house, Asked(by, key), came, study_uid, reason, held_sha256)

    def open_case(self, study_uid: str, *, by: By | None = None, key: str | None = None) -> Case:
        """Make the case of an admitted study and its record; one of the same images and record is given again.

        An unsigned case with another record or other images is superseded: one study has one open case. Decisions made on
        it stay with it, and the new case says so. Images that came after a report was signed make a case of their own.

        Raises: StateError if a report of the same images with another record is signed.
        """
        return cases.open_case(self._house, Asked(by, key), study_uid)

    def draft(
        self, case_id: str, *, again: bool = True, by: By | None = None, key: str | None = None
    ) -> CheckedDraft:
        """Read, write and check: the draft of a case, every statement with its evidence and verdicts.

        Not `again`: a draft that the same settings and models made, or that a person has decided on, is given back.
        """
        return writing.draft(self._house, Asked(by, key), case_id, again)

    def drafts(self, case_id: str, *, by: By | None = None) -> tuple[DraftVersion, ...]:
        """List every version of a case's draft, oldest first; the last one is what `case` gives and readers decide on."""
        return writing.drafts(self._house, by, case_id)

    def influence(self, case_id: str, *, by: By | None = None) -> Influence:
        """Show what the record does to a draft, fact by fact: the case from image, record and both. Nothing is kept."""
        return writing.influence(self._house, by, case_id)

    def prioritise(
        self, case_id: str, priority: Priority, *, reason: str, by: By, key: str | None = None
    ) -> CasePriority:
        """Say how urgent an unsigned case is, and why, in place of what its order or another person said.

        Raises: StateError if it is signed or superseded, InputError without a reason.
        """
        return cases.prioritise(self._house, Asked(by, key), case_id, priority, reason)

    def claim(
        self, case_id: str, *, by: By, minutes: int | None = None, key: str | None = None
    ) -> Lease:
        """Take a case to work on it, or renew the claim: until it ends nobody else decides, signs or drafts there.

        A case that nobody claimed stays open to all; a claim that has expired counts for nothing.

        Args:
            minutes: from now on; `claim_minutes` of the settings without it, at most a day.

        Raises: StateError naming the holder while another reader has it, or if nothing can be done on it any more.
        """
        return claiming.claim(self._house, Asked(by, key), case_id, minutes)

    def unclaim(self, case_id: str, *, by: By, key: str | None = None) -> None:
        """Give a claimed case back; an administrator frees any. Of a case that nobody has, nothing changes.

        Raises: StateError naming the holder while another reader has it.
        """
        claiming.unclaim(self._house, Asked(by, key), case_id)

    def decide(
        self, case_id: str, decisions: Sequence[Decision], *, by: By, key: str | None = None
    ) -> CheckedDraft:
        """Accept, edit or reject drafted statements, add findings of your own (`Add`), write the impression (`Impression`).

        A later decision on a statement replaces the earlier. The checks mark a reader's own words: see `CaseFile.rechecked`.
        """
        return deciding.decide(self._house, Asked(by, key), case_id, decisions)

    def sign(self, case_id: str, *, by: By, key: str | None = None) -> SignedReport:
        """Sign what was decided.

        Raises: StateError while a statement is undecided, if it is signed, or if other images of the study came meanwhile.
        """
        return deciding.sign(self._house, Asked(by, key), case_id)

    def amend(
        self,
        case_id: str,
        decisions: Sequence[Decision],
        *,
        reason: str,
        by: By,
        correction: bool = False,
        key: str | None = None,
    ) -> SignedReport:
        """Change a signed report: sign these decisions over those that were signed. The version before is kept.

        Args:
            decisions: of `Edit`, `Reject`, `Accept`, `Add` and `Impression`; what they do not name stays.
            reason: why, for whoever acted on the version before; it stands on top of the report.
            correction: whether what stood there was wrong; else there is more to say.

        Raises: InputError without a reason or a change; StateError if the case has no signed report, if it is withdrawn, or
            if somebody else changed it meanwhile.
        """
        return amending.amend(self._house, Asked(by, key), case_id, decisions, reason, correction)

    def addendum(
        self, case_id: str, text: str, *, reason: str, by: By, key: str | None = None
    ) -> SignedReport:
        """Add words to a signed report, whose own words stay. The version before is kept.

        Raises: as `amend`; StateError if the text contradicts the report: that takes an amendment.
        """
        return amending.addendum(self._house, Asked(by, key), case_id, text, reason)

    def withdraw(
        self, case_id: str, *, reason: str, by: By, key: str | None = None
    ) -> SignedReport:
        """Withdraw a signed report: from then on no finding of it is valid. What was signed is kept and can be read.

        The report that is given back is its last version and states nothing; its study can be opened again for a new case.

        Raises: InputError without a reason; StateError if the case has no signed report, or it is withdrawn already.
        """
        return amending.withdraw(self._house, Asked(by, key), case_id, reason)

    def publish(
        self, report_id: str, *, to: str | Path, by: By | None = None, key: str | None = None
    ) -> tuple[Path, ...]:
        """Write a signed report into the folder `to` as text, JSON and FHIR R4 transaction Bundle."""
        return publishing.publish(self._house, Asked(by, key), report_id, str(to))

    def add_model(
        self,
        path: str | Path,
        *,
        by: By,
        name: str | None = None,
        licence: str | None = None,
        key: str | None = None,
    ) -> ModelRow:
        """Adopt a folder of the training pipeline or of a larger decoder: copied, checked and kept under its digests.

        Raises: InputError for a folder that can't be taken, IntegrityError for a file that its manifest does not bear out.
        """
        return installing.add_model(self._house, Asked(by, key), Path(path), name, licence)

    def remove_model(self, name: str, *, by: By, key: str | None = None) -> None:
        """Delete an adopted model. Raises: InputError if there is none, StateError while the settings name it."""
        installing.remove_model(self._house, Asked(by, key), name)

    def history(self, case_id: str, *, by: By | None = None) -> tuple[AuditEvent, ...]:
        """List what happened to a case and its study, oldest first."""
        return auditing.history(self._house, by, case_id)

    def verify(self, *, by: By | None = None) -> AuditVerification:
        """Check the whole audit log against its signed tree heads and name the place of any damage."""
        return auditing.verify(self._house, by)

    def prove(self, entry: int, *, since: int | None = None, by: By | None = None) -> AuditProof:
        """Prove that an entry of the log stands under the last signed tree head, for whoever has nothing else of the log.

        Args:
            entry: its number, as `history` and `verify` name it.
            since: size of an earlier tree head, of which it is proved that the log only appended to it.

        Raises: InputError if there is no such entry or head, IntegrityError if the log does not bear it out.
        """
        return auditing.prove(self._house, entry, since, by)

    def inspect(
        self, path: Paths, *, record: Record = None, by: By | None = None
    ) -> tuple[Inspection, ...]:
        """Say what paths and a record beside them are understood as, study by study. Nothing is kept."""
        return inspecting.inspect(self._house, by, paths_of(path), record)

    def studies(
        self, folder: str | Path, *, records: Record = None, by: By | None = None
    ) -> tuple[FoundStudy, ...]:
        """Find the studies of a folder by Study Instance UID, at any depth, and what belongs to none. Nothing is decoded.

        Args:
            records: a folder of FHIR Bundles, of which each study gets the one that fits it.
        """
        return inspecting.studies(self._house, by, Path(folder), records)

    def record(
        self, path: str | Path, *, as_of: datetime | None = None, by: By | None = None
    ) -> ClinicalContext:
        """Say what a record is understood as, with its facts up to `as_of` (all without it). Nothing is kept.

        Raises: InputError if it is no FHIR R4 JSON.
        """
        return inspecting.record(self._house, by, Path(path), as_of)

    def cases(
        self,
        *,
        state: CaseState | None = None,
        modality: Modality | None = None,
        body_part: str | None = None,
        critical: bool | None = None,
        suspected: bool | None = None,
        priority: Priority | None = None,
        waiting: bool | None = None,
        site: str | None = None,
        assigned: str | None = None,
        acquired_from: date | None = None,
        acquired_to: date | None = None,
        limit: int | None = None,
        after: str | None = None,
        order: Order = Order.NEWEST,
        by: By | None = None,
    ) -> tuple[CaseSummary, ...]:
        """List the cases of the worklist, patients by key only; all of them, newest first, without arguments.

        Args:
            state, modality, body_part, critical, suspected, priority, waiting, site, assigned, acquired_from,
                acquired_to: only these, see `CaseFilter`.
            limit: at most so many.
            after: the id of the last case of the page before; cases that are opened meanwhile change nothing there. By urgency
                its `place`: then nobody is skipped if that case moves meanwhile.
            order: newest first, or by priority and, of equal ones, the longest waiting first; then signed cases.
        """
        wanted = CaseFilter(
            state=state,
            modality=modality,
            body_part=body_part,
            critical=critical,
            suspected=suspected,
            priority=priority,
            waiting=waiting,
            site=site,
            assigned=assigned,
            acquired_from=acquired_from,
            acquired_to=acquired_to,
        )
        return cases.cases(self._house, by, wanted, Page(limit=limit, after=after, order=order))

    def case(
        self, case_id: str, *, pixels: bool = True, blind: bool = False, by: By | None = None
    ) -> CaseFile:
        """Show everything of one case and what the checks mark in the words of readers.

        Args:
            pixels: without them no image can be opened.
            blind: leave out reading, draft, suspicions, decisions and report: images, record and earlier studies alone.
        """
        return cases.case(self._house, by, case_id, pixels, blind)

    def to_sign(
        self, case_id: str, *, by: By, decisions: Sequence[Decision] = ()
    ) -> tuple[SignedStatement, ...]:
        """Say what a signature would take now: each statement in the words that the report will hold.

        Args:
            decisions: made besides, for this look alone; of a signed case what `amend` would sign.

        Raises: StateError while a statement is undecided.
        """
        return deciding.to_sign(self._house, by, case_id, decisions)

    def identity(self, patient_key: str, *, by: By) -> PatientIdentity:
        """Who a patient key is."""
        return cases.identity(self._house, by, patient_key)

    def render(self, report_id: str, *, format: str = "text", by: By | None = None) -> str:
        """Give a signed report as `text`, `json` or `fhir` (R4 transaction Bundle), or what that lacks as `outcome`."""
        return publishing.render(self._house, by, report_id, format)

    def models(self, *, by: By | None = None) -> tuple[ModelRow, ...]:
        """List the networks of the catalogue, then the adopted models, and whether they are here and unaltered."""
        return installing.model_rows(self._house, by)

    def capabilities(self, *, by: By | None = None) -> Capabilities:
        """Say what this installation can decode, run and write. The language model that the settings name is opened."""
        return installing.capabilities(self._house, by)

    def readers(self) -> tuple[Reader, ...]:
        """List who may act here: the readers of the settings, or those of the directory that was given."""
        return self._house.directory.readers()

    def reader_named(self, reader_id: str) -> Reader:
        """Find the reader of this id. Raises: PermissionDenied if there is none."""
        return self._house.calls.reader_named(reader_id)
