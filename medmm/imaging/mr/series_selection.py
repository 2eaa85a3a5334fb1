"""One series for each role of an MR study, and the roles that the study lacks.

The choice comes with its reason; the roles are those that the reading would use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.datadict import dictionary_description

from medmm.domain.grid import axial
from medmm.domain.images import time_words, what_words
from medmm.domain.study import ChosenSequence, Modality, Notice, SequenceRole, Volume
from medmm.imaging.built_volume import Built
from medmm.imaging.dicom.anatomy import body_part_of
from medmm.imaging.dicom.files import DicomFile
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.newest_image import newest
from medmm.imaging.gate.rules import SOP_CLASSES, Refusal
from medmm.imaging.mr.contrast_check import bears_out, middle
from medmm.imaging.mr.physics import Physics, frames_physics
from medmm.imaging.mr.sequence_roles import sequence_of

# What a reading of the body part uses (models' own lists; the phases of a cine come through the
# door for arrays alone).
WANTED = {
    "BRAIN": (SequenceRole.FLAIR, SequenceRole.T1, SequenceRole.T1_CONTRAST),
    "HEART": (SequenceRole.CINE_ED, SequenceRole.CINE_ES),
    "HIPPOCAMPUS": (SequenceRole.T1,),
}
MOST_PARTS = 8  # of one image that a warning lists
SHORT = 0.75  # of the longest series of a role: one that reaches less far was cut short
NOT_CHOSEN = (SequenceRole.UNKNOWN, SequenceRole.LOCALISER, SequenceRole.DERIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequenced:
    """The volumes of a study with confirmed roles, the choice for each role, and notices."""

    volumes: tuple[Volume, ...]
    chosen: tuple[ChosenSequence, ...]
    missing: tuple[SequenceRole, ...]
    notices: tuple[Notice, ...]


def sequenced(built: Sequence[Built], body_part: str) -> Sequenced:
    """Confirm roles on the pixels, choose for each role, and name what is missing.

    Raises: InputError if a picture can't be decoded.
    """
    looked = [replace(one, volume=_confirmed(one, body_part)) for one in built]
    chosen = tuple(choice for role in SequenceRole if (choice := _choice(looked, role)))
    found = {choice.role for choice in chosen}
    missing = tuple(role for role in WANTED.get(body_part, ()) if role not in found)
    doubted = sorted(
        {v.sequence.role.value for one in looked if (v := one.volume).sequence and _doubted(v)}
    )
    images = _several(looked)
    return Sequenced(
        volumes=tuple(in_parts(looked)),
        chosen=chosen,
        missing=missing,
        notices=(
            *_missing(missing),
            *_unconfirmed(doubted),
            *(_parts(parts, chosen) for parts in images),
            *unread_notices(chosen, [one.volume for one in looked]),
        ),
    )


def _confirmed(one: Built, body_part: str) -> Volume:
    volume, sequence = one.volume, one.volume.sequence
    if sequence is None or body_part != "BRAIN" or volume.affine_lps_mm is None:
        return volume
    slices = middle(volume.shape_zyx[0])
    if (
        sequence.role in NOT_CHOSEN
        or len(slices) < 2
        or one.signal_of is None
        or not axial(volume.affine_lps_mm)
    ):
        return volume
    confirmed = bears_out(sequence.role, one.signal_of(slices), volume.affine_lps_mm)
    return replace(volume, sequence=replace(sequence, confirmed=confirmed))


def in_parts(built: Sequence[Built]) -> Iterator[Volume]:
    """Yield the volumes; the reason of one from a mixed image says which frames it holds."""
    parts = {one.volume.sha256 for image in _several(built) for one in image}
    for one in built:
        volume, sequence = one.volume, one.volume.sequence
        if volume.sha256 not in parts or sequence is None:
            yield volume
            continue
        frames = volume.frame_numbers
        which = (
            f"frame {frames[0]}"
            if len(frames) == 1
            else f"{len(frames)} frames from {min(frames)} to {max(frames)}"
        )
        yield replace(
            volume,
            sequence=replace(
                sequence, reason=f"{sequence.reason}; {which}, told by {', '.join(_told(one))}"
            ),
        )


def _several(built: Sequence[Built]) -> list[list[Built]]:
    """List the volumes of each image whose frames make several."""
    images: dict[tuple[str, ...], list[Built]] = {}
    for one in built:
        if one.volume.frame_numbers:
            images.setdefault(one.volume.file_sha256s, []).append(one)
    return [parts for parts in images.values() if len(parts) > 1]


def _told(one: Built) -> tuple[str, ...]:
    """Name the elements that told a part from others at its places.

    A part without them has a plane or stack of its own.
    """
    return tuple(dictionary_description(keyword) for keyword in one.told_by) or (
        "plane or Stack ID",
    )


def _parts(parts: Sequence[Built], chosen: Sequence[ChosenSequence]) -> Notice:
    """Say what one image holds, which part stands for its role, and why."""
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
    return (
        f"{role} ({count} "
        f"{'frame' if count == 1 else 'frames'}{f', stands for its role: {why}' if why else ''})"
    )


def _doubted(volume: Volume) -> bool:
    return volume.sequence is not None and volume.sequence.confirmed is False


def _choice(built: Sequence[Built], role: SequenceRole) -> ChosenSequence | None:
    """Choose the series of a role that is read.

    Of those that nothing in `_kind` sets back it is the newest, then the best by `_finish`.
    """
    own = sorted(
        (one for one in built if one.volume.sequence and one.volume.sequence.role is role),
        # Never by the names of files, which gave them their order
        key=lambda one: one.volume.sha256,
    )
    if role in NOT_CHOSEN or not own:
        return None
    longest = max(_reach_mm(one) for one in own)
    kinds = [[merit for merit, _ in _kind(one, longest)] for one in own]
    rivals = [one for one, kind in zip(own, kinds, strict=True) if kind == max(kinds)]
    last = newest([one.order for one in rivals]) if all(one.order for one in rivals) else None
    best = (
        rivals[last.index]
        if last and last.by
        else max(rivals, key=lambda one: [m for m, _ in _finish(one)])
    )
    others = [one for one in own if one is not best]
    unread = tuple(one.volume.sha256 for one in rivals if one is not best)
    by = last.by if last else None
    reason = _better(best, others, longest, by) if others else "the only series of its role"
    return ChosenSequence(
        role=role,
        volume_sha256=best.volume.sha256,
        reason=reason,
        unread_sha256s=unread,
        order_known=not unread or by is not None,
    )


def _reach_mm(one: Built) -> float:
    """Return how far the slices of a volume reach across their planes in mm; 0 if unknown."""
    return one.volume.shape_zyx[0] * (one.volume.spacing_z_mm or 0.0)


def _kind(one: Built, longest_mm: float) -> list[tuple[float, str]]:
    """List what sets a series back whenever it was made, in words, the gravest first."""
    volume = one.volume
    slices = volume.shape_zyx[0]
    affine = volume.affine_lps_mm
    b = one.physics.b_value if one.physics else None
    return [
        (float(one.physics is not None and not one.physics.derived), "original, not derived"),
        (
            float(one.physics is None or one.physics.component != "REAL"),
            "a magnitude, not the real part",
        ),
        (float(slices > 1), "more than one slice"),
        (float(affine is not None), "known geometry"),
        (float(volume.spacing_z_mm is not None), "known distance of slices"),
        (float(not _doubted(volume)), "not contradicted by its pixels"),
        (b or 0.0, f"b-value {b:.0f} s/mm²" if b else "b-value"),
        (float(affine is not None and axial(affine)), "axial"),
        (float(_reach_mm(one) >= SHORT * longest_mm), f"{slices} slices"),
    ]


def _finish(one: Built) -> list[tuple[float, str]]:
    """List what decides between series of one kind if nothing tells the newest."""
    volume = one.volume
    slices, rows, columns = volume.shape_zyx
    spacing = volume.spacing_yx_mm
    return [
        (float(slices), f"{slices} slices"),
        (-(spacing[0] * spacing[1]) if spacing else -1e6, "finer in the plane"),
        (float(rows * columns), f"{columns} x {rows} pixels"),
    ]


def _better(best: Built, others: Sequence[Built], longest_mm: float, by: str | None) -> str:
    """Say why the chosen one comes before each of the others."""
    reasons: dict[str, None] = {}
    after = [(1.0, f"the newest by {by}")] if by else _finish(best)
    for other in others:
        mine, its = (
            _kind(best, longest_mm) + after,
            _kind(other, longest_mm) + ([(0.0, "")] if by else _finish(other)),
        )
        pairs = zip(mine, its, strict=True)
        reasons[
            next(
                (words for (one, words), (two, _) in pairs if one > two),
                "nothing tells which is newer",
            )
        ] = None
    return f"before {len(others)} other series of its role: {', '.join(reasons)}"


def unread_notices(chosen: Sequence[ChosenSequence], volumes: Sequence[Volume]) -> Iterator[Notice]:
    """Say which series of a role stay unread, with their times and the reason."""
    found = {volume.sha256: volume for volume in volumes}
    for choice in chosen:
        rest = [found[sha256] for sha256 in choice.unread_sha256s]
        if not rest:
            continue
        named = "; ".join(
            f"{what_words(v, Modality.MR)} {time_words(v.acquired)}" for v in rest[:MOST_PARTS]
        )
        more = f" and {len(rest) - MOST_PARTS} more" if len(rest) > MOST_PARTS else ""
        best = found[choice.volume_sha256]
        told = "" if choice.order_known else " Nothing tells which of them is the newest."
        yield Notice(
            code="series-not-read",
            text=f"{choice.role.value} is read from the series {time_words(best.acquired)}, "
            f"{choice.reason}. Not read: {named}{more}; what only they show is missed.{told}",
        )


def _missing(roles: Sequence[SequenceRole]) -> tuple[Notice, ...]:
    if not roles:
        return ()
    names = ", ".join(role.value for role in roles)
    return (
        Notice(
            code="sequences-missing",
            text=f"No series was understood as: {names}. What needs it is not read.",
        ),
    )


def _unconfirmed(names: Sequence[str]) -> tuple[Notice, ...]:
    if not names:
        return ()
    roles = ", ".join(names)
    return (
        Notice(
            code="sequence-unconfirmed",
            text=f"By its tags a series is {roles}; its pixels do not bear that out.",
        ),
    )


def headers_alone(files: Sequence[DicomFile]) -> Refusal | None:
    """Say why MR files without any pixels are not evaluable; None if some have pixels.

    The reason names the roles that their headers state.

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
    roles = ", ".join(
        sequence_of(list(dict.fromkeys(physics)), region).role.value for physics in series.values()
    )
    return Refusal(
        code="no-pixels",
        reason=f"not evaluable: headers without pixels; by their tags the series are: {roles}",
    )
