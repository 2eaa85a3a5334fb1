"""Earlier studies of the same patient, as a case refers to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.study import FIRST_ZONE, LAST_ZONE, Modality, Study, StudyTime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSummary:
    """What the models saw in a study, in short: models, and findings at operating points."""

    models: tuple[ModelIdentity, ...]
    suspected: tuple[str, ...]

    @classmethod
    def of(cls, reading: Reading) -> ReadingSummary:
        """Sum up a reading."""
        suspected = tuple(finding.name for finding in reading.findings if finding.suspected)
        return cls(models=reading.models, suspected=suspected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """One earlier study of a patient, by which its images, reading and report are found.

    Attributes:
        acquired: when the image was made that its reading rests on.
        case_id: its case; None if none was opened.
        reading: what the models saw in it; None if nothing was read.
        report_id: its signed report; None if none was signed, or the last one was withdrawn.
    """

    study_uid: str
    modality: Modality
    body_part: str
    acquired: StudyTime
    case_id: str | None = None
    reading: ReadingSummary | None = None
    report_id: str | None = None


def earlier_studies(study: Study, others: Iterable[Study]) -> tuple[tuple[Study, StudyTime], ...]:
    """Choose the studies that were surely acquired before this one, with their times.

    There is none if its own time is not known.

    Returns: each with its time, newest first.
    """
    now = study.image_time
    if now is None:
        return ()
    found = [
        (other, before)
        for other in others
        if (before := other.image_time) is not None
        and other.uid != study.uid
        and surely_before(before, now)
    ]
    return tuple(sorted(found, key=lambda pair: (pair[1].moment, pair[0].uid), reverse=True))


def surely_before(one: StudyTime, other: StudyTime) -> bool:
    """Tell whether an image was surely acquired before another.

    Dates without a time of day count as whole days. Wall clocks that both state no time zone are
    compared as clocks of one place; where one of the two states its zone, the other may be of any.
    """
    last = one.moment if one.precise else _of_day(one, time.max)
    first = other.moment if other.precise else _of_day(other, time.min)
    doubt = timedelta()
    if one.zone_known != other.zone_known:
        doubt = FIRST_ZONE if one.zone_known else LAST_ZONE
    return last + doubt < first


def _of_day(when: StudyTime, clock: time) -> datetime:
    return datetime.combine(when.moment.date(), clock, when.moment.tzinfo)
