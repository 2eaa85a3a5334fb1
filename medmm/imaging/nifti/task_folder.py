"""The door for arrays: a folder of NIfTI files for a task, to one `Study`.

The files stand under fixed names.

The caller says by task and names what the files show; nothing in them can bear that out. What can
be known is checked: the grid, the voxel size, the values, and that the files of one study lie on
one grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from medmm.domain import study as nouns
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.read_task import ReadTask
from medmm.domain.study import ChosenSequence, Modality, NotEvaluable, Notice, SequenceRole, Study
from medmm.imaging.dicom.content_uids import content_uid
from medmm.imaging.dicom.files import opened
from medmm.imaging.dicom.patient import pseudonym
from medmm.imaging.file_search import checked
from medmm.imaging.frames import with_frames
from medmm.imaging.gate.rules import Refusal
from medmm.imaging.intake import Intake
from medmm.imaging.mr.stacking import digest_of
from medmm.imaging.nifti.files import (
    NOTICES,
    SUFFIXES,
    is_nifti,
    nifti_signal,
    nifti_volume,
    open_nifti,
)
from medmm.imaging.nifti.task_rules import (
    Array,
    TaskFile,
    coverage,
    index_in,
    judge_grid,
    judge_values,
    same_grid,
)
from medmm.imaging.study_files import SourceFile

COVERED = 0.75  # part of the voxels of flair that another file must reach
MOST_NAMES = 6

BY_NAME = Notice(
    code="arrays-by-name",
    text="NIfTI files state no modality, body part, sequence, patient or date: they were taken "
    "for what the task and their names say.",
)
NOT_IN_ML = Notice(
    code="lesion-not-in-ml",
    text="A lesion in arrays gets no volume in ml: it was never checked on arrays with a known "
    "voxel size.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFiles:
    """What a task reads: the body part and its files, the one that gives the grid first."""

    body_part: str
    parts: tuple[TaskFile, ...]


KINDS: Mapping[ReadTask, TaskFiles] = MappingProxyType(
    {
        ReadTask.HIPPOCAMPUS: TaskFiles(
            body_part="HIPPOCAMPUS", parts=(TaskFile(stem="t1", role=SequenceRole.T1),)
        ),
        ReadTask.BRAIN_LESION: TaskFiles(
            body_part="BRAIN",
            parts=(
                TaskFile(stem="flair", role=SequenceRole.FLAIR),
                TaskFile(stem="t1", role=SequenceRole.T1, needed=False),
                TaskFile(stem="t1c", role=SequenceRole.T1_CONTRAST, needed=False),
            ),
        ),
        ReadTask.CARDIAC: TaskFiles(
            body_part="HEART",
            parts=(
                TaskFile(stem="ed", role=SequenceRole.CINE_ED),
                TaskFile(stem="es", role=SequenceRole.CINE_ES),
            ),
        ),
    }
)


def read_arrays(folder: Path, task: ReadTask, *, patient_secret: bytes) -> Iterator[Intake]:
    """Read the arrays of one study.

    Args:
        patient_secret: key of the pseudonym that stands for the patient, whom nothing names.

    Raises: InputError if the folder is none, or does not hold the files of the task; a file of it
        that can't be read is the outcome of its `Intake`.
    """
    paths = named_files(folder, task)
    try:
        arrays = [_opened(part, path) for part, path in paths.items()]
        sources = tuple(
            SourceFile(path=a.file.path, sha256=a.file.sha256, sop_uid=a.volume.sop_uids[0])
            for a in arrays
        )
        digest = digest_of([source.sha256 for source in sources])
        uid = content_uid(f"study {task.value}", digest)
        outcome = _judged(arrays, task)
    except InputError as error:
        yield Intake(path=folder, outcome=error)
        return
    made = partial(Intake, path=folder, identity=PatientIdentity(patient_id=None), files=sources)
    if isinstance(outcome, Refusal):
        refused = NotEvaluable(
            uid=uid, reason_code=outcome.code, reason=outcome.reason, sha256=digest
        )
        yield made(outcome=refused)
        return
    kept, notices = outcome
    # Nobody's files are not one patient's
    patient = pseudonym("pk", f"content\x1f{digest}", patient_secret) or ""
    yield made(outcome=_study(uid, patient, task, kept, notices))


def named_files(folder: Path, task: ReadTask) -> dict[TaskFile, Path]:
    """Find the files of a task in a folder.

    Raises: InputError that says what was looked for and what is there.
    """
    there = _entries(folder, task)
    found: dict[TaskFile, Path] = {}
    for part in KINDS[task].parts:
        names = [
            path
            for path in there
            if path.name.lower() in [part.stem + suffix for suffix in SUFFIXES]
        ]
        if len(names) > 1:
            problem = (
                f"{' and '.join(path.name for path in names)}: which one is meant is not known"
            )
            raise InputError(problem, remedy="keep one of them in the folder", path=str(folder))
        if names:
            path = checked(names[0], folder)
            if isinstance(path, InputError):
                raise path
            found[part] = path
    if any(part.needed and part not in found for part in KINDS[task].parts):
        raise _not_there(folder, task, there)
    return found


def _entries(folder: Path, task: ReadTask) -> list[Path]:
    try:
        if folder.is_dir():
            return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        problem = (
            f"--task {task.value} reads a folder, and this is none"
            if folder.exists()
            else "no such folder"
        )
    except OSError as error:
        raise InputError(
            f"the folder can't be opened: {type(error).__name__}",
            remedy="check its permissions",
            path=str(folder),
        ) from error
    raise InputError(
        problem, remedy=f"name a folder that holds {_looked_for(task)}", path=str(folder)
    )


def _looked_for(task: ReadTask) -> str:
    needed = [f"{part.stem}.nii.gz" for part in KINDS[task].parts if part.needed]
    more = [f"{part.stem}.nii.gz" for part in KINDS[task].parts if not part.needed]
    return (
        " and ".join(needed)
        + (f" (with {' and '.join(more)} where there are any)" if more else "")
        + ", or .nii"
    )


def _not_there(folder: Path, task: ReadTask, there: Sequence[Path]) -> InputError:
    """Say what was looked for, what is there, and what would help."""
    files = [path for path in there if path.is_file()]
    arrays = [path.name for path in files if path.name.lower().endswith(SUFFIXES)]
    dicom = sum(_is_dicom(path) for path in files)
    rest = len(files) - len(arrays) - dicom
    folders = len(there) - len(files)
    shown = ", ".join(arrays[:MOST_NAMES]) + (
        f" and {len(arrays) - MOST_NAMES} more" if arrays[MOST_NAMES:] else ""
    )
    words = (
        (len(arrays), shown),
        (dicom, f"{dicom} DICOM files"),
        (rest, f"{rest} other files"),
        (folders, f"{folders} folders"),
    )
    holds = "; ".join(word for count, word in words if count) or "nothing"
    if dicom and not arrays:
        remedy = "leave --task out: DICOM says itself what it is, and --task is for arrays alone"
    elif folders and not files:
        remedy = "name the folders of the studies themselves, each with its files"
    else:
        remedy = "give the files these names"
    problem = f"--task {task.value} looks for {_looked_for(task)}; there is: {holds}"
    return InputError(problem, remedy=remedy, path=str(folder))


def _is_dicom(path: Path) -> bool:
    with opened(path) as file:
        return file.read(132)[128:] == b"DICM"


def _opened(part: TaskFile, path: Path) -> Array:
    """Open one file of a task.

    Raises: InputError if it is not NIfTI, or its values are not there.
    """
    if not is_nifti(path):
        raise InputError(
            "DICOM under the name of a NIfTI file", remedy="leave --task out", path=str(path)
        )
    file = open_nifti(path)
    sequence = nouns.Sequence(role=part.role, reason=f"named by the file {path.name}")
    volume = replace(
        nifti_volume(file), sequence=sequence, signal_loader=partial(nifti_signal, path)
    )
    return Array(part=part, file=file, volume=with_frames(volume, {file.sha256: path}.__getitem__))


def _study(
    uid: str, patient_key: str, task: ReadTask, arrays: Sequence[Array], notices: Sequence[Notice]
) -> Study:
    lesion = task is ReadTask.BRAIN_LESION
    # Without a distance of slices nothing is measured across them.
    volumes = tuple(replace(a.volume, spacing_z_mm=None) if lesion else a.volume for a in arrays)
    age = tuple(notice for notice in NOTICES if notice.code == "age-unknown")
    own = [notice for array in arrays for notice in array.file.notices]
    warnings = (BY_NAME, *age, *((NOT_IN_ML,) if lesion else ()), *own, *notices)
    roles = [array.part.role for array in arrays]
    return Study(
        uid=uid,
        patient_key=patient_key,
        modality=Modality.MR,
        body_part=KINDS[task].body_part,
        acquired=None,
        volumes=volumes,
        warnings=tuple(dict.fromkeys(warnings)),
        sequences=tuple(
            ChosenSequence(role=v.sequence.role, volume_sha256=v.sha256, reason=v.sequence.reason)
            for v in volumes
            if v.sequence is not None
        ),
        missing=tuple(part.role for part in KINDS[task].parts if part.role not in roles),
    )


def _judged(arrays: Sequence[Array], task: ReadTask) -> Refusal | tuple[list[Array], list[Notice]]:
    """Judge arrays; return what may go on with notices, or why nothing does.

    Raises: InputError if a file can't be read.
    """
    seen: list[Notice] = []
    for array in arrays:
        refusal = judge_grid(array, task) or judge_values(array, seen)
        if refusal is not None:
            return refusal
    if task is ReadTask.BRAIN_LESION:
        kept, notices = _without_copies(arrays)
        return _on_one_grid(kept, [*seen, *notices])
    if task is ReadTask.CARDIAC:
        return _judge_phases(*arrays) or (list(arrays), seen)
    return list(arrays), seen


def _judge_phases(ed: Array, es: Array) -> Refusal | None:
    """Judge whether two files can be two phases of one heart.

    Raises: InputError if a file can't be read.
    """
    if not same_grid(ed.file, es.file):
        return Refusal(
            code="grids-differ",
            reason=f"not evaluable: {ed.name} and {es.name} differ in shape, voxel size or place; "
            "send two phases of one cine",
        )
    if _same_values(ed, es):
        return Refusal(
            code="same-image",
            reason=f"not evaluable: {ed.name} and {es.name} are the same image; send both phases",
        )
    return None


def _without_copies(arrays: Sequence[Array]) -> tuple[list[Array], list[Notice]]:
    """Leave out arrays that repeat another, as sets do to fill in for a missing sequence.

    Raises: InputError if a file can't be read.
    """
    kept: list[Array] = []
    notices: list[Notice] = []
    for array in arrays:
        twin = next((other for other in kept if _same_values(other, array)), None)
        if twin is None:
            kept.append(array)
        else:
            notices.append(
                Notice(
                    code="array-repeated",
                    text=f"{array.name} holds the same values as {twin.name} and was left out: "
                    "that sequence is missing.",
                )
            )
    return kept, notices


def _same_values(one: Array, other: Array) -> bool:
    if one.file.shape_zyx != other.file.shape_zyx:
        return False
    return one.file.sha256 == other.file.sha256 or np.array_equal(
        one.volume.signal(), other.volume.signal()
    )


def _on_one_grid(
    arrays: list[Array], notices: list[Notice]
) -> Refusal | tuple[list[Array], list[Notice]]:
    """Keep volumes that can be laid on the grid of the first, noting those that must be.

    The reading lays them there.
    """
    first = arrays[0]
    for array in arrays[1:]:
        if same_grid(first.file, array.file):
            continue
        refusal = _out_of_reach(array, first)
        if refusal is not None:
            return refusal
        notices.append(
            Notice(
                code="array-resampled",
                text=f"{array.name} lay on another grid; by the headers it was brought onto that "
                f"of {first.name}, not registered.",
            )
        )
    return arrays, notices


def _out_of_reach(array: Array, first: Array) -> Refusal | None:
    """Say why an array can't be brought onto the first one's grid; None if it can.

    That goes by what both headers say.
    """
    if first.volume.affine_lps_mm is None or array.volume.affine_lps_mm is None:
        return Refusal(
            code="grids-differ",
            reason=(
                f"not evaluable: {array.name} lies on another grid than {first.name}, and not "
                "both headers say where they lie in the patient; bring it onto that grid or "
                "leave it out"
            ),
        )
    index = index_in(array.volume, first.volume)
    covered = coverage(index, first.file.shape_zyx, array.file.shape_zyx)
    if covered < COVERED:
        return Refusal(
            code="not-covered",
            reason=f"not evaluable: {array.name} reaches only {covered:.0%} of {first.name} by "
            "their headers; leave it out",
        )
    return None
