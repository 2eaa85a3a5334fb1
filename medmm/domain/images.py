"""The images of a study one by one: which were read, which were not, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medmm.domain.reading import Reading
from medmm.domain.study import (
    FRONTAL_VIEWS,
    ChosenFilm,
    ChosenSequence,
    Modality,
    SequenceRole,
    Study,
    StudyTime,
    View,
    Volume,
)

NOT_FRONTAL = "medmm reads frontal films"
NOTHING_READ = "nothing was read from the study"
NO_PLACE = "the reading of this body part does not use it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """One film or stack of a study, by its UIDs and its own time.

    Attributes:
        what: what it shows, in words: "PA film", "FLAIR series of 24 slices".
        sop_uids: SOP Instance UIDs of its images (0008,0018).
        frame_numbers: as in `Volume`.
        reason: why it was read, or why not.
    """

    volume_sha256: str
    what: str
    series_uid: str
    sop_uids: tuple[str, ...]
    frame_numbers: tuple[int, ...] = ()
    acquired: StudyTime | None = None
    reason: str = ""

    @property
    def words(self) -> str:
        """In one line: what, when, which."""
        return f"{self.what} {time_words(self.acquired)}, {self.uid_words}"

    @property
    def uid_words(self) -> str:
        """Which image it is; a stack by its series."""
        if len(self.sop_uids) == 1:
            return f"SOP Instance UID {self.sop_uids[0]}"
        return f"Series Instance UID {self.series_uid}"


def time_words(acquired: StudyTime | None) -> str:
    """Say when an image was acquired, to the second, or that it does not say."""
    if acquired is None:
        return "of unknown time"
    if not acquired.precise:
        return f"of {acquired.moment:%Y-%m-%d}, time of day unknown"
    return f"of {acquired.moment:%Y-%m-%d %H:%M:%S}"


def image_lines(
    read: Iterable[ImageReference], unread: Iterable[ImageReference]
) -> tuple[str, ...]:
    """List what was read and what was not, a line an image, as pages show it."""
    lines = [f"read: {image.words}" for image in read]
    return (*lines, *(f"not read: {image.words} ({image.reason})" for image in unread))


def kind_words(volume: Volume, modality: Modality) -> str:
    """Name the kind of image of which one is read: "frontal film", "FLAIR series"."""
    if modality is Modality.RADIOGRAPH:
        return "frontal film" if volume.view in FRONTAL_VIEWS else "lateral film"
    role = volume.sequence.role if volume.sequence else SequenceRole.UNKNOWN
    return f"{role.value} series"


def what_words(volume: Volume, modality: Modality) -> str:
    """Say what a volume shows, by view or role."""
    if modality is Modality.RADIOGRAPH:
        return {View.UNKNOWN: "film of unknown view", View.LATERAL: "lateral film"}.get(
            volume.view, f"{volume.view.value} film"
        )
    role = volume.sequence.role if volume.sequence else SequenceRole.UNKNOWN
    named = "series of unknown role" if role is SequenceRole.UNKNOWN else f"{role.value} series"
    count = volume.shape_zyx[0]
    return f"{named} of {count} {'slice' if count == 1 else 'slices'}"


def images_read(study: Study, reading: Reading) -> tuple[ImageReference, ...]:
    """List the images that were read, in the order in which they were."""
    found = (study.volume(sha256) for sha256 in dict.fromkeys(reading.volumes_read))
    return tuple(reference(study, v, _why_chosen(study, v)) for v in found if v is not None)


def images_unread(study: Study, reading: Reading) -> tuple[ImageReference, ...]:
    """List the images that were not read, each with its reason, in the order of the study.

    Returns: none if the reading does not say.
    """
    read = set(reading.volumes_read)
    if not read and (reading.findings or reading.measurements):  # of an earlier release
        return ()
    return tuple(
        reference(study, v, _why_not(study, v, read)) for v in study.volumes if v.sha256 not in read
    )


def rivals_unread(study: Study, reading: Reading) -> tuple[Volume, ...]:
    """Return volumes that could have been read as well: other films or series of a role.

    A film is another frontal one; a role is one that was read.
    """
    read = set(reading.volumes_read)
    rivals = [
        s
        for choice in _choices(study)
        if choice.volume_sha256 in read
        for s in choice.unread_sha256s
    ]
    return tuple(v for v in study.volumes if v.sha256 in rivals and v.sha256 not in read)


def seen_in_part(study: Study, reading: Reading | None) -> tuple[str, ...]:
    """Say what keeps "nothing suspected" from being said of the whole.

    That is a part that is shown, or an image that was not read.
    """
    if reading is None:
        return ()
    parts = [f"only a part of the {one.of} is shown" for one in reading.coverage if not one.whole]
    rivals = [
        f"another {kind_words(v, study.modality)} was not read"
        for v in rivals_unread(study, reading)
    ]
    return tuple(dict.fromkeys((*parts, *rivals)))


def with_limits(words: str, limits: Iterable[str]) -> str:
    """Write the words of a list without suspicions, with its limits.

    As in "none flagged (only a part of the head is shown)".
    """
    joined = "; ".join(limits)
    return f"{words} ({joined})" if joined else words


def _choices(study: Study) -> tuple[ChosenFilm | ChosenSequence, ...]:
    return (*((study.film,) if study.film else ()), *study.sequences)


def reference(study: Study, volume: Volume, reason: str = "") -> ImageReference:
    """Refer to a volume of a study."""
    return ImageReference(
        volume_sha256=volume.sha256,
        what=what_words(volume, study.modality),
        series_uid=volume.series_uid,
        sop_uids=volume.sop_uids,
        frame_numbers=volume.frame_numbers,
        acquired=volume.acquired,
        reason=reason,
    )


def _why_chosen(study: Study, volume: Volume) -> str:
    found = (choice.reason for choice in _choices(study) if choice.volume_sha256 == volume.sha256)
    return next(found, "the only image of its kind")


def _why_not(study: Study, volume: Volume, read: set[str]) -> str:
    if not read:
        return NOTHING_READ
    if study.modality is Modality.RADIOGRAPH and volume.view is View.LATERAL:
        return NOT_FRONTAL
    for choice in _choices(study):
        chosen = study.volume(choice.volume_sha256)
        if (
            chosen is None
            or chosen.sha256 not in read
            or not _of_one_kind(chosen, volume, study.modality)
        ):
            continue
        which = f"the {what_words(chosen, study.modality)} {time_words(chosen.acquired)} was read"
        return f"{which}: {choice.reason}" if choice.reason else which
    return NO_PLACE


def _of_one_kind(one: Volume, other: Volume, modality: Modality) -> bool:
    if modality is Modality.RADIOGRAPH:
        return True
    return bool(one.sequence and other.sequence and one.sequence.role is other.sequence.role)
