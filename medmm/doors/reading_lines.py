"""What `medmm read` says of a study: its JSON line, its row of the table, its masks."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medmm.domain.errors import Unavailable, needed
from medmm.domain.images import (
    ImageReference,
    images_read,
    images_unread,
    rivals_unread,
    seen_in_part,
    with_limits,
)
from medmm.domain.read_task import ReadTask
from medmm.domain.reading import Extent, Finding, Mask, Measurement, Reading, ReadResult
from medmm.domain.second_opinion import SecondOpinion, second_opinions
from medmm.domain.study import Notice, Study
from medmm.domain.suspicion import suspicions
from medmm.doors.mask_files import study_name, write_label_map, write_series_label_maps
from medmm.presentation.label_maps import no_affine
from medmm.presentation.suspicion_words import suspected_line
from medmm.presentation.value_words import measured_words

Json = dict[str, Any]
MOST_NAMES = 3  # of studies beside a warning that they share


def notices(result: ReadResult) -> list[Notice]:
    """List the warnings of a result: the study's, then the reading's."""
    reading = result.reading
    return [
        *(result.study.warnings if result.study else ()),
        *(reading.warnings if reading else ()),
    ]


def read_line(result: ReadResult, masks_dir: Path | None, task: ReadTask | None = None) -> Json:
    """Build the JSON line of one study; that of a task goes by the name of its folder."""
    reading, refused = result.reading, result.not_evaluable
    warnings = notices(result)
    if refused is not None:
        warnings += refused.warnings
    uid = result.study.uid if result.study else refused.uid if refused else None
    masks = _masks(reading, result, masks_dir, task) if reading and masks_dir else {}
    return {
        "study": uid if task is None else study_name(Path(result.path)),
        "path": result.path,
        "evaluable": reading is not None,
        "held": refused is not None and refused.held,
        "reason": refused.reason if refused else result.problem,
        "warnings": [
            *(warning.text for warning in warnings),
            *(_without_affine(result) if masks and task is None else ()),
        ],
        "findings": [_finding(f, reading) for f in reading.findings] if reading else [],
        "measurements": [_measurement(m) for m in (reading.measurements if reading else ())],
        "other_models": [_opinion(one) for one in second_opinions(reading)],
        **_images(result.study, reading),
        "masks": masks,
    }


def _images(study: Study | None, reading: Reading | None) -> Json:
    """Say which images were read and which not, when, and how much they show.

    The time is that of the image that was read.
    """
    if study is None or reading is None:
        return {"acquired": None, "images_read": [], "images_not_read": [], "coverage": []}
    return {
        "acquired": study.image_time.moment.isoformat() if study.image_time else None,
        "images_read": [_image(image) for image in images_read(study, reading)],
        "images_not_read": [_image(image) for image in images_unread(study, reading)],
        "coverage": [
            {
                "of": one.of,
                "whole": one.whole,
                "extents_mm": dict(one.extents_mm),
                "shortfalls": list(one.shortfalls),
            }
            for one in reading.coverage
        ],
    }


def _image(image: ImageReference) -> Json:
    return {
        "what": image.what,
        "series_uid": image.series_uid,
        "sop_uids": list(image.sop_uids),
        "frame_numbers": list(image.frame_numbers),
        "acquired": image.acquired.moment.isoformat() if image.acquired else None,
        "reason": image.reason,
    }


def _masks(
    reading: Reading, result: ReadResult, folder: Path, task: ReadTask | None
) -> dict[str, str]:
    """Write the masks of a reading.

    Returns: their paths by name.
    """
    if task is not None:
        return {
            m.name: str(write_label_map(m, Path(result.path), folder)) for m in reading.label_maps
        }
    study = needed(result.study, "the study of a reading", path=result.path)
    films = dict(_written(reading.masks, study.uid, folder))
    return films | {
        n: str(path) for n, path in write_series_label_maps(reading, study, folder).items()
    }


def left_unread(result: ReadResult) -> Iterator[str]:
    """List the images that were not read, each with its reason.

    Films and series that could have been read stand in a warning already.
    """
    study, reading = result.study, result.reading
    if study is None or reading is None:
        return
    rivals = {volume.sha256 for volume in rivals_unread(study, reading)}
    rest = [i for i in images_unread(study, reading) if i.volume_sha256 not in rivals]
    for (what, reason), count in Counter((image.what, image.reason) for image in rest).items():
        yield f"Not read: {f'{count} x ' if count > 1 else ''}{what} ({reason})."


def _without_affine(result: ReadResult) -> Iterator[str]:
    """Say what a mask without an affine lacks it for, by the name of the mask."""
    for label_map in result.reading.label_maps if result.reading else ():
        volume = result.study.volume(label_map.volume_sha256) if result.study else None
        why = no_affine(volume) if volume else None
        if why is not None:
            yield f"The mask {label_map.name} has no affine: {why}."


def _measurement(measurement: Measurement) -> Json:
    return {
        "name": measurement.name,
        "value": measurement.value,
        "unit": measurement.unit,
        "interval": list(measurement.interval),
        "side": measurement.side.value if measurement.side else None,
    }


def _extent(extent: Extent) -> Json:
    """Say where a finding lies in a volume; slices count from 0."""
    return {
        "slices": list(extent.slices),
        "slice_count": extent.slice_count,
        "image_half": extent.image_half.value if extent.image_half else None,
        "side": extent.side.value if extent.side else None,
        "centroid": {
            "index_zyx": list(extent.centroid_index_zyx),
            "lps_mm": list(extent.centroid_lps_mm) if extent.centroid_lps_mm else None,
        },
    }


def _finding(finding: Finding, reading: Reading) -> Json:
    region = finding.region
    suspected = any(one.finding == finding.name for one in suspicions(reading))
    return {
        "name": finding.name,
        "code": finding.codings[0].code if finding.codings else None,
        "probability": finding.probability,
        "threshold": finding.threshold,
        "suspected": suspected,
        "region": None
        if region is None
        else {
            "box": [round(v, 4) for v in region.box_xyxy],
            "peak": [round(v, 4) for v in region.peak_xy],
            "side": region.side.value if region.side else None,
        },
        **(_extent(finding.extent) if finding.extent else {}),
    }


def _opinion(one: SecondOpinion) -> Json:
    """Say what a later model says of what an earlier one states."""
    said: Json = (
        {
            "name": one.other.name,
            "probability": one.other.probability,
            "threshold": one.other.threshold,
            "suspected": one.other.suspected,
        }
        if isinstance(one.other, Finding)
        else _measurement(one.other)
    )
    return {"model": one.other_model, "disagrees": one.disagree, **said}


def _written(masks: tuple[Mask, ...], uid: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Write masks under names made from a digest: a UID of the input never becomes a path."""
    for mask in masks:
        path = (
            folder
            / f"{hashlib.sha256(uid.encode()).hexdigest()[:16]}-{mask.name.replace(' ', '-')}.png"
        )
        picture = io.BytesIO()
        Image.fromarray(mask.array().astype(np.uint8) * 255).save(picture, "PNG")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture.getvalue())
        except OSError as error:
            raise Unavailable(
                f"a mask can't be written: {type(error).__name__}",
                remedy="make the folder writable",
                path=str(path),
            ) from error
        yield mask.name, str(path)


