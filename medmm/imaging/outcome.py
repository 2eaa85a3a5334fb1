"""Paths in, one `Intake` for every study and every other file, each study judged whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from medmm.domain.errors import InputError, IntegrityError, needed
from medmm.domain.study import NotEvaluable, Notice, Study
from medmm.imaging.dicom.files import DicomFile, open_dicom
from medmm.imaging.dicom.header import Tags
from medmm.imaging.gate.picture_kind import PictureKinds
from medmm.imaging.intake import (
    DIRECTORY,
    Intake,
    Released,
    Witness,
    common_folder,
    nifti_intake,
    rank,
    study_intakes,
)
from medmm.imaging.study_files import Kept, Problem, SourceFile, StudyFiles
from medmm.imaging.study_rules import contested_uids, decodes


def read_studies(
    paths: Path | Sequence[Path],
    *,
    patient_secret: bytes,
    kinds: PictureKinds | None = None,
    released: Released = MappingProxyType({}),
) -> Iterator[Intake]:
    """Read files and folders; each file comes in one Intake, each UID in one study.

    Files that can't be read come first, as they are met; then the studies in the order of their
    first file. Of several paths this holds for each in turn: a study stands where its first file
    was met. Pixels are decoded once to see that they can be, and let go.

    Args:
        patient_secret: key of the pseudonyms that stand for patient and accession number.
        kinds: what says of a radiograph's pixels what kind of picture they are; without it the
            studies carry a warning.
        released: codes of what would hold a file and a person let pass, by the digest of the file.
    """
    if isinstance(paths, Path):
        paths = [paths]
    files, met = StudyFiles(), []
    for path in paths:
        problems = map(_no_study, files.add(path))
        if len(paths) == 1:
            yield from problems
        met.append((list(problems), len(files.studies), len(files.converted)))
    judge = Judge(files, patient_secret=patient_secret, kinds=kinds, released=released)
    studies, converted = iter(list(files.studies)), iter(list(files.converted))
    studies_before = converted_before = 0
    for problems_here, studies_here, converted_here in met:
        yield from problems_here
        for uid in islice(studies, studies_here - studies_before):
            yield from judge.study(uid)
        for digest in islice(converted, converted_here - converted_before):
            yield judge.converted(digest)
        studies_before, converted_before = studies_here, converted_here


def judged(
    files: StudyFiles,
    problems: Sequence[Problem],
    *,
    patient_secret: bytes,
    kinds: PictureKinds | None = None,
    released: Released = MappingProxyType({}),
    kept: Kept | None = None,
) -> Iterator[Intake]:
    """Yield what becomes of files that were found, as `read_studies` says it.

    Args:
        kept: the images of a study that were kept before; it is judged with them. An image that
            came again under its UID with other contents takes the place of the one that was kept.
    """
    yield from map(_no_study, problems)
    judge = Judge(files, patient_secret=patient_secret, kinds=kinds, released=released, kept=kept)
    for uid in list(files.studies):
        yield from judge.study(uid)
    for digest in list(files.converted):
        yield judge.converted(digest)


class Judge:
    """Judges the studies of files that were found, one at a time; what was judged is let go."""

    def __init__(
        self,
        files: StudyFiles,
        *,
        patient_secret: bytes,
        kinds: PictureKinds | None,
        released: Released,
        kept: Kept | None = None,
    ) -> None:
        self._files, self._secret, self._kept = files, patient_secret, kept
        self._witness = Witness(kinds=kinds, released=released)
        self._contested = contested_uids(files.studies.values())

    def study(self, uid: str) -> Iterator[Intake]:
        """Yield the intakes of one Study Instance UID."""
        opened: list[DicomFile] = []
        for found in self._files.studies.pop(uid):
            try:
                opened.append(found.open())
            except InputError as error:  # gone or changed since it was found
                yield Intake(path=found.path, outcome=error)
        before, notices = _with_kept(opened, self._kept(uid) if self._kept else ())
        files = sorted((*opened, *before), key=rank)
        if opened:
            for intake in study_intakes(uid, files, self._contested, self._secret, self._witness):
                told = (
                    _with_earlier(intake, opened, before, notices) if before or notices else intake
                )
                if any(
                    not file.kept for file in told.files
                ):  # nothing that came now can be read: the study is as it was
                    yield told

    def converted(self, digest: str) -> Intake:
        """Return the intake of one NIfTI content."""
        return nifti_intake(self._files.converted.pop(digest), self._secret, self._witness)


def _with_kept(
    opened: Sequence[DicomFile], kept: Sequence[SourceFile]
) -> tuple[list[DicomFile], tuple[Notice, ...]]:
    """Return the files of a study that came before and still count, with notices."""
    here = {file.sha256 for file in opened}
    again: dict[str | None, list[DicomFile]] = {}
    for file in opened:
        again.setdefault(Tags(file.header).text("SOPInstanceUID"), []).append(file)
    joined, replaced = [], 0
    for one in kept:
        if one.sha256 in here:
            continue
        # A copy that was cut short takes nobody's place
        if any(decodes(file) for file in again.get(one.sop_uid, ())):
            replaced += 1
        else:
            joined.append(_kept_file(one))
    notices = []
    if joined:
        text = (
            f"The study grew: {len(joined)} of its files came with an earlier admission and are "
            "read with the others."
        )
        notices.append(Notice(code="images-joined", text=text))
    if replaced:
        text = (
            f"{replaced} images came again with other contents under the same UID; the newest "
            "are used."
        )
        notices.append(Notice(code="images-replaced", text=text))
    return joined, tuple(notices)


def _kept_file(one: SourceFile) -> DicomFile:
    """Open a file of the store.

    Raises: IntegrityError if it is gone or is not what was kept.
    """
    try:
        file = open_dicom(one.path)
        if file.sha256 == one.sha256:
            return file
    except InputError:
        pass
    remedy = "restore it from a copy, or send every image of the study again"
    raise IntegrityError(
        "an image that was kept is gone or altered", remedy=remedy, sha256=one.sha256
    )


def _with_earlier(
    intake: Intake,
    opened: Sequence[DicomFile],
    before: Sequence[DicomFile],
    notices: tuple[Notice, ...],
) -> Intake:
    """Return the intake of a study that grew, told by the files that came now.

    Earlier files are marked as kept.
    """
    outcome, earlier = intake.outcome, {file.path for file in before}
    if isinstance(outcome, Study | NotEvaluable):
        outcome = replace(outcome, warnings=tuple(dict.fromkeys((*outcome.warnings, *notices))))
    files = tuple(replace(file, kept=file.path in earlier) for file in intake.files)
    own = [file.path for file in files if not file.kept] or [file.path for file in opened]
    return replace(intake, path=common_folder(own), outcome=outcome, files=files)


def _no_study(problem: Problem) -> Intake:
    if problem.error is not None:
        return Intake(path=problem.path, outcome=problem.error)
    directory = needed(problem.directory, "the DICOMDIR of a problem", path=str(problem.path))
    skipped = NotEvaluable(
        uid=None,
        reason_code=DIRECTORY,
        reason="a DICOMDIR lists files and holds no image; the files themselves are read",
        sha256=directory.sha256,
    )
    return Intake(path=problem.path, outcome=skipped, files=(directory,))
