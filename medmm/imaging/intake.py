"""The door for images: paths in, one `Intake` for every study and every other file."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.patient_age import age_notices
from medmm.domain.study import Modality, NotEvaluable, Notice, Study, StudyTime, Volume
from medmm.imaging.built_volume import Built
from medmm.imaging.dicom import anatomy
from medmm.imaging.dicom.acquisition_time import study_time
from medmm.imaging.dicom.content_uids import content_uid
from medmm.imaging.dicom.files import DicomFile, quiet
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import identity_of, pseudonym, stated_ages
from medmm.imaging.dicom.pixels import check_grid, shown, stored_values
from medmm.imaging.dicom.study_order import stated_order
from medmm.imaging.film import film, load_film
from medmm.imaging.film_selection import choose_film, film_notices
from medmm.imaging.frames import with_frames
from medmm.imaging.gate import rules, warnings
from medmm.imaging.gate.layout import judge_layout, judge_shown_nifti
from medmm.imaging.gate.picture_kind import (
    BY_PICTURE,
    DOUBTED,
    RELEASED,
    UNCHECKED,
    UNSTATED_PART,
    JudgedPicture,
    PictureKinds,
    judge_kind,
)
from medmm.imaging.mr.series_selection import WANTED, Sequenced, headers_alone, sequenced
from medmm.imaging.mr.stacking import digest_of, load_signal, load_slices, stacks
from medmm.imaging.nifti.files import (
    CONVERTED,
    UNSTATED,
    NiftiFile,
    judge_nifti,
    load_nifti,
    load_nifti_signal,
    nifti_notices,
    nifti_volume,
    shown_nifti,
)
from medmm.imaging.study_files import SourceFile, source_of
from medmm.imaging.study_rules import judge_files, with_their_series

Released = Mapping[str, frozenset[str]]
BESIDE_FILMS = "another kind of image than the films of its study"
DIRECTORY = "dicomdir"
MOST_REASONS = 3  # for which objects of a study were left out; more would hide the rest of the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What became of one study, or of one file that is no part of one.

    Attributes:
        path: the file, or the folder that holds all files of the study.
        files: every file that was looked at for this outcome, also copies and objects left out of
            it.
        order: what the images state of the order that they were made for.
    """

    path: Path
    outcome: Study | NotEvaluable | InputError
    identity: PatientIdentity | None = None
    files: tuple[SourceFile, ...] = ()
    order: StudyOrder = field(default_factory=StudyOrder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the gate may ask beside the tags: the picture-kind network, and past releases.

    Attributes:
        seen: what a reader must know of a file's pixels, by its digest.
    """

    kinds: PictureKinds | None
    released: Released
    seen: dict[str, tuple[Notice, ...]] = field(default_factory=dict)

    def codes(self, file: DicomFile) -> frozenset[str]:
        """Return what a person let this file pass."""
        return self.released.get(file.sha256, frozenset())

    def passed(self, file: DicomFile, refusal: rules.Refusal) -> bool:
        """Tell whether a person let this file pass what holds it."""
        return refusal.held and refusal.code in self.codes(file)


def nifti_intake(copies: Sequence[NiftiFile], secret: bytes, witness: Witness) -> Intake:
    """Take in a NIfTI file: refused, held until a person calls it a brain MR, or a study."""
    file, uid = copies[0], content_uid("study", copies[0].sha256)
    image_uid = content_uid("image", file.sha256)
    files = tuple(
        SourceFile(path=copy.path, sha256=copy.sha256, sop_uid=image_uid) for copy in copies
    )
    nobody = PatientIdentity(patient_id=None)
    made = partial(
        Intake, path=common_folder([copy.path for copy in copies]), identity=nobody, files=files
    )
    refusal, seen = judge_nifti(file), tuple[Notice, ...]()
    if refusal is None:
        try:
            picture = shown_nifti(file.path)
            refusal, seen = judge_shown_nifti(picture) or UNSTATED, picture.notices
        except InputError as error:
            return made(outcome=error)
    if not (refusal.held and refusal.code in witness.released.get(file.sha256, ())):
        return made(
            outcome=NotEvaluable(
                uid=uid,
                reason_code=refusal.code,
                reason=refusal.reason,
                held=refusal.held,
                sha256=file.sha256,
            )
        )
    roles = sequenced([Built(volume=nifti_volume(file), notices=())], "BRAIN")
    notices = (
        RELEASED,
        *nifti_notices(file),
        *seen,
        *roles.notices,
        *_leftover_notices(len(copies) - 1, (), 0),
    )
    study = Study(
        uid=uid,
        # Nobody's files are not one patient's
        patient_key=pseudonym("pk", f"content\x1f{file.sha256}", secret) or "",
        modality=Modality.MR,
        body_part="BRAIN",
        acquired=None,
        volumes=roles.volumes,
        warnings=notices,
        sequences=roles.chosen,
        missing=roles.missing,
    )
    return made(outcome=framed(study, files))


def attach_pixels(study: Study, path_of: Callable[[str], Path]) -> Study:
    """Return the same study with loaders over stored files.

    Args:
        path_of: SHA-256 of a file to its path; it is asked whenever that file is opened, not
            before.
    """
    return replace(
        study, volumes=tuple(_attached(study, volume, path_of) for volume in study.volumes)
    )


def _attached(study: Study, volume: Volume, path_of: Callable[[str], Path]) -> Volume:
    digests, numbers = volume.file_sha256s or (volume.sha256,), volume.frame_numbers
    volume = with_frames(volume, path_of)
    if study.modality is Modality.RADIOGRAPH:
        return replace(volume, loader=lambda: load_film(path_of(digests[0])))
    if volume.sop_class_uid == CONVERTED:
        return replace(
            volume,
            loader=lambda: load_nifti(path_of(digests[0])),
            signal_loader=lambda: load_nifti_signal(path_of(digests[0])),
        )
    return replace(
        volume,
        loader=lambda: load_slices([path_of(digest) for digest in digests], numbers),
        signal_loader=lambda: load_signal([path_of(digest) for digest in digests], numbers),
    )


def framed(study: Study, files: Sequence[SourceFile]) -> Study:
    """Return the same study whose volumes give slices one at a time from these files."""
    path_of = {file.sha256: file.path for file in reversed(files)}.__getitem__
    return replace(study, volumes=tuple(with_frames(volume, path_of) for volume in study.volumes))


def study_intakes(
    uid: str, files: list[DicomFile], contested: frozenset[str], secret: bytes, witness: Witness
) -> Iterator[Intake]:
    """Yield the study of these files, after its files whose pixels can't be read."""
    contradiction = judge_files(files, contested)
    if contradiction is not None and not all(witness.passed(file, contradiction) for file in files):
        yield _refused(uid, files, contradiction)
        return
    headers = headers_alone(files)
    if headers is not None:
        yield _refused(uid, files, headers)
        return
    once = list({file.sha256: file for file in reversed(files)}.values())[::-1]
    judged: list[tuple[DicomFile, rules.Refusal | None]] = []
    broken: list[str] = []
    for file in once:
        try:
            with quiet:
                judged.append((file, _judge(file, witness)))
        except InputError as error:
            broken.append(file.sha256)
            same = tuple(source_of(f) for f in files if f.sha256 == file.sha256)
            yield Intake(
                path=file.path, outcome=error, identity=identity_of(Tags(file.header)), files=same
            )
    kept = [file for file in files if file.sha256 not in broken]
    if not kept:
        return
    judged, empty = with_their_series(judged)
    # What follows goes by content, never by the names of files
    judged.sort(key=lambda pair: rank(pair[0]))
    passed = [file for file, refusal in judged if refusal is None]
    laterals = [file for file, refusal in judged if refusal == rules.LATERAL_FILM]
    films = [
        file for file in passed if anatomy.modality_of(Tags(file.header)) is Modality.RADIOGRAPH
    ]
    used = films + laterals if films else passed
    first = min((r for _, r in judged if r), key=lambda refusal: not refusal.held, default=None)
    if first is not None and (first.held or not passed):
        yield _refused(uid, kept, first)
        return
    going_on = set(map(id, used))
    left = [
        refusal.reason if refusal else BESIDE_FILMS
        for file, refusal in judged
        if id(file) not in going_on
    ]
    notices = _leftover_notices(len(files) - len(once), left, len(broken))
    notices += empty
    notices += (UNCHECKED,) if films and witness.kinds is None else ()
    notices += tuple(notice for file in used for notice in witness.seen.get(file.sha256, ()))
    notices += (RELEASED,) if any(file.sha256 in witness.released for file in used) else ()
    try:
        with quiet:
            accepted = _accepted(uid, used, kept, secret, notices)
    except InputError as error:  # values that can be decoded, on a scale that can't be applied
        who = identity_of(Tags(used[0].header))
        accepted = Intake(
            path=common_folder([file.path for file in kept]),
            outcome=error,
            identity=who,
            files=tuple(source_of(file) for file in kept),
        )
    yield accepted


def rank(file: DicomFile) -> tuple[str, float, str, str]:
    """Return a file's place in its study: by series, instance number, UID and digest."""
    tags = Tags(file.header)
    number = tags.number("InstanceNumber")
    uids = [tags.text(keyword) or "" for keyword in ("SeriesInstanceUID", "SOPInstanceUID")]
    return uids[0], math.inf if number is None else number, uids[1], file.sha256


def _judge(file: DicomFile, witness: Witness) -> rules.Refusal | None:
    """Judge a file by its header, then by its pixels, decoded once.

    A lateral film may go with a frontal one.

    Raises: InputError if the pixels can't be decoded.
    """
    tags, film = Tags(file.header), anatomy.modality_of(Tags(file.header)) is Modality.RADIOGRAPH
    kinds = witness.kinds if film else None
    refusal = rules.judge_header(
        tags, file.preamble, released=witness.codes(file), uids_stated=file.uids_stated
    )
    lateral = refusal == rules.LATERAL_FILM
    doubted = refusal is not None and kinds is not None and refusal.code in DOUBTED and not lateral
    if refusal is not None and not (refusal.held or lateral or doubted):
        return refusal
    try:
        check_grid(file)
        if refusal is not None and kinds is None and not lateral:
            return refusal
        stored, dataset = stored_values(file.path)
        picture = shown(stored, dataset, file.path)
    except InputError:
        if doubted:
            # Refused by its tags already: whether its pixels can be read changes nothing
            return refusal
        raise
    field, kind = JudgedPicture.of(picture.grey, film=film), None
    witness.seen[file.sha256] = (*picture.notices, *field.notices)
    empty = field.empty(film=film, background=picture.background)
    if empty is not None and not empty.held:
        # a picture without content says nothing against its tags
        return refusal if refusal is not None and not lateral else empty
    if (
        refusal is not None
        and refusal.code == UNSTATED_PART
        and kinds
        and kinds.surely_frontal(field.pixels[0])
    ):
        kind, waived = "frontal", witness.codes(file) | {UNSTATED_PART}
        witness.seen[file.sha256] += (BY_PICTURE,)
        refusal = rules.judge_header(
            tags, file.preamble, released=waived, uids_stated=file.uids_stated
        )
        lateral = refusal == rules.LATERAL_FILM
    tagged = refusal is not None and not lateral
    by_kind = judge_kind(kind or kinds.kind_of(field.pixels[0]), refusal) if kinds else refusal
    by_layout = None if lateral else judge_layout(field.pixels, film=film, foreign=picture.foreign)
    answers = [None if tagged else empty, None if tagged else by_layout, by_kind]
    stands = [
        answer for answer in answers if answer is not None and not witness.passed(file, answer)
    ]
    return min(stands, key=lambda answer: answer.held, default=None)  # a refusal before a hold


def _refused(uid: str, files: Sequence[DicomFile], refusal: rules.Refusal) -> Intake:
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
        path=common_folder([file.path for file in files]),
        outcome=outcome,
        identity=who,
        files=tuple(source_of(f) for f in files),
    )


