"""Which picture of a study something was seen on."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.errors import InputError
from medmm.domain.study import Study, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReference:
    """One picture of a study: a film, a slice of its own, or a frame of a multi-frame image.

    Attributes:
        volume_sha256: digest of the volume that it belongs to.
        sop_uid: SOP Instance UID (0008,0018) of the image; None if the volume names none.
        frame_number: number of the frame in a multi-frame image, from 1 (Referenced Frame Number,
            0008,1160); None if the image is one picture.
    """

    volume_sha256: str
    sop_uid: str | None = None
    frame_number: int | None = None

    def __post_init__(self) -> None:
        if self.frame_number is not None and self.frame_number < 1:
            raise InputError(
                f"frame number {self.frame_number} is below 1",
                remedy="count frames from 1",
                volume=self.volume_sha256,
            )


def frame_of(volume: Volume, index: int = 0) -> FrameReference:
    """Name the picture of a slice.

    Args:
        index: of the slice in the stored order of the volume, from 0.

    Raises: InputError if the volume has no such slice.
    """
    slices = volume.shape_zyx[0]
    if not 0 <= index < slices:
        raise InputError(
            f"the volume has no slice {index}",
            remedy=f"name one of 0 to {slices - 1}",
            volume=volume.sha256,
        )
    uids, numbers = volume.sop_uids, volume.frame_numbers
    return FrameReference(
        volume_sha256=volume.sha256,
        sop_uid=(uids[index] if len(uids) == slices else uids[0] if uids else None) or None,
        frame_number=numbers[index] if numbers else None,
    )


def has_frame(study: Study, frame: FrameReference) -> bool:
    """Tell whether a picture is one of a study, by volume, image and frame."""
    volume = study.volume(frame.volume_sha256)
    return volume is not None and any(
        frame == frame_of(volume, index) for index in range(volume.shape_zyx[0])
    )
