"""One clock for the whole house: signatures, kept results, added models and the log tell its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import Settings
from medmm.domain.errors import ConfigError
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READERS, READS, GivenNetworks, opened, signed

NOON = datetime(2031, 2, 3, 12, tzinfo=UTC)


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def told(folder: Path, clock: Hands, replay_days: float = 2) -> Assistant:
    """An assistant that this clock tells the time."""
    settings = Settings(data_dir=folder, readers=READERS, threads=1, replay_days=replay_days)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    return Assistant(settings, networks=networks, clock=clock)


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9))]
)
def test_signature_log_and_worklist_tell_the_time_of_the_clock(
    tmp_path: Path, zone: timezone
) -> None:
    clock = Hands(NOON.astimezone(zone))
    with told(tmp_path / "data", clock) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        clock.at += timedelta(hours=1)
        report = signed(assistant, case_id, assistant.reader_named("reader-1"))
        assert report.signed_at == NOON + timedelta(hours=1)
        (summary,) = assistant.cases()
        assert summary.opened_at == NOON
        times = [event.at for event in assistant.history(case_id)]
        assert set(times) == {NOON, NOON + timedelta(hours=1)}
        assert {at.utcoffset() for at in times} == {timedelta()}


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9))]
)
def test_a_result_expires_by_the_clock_whatever_its_zone(tmp_path: Path, zone: timezone) -> None:
    film, clock = film_file(tmp_path / "in"), Hands(NOON.astimezone(zone))
    with told(tmp_path / "data", clock) as assistant:
        study = assistant.admit(film, key="one")
        case_id = assistant.open_case(study.uid or "").id
        for hours, done in ((0, 1), (48, 1), (48.1, 2)):  # two days, and a little more
            clock.at = NOON + timedelta(hours=hours)
            assert assistant.admit(film, key="one") == study
            assert [e.verb for e in assistant.history(case_id)].count("admit") == done


def test_a_clock_without_a_zone_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    film = film_file(tmp_path / "in")
    clock = Hands(NOON.replace(tzinfo=None))
    with (
        told(tmp_path / "data", clock) as assistant,
        pytest.raises(ConfigError, match="without a zone"),
    ):
        assistant.admit(film)
    assert not list((tmp_path / "data" / "objects").glob("*"))
