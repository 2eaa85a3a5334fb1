"""What an MR reading did not look at: missing sequences, unread series, unmeasured things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from medmm.domain.reading import Reading
from medmm.domain.study import Study, Volume
from medmm.domain.vocabulary import measurement_terms
from medmm.drafting.measured_statements import unstated
from medmm.drafting.phrases import phrases


def unread_mr(study: Study, reading: Reading) -> Iterator[str]:
    """Yield lines for what was not evaluated, in the order a reader should meet them."""
    if study.missing:
        yield f"sequences that the study lacks: {', '.join(role.value for role in study.missing)}"
    marked = marked_volumes(study, reading)
    others = Counter(role_words(v) for v in study.volumes if v not in marked)
    if others:
        named = (
            f"{role} ({count} volumes)" if count > 1 else role
            for role, count in sorted(others.items())
        )
        yield f"series that no model marked anything on: {', '.join(named)}"
    if any(v.spacing_z_mm is None and v.shape_zyx[0] > 1 for v in marked or study.volumes):
        yield "volumes in millilitres where the distance of the slices is unknown or uneven"
    for measurement in reading.measurements:
        reason = unstated(measurement, reading)
        if reason is not None:
            yield f"{measurement_terms()[measurement.name].words}: {reason}"
    yield phrases().mr_writer


def marked_volumes(study: Study, reading: Reading) -> tuple[Volume, ...]:
    """Return the volumes on whose grid the reading has labels."""
    marked = {m.volume_sha256 for m in reading.label_maps} | {
        e.volume_sha256 for e in reading.extents
    }
    return tuple(v for v in study.volumes if v.sha256 in marked)


def role_words(volume: Volume) -> str:
    """Say what a series shows, as far as its role is known."""
    return volume.sequence.role.value if volume.sequence else "unknown"
