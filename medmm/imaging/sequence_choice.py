"""One series for each role of an MR study, with the reason, and the roles that the reading would use and the study lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.datadict import dictionary_description

from medmm.domain.study import ChosenSequence, Modality, Notice, SequenceRole, Volume
from medmm.imaging.gate import SOP_CLASSES, Refusal, body_part_of
from medmm.imaging.mr_physics import Physics, frames_physics
from medmm.imaging.sequence_pixels import axial, bears_out, middle
from medmm.imaging.sequences import sequence_of
from medmm.imaging.sources import DicomFile
from medmm.imaging.tags import Tags
from medmm.imaging.volumes import Built

# What a reading of the body part uses (models' own lists; the phases of a cine come through the door for arrays alone).
WANTED = {
    "BRAIN": (SequenceRole.FLAIR, SequenceRole.T1, SequenceRole.T1_CONTRAST),
    "HEART": (SequenceRole.CINE_ED, SequenceRole.CINE_ES),
    "HIPPOCAMPUS": (SequenceRole.T1,),
}
MOST_PARTS = 8  # of one image that a warning lists
NOT_CHOSEN = (SequenceRole.UNKNOWN, SequenceRole.LOCALISER, SequenceRole.DERIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequenced:
    """The volumes of a study with their roles confirmed, the choice for each role, and what a reader must know."""

    volumes: tuple[Volume, ...]
    chosen: tuple[ChosenSequence, ...]
    missing: tuple[SequenceRole, ...]
    notices: tuple[Notice, ...]


def sequenced(built: Sequence[Built], body_part: str) -> Sequenced:
    """Look at the pixels, choose for each role, and name what is missing. Raises: InputError if a picture can't be decoded."""
    looked = [replace(one, volume=_confirmed(one, body_part)) for one in built]
    chosen = tuple(choice for role in SequenceRole if (choice := _choice(looked, role)))
    found = {choice.role for choice in chosen}
    missing = tuple(role for role in WANTED.get(body_part, ()) if role not in found)
    doubted = sorted({v.sequence.role.value for one in looked if (v := one.volume).sequence and _doubted(v)})
    images = _several(looked)
    return Sequenced(
        volumes=tuple(in_parts(looked)),
        chosen=chosen,
        missing=missing,
        notices=(*_missing(missing), *_unconfirmed(doubted), *(_parts(parts, chosen) for parts in images)),
    )


def _confirmed(one: Built, body_part: str) -> Volume:
    volume, sequence = one.volume, one.volume.sequence
    if sequence is None or body_part != "BRAIN" or volume.affine_lps_mm is None:
        return volume
    slices = middle(volume.shape_zyx[0])
    if sequence.role in NOT_CHOSEN or len(slices) < 2 or one.signal_of is None or not axial(volume.affine_lps_mm):
        return volume
    confirmed = bears_out(sequence.role, one.signal_of(slices), volume.affine_lps_mm)
    return replace(volume, sequence=replace(sequence, confirmed=confirmed))


def in_parts(built: Sequence[Built]) -> Iterator[Volume]:
    """The volumes; those of an image that holds several say in their reason which frames they are, and by what."""
    parts = {one.volume.sha256 for image in _several(built) for one in image}
    for one in built:
        volume, sequence = one.volume, one.volume.sequence
        if volume.sha256 not in parts or sequence is None:
            yield volume
            continue
        frames = volume.frame_numbers
        which = (
            f"frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} frames from {min(frames)} to {max(frames)}"
        )
        yield replace(
            volume, sequence=replace(sequence, reason=f"{sequence.reason}; {which}, told by {', '.join(_told(one))}")
        )


def _several(built: Sequence[Built]) -> list[list[Built]]:
    """The volumes of each image whose frames are of several."""
    images: dict[tuple[str, ...], list[Built]] = {}
    for one in built:
        if one.volume.frame_numbers:
            images.setdefault(one.volume.file_sha256s, []).append(one)
    return [parts for parts in images.values() if len(parts) > 1]


def _told(one: Built) -> tuple[str, ...]:
    """The elements that told a part from others at its places; one alone there has a plane or stack of its own."""
    return tuple(dictionary_description(keyword) for keyword in one.told_by) or ("plane or Stack ID",)


