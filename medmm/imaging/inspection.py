"""A look at what came in, series by series, so that a person can look before a release.

It does not ask whether the gate lets it pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.study import Modality, NotEvaluable, Notice, Study, Volume
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.imaging.built_volume import Built
from medmm.imaging.dicom import anatomy
from medmm.imaging.dicom.files import DicomFile, open_dicom
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.pixels import check_grid, frame_count, polarity_words, window_words
from medmm.imaging.film import film
from medmm.imaging.frames import with_frames
from medmm.imaging.gate import rules, warnings
from medmm.imaging.gate.layout import judge_layout
from medmm.imaging.gate.picture_kind import UNSTATED_PART, JudgedPicture, PictureKinds, judge_kind
from medmm.imaging.intake import DIRECTORY, Intake
from medmm.imaging.mr.series_selection import in_parts
from medmm.imaging.mr.stacking import frame_header, stacks
from medmm.imaging.nifti.files import (
    UNSTATED,
    NiftiFile,
    is_nifti,
    judge_nifti,
    nifti_notices,
    nifti_volume,
    open_nifti,
)

MOST_STUDIES = 6
MOST_WINDOWS = 4


def look_at(intake: Intake, kinds: PictureKinds | None = None) -> tuple[SeriesLook, ...]:
    """Say what each series of an intake was understood as.

    Its files are opened again; a file that can't be read says nothing.

    Args:
        kinds: as in `read_studies`.
    """
    looks: list[SeriesLook] = []
    groups: dict[str, list[DicomFile]] = {}
    for path, copies in _once(intake):
        try:
            if is_nifti(path):
                looks.append(_nifti_look(open_nifti(path), copies))
                continue
            file = open_dicom(path)
        except InputError:  # that file has an Intake of its own, which says so
            continue
        groups.setdefault(Tags(file.header).text("SeriesInstanceUID") or "", []).append(file)
    made = (*looks, *(_series_look(uid, files, kinds) for uid, files in groups.items()))
    return tuple(
        replace(look, volumes=tuple(_as_accepted(v, intake) for v in look.volumes)) for look in made
    )


def _as_accepted(volume: Volume, intake: Intake) -> Volume:
    """Return the volume with its role as the study has it, giving its slices one at a time.

    The study's role was confirmed on the pixels too.
    """
    path_of = {file.sha256: file.path for file in reversed(intake.files)}.__getitem__
    kept = intake.outcome.volume(volume.sha256) if isinstance(intake.outcome, Study) else None
    return with_frames(volume if kept is None else replace(volume, sequence=kept.sequence), path_of)


def inspection(intake: Intake, kinds: PictureKinds | None = None) -> Inspection:
    """Say what an intake is understood as, without a record."""
    outcome = intake.outcome
    return Inspection(
        path=str(intake.path),
        study=outcome if isinstance(outcome, Study) else None,
        not_evaluable=outcome if isinstance(outcome, NotEvaluable) else None,
        problem=str(outcome) if isinstance(outcome, InputError) else None,
        identity=intake.identity,
        file_count=len(intake.files),
        series=look_at(intake, kinds),
    )


def one_study(intakes: Iterable[Intake], path: Path) -> Intake:
    """Return the one study among intakes of a path.

    Raises: InputError if there is none or there are several.
    """
    found = list(intakes)
    problems = [i.outcome for i in found if isinstance(i.outcome, InputError)]
    listed = [i for i in found if not isinstance(i.outcome, InputError)]
    studies = [i for i in listed if getattr(i.outcome, "reason_code", None) != DIRECTORY] or listed
    if len(studies) == 1:
        return studies[0]
    if not studies and problems:
        raise problems[0]
    uids = [i.outcome.uid or "" for i in studies if isinstance(i.outcome, Study | NotEvaluable)]
    raise InputError(
        f"the path holds {len(studies)} studies",
        remedy="admit one at a time: name its UID (`--study`, study_uid=) or its files",
        path=str(path),
        studies=", ".join(uids[:MOST_STUDIES]) + (" …" if len(uids) > MOST_STUDIES else ""),
    )


def _once(intake: Intake) -> Iterator[tuple[Path, int]]:
    """Yield one path of every content, and how many files hold it."""
    digests = [file.sha256 for file in intake.files]
    first = {file.sha256: file.path for file in reversed(intake.files)}
    for digest in dict.fromkeys(digests):
        yield first[digest], digests.count(digest)


def _nifti_look(file: NiftiFile, copies: int) -> SeriesLook:
    refusal = judge_nifti(file) or UNSTATED
    volume = nifti_volume(file)
    shown = file.grey and file.volumes == 1
    problem: str | None = None
    objections: tuple[rules.Refusal, ...] = ()
    if shown:
        problem, seen = _pixels_seen([volume], False, None)
        objections = seen.objections
    low, high = file.window or (0, 0)
    return SeriesLook(
        series_uid=volume.series_uid,
        kind="modality, body part and patient not stated",
        encoding=file.encoding,
        file_count=copies,
        frame_count=file.shape_zyx[0] * file.volumes,
        polarity="small values are shown black (as stored)",
        windows=(
            f"{low:g} to {high:g} (applied)"
            if file.window
            else "the whole range of values (applied)",
        ),
        objections=tuple(map(_notice, sorted((refusal, *objections), key=lambda one: one.held))),
        warnings=nifti_notices(file),
        volumes=(volume,) if shown and problem is None else (),
        problem=problem or (None if shown else "several volumes, or no grey values; not shown"),
    )


def _series_look(uid: str, files: Sequence[DicomFile], kinds: PictureKinds | None) -> SeriesLook:
    tags = [Tags(file.header) for file in files]
    lead = tags[0]
    radiograph = anatomy.modality_of(lead) is Modality.RADIOGRAPH
    found = [
        list(rules.objections(Tags(f.header), f.preamble, uids_stated=f.uids_stated)) for f in files
    ]
    built, problem = _built(files)
    volumes = tuple(in_parts(built))
    undecodable, seen = _pixels_seen(volumes, radiograph, kinds)
    notices = [
        n
        for f in files
        for n in warnings.notes(Tags(f.header), syntax=f.syntax, prefixed=f.prefixed)
    ]
    by_tags = (
        one for one in chain.from_iterable(found) if not (seen.sure and one.code == UNSTATED_PART)
    )
    against = sorted((*by_tags, *seen.objections), key=lambda refusal: refusal.held)
    shown = [words for file in files for words in window_words(Tags(frame_header(file.header, 0)))]
    return SeriesLook(
        series_uid=uid,
        kind=_kind(lead),
        encoding=", ".join(dict.fromkeys(file.syntax.name for file in files)),
        file_count=len(files),
        frame_count=sum(max(frame_count(one), 0) for one in tags),
        polarity="; ".join(dict.fromkeys(polarity_words(one) for one in tags)),
        windows=_few(tuple(dict.fromkeys(shown))),
        objections=tuple(dict.fromkeys(map(_notice, against))),
        warnings=tuple(
            dict.fromkeys((*notices, *(n for one in built for n in one.notices), *seen.notices))
        ),
        volumes=() if undecodable else volumes,
        problem=problem or undecodable,
    )


def _built(files: Sequence[DicomFile]) -> tuple[list[Built], str | None]:
    """Build the volumes of files whose grid can be trusted, and say why one can't."""
    sound, problem = [], None
    for file in files:
        try:
            check_grid(file)
            sound.append(file)
        except InputError as error:
            problem = error.problem
    if not sound:
        return [], problem
    if anatomy.modality_of(Tags(sound[0].header)) is Modality.RADIOGRAPH:
        return [film(file) for file in sound], problem
    return stacks(sound), problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelsSeen:
    """What the pixels of a series say: against it, of it, and whether it is surely frontal."""

    objections: tuple[rules.Refusal, ...] = ()
    notices: tuple[Notice, ...] = ()
    sure: bool = False


