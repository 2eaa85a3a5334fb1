"""The door for images: paths in, one `Intake` for every study and for every file that is none."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from medmm.domain.ages import age_notices
from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.identity import PatientIdentity
from medmm.domain.study import Modality, NotEvaluable, Notice, Study, StudyTime, Volume
from medmm.imaging import gate, gate_notes
from medmm.imaging.film_choice import choose_film, film_notices
from medmm.imaging.nifti import (
    CONVERTED,
    UNSTATED,
    NiftiFile,
    judge_nifti,
    load_nifti,
    load_nifti_signal,
    nifti_notices,
    nifti_volume,
)
from medmm.imaging.patient import identity_of, pseudonym, stated_ages
from medmm.imaging.picture import (
    BY_PICTURE,
    DOUBTED,
    RELEASED,
    UNCHECKED,
    UNSTATED_PART,
    PictureKinds,
    Shown,
    judge_kind,
)
from medmm.imaging.pixels import check_grid, display, stored_values
from medmm.imaging.sequence_choice import WANTED, Sequenced, headers_alone, sequenced
from medmm.imaging.sources import DicomFile, open_dicom, quiet
from medmm.imaging.study_files import Kept, Problem, SourceFile, StudyFiles, source_of
from medmm.imaging.study_time import study_time
from medmm.imaging.tags import Tags
from medmm.imaging.together import contested_uids, decodes, judge_files, with_their_series
from medmm.imaging.uids import content_uid
from medmm.imaging.volumes import Built, digest_of, film, load_film, load_signal, load_slices, stacks

Released = Mapping[str, frozenset[str]]
BESIDE_FILMS = "another kind of image than the films of its study"
DIRECTORY = "dicomdir"
MOST_REASONS = 3  # for which objects of a study were left out; more would hide the rest of the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What became of one study, or of one file that is no part of one.

    Attributes:
        path: the file, or the folder that holds all files of the study.
        files: every file that was looked at for this outcome, also copies and objects left out of it.
    """

    path: Path
    outcome: Study | NotEvaluable | InputError
    identity: PatientIdentity | None = None
    files: tuple[SourceFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the gate may ask beside the tags: the network for the kind of picture, and what persons let pass.

    Attributes:
        seen: what a reader must know of a file's pixels, by its digest.
    """

    kinds: PictureKinds | None
    released: Released
    seen: dict[str, tuple[Notice, ...]] = field(default_factory=dict)

    def codes(self, file: DicomFile) -> frozenset[str]:
        """What a person let this file pass."""
        return self.released.get(file.sha256, frozenset())

    def passed(self, file: DicomFile, refusal: gate.Refusal) -> bool:
        """Whether a person let this file pass what holds it."""
        return refusal.held and refusal.code in self.codes(file)


def read_studies(
    paths: Path | Sequence[Path],
    *,
    patient_secret: bytes,
    kinds: PictureKinds | None = None,
    released: Released = MappingProxyType({}),
) -> Iterator[Intake]:
    """Read files and folders; every file ends up in exactly one Intake, and every Study Instance UID in one study.

    Files that can't be read come first, as they are met; then the studies in the order of their first file. Of several
    paths this holds for each in turn: a study stands where its first file was met. Pixels are decoded once to see that
    they can be, and let go.

    Args:
        patient_secret: key of the pseudonyms that stand for patient and accession number.
        kinds: what says of a radiograph's pixels what kind of picture they are; without it the studies carry a warning.
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
    """What becomes of files that were found, as `read_studies` says it.

    Args:
        kept: the images of a study that were kept before; it is judged with them. An image that came again under its UID
            with other contents takes the place of the one that was kept.
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
        """The intakes of one Study Instance UID."""
        opened: list[DicomFile] = []
        for found in self._files.studies.pop(uid):
            try:
                opened.append(found.open())
            except InputError as error:  # gone or changed since it was found
                yield Intake(path=found.path, outcome=error)
        before, notices = _with_kept(opened, self._kept(uid) if self._kept else ())
        files = sorted((*opened, *before), key=_by_content)
        if opened:
            for intake in _study_intakes(uid, files, self._contested, self._secret, self._witness):
                told = _with_earlier(intake, opened, before, notices) if before or notices else intake
                if any(
                    not file.kept for file in told.files
                ):  # nothing that came now can be read: the study is as it was
                    yield told

    def converted(self, digest: str) -> Intake:
        """The intake of one NIfTI content."""
        return _nifti_intake(self._files.converted.pop(digest), self._secret, self._witness)


def _with_kept(opened: Sequence[DicomFile], kept: Sequence[SourceFile]) -> tuple[list[DicomFile], tuple[Notice, ...]]:
    """The files of a study that came before and still count, and what a reader must know of them."""
    here = {file.sha256 for file in opened}
    again: dict[str | None, list[DicomFile]] = {}
    for file in opened:
        again.setdefault(Tags(file.header).text("SOPInstanceUID"), []).append(file)
    joined, replaced = [], 0
    for one in kept:
        if one.sha256 in here:
            continue
        if any(decodes(file) for file in again.get(one.sop_uid, ())):  # a copy that was cut short takes nobody's place
            replaced += 1
        else:
            joined.append(_kept_file(one))
    notices = []
    if joined:
        text = (
            f"The study grew: {len(joined)} of its files came with an earlier admission and are read with the others."
        )
        notices.append(Notice(code="images-joined", text=text))
    if replaced:
        text = f"{replaced} images came again with other contents under the same UID; the newest are used."
        notices.append(Notice(code="images-replaced", text=text))
    return joined, tuple(notices)


def _kept_file(one: SourceFile) -> DicomFile:
    """A file of the store. Raises: IntegrityError if it is gone or is not what was kept."""
    try:
        file = open_dicom(one.path)
        if file.sha256 == one.sha256:
            return file
    except InputError:
        pass
    remedy = "restore it from a copy, or send every image of the study again"
    raise IntegrityError("an image that was kept is gone or altered", remedy=remedy, sha256=one.sha256)


def _with_earlier(
    intake: Intake, opened: Sequence[DicomFile], before: Sequence[DicomFile], notices: tuple[Notice, ...]
) -> Intake:
    """The intake of a study that grew, told by the files that came now; those of before are marked as kept."""
    outcome, earlier = intake.outcome, {file.path for file in before}
    if isinstance(outcome, Study | NotEvaluable):
        outcome = replace(outcome, warnings=tuple(dict.fromkeys((*outcome.warnings, *notices))))
    files = tuple(replace(file, kept=file.path in earlier) for file in intake.files)
    own = [file.path for file in files if not file.kept] or [file.path for file in opened]
    return replace(intake, path=_common(own), outcome=outcome, files=files)


def _by_content(file: DicomFile) -> tuple[str, float, str, str]:
    """An order that does not depend on where files lie and what they are called."""
    tags = Tags(file.header)
    number = tags.number("InstanceNumber")
    series, image = (tags.text(f"{level}InstanceUID") or "" for level in ("Series", "SOP"))
    return series, number if number is not None else 0.0, image, file.sha256


def _no_study(problem: Problem) -> Intake:
    if problem.error is not None:
        return Intake(path=problem.path, outcome=problem.error)
    assert problem.directory is not None  # a problem is one or the other
    skipped = NotEvaluable(
        uid=None,
        reason_code=DIRECTORY,
        reason="a DICOMDIR lists files and holds no image; the files themselves are read",
        sha256=problem.directory.sha256,
    )
    return Intake(path=problem.path, outcome=skipped, files=(problem.directory,))


def _nifti_intake(copies: Sequence[NiftiFile], secret: bytes, witness: Witness) -> Intake:
    """A file of the second door: refused, held until a person says that it is a brain MR, or that study."""
    file, uid = copies[0], content_uid("study", copies[0].sha256)
    image_uid = content_uid("image", file.sha256)
    files = tuple(SourceFile(path=copy.path, sha256=copy.sha256, sop_uid=image_uid) for copy in copies)
    nobody = PatientIdentity(patient_id=None)
    made = partial(Intake, path=_common([copy.path for copy in copies]), identity=nobody, files=files)
    refusal = judge_nifti(file)
    if refusal is None:
        try:
            refusal = gate.judge_pixels(load_nifti(file.path), film=False) or UNSTATED
        except InputError as error:
            return made(outcome=error)
    if not (refusal.held and refusal.code in witness.released.get(file.sha256, ())):
        return made(
            outcome=NotEvaluable(
                uid=uid, reason_code=refusal.code, reason=refusal.reason, held=refusal.held, sha256=file.sha256
            )
        )
    roles = sequenced([Built(volume=nifti_volume(file), notices=())], "BRAIN")
    notices = (RELEASED, *nifti_notices(file), *roles.notices, *_leftover_notices(len(copies) - 1, (), 0))
    study = Study(
        uid=uid,
        patient_key=pseudonym("pk", f"content\x1f{file.sha256}", secret) or "",  # nobody's files are not one patient's
        modality=Modality.MR,
        body_part="BRAIN",
        acquired=None,
        volumes=roles.volumes,
        warnings=notices,
        sequences=roles.chosen,
        missing=roles.missing,
    )
    return made(outcome=study)


def attach_pixels(study: Study, path_of: Callable[[str], Path]) -> Study:
    """The same study with loaders over stored files.

    Args:
        path_of: SHA-256 of a file to its path.
    """
    return replace(study, volumes=tuple(_attached(study, volume, path_of) for volume in study.volumes))


def _attached(study: Study, volume: Volume, path_of: Callable[[str], Path]) -> Volume:
    paths = tuple(path_of(digest) for digest in volume.file_sha256s or (volume.sha256,))
    if study.modality is Modality.RADIOGRAPH:
        return replace(volume, loader=partial(load_film, paths[0]))
    if volume.sop_class_uid == CONVERTED:
        return replace(volume, loader=partial(load_nifti, paths[0]), signal_loader=partial(load_nifti_signal, paths[0]))
    numbers = volume.frame_numbers
    return replace(
        volume, loader=partial(load_slices, paths, numbers), signal_loader=partial(load_signal, paths, numbers)
    )


def _study_intakes(
    uid: str, files: list[DicomFile], contested: frozenset[str], secret: bytes, witness: Witness
) -> Iterator[Intake]:
    """The study of these files, after those of its files whose pixels can't be read."""
    contradiction = judge_files(files, contested)
    if contradiction is not None and not all(witness.passed(file, contradiction) for file in files):
        yield _refused(uid, files, contradiction)
        return
    headers = headers_alone(files)
    if headers is not None:
        yield _refused(uid, files, headers)
        return
    once = list({file.sha256: file for file in reversed(files)}.values())[::-1]
    judged: list[tuple[DicomFile, gate.Refusal | None]] = []
    broken: list[str] = []
    for file in once:
        try:
            with quiet:
                judged.append((file, _judge(file, witness)))
        except InputError as error:
            broken.append(file.sha256)
            same = tuple(source_of(f) for f in files if f.sha256 == file.sha256)
            yield Intake(path=file.path, outcome=error, identity=identity_of(Tags(file.header)), files=same)
    kept = [file for file in files if file.sha256 not in broken]
    if not kept:
        return
    judged, empty = with_their_series(judged)
    judged.sort(key=lambda pair: _rank(pair[0]))  # what follows goes by content, never by the names of files
    passed = [file for file, refusal in judged if refusal is None]
    laterals = [file for file, refusal in judged if refusal == gate.LATERAL_FILM]
    films = [file for file in passed if gate.modality_of(Tags(file.header)) is Modality.RADIOGRAPH]
    used = films + laterals if films else passed
    first = min((r for _, r in judged if r), key=lambda refusal: not refusal.held, default=None)
    if first is not None and (first.held or not passed):
        yield _refused(uid, kept, first)
        return
    going_on = set(map(id, used))
    left = [refusal.reason if refusal else BESIDE_FILMS for file, refusal in judged if id(file) not in going_on]
    notices = _leftover_notices(len(files) - len(once), left, len(broken))
    notices += empty
    notices += (UNCHECKED,) if films and witness.kinds is None else ()
    notices += tuple(notice for file in used for notice in witness.seen.get(file.sha256, ()))
    notices += (RELEASED,) if any(file.sha256 in witness.released for file in used) else ()
    with quiet:
        accepted = _accepted(uid, used, kept, secret, notices)
    yield accepted


def _rank(file: DicomFile) -> tuple[str, float, str, str]:
    """The place of a file in its study: by series, instance number, UID and digest."""
    tags = Tags(file.header)
    number = tags.number("InstanceNumber")
    uids = [tags.text(keyword) or "" for keyword in ("SeriesInstanceUID", "SOPInstanceUID")]
    return uids[0], math.inf if number is None else number, uids[1], file.sha256


def _judge(file: DicomFile, witness: Witness) -> gate.Refusal | None:
    """Ask the header, then decode the pixels once and ask the picture; a lateral film may go with a frontal.

    Raises: InputError if the pixels can't be decoded.
    """
    tags, film = Tags(file.header), gate.modality_of(Tags(file.header)) is Modality.RADIOGRAPH
    kinds = witness.kinds if film else None
    refusal = gate.judge_header(tags, file.preamble, released=witness.codes(file), uids_stated=file.uids_stated)
    lateral = refusal == gate.LATERAL_FILM
    doubted = refusal is not None and kinds is not None and refusal.code in DOUBTED and not lateral
    if refusal is not None and not (refusal.held or lateral or doubted):
        return refusal
    try:
        check_grid(file)
        if refusal is not None and kinds is None and not lateral:
            return refusal
        stored, dataset = stored_values(file.path)
        pixels = display(stored, dataset, file.path)
    except InputError:
        if doubted:
            return refusal  # refused by its tags already: whether its pixels can be read changes nothing
        raise
    shown, kind = Shown.of(pixels, film=film), None
    witness.seen[file.sha256] = shown.notices
    empty = shown.empty(film=film)
    if empty is not None and not empty.held:
        # a picture without content says nothing against its tags
        return refusal if refusal is not None and not lateral else empty
    if refusal is not None and refusal.code == UNSTATED_PART and kinds and kinds.surely_frontal(shown.pixels[0]):
        kind, waived = "frontal", witness.codes(file) | {UNSTATED_PART}
        witness.seen[file.sha256] += (BY_PICTURE,)
        refusal = gate.judge_header(tags, file.preamble, released=waived, uids_stated=file.uids_stated)
        lateral = refusal == gate.LATERAL_FILM
    tagged = refusal is not None and not lateral
    by_kind = judge_kind(kind or kinds.kind_of(shown.pixels[0]), refusal) if kinds else refusal
    answers = [None if tagged else empty, by_kind]
    stands = [answer for answer in answers if answer is not None and not witness.passed(file, answer)]
    return min(stands, key=lambda answer: answer.held, default=None)  # a refusal before a hold


def _refused(uid: str, files: Sequence[DicomFile], refusal: gate.Refusal) -> Intake:
    digests = sorted({file.sha256 for file in files})
    outcome = NotEvaluable(
        uid=uid,
        reason_code=refusal.code,
        reason=refusal.reason,
        held=refusal.held,
        sha256=digests[0] if len(digests) == 1 else digest_of(digests),
    )
    who = None if refusal.code == "mixed-patients" else identity_of(Tags(files[0].header))
    return Intake(
        path=_common([file.path for file in files]),
        outcome=outcome,
        identity=who,
        files=tuple(source_of(f) for f in files),
    )


def _leftover_notices(copies: int, left: Sequence[str], broken: int) -> tuple[Notice, ...]:
    """What of a study's files did not go on: exact copies, what the gate left out with its reasons, what can't be read."""
    notices = []
    if copies:
        notices.append(Notice(code="duplicate-dropped", text=f"{copies} exact copies of a file were left out."))
    if left:
        why = Counter(reason.removeprefix("not evaluable: ") for reason in left)
        reasons = "; ".join(f"{count} x {reason}" for reason, count in why.most_common(MOST_REASONS))
        notices.append(
            Notice(
                code="objects-left-out", text=f"{len(left)} objects of the study were left out by the gate: {reasons}."
            )
        )
    if broken:
        notices.append(Notice(code="files-unreadable", text=f"{broken} files of the study can't be read."))
    return tuple(notices)


def _accepted(
    uid: str, used: Sequence[DicomFile], kept: Sequence[DicomFile], secret: bytes, extra: tuple[Notice, ...]
) -> Intake:
    lead = Tags(used[0].header)
    radiograph = gate.modality_of(lead) is Modality.RADIOGRAPH
    regions = (gate.body_part_of(Tags(file.header)).region for file in used)
    body_part = "CHEST" if radiograph else next(filter(None, regions), "BRAIN")  # what was released may state none
    built: list[Built] = [film(file) for file in used] if radiograph else stacks(used)
    chosen_film, built = choose_film(built) if radiograph else (None, built)
    plain = Sequenced(volumes=tuple(one.volume for one in built), chosen=(), missing=(), notices=())
    roles = plain if radiograph else sequenced(built, body_part)
    main = chosen_film or next((c for role in WANTED.get(body_part, ()) for c in roles.chosen if c.role is role), None)
    when, time_notices = _first_acquired(used)
    identity = identity_of(lead)
    ages = stated_ages(Tags(file.header) for file in used)
    notices = [*time_notices, *extra, *roles.notices, *film_notices(chosen_film, roles.volumes)]
    notices += [notice for one in built for notice in one.notices]
    for file in used:
        notices += gate_notes.notes(Tags(file.header), syntax=file.syntax, prefixed=file.prefixed)
    notices += age_notices(ages)
    study = Study(
        uid=uid,
        patient_key=identity.key(secret),
        modality=Modality.RADIOGRAPH if radiograph else Modality.MR,
        body_part=body_part,
        acquired=when,
        volumes=roles.volumes,
        warnings=tuple(dict.fromkeys(notices)),
        sequences=roles.chosen,
        missing=roles.missing,
        accession_key=pseudonym("ak", lead.text("AccessionNumber"), secret),
        film=chosen_film,
        main_sha256=main.volume_sha256 if main else None,
        ages=ages,
    )
    return Intake(
        path=_common([file.path for file in kept]),
        outcome=study,
        identity=identity,
        files=tuple(source_of(f) for f in kept),
    )


def _first_acquired(files: Sequence[DicomFile]) -> tuple[StudyTime | None, tuple[Notice, ...]]:
    """The earliest time among the images: what was recorded after it may not have been known to any."""
    times = [study_time(Tags(file.header)) for file in files]
    return min(times, key=lambda pair: pair[0].earliest if pair[0] else datetime.max.replace(tzinfo=UTC))


def _common(paths: Sequence[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.commonpath([path.parent for path in paths]))