def _parts(parts: Sequence[Built], chosen: Sequence[ChosenSequence]) -> Notice:
    """What one image holds, and which of it stands for its role and why."""
    why = {choice.volume_sha256: choice.reason for choice in chosen}
    told = ", ".join(dict.fromkeys(name for one in parts for name in _told(one)))
    said = [_part(one.volume, why.get(one.volume.sha256)) for one in parts[:MOST_PARTS]]
    said += [f"and {len(parts) - MOST_PARTS} more"] if len(parts) > MOST_PARTS else []
    listed = "; ".join(said)
    return Notice(
        code="several-parts",
        text=f"One image holds {len(parts)} volumes, told apart by {told}: {listed}.",
    )


def _part(volume: Volume, why: str | None) -> str:
    role = volume.sequence.role.value if volume.sequence else "unknown"
    count = volume.shape_zyx[0]
    return f"{role} ({count} {'frame' if count == 1 else 'frames'}{f', stands for its role: {why}' if why else ''})"


def _doubted(volume: Volume) -> bool:
    return volume.sequence is not None and volume.sequence.confirmed is False


def _choice(built: Sequence[Built], role: SequenceRole) -> ChosenSequence | None:
    """The best series of a role: the first that nothing else is better than, in the order of `_merits`."""
    own = [one for one in built if one.volume.sequence and one.volume.sequence.role is role]
    if role in NOT_CHOSEN or not own:
        return None
    best = max(own, key=lambda one: [merit for merit, _ in _merits(one)])
    others = [one for one in own if one is not best]
    reason = "the only series of its role" if not others else _better(best, others)
    return ChosenSequence(role=role, volume_sha256=best.volume.sha256, reason=reason)


def _merits(one: Built) -> list[tuple[float, str]]:
    """What speaks for a series, first what counts most, with its words."""
    volume = one.volume
    slices, rows, columns = volume.shape_zyx
    spacing = volume.spacing_yx_mm
    affine = volume.affine_lps_mm
    b = one.physics.b_value if one.physics else None
    return [
        (float(one.physics is not None and not one.physics.derived), "original, not derived"),
        (float(one.physics is None or one.physics.component != "REAL"), "a magnitude, not the real part"),
        (float(slices > 1), "more than one slice"),
        (float(affine is not None), "known geometry"),
        (float(volume.spacing_z_mm is not None), "known distance of slices"),
        (float(not _doubted(volume)), "not contradicted by its pixels"),
        (b or 0.0, f"b-value {b:.0f} s/mm²" if b else "b-value"),
        (float(affine is not None and axial(affine)), "axial"),
        (float(slices), f"{slices} slices"),
        (-(spacing[0] * spacing[1]) if spacing else -1e6, "finer in the plane"),
        (float(rows * columns), f"{columns} x {rows} pixels"),
    ]


def _better(best: Built, others: Sequence[Built]) -> str:
    """The merit by which the chosen one is before each of the others."""
    reasons: dict[str, None] = {}
    for other in others:
        pairs = zip(_merits(best), _merits(other), strict=True)
        reasons[next((words for (mine, words), (its, _) in pairs if mine > its), "first of equals")] = None
    return f"before {len(others)} other series of its role: {', '.join(reasons)}"


def _missing(roles: Sequence[SequenceRole]) -> tuple[Notice, ...]:
    if not roles:
        return ()
    names = ", ".join(role.value for role in roles)
    return (Notice(code="sequences-missing", text=f"No series was understood as: {names}. What needs it is not read."),)


def _unconfirmed(names: Sequence[str]) -> tuple[Notice, ...]:
    if not names:
        return ()
    roles = ", ".join(names)
    return (
        Notice(code="sequence-unconfirmed", text=f"By its tags a series is {roles}; its pixels do not bear that out."),
    )


def headers_alone(files: Sequence[DicomFile]) -> Refusal | None:
    """Why MR files without any pixels are not evaluable, with the roles that their headers name; None where there are some.

    A file whose header says something else than an MR image is judged as before.
    """
    images = [Tags(file.header) for file in files]
    if any(file.pixel_bytes for file in files) or not all(
        tags.text("SOPClassUID") in SOP_CLASSES[Modality.MR] for tags in images
    ):
        return None
    region = body_part_of(images[0]).region
    series: dict[str, list[Physics]] = {}
    for tags in images:
        series.setdefault(tags.text("SeriesInstanceUID") or "", []).extend(frames_physics(tags))
    roles = ", ".join(sequence_of(list(dict.fromkeys(physics)), region).role.value for physics in series.values())
    return Refusal(
        code="no-pixels", reason=f"not evaluable: headers without pixels; by their tags the series are: {roles}"
    )
