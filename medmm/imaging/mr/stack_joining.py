"""Stacks of one enhanced image that are one volume, acquired in packages or slabs.

Stack ID (0020,9056) groups frames (PS3.3 C.7.6.16.2.2); a writer may give every package of one
volume a stack of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from medmm.domain.study import Notice
from medmm.imaging.dicom.geometry import sheared, stack_affine
from medmm.imaging.mr.acquisitions import parts_of
from medmm.imaging.mr.slice_grouping import CONTRASTS, Placed, SliceGroup

Parts = tuple[list[SliceGroup], tuple[Notice, ...]]
STACKS_JOINED = Notice(
    code="stacks-joined",
    text="The image names several stacks of slices that are one even volume; it was read as one.",
)


def parts_of_image(stacks: Sequence[Sequence[Placed]]) -> Iterator[Parts]:
    """Yield the parts of an image's stacks, uniting parallel stacks of one volume.

    They are united if together they make even volumes of one contrast.
    """
    for group in _parallel(stacks):
        whole = _united(group) if len(group) > 1 else None
        yield from map(parts_of, group) if whole is None else [whole]


def _parallel(stacks: Sequence[Sequence[Placed]]) -> list[list[Sequence[Placed]]]:
    groups: list[list[Sequence[Placed]]] = []
    for stack in stacks:
        match = next(
            (group for group in groups if _as_if_one(group[0])[0].joins(_as_if_one(stack)[0])), None
        )
        if match is None:
            groups.append([stack])
        else:
            match.append(stack)
    return groups


def _as_if_one(stack: Sequence[Placed]) -> list[Placed]:
    """Return frames as if the image named no stacks: their places are those of the image."""
    image = stack[0].file.sha256
    return [
        replace(
            one, kin=image, place=(image, one.place[1:]) if isinstance(one.place, tuple) else None
        )
        for one in stack
    ]


def _united(stacks: Sequence[Sequence[Placed]]) -> Parts | None:
    """Unite parallel stacks into parts that are even volumes; return None if one is not.

    Each part has frames of all stacks.
    """
    parts, notices = parts_of([one for stack in stacks for one in _as_if_one(stack)])
    if not all(_is_volume(part, len(stacks)) for part in parts):
        return None
    return parts, (*notices, STACKS_JOINED)


def _is_volume(part: SliceGroup, stacks: int) -> bool:
    """Tell whether the frames of a part lie evenly in one box and are of one contrast.

    Some of them come from every stack.
    """
    ordered = sorted(part.slices, key=lambda one: one.depth_mm)
    if len({one.frame.said("StackID") for one in ordered}) != stacks:
        return False
    if any(len({one.said(keyword) for one in ordered}) > 1 for keyword in CONTRASTS):
        return False
    planes = [one.plane for one in ordered if one.plane is not None]
    affine = stack_affine(planes) if len(planes) == len(ordered) > 1 else None
    return affine is not None and not sheared(affine)
