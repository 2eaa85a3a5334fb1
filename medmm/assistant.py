"""The one door for Python users, doors, dashboard and pipelines: it checks permission and calls the rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medmm import delivery, drafting, grounding, imaging, models, records, review
from medmm.admitting import Admitting, Incoming, Record
from medmm.config import Settings, load_settings
from medmm.domain.arguments import checked_methods, paths_of
from medmm.domain.audit_event import AuditEvent, AuditVerification
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Case, CheckedDraft, Outcome
from medmm.domain.identity import PatientIdentity
from medmm.domain.influence import Influence
from medmm.domain.inspection import Capabilities, FoundStudy, Inspection, ModelRow
from medmm.domain.reading import ReadResult
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, CaseSummary, Decision, Reader, SignedReport, SignedStatement
from medmm.domain.study import NotEvaluable, ReadTask, Release, Study
from medmm.store import Calls, Store, digest

Paths = str | Path | Iterable[str | Path]
By = Reader | str  # who asks: a reader, or the id of one under `readers:` of the settings


@checked_methods
class Assistant:
    """Reads studies with their record, drafts findings, and keeps what clinicians decide.

    Safe from several threads and processes. Every verb checks the role of who asks (`by`: a reader or a reader's id; without
    it the configured service acts), commits its result together with its audit entry, and leaves an entry when it
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
        self._admitting = Admitting(settings, self._store, self._networks)

    @classmethod
    def from_config(cls, path: str | Path | None = None) -> Assistant:
        """Open with a YAML file (default: `$MEDMM_CONFIG`, else the `local.yaml` that ships)."""
        return cls(load_settings(path))

    @property
    def read_only(self) -> bool:
        """Whether the data folder is a read-only copy: `verify`, `models` and `capabilities` work on it."""
        return self._store.read_only

    def close(self) -> None:
        """Let go of files and connections."""
        self._store.close()

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
        came = Incoming(paths=paths_of(path))

        def request() -> dict[str, Any]:
            found = self._admitting.find(came, record, study_uid).content()
            return {**found, "confirmed": confirmed, "drafted_from": self._admitting.drafted_from()}

        with self._calls.call("admit", by, key, request) as call, self._admitting.growing(came):
            if call.recalled is not None:
                return from_json(Study | NotEvaluable, call.recalled)  # type: ignore[arg-type]
            if confirmed:
                self._calls.person_who_may("identity", by)
            return self._admitting.admitted(came, call, call.actor if confirmed else None)

    def read(self, paths: Paths, *, task: ReadTask | None = None, by: By | None = None) -> Iterator[ReadResult]:
        """Read studies by the models alone, without a record and without keeping them; one result a study.

        Files of one Study Instance UID are one study, under whichever of the paths they lie. With a `task`, paths are
        folders of NIfTI files under fixed names. Raises: InputError for a folder without them.
        """
        places = paths_of(paths)
        return self._read([[place] for place in places] if task else [places], task, by)

    def _read(self, groups: list[list[Path]], task: ReadTask | None, by: By | None) -> Iterator[ReadResult]:
        for group in groups:
            intakes = self._admitting.intakes(group, task)
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
        came = Incoming(paths=paths_of(path))

        def request() -> dict[str, Any]:
            return {
                **self._admitting.find(came, None, study_uid).content(),
                "reason": reason,
                "held_sha256": held_sha256,
            }

        with self._calls.call("release", by, key, request) as call:
            if call.recalled is not None:
                return from_json(Release, call.recalled)
            intake = self._admitting.judged(came)
            review.refuse_unseen(intake.outcome, held_sha256)
            release = review.release(
                intake.outcome, {f.sha256 for f in intake.files}, reason, call.actor, datetime.now(UTC)
            )
            with self._store.step() as step:
                step.save_release(release)
                subject = release.study_uid or digest(str(came.paths[0]))
                call.done(step, release, subject, held_for=release.reason_code, files=len(release.file_sha256s))
            return release

    def open_case(self, study_uid: str, *, by: By | None = None, key: str | None = None) -> Case:
        """Make the case of an admitted study and its record; one of the same images and record is given again.

        An unsigned case with another record or other images is superseded: one study has one open case. Decisions made on
        it stay with it, and the new case says so. Images that came after a report was signed make a case of their own.

        Raises: StateError if a report of the same images with another record is signed.
        """
        with self._calls.call("open_case", by, key, lambda: self._admitting.content_of(study_uid)) as call:
            if call.recalled is not None:
                return from_json(Case, call.recalled)
            return self._admitting.opened(study_uid, call)

    def draft(self, case_id: str, *, again: bool = True, by: By | None = None, key: str | None = None) -> CheckedDraft:
        """Read, write and check: the draft of a case, every statement with its evidence and verdicts.

        Not `again`: a draft that the same settings and models made, or that a person has decided on, is given back.
        """
        made_by = self._admitting.drafted_from()
        with self._calls.call("draft", by, key, {"case": case_id, "drafted_from": made_by}) as call:
            if call.recalled is not None:
                return from_json(CheckedDraft, call.recalled)
            file = self._store.case_file(case_id)
            if not again and file.draft and (file.decided or self._store.drafted_from(case_id) in (None, made_by)):
                with self._store.step() as step:
                    call.done(step, file.draft, case_id, unchanged=True)
                return file.draft
            state = review.advance(file.state, review.Act.DRAFT)
            case = self._attached(file.case)
            reading = self._networks.reader.read(case.study)
            checked = grounding.check(self._writer().write(case, reading), case, reading)
            with self._store.step() as step:
                step.save_reading(case_id, reading)
                step.save_draft(case_id, checked)
                step.set_state(case_id, state, expected=file.state)
                failed = sum(bool(checked.failed(s.id)) for s in checked.statements)
                said = {m.name: m.manifest_sha256 for m in reading.models} | {"drafted_from": made_by}
                call.done(step, checked, case_id, statements=len(checked.statements), failed=failed, **said)
            return checked

    def influence(self, case_id: str, *, by: By | None = None) -> Influence:
        """What the record does to a draft: the case from image, from record and from both, fact by fact; nothing is kept."""
        with self._calls.look("influence", case_id, by):
            case = self._attached(self._store.case_file(case_id).case)
            return drafting.influence(case, self._networks.reader.read(case.study), self._language_model())

    def decide(self, case_id: str, decisions: Sequence[Decision], *, by: By, key: str | None = None) -> CheckedDraft:
        """Accept, edit or reject drafted statements, add findings of your own (`Add`), write the impression (`Impression`).

        A later decision on a statement replaces the earlier. The checks mark a reader's own words: see `CaseFile.rechecked`.
        """
        request = {"case": case_id, "decisions": to_json(tuple(decisions))}
        with self._calls.call("decide", by, key, request) as call:
            if call.recalled is not None:
                return from_json(CheckedDraft, call.recalled)
            file = self._store.case_file(case_id)
            state = review.advance(file.state, review.Act.DECIDE)
            merged = review.decide(file, decisions, call.actor)
            assert file.draft is not None  # the lifecycle lets nobody decide before there is a draft
            marked = [v for v in grounding.recheck(replace(file, decisions=merged)) if v.outcome is Outcome.FAILED]
            marks = {"marked": " ".join(f"{v.statement_id}:{v.check}" for v in marked)} if marked else {}
            with self._store.step() as step:
                step.save_decisions(case_id, merged, expected=file.decisions)
                step.set_state(case_id, state, expected=file.state)
                call.done(step, file.draft, case_id, decisions=len(decisions), decided=len(merged), **marks)
            return file.draft

    def sign(self, case_id: str, *, by: By, key: str | None = None) -> SignedReport:
        """Sign what was decided.

        Raises: StateError while a statement is undecided, if it is signed, or if other images of the study came meanwhile.
        """
        with self._calls.call("sign", by, key, {"case": case_id}) as call:
            if call.recalled is not None:
                return self._store.report(from_json(SignedReport, call.recalled).id)
            file = self._store.case_file(case_id)
            state = review.advance(file.state, review.Act.SIGN)
            review.refuse_outgrown(file, self._store.study(file.case.study.uid))
            report = review.sign(file, call.actor, datetime.now(UTC))
            with self._store.step() as step:
                step.set_state(case_id, state, expected=file.state)
                step.save_report(report, decisions=file.decisions)
                step.cover_identity(report.patient_key)
                call.done(step, report, case_id)
            return report

    def publish(
        self, report_id: str, *, to: str | Path, by: By | None = None, key: str | None = None
    ) -> tuple[Path, ...]:
        """Write a signed report into the folder `to` as text, JSON and FHIR R4 transaction Bundle."""
        with self._calls.call("publish", by, key, {"report": report_id, "to": str(to)}) as call:
            if call.recalled is not None:
                return tuple(Path(p) for p in call.recalled)
            printed = self._store.printed(report_id)
            report, joins = printed.report, delivery.Joins.of(printed, self.settings.identifiers.systems())
            written = delivery.write_report(report, printed.identity, Path(to), joins)
            with self._store.step() as step:
                call.done(step, [str(p) for p in written], report.case_id, report=report_id, files=len(written))
            return written

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

        def request() -> dict[str, Any]:
            files = self._networks.contents(Path(path)) if key is not None else None
            return {"files": files, "name": name or Path(path).name, "licence": licence}

        with self._calls.call("add_model", by, key, request) as call:
            if call.recalled is not None:
                return from_json(ModelRow, call.recalled)
            with self._networks.adding(Path(path), name, licence) as row, self._store.step() as step:
                call.done(step, row, row.name, task=row.task, manifest=row.manifest_sha256)
            return row

    def remove_model(self, name: str, *, by: By, key: str | None = None) -> None:
        """Delete an adopted model. Raises: InputError if there is none, StateError while the settings name it."""
        with self._calls.call("remove_model", by, key, {"name": name}) as call:
            if call.recalled is None:
                with self._networks.removing(name) as row, self._store.step() as step:
                    call.done(step, name, name, task=row.task, manifest=row.manifest_sha256)

    def history(self, case_id: str, *, by: By | None = None) -> tuple[AuditEvent, ...]:
        """What happened to a case and its study, oldest first."""
        with self._calls.look("history", case_id, by):
            return self._store.events(self._store.study_of(case_id), case_id)

    def verify(self, *, by: By | None = None) -> AuditVerification:
        """Check the whole audit log against its signed tree heads and name the place of any damage."""
        with self._calls.call("verify", by) as call:
            verification = self._store.verify()
            # nothing is appended to a log that is already broken, which is evidence, nor to a read-only copy
            if verification.ok and not self.read_only:
                with self._store.step() as step:
                    call.done(step, None, "audit", size=verification.size)
            return verification

    def inspect(self, path: Paths, *, record: Record = None, by: By | None = None) -> tuple[Inspection, ...]:
        """What a path or several (and a record beside them) are understood as, study by study; nothing is kept."""
        paths = paths_of(path)
        with self._calls.look("inspect", digest([str(one) for one in paths]), by):
            return tuple(self._admitting.inspection(intake, record) for intake in self._admitting.intakes(paths))

    def studies(self, folder: str | Path, *, records: Record = None, by: By | None = None) -> tuple[FoundStudy, ...]:
        """The studies of a folder by Study Instance UID, at any depth, and what there belongs to none; nothing is decoded.

        Args:
            records: a folder of FHIR Bundles, of which each study gets the one that fits it.
        """
        with self._calls.look("inspect", digest(str(folder)), by):
            return tuple(self._admitting.studies(Path(folder), records))

    def record(self, path: str | Path, *, as_of: datetime | None = None, by: By | None = None) -> ClinicalContext:
        """What a record is understood as, with its facts up to `as_of` (all without it); nothing is kept.

        Raises: InputError if it is no FHIR R4 JSON.
        """
        with self._calls.look("record", digest(str(path)), by):
            return records.known_by(records.read_record(Path(path)), as_of)

    def cases(self, *, by: By | None = None) -> tuple[CaseSummary, ...]:
        """The worklist, newest first; patients by key only."""
        with self._calls.look("cases", "worklist", by):
            return self._store.cases()

    def case(self, case_id: str, *, pixels: bool = True, by: By | None = None) -> CaseFile:
        """Everything of one case and what the checks mark in the words of readers; without `pixels` no image can be opened."""
        with self._calls.look("case", case_id, by):
            file = self._store.case_file(case_id)
            return replace(file, case=self._attached(file.case, pixels=pixels), rechecked=grounding.recheck(file))

    def to_sign(self, case_id: str, *, by: By) -> tuple[SignedStatement, ...]:
        """What a signature would take now: each statement in the words that the report will hold.

        Raises: StateError while a statement is undecided.
        """
        with self._calls.look("case", case_id, by) as call:
            return review.to_sign(self._store.case_file(case_id), call.actor)

    def identity(self, patient_key: str, *, by: By) -> PatientIdentity:
        """Who a patient key is."""
        with self._calls.look("identity", patient_key, by):
            return self._store.identity(patient_key)

    def render(self, report_id: str, *, format: str = "text", by: By | None = None) -> str:
        """A signed report as `text`, `json` or `fhir` (R4 transaction Bundle), or what that lacks as `outcome`."""
        with self._calls.look("publish", "", by) as look:
            printed = self._store.printed(report_id)
            look.subject = printed.report.case_id
            joins = delivery.Joins.of(printed, self.settings.identifiers.systems())
            return delivery.render(printed.report, printed.identity, format, joins)

    def models(self, *, by: By | None = None) -> tuple[ModelRow, ...]:
        """The networks of the catalogue, then the adopted models, and whether they are here and unaltered."""
        self._calls.allow("models", by)
        return self._networks.model_rows()

    def capabilities(self, *, by: By | None = None) -> Capabilities:
        """What this installation can decode, run and write; the language model that the settings name is opened."""
        (device, torch_version), rows = models.device_name(self.settings.device), self.models(by=by)
        (writer, problem), syntaxes = drafting.name_of(self._writer), imaging.decodable_syntaxes()
        return Capabilities(
            syntaxes=syntaxes,
            models=rows,
            writer=writer,
            device=device,
            torch_version=torch_version,
            writer_problem=problem,
        )

    def reader_named(self, reader_id: str) -> Reader:
        """The configured reader of this id. Raises: PermissionDenied if there is none."""
        return self._calls.reader_named(reader_id)

    def _attached(self, case: Case, *, pixels: bool = True) -> Case:
        return replace(case, study=imaging.attach_pixels(case.study, self._store.object_path)) if pixels else case

    def _language_model(self) -> drafting.LanguageModel | None:
        return None if self.settings.writer == "rules" else self._networks.language_model

    def _writer(self) -> drafting.Writer:
        return drafting.writer(self._language_model(), by_rules=self.settings.writer == "rules")
