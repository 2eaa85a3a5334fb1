"""The time now: whoever needs it is given a clock, so that a test can set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from medmm.domain.errors import ConfigError

Clock = Callable[[], datetime]  # the time now, with its zone


def utc_now() -> datetime:
    """Give the time now, in UTC."""
    return datetime.now(UTC)


def in_utc(clock: Clock) -> Clock:
    """Give a clock's times in UTC, so that times kept as text sort.

    Raises, when it is asked: ConfigError if the clock names no zone.
    """

    def now() -> datetime:
        at = clock()
        if at.utcoffset() is None:
            raise ConfigError(
                "the clock gives a time without a zone",
                remedy="give one such as lambda: datetime.now(UTC)",
            )
        return at.astimezone(UTC)

    return now