def _pixels_seen(
    volumes: Sequence[Volume], radiograph: bool, kinds: PictureKinds | None
) -> tuple[str | None, PixelsSeen]:
    """Say why a picture does not decode, and what is seen in those that do."""
    objections: list[rules.Refusal] = []
    notices: list[Notice] = []
    sure: list[bool] = []
    for volume in volumes:
        try:
            pixels = volume.pixels()
        except InputError as error:
            return error.problem, PixelsSeen()
        shown = JudgedPicture.of(pixels, film=radiograph)
        empty, grey = shown.empty(film=radiograph), shown.pixels[0]
        asked = kinds if radiograph and not empty else None
        by_kind = judge_kind(asked.kind_of(grey), None) if asked else None
        layout = None if empty else judge_layout(shown.pixels, film=radiograph)
        objections += [refusal for refusal in (empty, layout, by_kind) if refusal]
        notices += shown.notices
        sure.append(asked is not None and asked.surely_frontal(grey))
    seen = PixelsSeen(
        objections=tuple(dict.fromkeys(objections)),
        notices=tuple(notices),
        sure=bool(sure) and all(sure),
    )
    return None, seen


def _kind(tags: Tags) -> str:
    """Name modality, body part and view as understood.

    A word that is not a plain code is not repeated.
    """
    modality, part = tags.word("Modality"), anatomy.body_part_of(tags)
    named = modality if re.fullmatch(r"[A-Z0-9]{2,16}", modality) else "modality not stated"
    region = (
        part.word
        if re.fullmatch(r"[A-Z0-9 -]{1,40}", part.word)
        else part.region.lower() or "body part not stated"
    )
    words = f"{named} of {region}"
    if anatomy.modality_of(tags) is not Modality.RADIOGRAPH:
        return words
    view = anatomy.view_of(tags)
    return f"{words}, view {view.value if view else 'not read'}"


def _few(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(words) <= MOST_WINDOWS:
        return words
    return (f"{len(words)} different statements, each slice by its own: {words[0]}, …",)


def _notice(refusal: rules.Refusal) -> Notice:
    return Notice(
        code=refusal.code, text=f"{'held' if refusal.held else 'refused'}: {refusal.reason}"
    )