def _leftover_notices(copies: int, left: Sequence[str], broken: int) -> tuple[Notice, ...]:
    """Say which files of a study did not go on, and why.

    These are exact copies, what the gate left out, and what can't be read.
    """
    notices = []
    if copies:
        notices.append(
            Notice(code="duplicate-dropped", text=f"{copies} exact copies of a file were left out.")
        )
    if left:
        why = Counter(reason.removeprefix("not evaluable: ") for reason in left)
        reasons = "; ".join(
            f"{count} x {reason}" for reason, count in why.most_common(MOST_REASONS)
        )
        notices.append(
            Notice(
                code="objects-left-out",
                text=f"{len(left)} objects of the study were left out by the gate: {reasons}.",
            )
        )
    if broken:
        notices.append(
            Notice(code="files-unreadable", text=f"{broken} files of the study can't be read.")
        )
    return tuple(notices)


def _accepted(
    uid: str,
    used: Sequence[DicomFile],
    kept: Sequence[DicomFile],
    secret: bytes,
    extra: tuple[Notice, ...],
) -> Intake:
    lead = Tags(used[0].header)
    radiograph = anatomy.modality_of(lead) is Modality.RADIOGRAPH
    regions = (anatomy.body_part_of(Tags(file.header)).region for file in used)
    # What was released may state none
    body_part = "CHEST" if radiograph else next(filter(None, regions), "BRAIN")
    built: list[Built] = [film(file) for file in used] if radiograph else stacks(used)
    chosen_film, built = choose_film(built) if radiograph else (None, built)
    plain = Sequenced(volumes=tuple(one.volume for one in built), chosen=(), missing=(), notices=())
    roles = plain if radiograph else sequenced(built, body_part)
    main = chosen_film or next(
        (c for role in WANTED.get(body_part, ()) for c in roles.chosen if c.role is role), None
    )
    when, time_notices = _first_acquired(used)
    identity = identity_of(lead)
    ages = stated_ages(Tags(file.header) for file in used)
    notices = [*time_notices, *extra, *roles.notices, *film_notices(chosen_film, roles.volumes)]
    notices += [notice for one in built for notice in one.notices]
    for file in used:
        notices += warnings.notes(Tags(file.header), syntax=file.syntax, prefixed=file.prefixed)
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
        burned_in_text=warnings.burned_in_text(Tags(file.header) for file in used),
    )
    sources = tuple(source_of(f) for f in kept)
    return Intake(
        path=common_folder([file.path for file in kept]),
        outcome=framed(study, sources),
        identity=identity,
        files=sources,
        order=stated_order([Tags(file.header) for file in used], mr=not radiograph),
    )


def _first_acquired(files: Sequence[DicomFile]) -> tuple[StudyTime | None, tuple[Notice, ...]]:
    """Find the earliest time among the images.

    What was recorded after it may not have been known to any of them.
    """
    times = [study_time(Tags(file.header)) for file in files]
    return min(
        times, key=lambda pair: pair[0].earliest if pair[0] else datetime.max.replace(tzinfo=UTC)
    )


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the one path, or the folder that holds all.

    Images that came before lie in the data folder, new ones wherever the caller named them.
    """
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.commonpath([path.absolute().parent for path in paths]))
