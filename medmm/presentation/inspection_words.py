"""What a path was understood as, in words: the gate's verdict, and each series."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.images import reference
from medmm.domain.study import Sequence, Volume
from medmm.domain.study_inspection import Inspection, SeriesLook


def verdict_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """Say the gate's verdict on a study, its time, its warnings, and its record."""
    yield "path", found.path
    if found.problem:
        yield "can't be read", found.problem
    if found.not_evaluable:
        yield "held" if found.not_evaluable.held else "refused", found.not_evaluable.reason
        for warning in found.not_evaluable.warnings:
            yield "warning", warning.text
    study = found.study
    if study is None:
        return
    yield "gate", "accepted with warnings" if study.warnings else "accepted"
    yield "study", f"{study.uid}, {found.file_count} files"
    yield "what", f"{study.modality.value} of {study.body_part}"
    when = study.image_time
    yield "acquired", f"{when.moment.isoformat()} (from {when.source_tag})" if when else "unknown"
    if study.film is not None and study.film.unread_sha256s and study.frontal is not None:
        yield "to be read", f"{reference(study, study.frontal).words}, {study.film.reason}"
    for choice in study.sequences:
        yield (
            "stands for",
            f"{choice.role.value}: {_series_number(found, choice.volume_sha256)}, {choice.reason}",
        )
    if study.missing:
        yield "missing", ", ".join(role.value for role in study.missing)
    for warning in study.warnings:
        yield "warning", warning.text
    if found.match:
        yield (
            "record",
            f"identity {found.match.verdict.value} {' '.join(found.match.differing)}".strip(),
        )
        for question in found.match.questions:
            yield "to confirm", question
    if found.context:
        yield "facts", f"{len(found.context.facts)} in time, {len(found.context.left_out)} left out"
        for reason in found.context.incomplete:
            yield "incomplete", reason
        for omission in found.context.left_out:
            yield "left out", f"{omission.source}: {omission.reason}"


def series_rows(look: SeriesLook, number: int, *, accepted: bool) -> Iterator[tuple[str, str]]:
    """Say what a series is, how it is coded, lies and is shown, and what is against it."""
    yield f"series {number}", f"{look.kind}; {look.file_count} files, {look.frame_count} frames"
    yield "encoding", look.encoding
    if look.polarity:
        yield "polarity", look.polarity
    for window in look.windows:
        yield "window", window
    for volume in look.volumes:
        yield "image", geometry_words(volume)
        if volume.sequence is not None:
            yield "sequence", sequence_words(volume.sequence)
    if look.problem:
        yield "no picture", look.problem
    for objection in look.objections:
        yield "against it", objection.text
    for warning in () if accepted else look.warnings:  # those of an accepted study stand above
        yield "warning", warning.text


def _series_number(found: Inspection, sha256: str) -> str:
    """Name the series of this page that holds a volume."""
    numbers = (
        n
        for n, look in enumerate(found.series, start=1)
        if any(v.sha256 == sha256 for v in look.volumes)
    )
    number = next(numbers, None)
    return f"series {number}" if number else "a series"


def sequence_words(sequence: Sequence) -> str:
    """Say the role of a series, its reason, and what its pixels say of it."""
    asked = {True: "; its pixels bear it out", False: "; its pixels do not bear it out", None: ""}
    return f"{sequence.role.value}: {sequence.reason}{asked[sequence.confirmed]}"


def geometry_words(volume: Volume) -> str:
    """Say the grid, spacing and place of a volume, and the shape of its pixels."""
    slices, rows, columns = volume.shape_zyx
    words = [f"{columns} columns x {rows} rows" + (f" x {slices} slices" if slices > 1 else "")]
    spacing = volume.spacing_yx_mm
    apart = (
        f", slices {volume.spacing_z_mm:.4g} mm apart" if volume.spacing_z_mm and slices > 1 else ""
    )
    words.append(
        "spacing unknown"
        if spacing is None
        else f"spacing {spacing[0]:.4g} x {spacing[1]:.4g} mm{apart}"
    )
    if volume.patient_left_on:
        words.append(f"patient's left on the {volume.patient_left_on}")
    elif volume.affine_lps_mm is None:
        words.append("sides unknown")
    words.append("LPS affine known" if volume.affine_lps_mm else "no affine")
    if abs(volume.pixel_aspect - 1) >= 0.01:
        words.append(f"pixels {volume.pixel_aspect:.3g} times as high as wide")
    return ", ".join(words)
