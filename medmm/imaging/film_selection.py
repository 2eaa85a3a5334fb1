"""The frontal film of a study that is read: the newest, and what is said of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time

from medmm.domain.images import time_words, what_words
from medmm.domain.study import FRONTAL_VIEWS, ChosenFilm, Modality, Notice, StudyTime, Volume
from medmm.imaging.built_volume import Built
from medmm.imaging.dicom.newest_image import LEVELS, Moment, newest

ONLY = "the only frontal film"
UNKNOWN_ORDER = "nothing tells which frontal film is the newest"
MOST_FILMS = 6  # that a warning lists


def choose_film(built: Sequence[Built]) -> tuple[ChosenFilm | None, list[Built]]:
    """Choose the newest frontal film; return it and the films of the study.

    It is the newest by acquisition, content, series and study time, then by number.

    Where nothing tells, PA is read before AP before a film of unknown view, then the one whose
    digest comes first: never by the name of a file. Where another time than that of acquisition
    told the films apart, it becomes their own.
    """
    frontal = sorted(
        (one for one in built if one.volume.view in FRONTAL_VIEWS),
        key=lambda one: (FRONTAL_VIEWS.index(one.volume.view), one.volume.sha256),
    )
    if not frontal:
        return None, list(built)
    if len(frontal) == 1:
        return ChosenFilm(volume_sha256=frontal[0].volume.sha256, reason=ONLY), list(built)
    last = newest([one.order for one in frontal])
    chosen = frontal[last.index].volume.sha256
    reason = (
        f"the newest of {len(frontal)} frontal films by {last.by}" if last.by else UNKNOWN_ORDER
    )
    film = ChosenFilm(
        volume_sha256=chosen,
        reason=reason,
        unread_sha256s=tuple(one.volume.sha256 for one in frontal if one.volume.sha256 != chosen),
        order_known=last.by is not None,
    )
    return film, [_dated_by(one, last.level) if one in frontal else one for one in built]


def _dated_by(one: Built, level: int | None) -> Built:
    """Return the film with the time that told it from others, if `study_time` skips it."""
    stated = one.order[level] if level is not None else None
    if level is None or not isinstance(stated, Moment):
        return one
    kind, known = LEVELS[level], one.volume.acquired
    if known is not None and known.source_tag in (kind.date_time, kind.day):
        return one
    zone = stated.zone or (known.moment.tzinfo if known and known.zone_known else None)
    own = StudyTime(
        moment=datetime.combine(stated.day, stated.clock or time(), zone or UTC),
        source_tag=kind.clock if stated.clock else kind.day,
        precise=stated.clock is not None,
        zone_known=zone is not None,
    )
    return replace(one, volume=replace(one.volume, acquired=own))


def film_notices(film: ChosenFilm | None, volumes: Sequence[Volume]) -> Iterator[Notice]:
    """Say which frontal films of the study are not read, with their times and the reason.

    Nothing comes if there is only one.
    """
    if film is None or not film.unread_sha256s:
        return
    found = {volume.sha256: volume for volume in volumes}
    rest = [found[sha256] for sha256 in film.unread_sha256s]
    named = "; ".join(_words(volume) for volume in rest[:MOST_FILMS])
    more = f" and {len(rest) - MOST_FILMS} more" if len(rest) > MOST_FILMS else ""
    read = _words(found[film.volume_sha256])
    if film.order_known:
        yield Notice(
            code="films-not-read",
            text=f"One frontal film is read, the {read}: {film.reason}. Not read: {named}{more}; "
            "what only they show is missed.",
        )
    else:
        yield Notice(
            code="film-order-unknown",
            text=f"Nothing tells which frontal film is the newest. One is read, the {read}. Not "
            f"read: {named}{more}; what only they show is missed.",
        )


def _words(volume: Volume) -> str:
    return f"{what_words(volume, Modality.RADIOGRAPH)} {time_words(volume.acquired)}"
