"""The process dies while it sends, or while it puts back: what is sent again is the same, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from medmm.assistant import Assistant
from medmm.config import Settings, load_settings
from medmm.delivery.hl7.result_message import control_id
from medmm.domain.clock import utc_now
from medmm.domain.delivery import DeliveryFilter, DeliveryState
from medmm.domain.report import SignedReport
from medmm.store import failpoint
from medmm.store.leases import WORK_S
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.e2e.crash_worker import quick
from tests.kept import kept
from tests.mllp_receiver import MllpPeer, mllp_peer
from tests.quick_assistant import READS, GivenNetworks, opened, signed
from tests.warm_parent import WarmParent

DOES = """
import sys
from pathlib import Path
from tests.e2e.crash_worker import quick
with quick(Path(sys.argv[1])) as assistant:
    {act}
"""
BY = "reader-1"


@pytest.fixture
def peer() -> Iterator[MllpPeer]:
    with mllp_peer() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, peer: MllpPeer) -> Path:
    (tmp_path / "box").mkdir()
    path = tmp_path / "settings.yaml"
    content = {
        "data_dir": str(tmp_path / "data"),
        "readers": [{"id": BY, "name": "ZZREADER", "role": "reader"}],
        "destinations": [
            {"name": "ehr", "kind": "mllp", "host": "127.0.0.1", "port": peer.port},
            {"name": "box", "kind": "folder", "path": str(tmp_path / "box"), "forms": ["text"]},
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def report(settings: Path) -> SignedReport:
    with quick(settings) as assistant:
        case = opened(assistant, film_file(settings.parent / "in"))
        return signed(assistant, case, assistant.reader_named(BY))


def networks_of(settings: Settings) -> GivenNetworks:
    given = {"reader": READS, "picture_kinds": SAYS_FRONTAL, "language_model": None}
    return GivenNetworks(settings, **given)


def later(path: Path) -> Assistant:
    """The installation once a dead process's lease has ended."""
    settings = load_settings(path)
    ahead = timedelta(seconds=WORK_S + 1)
    return Assistant(settings, networks=networks_of(settings), clock=lambda: utc_now() + ahead)


@pytest.mark.parametrize("point", failpoint.POINTS)
def test_a_death_between_sending_and_recording_sends_the_same_again(
    point: str, settings: Path, report: SignedReport, peer: MllpPeer, warm_parent: WarmParent
) -> None:
    act = DOES.format(act="list(assistant.deliver())")
    died = warm_parent.run(act, settings, **{failpoint.VARIABLE: f"deliver:{point}"})
    assert died.code == failpoint.EXIT_CODE, died.said
    assert peer.control_ids == [control_id(report)], "it was sent"
    recorded = point != "before commit"
    with quick(settings) as assistant:
        ways = {one.destination: one.state for one in assistant.deliveries(by=BY)}
        assert ways == {
            "ehr": DeliveryState.SENT if recorded else DeliveryState.WAITING,
            "box": DeliveryState.WAITING,
        }
        assert assistant.verify().ok
    with later(settings) as assistant:
        went = [one.destination for one in assistant.deliver()]
        assert went == (["box"] if recorded else ["ehr", "box"])
        assert len(set(peer.came)) == 1, "byte by byte what was sent before"
        assert len(peer.came) == (1 if recorded else 2)
        assert {one.state for one in assistant.deliveries(by=BY)} == {DeliveryState.SENT}
        sent = [e.details["destination"] for e in kept(assistant).events() if e.verb == "deliver"]
        assert sorted(sent) == ["box", "ehr"], "one entry each"
        assert assistant.verify().ok


def test_a_live_process_keeps_what_it_has_in_hand(settings: Path, report: SignedReport) -> None:
    """Until its lease has ended, nobody else sends it."""
    with quick(settings) as assistant:
        with kept(assistant).delivering(report.case_id, "ehr", "another", utc_now) as work:
            assert work is not None
            assert [one.destination for one in assistant.deliver()] == ["box"]
        assert [one.destination for one in assistant.deliver()] == ["ehr"]


@pytest.mark.parametrize("point", failpoint.POINTS)
def test_a_signature_and_its_deliveries_are_kept_together(
    point: str, settings: Path, warm_parent: WarmParent
) -> None:
    with quick(settings) as assistant:
        case = opened(assistant, film_file(settings.parent / "in"))
        assistant.draft(case)
        assistant.accept_passing(case, by=BY)
    act = DOES.format(act=f"assistant.sign({case!r}, by={BY!r})")
    died = warm_parent.run(act, settings, **{failpoint.VARIABLE: f"sign:{point}"})
    assert died.code == failpoint.EXIT_CODE, died.said
    with quick(settings) as assistant:
        is_signed = assistant.case(case, by=BY).report is not None
        assert is_signed is (point != "before commit")
        assert len(assistant.deliveries(by=BY)) == (2 if is_signed else 0)


@pytest.mark.parametrize("point", failpoint.POINTS)
def test_what_is_put_back_is_so_wholly_or_not(
    point: str, settings: Path, report: SignedReport, peer: MllpPeer, warm_parent: WarmParent
) -> None:
    peer.answers = ["AE"]
    with quick(settings) as assistant:
        list(assistant.deliver(destination="ehr"))
        (dead,) = assistant.deliveries(DeliveryFilter(state=DeliveryState.DEAD), by=BY)
    retry = f"assistant.retry_delivery({dead.number}, by={BY!r}, key='again')"
    act = DOES.format(act=retry)
    died = warm_parent.run(act, settings, **{failpoint.VARIABLE: f"retry_delivery:{point}"})
    assert died.code == failpoint.EXIT_CODE, died.said
    with quick(settings) as assistant:
        again = assistant.retry_delivery(dead.number, by=BY, key="again")
        assert again.state is DeliveryState.WAITING
        done = [e for e in kept(assistant).events() if e.verb == "retry_delivery"]
        assert len(done) == 1
        assert assistant.verify().ok
