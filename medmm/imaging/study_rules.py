"""What files of one study say together: contradictions, and slices that count by series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from medmm.domain.errors import InputError
from medmm.domain.study import Modality, Notice
from medmm.imaging.dicom import anatomy
from medmm.imaging.dicom.files import DicomFile, quiet
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import identity_of, same_patient
from medmm.imaging.dicom.pixels import check_grid, stored_values
from medmm.imaging.gate import rules
from medmm.imaging.mr.slice_grouping import contradict, crowded, placed
from medmm.imaging.study_files import ImageFile

EMPTY = ("blank", "noise")  # codes of a picture without content
EMPTY_SLICES = Notice(
    code="slices-empty",
    text="Some slices of a series are blank or noise, as beyond the head; they keep their places.",
)


def judge_files(
    files: Sequence[DicomFile], contested: frozenset[str] = frozenset()
) -> rules.Refusal | None:
    """Say why files of one Study Instance UID contradict each other, before reading them."""
    with quiet:
        return _judged(files, contested)


def _judged(files: Sequence[DicomFile], contested: frozenset[str]) -> rules.Refusal | None:
    who = [identity_of(Tags(file.header)) for file in files]
    if not all(same_patient(who[0], other) for other in who[1:]):
        return rules.Refusal(
            code="mixed-patients",
            reason="not evaluable: the study holds files of different patients",
        )
    double = {
        file.sha256: file.path.name
        for file in files
        if Tags(file.header).text("SOPInstanceUID") in contested
    }
    if double:
        refusal = rules.Refusal(
            code="duplicate-uid",
            reason="not evaluable: one image UID stands for different contents",
        )
        return replace(refusal, reason=f"{refusal.reason}: {_listed(list(double.values()))}")
    slices = placed({file.sha256: file for file in files}.values())
    if contradict(slices):
        return rules.Refusal(
            code="series",
            reason="slices of one series share a place but not their plane",
            held=True,
        )
    scans = [one for one in slices if anatomy.modality_of(one.tags) is Modality.MR]
    if crowded(scans):
        why = (
            "slices or frames of one series share a place and nothing in their headers tells "
            "them apart"
        )
        return rules.Refusal(code="series", reason=why, held=True)
    regions = {anatomy.body_part_of(one.tags).region for one in scans}
    if {"BRAIN", "HEART"} <= regions:
        why = "not evaluable: the study names both brain and heart; send each as a study of its own"
        return rules.Refusal(code="body-parts", reason=why)
    return None


def contested_uids(groups: Iterable[Sequence[ImageFile]]) -> frozenset[str]:
    """Find SOP Instance UIDs of more than one content, within a study or across studies.

    A file whose pixels can't be read, such as a copy that was cut short, contests nothing: it gets
    its own line.
    """
    contents: dict[str, dict[str, ImageFile]] = {}
    for file in chain.from_iterable(groups):
        contents.setdefault(file.sop_uid or "", {})[file.sha256] = file
    several = {uid: files.values() for uid, files in contents.items() if len(files) > 1}
    return frozenset(
        uid for uid, files in several.items() if sum(map(_opens_and_decodes, files)) > 1
    )


def _opens_and_decodes(found: ImageFile) -> bool:
    try:
        return decodes(found.open())
    except InputError:
        return False


def decodes(file: DicomFile) -> bool:
    """Tell whether the pixels of a file can be read."""
    try:
        check_grid(file)
        stored_values(file.path)
    except InputError:
        return False
    return True


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(sorted(names)[:most]) + more


def with_their_series(
    judged: Sequence[tuple[DicomFile, rules.Refusal | None]],
) -> tuple[list[tuple[DicomFile, rules.Refusal | None]], tuple[Notice, ...]]:
    """Return the verdicts after MR slices without content were let in with their series.

    The first and last slices of a head may lie beyond it; left out, one in the middle would tear
    the volume. A series without any slice of content stays refused.
    """
    filled = {_series(file) for file, refusal in judged if refusal is None and _is_mr(file)}
    kept = [
        refusal is not None and refusal.code in EMPTY and _is_mr(file) and _series(file) in filled
        for file, refusal in judged
    ]
    verdicts = [
        (file, None if keep else refusal)
        for (file, refusal), keep in zip(judged, kept, strict=True)
    ]
    return verdicts, (EMPTY_SLICES,) if any(kept) else ()


def _is_mr(file: DicomFile) -> bool:
    return anatomy.modality_of(Tags(file.header)) is Modality.MR


def _series(file: DicomFile) -> str | None:
    return Tags(file.header).text("SeriesInstanceUID")