def table_row(line: Json, result: ReadResult | None) -> tuple[str, str, str, str]:
    """Build the row of one study: name, whether read, what is suspected, what was measured.

    Of a study that was not read it says why.
    """
    reading = result.reading if result else None
    suspected = suspected_line(suspicions(reading))
    if not suspected:  # nothing looked at is not nothing suspected
        limits = seen_in_part(result.study, reading) if result and result.study else ()
        suspected = (
            with_limits("none suspected", limits)
            if reading and reading.findings
            else "no finding was read"
        )
    measured = ", ".join(_measured(m) for m in line["measurements"])
    state = "yes" if line["evaluable"] else "held" if line["held"] else "no"
    return (
        Path(line["path"]).name,
        state,
        suspected if line["evaluable"] else str(line["reason"]),
        measured,
    )


def some(names: Sequence[str]) -> str:
    """Join the first names, and say how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _measured(measurement: Json) -> str:
    side = f"{measurement['side']} " if measurement["side"] else ""
    low, high = measurement["interval"]
    value, _ = measured_words(
        measurement["name"], measurement["unit"], measurement["value"], (low, high)
    )
    return f"{side}{measurement['name']} {value}"


def untold(paths: Sequence[Path], told: Sequence[Path]) -> list[Path]:
    """List the paths of which nothing was said yet."""
    return [path for path in paths if not any(one.is_relative_to(path) for one in told)]
