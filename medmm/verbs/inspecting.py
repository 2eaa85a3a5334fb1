"""Looks at what lies somewhere before it is taken in; only the look's entry is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

from medmm import imaging, records
from medmm.domain.patient_age import with_record_age
from medmm.domain.record import ClinicalContext
from medmm.domain.study import Notice
from medmm.domain.study_inspection import FoundStudy, Inspection
from medmm.store import digest
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.incoming import intakes
from medmm.verbs.record_joining import Record, context_of, record_of
from medmm.verbs.verb import look


def sop_classes() -> frozenset[str]:
    """Name the SOP classes that the gate lets in; see `Assistant.sop_classes`."""
    return frozenset(chain.from_iterable(imaging.SOP_CLASSES.values()))


@look("inspect", lambda paths, record: digest([str(one) for one in paths]))
def inspect(
    house: House, call: VerbCall, paths: Sequence[Path], record: Record
) -> tuple[Inspection, ...]:
    """Say what paths and a record beside them are understood as; see `Assistant.inspect`."""
    return tuple(_inspection(house, intake, record) for intake in intakes(house, paths))


@look("inspect", lambda folder, records_folder: digest(str(folder)))
def studies(
    house: House, call: VerbCall, folder: Path, records_folder: Record
) -> tuple[FoundStudy, ...]:
    """Find the studies of a folder; see `Assistant.studies`."""
    return tuple(_studies(house, folder, records_folder))


@look("record", lambda path, as_of: digest(str(path)))
def record(house: House, call: VerbCall, path: Path, as_of: datetime | None) -> ClinicalContext:
    """Say what a record is understood as; see `Assistant.record`."""
    return records.known_by(records.read_record(path), as_of)


def _studies(house: House, root: Path, record: Record) -> Iterator[FoundStudy]:
    """Find every study under a folder, and every file that belongs to none, in order of path."""
    files, problems = imaging.StudyFiles.under([root], headers=False)
    root = root if root.is_dir() else root.parent
    where, drafted_from = imaging.places(files, root), house.drafted_from()
    # a folder without a file holds no study; that is not the failure of a study
    found = [
        _no_study(p, root)
        for p in problems
        if p.error is None or p.error.problem != imaging.NOTHING_HERE
    ]
    for uid, (_, images) in files.contents().items():
        who = files.identities.get(uid)
        fit = (
            record_of(house, record, uid, who, where[uid].names)
            if record is not None
            else records.RecordFit()
        )
        inputs = {
            "images": digest(images),
            "record": fit.sha256,
            "settings and models": drafted_from,
        }
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


def _inspection(house: House, intake: imaging.Intake, record: Record) -> Inspection:
    """Say what an intake was understood as, with the record beside it."""
    seen = imaging.inspection(intake, house.networks.picture_kinds)
    if seen.study is None or record is None:
        return seen
    fit = record_of(
        house, record, seen.study.uid, intake.identity, (intake.path.stem, intake.path.name)
    )
    if not fit.found:
        note = Notice(code="record-not-found", text=fit.note or "")
        return replace(seen, study=replace(seen.study, warnings=(*seen.study.warnings, note)))
    context, match, _ = context_of(house, seen.study, intake.identity, fit)
    return replace(seen, study=with_record_age(seen.study, context), context=context, match=match)
