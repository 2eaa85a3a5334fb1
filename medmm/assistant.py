"""The one door for Python users, doors, dashboard and pipelines: it checks permission and calls the rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from medmm import delivery, drafting, grounding, imaging, models, records, review
from medmm.config import Settings, load_settings
from medmm.domain.audit_event import AuditEvent, AuditVerification
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Case, CheckedDraft, Outcome
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import IdentityMatch, compare_identities, joined
from medmm.domain.influence import Influence
from medmm.domain.inspection import Capabilities, Inspection, ModelRow
from medmm.domain.reading import ReadResult
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, CaseState, CaseSummary, Decision, Reader, SignedReport, SignedStatement
from medmm.domain.study import NotEvaluable, Notice, ReadTask, Release, Study, StudyTime
from medmm.store import Calls, Store, digest

Record = str | Path | None
Joined = tuple[ClinicalContext, IdentityMatch]
RECORD_KEPT = Notice(code="record-kept", text="No record was given: the record of an earlier admission is used.")


class Assistant:
    """Reads studies with their record, drafts findings, and keeps what clinicians decide.

    Safe from several threads and processes. Every verb checks the role of who asks (`by`; without it the
    configured service acts), commits its result together with its audit entry, and leaves an entry when it
    fails. A verb given the same idempotency `key` and the same request again returns the first result.

    Raises: the errors of `medmm.domain.errors`; what can't be evaluated is a `NotEvaluable`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._store = Store.open(settings.data_dir, heads_path=settings.heads_path)
        self._calls = Calls(self._store, settings.actor, {entry.id: entry.reader() for entry in settings.readers})
        self._networks = models.Networks(
            settings.weights_dir,
            device=settings.device,
            threads=settings.threads,
            adopted=models.Adopted(settings.data_dir / "models"),
            report=settings.language_model,
        )

    @classmethod
    def from_config(cls, path: str | Path | None = None) -> Assistant:
        """Open with a YAML file (default: `$MEDMM_CONFIG`, else the `local.yaml` that ships)."""
        return cls(load_settings(path))

    def close(self) -> None:
        """Let go of files and connections."""
        self._store.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ---- verbs, in the order of the house -------------------------------------------------------------

    def admit(
        self,
        path: str | Path,
        *,
        record: str | Path | None = None,
        confirmed: bool = False,
        by: Reader | None = None,
        key: str | None = None,
    ) -> Study | NotEvaluable:
        """Take one study in: gate passed, or a kept `NotEvaluable` that says why.

        `confirmed`: `by`, who may see identities, says that both are of one patient; counts where a patient ID lacks.
        Raises: InputError if the path holds no study or several, or `record` is another's or must be confirmed.
        """
        request = {"path": str(path), "record": str(record) if record else None, "confirmed": confirmed}
        with self._calls.call("admit", by, key, request) as call:
            if call.recalled is not None:
                return from_json(Study | NotEvaluable, call.recalled)  # type: ignore[arg-type]
            if confirmed:
                self._calls.person_who_may("identity", by)
            intake = imaging.one_study(self._intakes(Path(path)), Path(path))
            if isinstance(intake.outcome, NotEvaluable):
                refused = intake.outcome
                with self._store.step() as step:
                    step.save_not_evaluable(refused)
                    call.done(step, refused, refused.sha256 or "", "refused", reason=refused.reason_code)
                return refused
            study, context = self._join(intake, record, by if confirmed else None)
            for file in intake.files:
                self._store.put_object(file.path)
            with self._store.step() as step:
                step.save_identity(study.patient_key, intake.identity or PatientIdentity(patient_id=None))
                step.save_study(study)
                if context is not None:
                    step.save_context(study.uid, context)
                identity = {n.code: n.text for n in study.warnings if n.code.startswith("identity-")}
                facts = len(context.facts) if context else 0
                call.done(step, study, study.uid, images=len(study.volumes), facts=facts, **identity)
            return study

    def read(
        self, paths: Iterable[str | Path], *, task: ReadTask | None = None, by: Reader | None = None
    ) -> Iterator[ReadResult]:
        """Read studies by the models alone, without a record and without keeping them; one result a study.

        With a `task`, paths are folders of NIfTI files under fixed names. Raises: InputError for a folder without them.
        """
        for path in paths:
            intakes = self._intakes(Path(path), task)
            while True:
                with self._calls.call("read", by) as call:
                    intake = next(intakes, None)
                    if intake is None:
                        break
                    result = ReadResult.of(str(intake.path), intake.outcome, lambda s: self._networks.reader.read(s))
                    subject = result.study.uid if result.study else digest(str(intake.path))
                    with self._store.step() as step:
                        call.done(step, None, subject, "done" if result.reading else "refused")
                yield result

    def release(self, path: str | Path, *, reason: str, by: Reader, key: str | None = None) -> Release:
        """Let one held study pass the gate from now on, because a person looked and says why; `admit` takes it then.

        Raises: StateError if the study is not held.
        """
        with self._calls.call("release", by, key, {"path": str(path), "reason": reason}) as call:
            if call.recalled is not None:
                return from_json(Release, call.recalled)
            intake = imaging.one_study(self._intakes(Path(path)), Path(path))
            release = review.release(intake.outcome, {f.sha256 for f in intake.files}, reason, by, datetime.now(UTC))
            with self._store.step() as step:
                step.save_release(release)
                subject = release.study_uid or digest(str(path))
                call.done(step, release, subject, held_for=release.reason_code, files=len(release.file_sha256s))
            return release

    def open_case(self, study_uid: str, *, by: Reader | None = None, key: str | None = None) -> Case:
        """Make the case of an admitted study and its record; an unsigned one that is there is given again.

        An unsigned case of the study with another record is superseded: one study has one open case.

        Raises: StateError if a report of the study with another record is signed.
        """
        with self._calls.call("open_case", by, key, {"study": study_uid}) as call:
            if call.recalled is not None:
                return from_json(Case, call.recalled)
            study, context = self._store.study(study_uid), self._store.context(study_uid)
            case_id = "case-" + digest(study_uid + (context.sha256 if context else ""))[:12]
            case = Case(id=case_id, study=study, context=context)
            with self._store.step() as step:
                for other, state in step.cases_of(study_uid).items():
                    if other == case_id and state is CaseState.SUPERSEDED:
                        step.set_state(other, review.reopened(self._store.case_file(other)), expected=state)
                    elif other != case_id and state is not CaseState.SUPERSEDED:
                        step.set_state(other, review.advance(state, review.Act.SUPERSEDE), expected=state)
                        step.record(call.event("done", other, superseded_by=case_id))
                step.open_case(case, datetime.now(UTC))
                call.done(step, case, case_id, study=study_uid)
            return case

    def draft(self, case_id: str, *, by: Reader | None = None, key: str | None = None) -> CheckedDraft:
        """Read, write and check: the draft of a case, every statement with its evidence and verdicts."""
        with self._calls.call("draft", by, key, {"case": case_id}) as call:
            if call.recalled is not None:
                return from_json(CheckedDraft, call.recalled)
            file = self._store.case_file(case_id)
            state = review.advance(file.state, review.Act.DRAFT)
            case = self._attached(file.case)
            reading = self._networks.reader.read(case.study)
            checked = grounding.check(self._writer().write(case, reading), case, reading)
            with self._store.step() as step:
                step.save_reading(case_id, reading)
                step.save_draft(case_id, checked)
                step.set_state(case_id, state, expected=file.state)
                failed = sum(bool(checked.failed(s.id)) for s in checked.statements)
                digests = {m.name: m.manifest_sha256 for m in reading.models}
                call.done(step, checked, case_id, statements=len(checked.statements), failed=failed, **digests)
            return checked

    def influence(self, case_id: str, *, by: Reader | None = None) -> Influence:
        """What the record does to a draft: the case from image, from record and from both, fact by fact; nothing is kept."""
        with self._calls.look("influence", case_id, by):
            case = self._attached(self._store.case_file(case_id).case)
            return drafting.influence(case, self._networks.reader.read(case.study), self._language_model())

    def decide(
        self, case_id: str, decisions: Sequence[Decision], *, by: Reader, key: str | None = None
    ) -> CheckedDraft:
        """Accept, edit or reject drafted statements, add findings of your own (`Add`), write the impression (`Impression`).

        A later decision on a statement replaces the earlier. The checks mark a reader's own words: see `CaseFile.rechecked`.
        """
        request = {"case": case_id, "decisions": to_json(tuple(decisions))}
        with self._calls.call("decide", by, key, request) as call:
            if call.recalled is not None:
                return from_json(CheckedDraft, call.recalled)
            file = self._store.case_file(case_id)
            state = review.advance(file.state, review.Act.DECIDE)
            merged = review.decide(file, decisions, by)
            assert file.draft is not None  # the lifecycle lets nobody decide before there is a draft
            marked = [v for v in grounding.recheck(replace(file, decisions=merged)) if v.outcome is Outcome.FAILED]
            marks = {"marked": " ".join(f"{v.statement_id}:{v.check}" for v in marked)} if marked else {}
            with self._store.step() as step:
                step.save_decisions(case_id, merged, expected=file.decisions)
                step.set_state(case_id, state, expected=file.state)
                call.done(step, file.draft, case_id, decisions=len(decisions), decided=len(merged), **marks)
            return file.draft

    def sign(self, case_id: str, *, by: Reader, key: str | None = None) -> SignedReport:
        """Sign what was decided. Raises: StateError while a statement is undecided, or if it is signed."""
        with self._calls.call("sign", by, key, {"case": case_id}) as call:
            if call.recalled is not None:
                return self._store.report(from_json(SignedReport, call.recalled).id)
            file = self._store.case_file(case_id)
            state = review.advance(file.state, review.Act.SIGN)
            report = review.sign(file, by, datetime.now(UTC))
            with self._store.step() as step:
                step.set_state(case_id, state, expected=file.state)
                step.save_report(report, decisions=file.decisions)
                call.done(step, report, case_id)
            return report

    def publish(
        self, report_id: str, *, to: str | Path, by: Reader | None = None, key: str | None = None
    ) -> tuple[Path, ...]:
        """Write a signed report into the folder `to` as text, JSON and FHIR R4 transaction Bundle."""
        with self._calls.call("publish", by, key, {"report": report_id, "to": str(to)}) as call:
            if call.recalled is not None:
                return tuple(Path(p) for p in call.recalled)
            report = self._store.report(report_id)
            identity = self._store.identity(report.patient_key)
            written = delivery.write_report(report, identity, Path(to))
            with self._store.step() as step:
                call.done(step, [str(p) for p in written], report.case_id, report=report_id, files=len(written))
            return written

    def add_model(
        self,
        path: str | Path,
        *,
        by: Reader,
        name: str | None = None,
        licence: str | None = None,
        key: str | None = None,
    ) -> ModelRow:
        """Adopt a folder of the training pipeline or of a larger decoder: copied, checked and kept under its digests.

        Raises: InputError for a folder that can't be taken, IntegrityError for a file that its manifest does not bear out.
        """
        with self._calls.call("add_model", by, key, {"path": str(path), "name": name, "licence": licence}) as call:
            if call.recalled is not None:
                return from_json(ModelRow, call.recalled)
            with self._networks.adding(Path(path), name, licence) as row, self._store.step() as step:
                call.done(step, row, row.name, task=row.task, manifest=row.manifest_sha256)
            return row

    def remove_model(self, name: str, *, by: Reader, key: str | None = None) -> None:
        """Delete an adopted model. Raises: InputError if there is none, StateError while the settings name it."""
        with self._calls.call("remove_model", by, key, {"name": name}) as call:
            if call.recalled is None:
                with self._networks.removing(name) as row, self._store.step() as step:
                    call.done(step, name, name, task=row.task, manifest=row.manifest_sha256)

    def history(self, case_id: str, *, by: Reader | None = None) -> tuple[AuditEvent, ...]:
        """What happened to a case and its study, oldest first."""
        with self._calls.look("history", case_id, by):
            return self._store.events(self._store.study_of(case_id), case_id)

    def verify(self, *, by: Reader | None = None) -> AuditVerification:
        """Check the whole audit log against its signed tree heads and name the place of any damage."""
        with self._calls.call("verify", by) as call:
            verification = self._store.verify()
            if verification.ok:  # nothing is appended to a log that is already broken: it is evidence
                with self._store.step() as step:
                    call.done(step, None, "audit", size=verification.size)
            return verification

    # ---- looks ----------------------------------------------------------------------------------------

    def inspect(self, path: str | Path, *, record: Record = None, by: Reader | None = None) -> tuple[Inspection, ...]:
        """What a path (and a record beside it) is understood as; nothing is kept."""
        with self._calls.look("inspect", digest(str(path)), by):
            return tuple(self._inspection(intake, record) for intake in self._intakes(Path(path)))

    def record(self, path: str | Path, *, as_of: datetime | None = None, by: Reader | None = None) -> ClinicalContext:
        """What a record is understood as, with its facts up to `as_of` (all without it); nothing is kept.

        Raises: InputError if it is no FHIR R4 JSON.
        """
        with self._calls.look("record", digest(str(path)), by):
            document = records.read_record(Path(path))
            if as_of is None:
                return records.everything_in(document)
            when = StudyTime(moment=as_of, source_tag="as_of", precise=True)
            return records.context_as_of(document, patient_key="", acquired=when)

    def cases(self, *, by: Reader | None = None) -> tuple[CaseSummary, ...]:
        """The worklist, newest first; patients by key only."""
        with self._calls.look("cases", "worklist", by):
            return self._store.cases()

    def case(self, case_id: str, *, by: Reader | None = None) -> CaseFile:
        """Everything of one case, with the pixels attached, and what the checks mark in the words of readers."""
        with self._calls.look("case", case_id, by):
            file = self._store.case_file(case_id)
            return replace(file, case=self._attached(file.case), rechecked=grounding.recheck(file))

    def to_sign(self, case_id: str, *, by: Reader) -> tuple[SignedStatement, ...]:
        """What a signature would take now: each statement in the words that the report will hold.

        Raises: StateError while a statement is undecided.
        """
        with self._calls.look("case", case_id, by):
            return review.to_sign(self._store.case_file(case_id), by)

    def identity(self, patient_key: str, *, by: Reader) -> PatientIdentity:
        """Who a patient key is."""
        with self._calls.look("identity", patient_key, by):
            return self._store.identity(patient_key)

    def render(self, report_id: str, *, format: str = "text", by: Reader | None = None) -> str:
        """A signed report as `text`, `json` or `fhir` (R4 transaction Bundle)."""
        report = self._store.report(report_id)
        with self._calls.look("publish", report.case_id, by):
            return delivery.render(report, self._store.identity(report.patient_key), format)

    def models(self, *, by: Reader | None = None) -> tuple[ModelRow, ...]:
        """The networks of the catalogue, then the adopted models, and whether they are here and unaltered."""
        self._calls.allow("models", by)
        return self._networks.model_rows()

    def capabilities(self, *, by: Reader | None = None) -> Capabilities:
        """What this installation can decode, run and write."""
        self._calls.allow("capabilities", by)
        (device, torch_version), rows = models.device_name(self.settings.device), self.models(by=by)
        wanted = None if self.settings.writer == "rules" else self.settings.language_model
        ready = [row.name for row in rows if (row.name, row.state) == (wanted, "ready")]
        return Capabilities(
            syntaxes=imaging.decodable_syntaxes(),
            models=rows,
            writer=ready[0] if ready else drafting.RuleWriter().name,
            device=device,
            torch_version=torch_version,
        )

    def reader_named(self, reader_id: str) -> Reader:
        """The configured reader of this id. Raises: PermissionDenied if there is none."""
        return self._calls.reader_named(reader_id)

    def _intakes(self, path: Path, task: ReadTask | None = None) -> Iterator[imaging.Intake]:
        secret = self._store.secret("patient")
        if task is not None:
            return imaging.read_arrays(path, task, patient_secret=secret)
        kinds = self._networks.picture_kinds
        return imaging.read_studies(path, patient_secret=secret, kinds=kinds, released=self._store.released())

    def _join(self, intake: imaging.Intake, record: Record, by: Reader | None) -> tuple[Study, ClinicalContext | None]:
        study = intake.outcome
        assert isinstance(study, Study)
        if record is None:
            return self._with_kept_record(study), None
        context, match = self._context(study, intake.identity, record)
        notice = joined(match, by)
        if notice is not None:
            study = replace(study, warnings=(*study.warnings, notice))
        return study, context

    def _with_kept_record(self, study: Study) -> Study:
        """Say that the record of an earlier admission is used, and how it was joined; the study as it is without one."""
        if self._store.context(study.uid) is None:
            return study
        kept = [n for n in self._store.study(study.uid).warnings if n.code.startswith("identity-")]
        return replace(study, warnings=(*study.warnings, *kept, RECORD_KEPT))

    def _context(self, study: Study, identity: PatientIdentity | None, record: str | Path) -> Joined:
        document = records.read_record(Path(record))
        match = compare_identities(identity or PatientIdentity(patient_id=None), document.the_patient())
        return records.context_as_of(document, patient_key=study.patient_key, acquired=study.acquired), match

    def _inspection(self, intake: imaging.Intake, record: str | Path | None) -> Inspection:
        seen = imaging.inspection(intake, self._networks.picture_kinds)
        if seen.study is None or record is None:
            return seen
        context, match = self._context(seen.study, intake.identity, record)
        return replace(seen, context=context, match=match)

    def _attached(self, case: Case) -> Case:
        return replace(case, study=imaging.attach_pixels(case.study, self._store.object_path))

    def _language_model(self) -> drafting.LanguageModel | None:
        return None if self.settings.writer == "rules" else self._networks.language_model

    def _writer(self) -> drafting.Writer:
        return drafting.writer(self._language_model(), by_rules=self.settings.writer == "rules")
