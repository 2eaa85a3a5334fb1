"""What comes in: its files and its record are found once, so that request, judgement, join and copy speak of the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medmm import imaging, models, records, review
from medmm.config import Settings
from medmm.domain.ages import with_record_age
from medmm.domain.draft import Case
from medmm.domain.errors import InputError, StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import IdentityMatch, asking, compare_identities, joined
from medmm.domain.inspection import FoundStudy, Inspection
from medmm.domain.order import StudyOrder
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseState, Reader
from medmm.domain.site_time import at_site
from medmm.domain.study import NotEvaluable, Notice, ReadTask, Study
from medmm.store import Store, VerbCall, digest

Record = str | Path | None
Joined = tuple[ClinicalContext, IdentityMatch, records.RecordDocument]
RECORD_KEPT = Notice(code="record-kept", text="No record was given: the record of an earlier admission is used.")
RECORD_DROPPED = Notice(
    code="record-dropped",
    text="Images came that may be earlier than the record of an earlier admission was cut to: it is not used any more. "
    "Give the record again.",
)


@dataclass(slots=True, kw_only=True)
class Incoming:
    """Files under some paths, as they were found, and the record that goes with them."""

    paths: Sequence[Path]
    files: imaging.StudyFiles = field(default_factory=imaging.StudyFiles)
    problems: tuple[imaging.Problem, ...] = ()
    record: records.RecordFit = field(default_factory=records.RecordFit)

    def content(self) -> dict[str, Any]:
        """Say what was found by its contents: the images, each once, and the record; never a path."""
        images = {digest for _, digests in self.files.contents().values() for digest in digests}
        return {"images": sorted(images), "record": self.record.sha256}


class Admitting:
    """Finds, judges and joins what comes in, with what the store keeps of it already."""

    def __init__(self, settings: Settings, store: Store, networks: models.Networks) -> None:
        self._settings, self._store, self._networks = settings, store, networks
        self._folders: dict[Path, records.RecordFolder] = {}
        imaging.keep_at_most(settings.frame_cache_bytes)  # memory is the process's: the last opened says

    def drafted_from(self) -> str:
        """Digest of what a draft depends on beside its images and its record: the settings and the models."""
        return digest({"settings": self._settings.of_a_draft(), "models": self._networks.manifests()})

    def content_of(self, study_uid: str) -> dict[str, Any]:
        """Say what a kept study is by its contents. Raises: StateError if the gate refused it, InputError if it is not kept."""
        if not self._store.keeps_study(study_uid) and (refused := self._store.refused_study(study_uid)):
            remedy = "look at it and release it, then admit it" if refused.held else "no case can be opened of it"
            raise StateError(
                f"the study was {'held' if refused.held else 'refused'} when it was admitted: {refused.reason}",
                remedy=remedy,
                study=study_uid,
                reason_code=refused.reason_code,
            )
        study, context = self._store.study(study_uid), self._store.context(study_uid)
        record = context.sha256 if context else None
        return {"study": study_uid, "images": list(study.image_sha256s), "record": record}

    def find(self, incoming: Incoming, record: Record, study_uid: str | None = None) -> Incoming:
        """Find what lies under the paths, or of it one study, and the record that goes with it."""
        incoming.files, incoming.problems = imaging.StudyFiles.under(incoming.paths)
        if study_uid is not None:
            incoming.files.only(study_uid)
        if record is not None:
            names = [name for path in incoming.paths for name in (path.stem, path.name)]
            uid = next(iter(incoming.files.contents()), "")  # of several studies none is admitted
            incoming.record = self._fit(record, uid, incoming.files.identities.get(uid), names)
        return incoming

    def studies(self, root: Path, record: Record) -> Iterator[FoundStudy]:
        """Every study under a folder, and every file there that belongs to none, in order of path."""
        files, problems = imaging.StudyFiles.under([root], headers=False)
        root = root if root.is_dir() else root.parent
        where, drafted_from = imaging.places(files, root), self.drafted_from()
        # a folder without a file holds no study, which is no failure of one
        found = [_no_study(p, root) for p in problems if p.error is None or p.error.problem != imaging.NOTHING_HERE]
        for uid, (_, images) in files.contents().items():
            who = files.identities.get(uid)
            fit = self._fit(record, uid, who, where[uid].names) if record is not None else records.RecordFit()
            inputs = {"images": digest(images), "record": fit.sha256, "settings and models": drafted_from}
            found.append(
                FoundStudy(
                    uid=uid,
                    name=str(where[uid].path.relative_to(root)),
                    path=str(where[uid].path),
                    files=tuple(map(str, files.paths_of(uid))),
                    input_sha256=digest(inputs),
                    inputs=inputs,
                    record=str(fit.path) if fit.path else None,
                    record_note=fit.note,
                )
            )
        yield from sorted(found, key=lambda one: Path(one.path).parts)

    def growing(self, incoming: Incoming) -> AbstractContextManager[None]:
        """Hold the study that came in, so that what two bring at once is joined and not lost."""
        uid = next(iter(incoming.files.studies), None)
        return self._store.exclusive_study(uid) if uid is not None else nullcontext()

    def admitted(self, incoming: Incoming, call: VerbCall, confirmed_by: Reader | None) -> Study | NotEvaluable:
        """Judge what came in and keep it with its record and its audit entry: all of it or nothing.

        Raises: InputError as `judged` and `join`, and if a file is not what was judged any more.
        """
        intake = self.judged(incoming)
        if isinstance(intake.outcome, NotEvaluable):
            refused = intake.outcome
            with self._store.step() as step:
                step.save_not_evaluable(refused)
                call.done(step, refused, refused.sha256 or "", "refused", reason=refused.reason_code)
            return refused
        study, context, order = self.join(intake, incoming.record, confirmed_by)
        study = replace(study, warnings=(*study.warnings, *review.lacking(study, self._store.signed_of(study.uid))))
        came = {file.sha256: file.path for file in intake.files if not file.kept}
        with self._store.copied(came) as keep, self._store.step() as step:
            step.save_identity(study.patient_key, intake.identity or PatientIdentity(patient_id=None))
            step.save_study(study, {file.sha256: file.sop_uid for file in intake.files})
            step.cover_objects(study.uid, (file.sha256 for file in intake.files))
            step.save_order(study.uid, order)
            if context is not None:
                step.save_context(study.uid, context)
            elif RECORD_DROPPED in study.warnings:
                step.drop_context(study.uid)
            said = {n.code: n.text for n in study.warnings if n.code.startswith(("identity-", "images-"))}
            facts = len(context.facts) if context else 0
            call.done(step, study, study.uid, images=len(study.volumes), facts=facts, **said)
            keep()
        return study

    def opened(self, study_uid: str, call: VerbCall) -> Case:
        """Open the case of a study's images and record; an open one of others is superseded. Raises: as `review.succession`."""
        with self._store.step() as step:
            content = self.content_of(study_uid)
            study, context = self._store.study(study_uid), self._store.context(study_uid)
            cases = [self._store.case_file(case_id) for case_id in step.cases_of(study_uid)]
            found = review.succession(study, context, cases)
            case_id = found.same.case.id if found.same else "case-" + digest(content)[:12]
            study = replace(study, warnings=tuple(dict.fromkeys((*study.warnings, *found.notices))))
            case = Case(id=case_id, study=study, context=context)
            for other, before, after in found.moves:
                step.set_state(other, after, expected=before)
                if after is CaseState.SUPERSEDED:
                    step.record(call.event("done", other, superseded_by=case_id))
            step.open_case(case, datetime.now(UTC))
            call.done(step, case, case_id, study=study_uid)
        return case

    def intakes(self, paths: Sequence[Path], task: ReadTask | None = None) -> Iterator[imaging.Intake]:
        """Judge what lies under the paths, each study by itself; with a task, the arrays of the first."""
        secret = self._store.secret("patient")
        if task is not None:
            yield from imaging.read_arrays(paths[0], task, patient_secret=secret)
            return
        kinds = self._networks.picture_kinds
        for intake in imaging.read_studies(paths, patient_secret=secret, kinds=kinds, released=self._store.released()):
            yield self._at_site(intake)

    def judged(self, incoming: Incoming) -> imaging.Intake:
        """Judge the one study that came in, with its images of earlier admissions. Raises: InputError if it is none or several."""
        found = imaging.judged(
            incoming.files,
            incoming.problems,
            patient_secret=self._store.secret("patient"),
            kinds=self._networks.picture_kinds,
            released=self._store.released(),
            kept=self._kept,
        )
        intakes = list(found)
        intake = self._at_site(imaging.one_study(intakes, incoming.paths[0]))
        others = {problem.path for problem in incoming.problems if problem.other_kind}
        beside = [i for i in intakes if isinstance(i.outcome, InputError) and not i.files and i.path not in others]
        if not beside or not isinstance(intake.outcome, Study):
            return intake
        text = f"Files beside the study can't be read and may be images of it: {len(beside)}."
        notice = Notice(code="files-beside-unreadable", text=text)
        return replace(intake, outcome=replace(intake.outcome, warnings=(*intake.outcome.warnings, notice)))

    def _at_site(self, intake: imaging.Intake) -> imaging.Intake:
        outcome, zone = intake.outcome, self._settings.site_time_zone
        return replace(intake, outcome=at_site(outcome, zone)) if isinstance(outcome, Study) else intake

    def join(
        self, intake: imaging.Intake, record: records.RecordFit, by: Reader | None
    ) -> tuple[Study, ClinicalContext | None, StudyOrder]:
        """The study with what must be said of its record, the record up to its time, and what joins it to its order.

        Raises: InputError if the record is another's.
        """
        study = intake.outcome
        assert isinstance(study, Study)
        if record.path is None:
            note = (Notice(code="record-not-found", text=record.note),) if record.note else ()
            kept = self._of_kept_record(study)
            context = self._store.context(study.uid) if RECORD_KEPT in kept else None
            aged = with_record_age(study, context) if context else study
            order = self._with_kept_request(intake.order, study.uid) if context else intake.order
            return replace(aged, warnings=(*aged.warnings, *note, *kept)), None, order
        context, match, document = self._context(study, intake.identity, record)
        notice = joined(match, by)
        joined_study = study if notice is None else replace(study, warnings=(*study.warnings, notice))
        request, why = records.with_request(intake.order, study.uid, document.requests)
        order = replace(intake.order, request=request, request_note=why or None)
        return with_record_age(joined_study, context), context, order

    def inspection(self, intake: imaging.Intake, record: Record) -> Inspection:
        """Say what an intake was understood as, with the record beside it."""
        seen = imaging.inspection(intake, self._networks.picture_kinds)
        if seen.study is None or record is None:
            return seen
        fit = self._fit(record, seen.study.uid, intake.identity, (intake.path.stem, intake.path.name))
        if fit.path is None:
            note = Notice(code="record-not-found", text=fit.note or "")
            return replace(seen, study=replace(seen.study, warnings=(*seen.study.warnings, note)))
        context, match, _ = self._context(seen.study, intake.identity, fit)
        return replace(seen, study=with_record_age(seen.study, context), context=context, match=match)

    def _fit(
        self, record: str | Path, uid: str, who: PatientIdentity | None, names: Sequence[str]
    ) -> records.RecordFit:
        path = Path(record)
        if not path.is_dir():
            return records.record_file(path)
        return self._folders.setdefault(path.resolve(), records.RecordFolder(path)).fit(uid, who, names)

    def _kept(self, uid: str) -> list[imaging.SourceFile]:
        return [
            imaging.SourceFile(path=self._store.object_place(sha256), sha256=sha256, sop_uid=sop_uid, kept=True)
            for sha256, sop_uid in self._store.files_of(uid).items()
        ]

    def _of_kept_record(self, study: Study) -> tuple[Notice, ...]:
        """What must be said of the record of an earlier admission; nothing where there is none.

        It was cut to the time of the study as it was then; what is earlier now may lie before some of its facts.
        """
        context = self._store.context(study.uid)
        if context is None:
            return ()
        kept = self._store.study(study.uid)
        now = study.acquired
        later = now and now.precise and context.as_of and now.moment >= context.as_of
        cut_later = now and kept.acquired and now.earliest >= kept.acquired.earliest
        if now != kept.acquired and not (later and cut_later):
            return (RECORD_DROPPED,)
        return (*(n for n in kept.warnings if n.code.startswith("identity-")), RECORD_KEPT)

    def _with_kept_request(self, order: StudyOrder, study_uid: str) -> StudyOrder:
        """The order with the request that the record of an earlier admission gave, while its numbers are the same."""
        kept = self._store.order(study_uid)
        if replace(kept, request=None, request_note=None, portable=order.portable, contrast=order.contrast) != order:
            return order
        return replace(order, request=kept.request, request_note=kept.request_note)

    def _context(self, study: Study, identity: PatientIdentity | None, record: records.RecordFit) -> Joined:
        assert record.path is not None
        document = records.read_record(record.path)
        if record.sha256 not in (None, document.sha256):
            raise InputError(
                "the record changed while it was read", remedy="admit the study again", path=str(record.path)
            )
        match = compare_identities(identity or PatientIdentity(patient_id=None), document.the_patient())
        match = asking(match, *records.join_questions(document, study.acquired))
        context = records.context_as_of(document, patient_key=study.patient_key, acquired=study.acquired)
        return context, match, document


def _no_study(problem: imaging.Problem, root: Path) -> FoundStudy:
    why = problem.error.problem if problem.error else "a DICOMDIR lists files and holds no image"
    return FoundStudy(
        uid=None,
        name=str(problem.path.relative_to(root)) if problem.path != root else root.name,
        path=str(problem.path),
        files=(str(problem.path),),
        input_sha256="",
        problem=why,
        left_out=problem.other_kind,
    )
