"""The outbox: every version reaches every destination that it was addressed to, in order, once as far as can be told."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import Settings
from medmm.delivery.hl7.result_message import control_id
from medmm.domain.delivery import Delivery, DeliveryFilter, DeliveryState
from medmm.domain.errors import (
    ConfigError,
    InputError,
    PermissionDenied,
    StateError,
    Unavailable,
)
from medmm.domain.report import Add, Reject, SignedReport
from medmm.domain.transmission import OutgoingObject
from medmm.store import leases
from medmm.verbs import outbox
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.factories import MODEL
from tests.kept import kept
from tests.mllp_receiver import MllpPeer, mllp_peer
from tests.quick_assistant import READS, GivenNetworks, opened, signed

BY = "reader-1"
NAME = "ZZPATIENT"
READERS = [
    {"id": f"{role}-1", "name": f"ZZ{role.upper()}", "role": role}
    for role in ("reader", "attending", "resident", "technologist", "administrator")
]
SENT, WAITING, DEAD = DeliveryState.SENT, DeliveryState.WAITING, DeliveryState.DEAD
NOON = datetime(2031, 2, 3, 12, tzinfo=UTC)


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **how_long: float) -> None:
        self.at += timedelta(**how_long)


class House:
    """An installation of the test: one clock, one data folder, whatever its destinations are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Hands()
        (folder / "box").mkdir()

    @contextmanager
    def opened(self, *destinations: dict[str, Any]) -> Iterator[Assistant]:
        settings = Settings(
            data_dir=self.folder / "data", readers=READERS, threads=1, destinations=destinations
        )
        networks = GivenNetworks(
            settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
        )
        with Assistant(settings, networks=networks, clock=self.clock) as assistant:
            yield assistant

    def signed(self, assistant: Assistant, number: int = 1, *added: Add) -> SignedReport:
        """A report of a study of its own."""
        film = film_file(
            self.folder / f"in{number}",
            StudyInstanceUID=f"1.2.3.{number}",
            SOPInstanceUID=f"1.2.3.{number}.1",
            PatientName=f"{NAME}^One",
        )
        case = opened(assistant, film)
        if not added:
            return signed(assistant, case, assistant.reader_named(BY))
        draft = assistant.draft(case)
        assistant.accept_passing(case, by=BY)
        named = {one.finding for one in added}
        unlike = [Reject(s.id) for s in draft.statements if s.finding in named]
        assistant.decide(case, [*unlike, *added], by=BY)
        return assistant.sign(case, by=BY)

    @property
    def box(self) -> dict[str, Any]:
        return {
            "name": "box",
            "kind": "folder",
            "path": str(self.folder / "box"),
            "forms": ["text", "oru"],
        }

    def files(self) -> set[str]:
        return {path.name for path in (self.folder / "box").iterdir()}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def ehr(peer: MllpPeer, **more: Any) -> dict[str, Any]:
    return {"name": "ehr", "kind": "mllp", "host": "127.0.0.1", "port": peer.port, **more}


def states(assistant: Assistant, **wanted: Any) -> list[tuple[int, str, DeliveryState]]:
    found = assistant.deliveries(DeliveryFilter(**wanted), by=BY)
    return [(one.version, one.destination, one.state) for one in reversed(found)]


def events(assistant: Assistant, verb: str) -> list[Any]:
    return [event for event in kept(assistant).events() if event.verb == verb]


# ---- every version, to every destination ---------------------------------------------------------------


def test_each_version_is_addressed_with_its_signature_and_reaches_all(house: House) -> None:
    with mllp_peer() as peer, house.opened(house.box, ehr(peer)) as assistant:
        report = house.signed(assistant)
        (entry,) = events(assistant, "sign")
        assert entry.details["destinations"] == "box ehr"
        assert states(assistant) == [(1, "box", WAITING), (1, "ehr", WAITING)]
        assert [one.state for one in assistant.deliver()] == [SENT, SENT]
        assert house.files() == {f"{report.id}.txt", f"{report.id}.oru.hl7"}
        added = assistant.addendum(report.case_id, "Told.", reason="Asked for.", by=BY)
        withdrawn = assistant.withdraw(report.case_id, reason="Another patient's film.", by=BY)
        assert [(one.version, one.destination) for one in assistant.deliver()] == [
            (2, "box"),
            (2, "ehr"),
            (3, "box"),
            (3, "ehr"),
        ]
        assert peer.control_ids == [control_id(one) for one in (report, added, withdrawn)]
        assert len(house.files()) == 6
        first = (house.folder / "box" / f"{report.id}.txt").read_text()
        assert "WITHDRAWN" in first.splitlines()[0], "an earlier file says what became of it"
        assert [*assistant.deliver()] == []
        (recalled,) = assistant.recall_list(MODEL.name, "0" * 64, by="attending-1").cases
        assert recalled.published_at == NOON, "it was given out"
        assert [event.outcome for event in events(assistant, "deliver")] == ["done"] * 6
        assert assistant.verify().ok


def test_a_version_goes_as_it_was_when_it_counted(house: House) -> None:
    """However late it is sent, so that what is sent again after a crash is the same."""
    with house.opened(house.box) as assistant:
        report = house.signed(assistant)
        before = assistant.render(report.id, by=BY)
        assistant.withdraw(report.case_id, reason="Another patient's film.", by=BY)
        sending = assistant.deliver()
        assert next(sending).version == 1
        assert (house.folder / "box" / f"{report.id}.txt").read_text() == before
        assert next(sending).version == 2


def test_a_destination_that_is_configured_later_gets_later_versions_alone(house: House) -> None:
    with house.opened() as assistant:
        report = house.signed(assistant)
        with pytest.raises(ConfigError, match="name no destination"):
            list(assistant.deliver())
    with house.opened(house.box) as assistant:
        assert list(assistant.deliver()) == []
        added = assistant.addendum(report.case_id, "Told.", reason="Asked for.", by=BY)
        assert [one.report_id for one in assistant.deliver()] == [added.id]
        assert house.files() == {f"{added.id}.txt", f"{added.id}.oru.hl7"}


def test_what_waits_for_a_destination_that_is_gone_waits_until_it_is_back(house: House) -> None:
    other = {**house.box, "name": "other"}
    with house.opened(house.box) as assistant:
        house.signed(assistant)
    with house.opened(other) as assistant:
        assert list(assistant.deliver()) == []
        assert states(assistant) == [(1, "box", WAITING)]
    with house.opened(house.box, other) as assistant:
        assert [one.destination for one in assistant.deliver()] == ["box"]


# ---- rules ---------------------------------------------------------------------------------------------


def test_rules_choose_by_modality_and_finding(house: House) -> None:
    mr = {**house.box, "name": "mr", "modalities": ["MR"]}
    films = {**house.box, "name": "films", "modalities": ["DX"]}
    oedema = {**house.box, "name": "oedema", "findings": ["Edema"]}
    with house.opened(mr, films, oedema) as assistant:
        house.signed(assistant)
        house.signed(assistant, 2, Add.of("Edema"))
        assert states(assistant) == [
            (1, "films", WAITING),
            (1, "films", WAITING),
            (1, "oedema", WAITING),
        ]


def test_who_got_a_version_gets_all_that_follow_whatever_they_say(house: House) -> None:
    """A destination of a finding must learn that the finding is no longer stated."""
    only = {**house.box, "findings": ["Edema"]}
    with house.opened(only) as assistant:
        report = house.signed(assistant, 1, Add.of("Edema"))
        assistant.withdraw(report.case_id, reason="Another patient's film.", by=BY)
        assert [one.version for one in assistant.deliver()] == [1, 2]


def test_critical_reports_go_first_where_the_destination_wants_it(house: House) -> None:
    calm = {**house.box, "name": "calm"}
    with house.opened({**house.box, "critical_first": True}, calm) as assistant:
        first = house.signed(assistant)
        second = house.signed(assistant, 2, Add.of("Pneumothorax"))
        went = [(one.destination, one.report_id) for one in assistant.deliver()]
        assert went[0] == ("box", second.id)
        of_calm = [report for destination, report in went if destination == "calm"]
        assert of_calm == [first.id, second.id]


# ---- a destination that is down, or refuses ------------------------------------------------------------


def test_down_for_an_hour_and_back(house: House) -> None:
    with mllp_peer() as gone:
        port = gone.port
    down = {**ehr(gone), "connect_timeout_s": 1}
    with house.opened(down, house.box) as assistant:
        reports = [house.signed(assistant, number) for number in (1, 2)]
        tried: list[Delivery] = []
        for _ in range(120):  # every half a minute for an hour
            tried += [one for one in assistant.deliver() if one.destination == "ehr"]
            house.clock.pass_(seconds=30)
        assert {one.state for one in tried} == {WAITING}
        assert {one.code for one in tried} == {"unreachable"}
        assert len(tried) <= 20, "seldom, however many wait"
        waits = [
            one.due - one.tried_at  # type: ignore[operator]
            for one in tried
            if one.report_id == reports[0].id
        ]
        doubling = [timedelta(seconds=min(30 * 2**n, 900)) for n in range(len(waits))]
        assert waits == doubling
        assert len(house.files()) == 4, "the other destination is not held up"
        with mllp_peer(port=port) as peer:
            for _ in range(31):
                list(assistant.deliver())
                house.clock.pass_(seconds=30)
            assert peer.control_ids == [control_id(one) for one in reports]
        assert {event.outcome for event in events(assistant, "deliver")} == {"done", "failed"}


def test_refused_is_a_dead_letter_that_a_person_has_tried_again(house: House) -> None:
    with mllp_peer(f"AE|PID-5 of {NAME} is too long", "AA") as peer, house.opened(ehr(peer)) as one:
        report = house.signed(one)
        (dead,) = one.deliver()
        assert (dead.state, dead.due) == (DEAD, None)
        assert dead.code == "MSA AE 101 at PID-1-5"
        (listed,) = one.deliveries(DeliveryFilter(state=DEAD), by=BY)
        assert NAME in listed.reason
        (unnamed,) = one.deliveries(DeliveryFilter(state=DEAD), by="administrator-1")
        assert (unnamed.reason, unnamed.code) == ("", dead.code), "who may not see identities"
        assert NAME not in str(events(one, "deliver"))
        seen, unseen = events(one, "deliveries")
        assert NAME not in str(seen)
        assert seen.details["cases"] == report.case_id, "whose reasons were read"
        assert "cases" not in unseen.details
        assert list(one.deliver()) == [], "not before a person says so"
        for refused in ("resident-1", "technologist-1"):
            with pytest.raises(PermissionDenied):
                one.retry_delivery(dead.number, by=refused)
        again = one.retry_delivery(dead.number, by="administrator-1", key="again")
        assert (again.state, again.attempts, again.reason) == (WAITING, 0, "")
        assert one.retry_delivery(dead.number, by="administrator-1", key="again") == again
        assert [sent.state for sent in one.deliver()] == [SENT]
        assert peer.control_ids == [control_id(report)] * 2
        with pytest.raises(StateError, match="only one that was given up"):
            one.retry_delivery(dead.number, by=BY)
        with pytest.raises(InputError, match="no such delivery"):
            one.retry_delivery(99, by=BY)


@pytest.mark.parametrize(("means", "state"), [("postpone", WAITING), ("refuse", DEAD)])
def test_what_ar_means_is_the_destinations_to_say(
    house: House, means: str, state: DeliveryState
) -> None:
    with mllp_peer("AR") as peer, house.opened(ehr(peer, rejected=means)) as assistant:
        house.signed(assistant)
        (tried,) = assistant.deliver()
        assert (tried.state, tried.code) == (state, "MSA AR")


def test_without_an_answer_the_same_message_goes_again(house: House) -> None:
    with mllp_peer("", "AA") as peer, house.opened(ehr(peer)) as assistant:
        house.signed(assistant)
        assert [one.code for one in assistant.deliver()] == ["unanswered"]
        house.clock.pass_(seconds=31)
        assert [one.state for one in assistant.deliver()] == [SENT]
        first, second = peer.came
        assert first == second


def test_a_week_without_success_is_a_dead_letter(house: House) -> None:
    gone = {**house.box, "path": str(house.folder / "not-mounted")}
    with house.opened(gone) as assistant:
        house.signed(assistant)
        assert [(one.state, one.code) for one in assistant.deliver()] == [(WAITING, "ENOENT")]
        assert not (house.folder / "not-mounted").exists(), "a disk that is away is not made up"
        house.clock.pass_(days=6, hours=23)
        assert [one.state for one in assistant.deliver()] == [WAITING]
        house.clock.pass_(hours=2)
        (dead,) = assistant.deliver()
        assert (dead.state, dead.attempts) == (DEAD, 3)


def test_a_full_disk_postpones(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with house.opened(house.box) as assistant:
        house.signed(assistant)
        with monkeypatch.context() as patched:
            patched.setattr("medmm.delivery.folder.write_atomically", full)
            (tried,) = assistant.deliver()
        assert (tried.state, tried.code, tried.reason) == (
            WAITING,
            "ENOSPC",
            "No space left on device",
        )
        house.clock.pass_(seconds=31)
        assert [one.state for one in assistant.deliver()] == [SENT]


def test_what_cannot_be_made_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.opened(house.box) as assistant:
        first, second = house.signed(assistant), house.signed(assistant, 2)
        make = outbox._objects

        def too_long(*args: Any) -> tuple[OutgoingObject, ...]:
            if args[1].report_id == first.id:
                raise InputError("a value is longer than its field", remedy="shorten it")
            return make(*args)

        monkeypatch.setattr(outbox, "_objects", too_long)
        assert [(one.report_id, one.state, one.code) for one in assistant.deliver()] == [
            (first.id, DEAD, "InputError"),
            (second.id, SENT, "written"),
        ]


def test_a_certificate_that_cannot_be_read_postpones(house: House) -> None:
    tls = {"ca_file": str(house.folder / "none.pem")}
    with mllp_peer() as peer, house.opened(ehr(peer, tls=tls)) as assistant:
        house.signed(assistant)
        assert [(one.state, one.code) for one in assistant.deliver()] == [(WAITING, "ConfigError")]
        assert peer.came == []


# ---- order ---------------------------------------------------------------------------------------------


def test_a_version_waits_for_the_one_before_it_and_for_no_other_report(house: House) -> None:
    with mllp_peer("AR", "AA") as peer, house.opened(ehr(peer)) as assistant:
        report = house.signed(assistant)
        assistant.addendum(report.case_id, "Told.", reason="Asked for.", by=BY)
        other = house.signed(assistant, 2)
        assert [one.version for one in assistant.deliver()] == [1], "and then the receiver rests"
        house.clock.pass_(seconds=30)
        went = [(one.report_id, one.version) for one in assistant.deliver()]
        assert [version for _, version in went] == [1, 2, 1]
        assert went[-1] == (other.id, 1)


def test_after_a_dead_letter_the_next_version_goes_and_the_dead_one_never_after_it(
    house: House,
) -> None:
    with mllp_peer("AE", "AA") as peer, house.opened(ehr(peer)) as assistant:
        report = house.signed(assistant)
        assistant.addendum(report.case_id, "Told.", reason="Asked for.", by=BY)
        assert [one.state for one in assistant.deliver()] == [DEAD, SENT]
        with pytest.raises(StateError, match="version 2 of the report has arrived there"):
            assistant.retry_delivery(1, by=BY)


def test_put_back_before_the_next_version_went_it_goes_first(house: House) -> None:
    with mllp_peer("AE", "AE", "AA") as peer, house.opened(ehr(peer)) as assistant:
        report = house.signed(assistant)
        assistant.addendum(report.case_id, "Told.", reason="Asked for.", by=BY)
        assert [one.state for one in assistant.deliver()] == [DEAD, DEAD]
        assistant.retry_delivery(2, by=BY)
        assistant.retry_delivery(1, by=BY)
        assert [(one.version, one.state) for one in assistant.deliver()] == [(1, SENT), (2, SENT)]


def test_what_is_being_sent_lets_no_earlier_version_in(house: House) -> None:
    with mllp_peer("AE") as peer, house.opened(ehr(peer)) as assistant:
        report = house.signed(assistant)
        list(assistant.deliver())
        inside = kept(assistant)
        with inside.delivering(report.case_id, "ehr", "x", house.clock) as work:
            assert work is not None
            with pytest.raises(Unavailable, match="being sent there"):
                assistant.retry_delivery(1, by=BY)


# ---- several at work -----------------------------------------------------------------------------------


def test_two_workers_never_send_the_same(house: House) -> None:
    with mllp_peer() as peer, house.opened(ehr(peer)) as one, house.opened(ehr(peer)) as other:
        reports = [house.signed(one, number) for number in range(1, 7)]
        start, went = threading.Barrier(2), []

        def work(assistant: Assistant) -> None:
            start.wait()
            went.extend(assistant.deliver())

        workers = [threading.Thread(target=work, args=(each,)) for each in (one, other)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        went.extend(one.deliver())  # what each left to the other
        assert sorted(peer.control_ids) == sorted(control_id(report) for report in reports)
        assert sorted(sent.number for sent in went) == [1, 2, 3, 4, 5, 6]


def test_who_was_not_heard_of_records_nothing_after_another_took_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have sent, with one control id; the log tells of one."""
    monkeypatch.setattr(leases, "WORK_S", 3600.0)  # no pulse meanwhile
    with mllp_peer() as peer, house.opened(ehr(peer)) as slow, house.opened(ehr(peer)) as quick:
        report = house.signed(slow)
        sent = outbox._Round._sent

        def slowly(*args: Any) -> Any:
            monkeypatch.setattr(outbox._Round, "_sent", sent)
            came = sent(*args)
            house.clock.pass_(hours=2)
            assert [one.state for one in quick.deliver()] == [SENT]
            return came

        monkeypatch.setattr(outbox._Round, "_sent", slowly)
        assert list(slow.deliver()) == []
        assert peer.control_ids == [control_id(report)] * 2
        assert len(events(slow, "deliver")) == 1
        assert states(slow) == [(1, "ehr", SENT)]


# ---- who may, and what is listed -----------------------------------------------------------------------


def test_who_may_send(house: House) -> None:
    with house.opened(house.box) as assistant:
        house.signed(assistant)
        with pytest.raises(PermissionDenied):
            list(assistant.deliver(by="technologist-1"))
        with pytest.raises(InputError, match="no destination is named 'bin'"):
            list(assistant.deliver(destination="bin"))
        assert [one.state for one in assistant.deliver(destination="box", by=BY)] == [SENT]


def test_the_list_is_asked_by_what_deliveries_have_in_common(house: House) -> None:
    with mllp_peer("AE") as peer, house.opened(house.box, ehr(peer)) as assistant:
        first, second = house.signed(assistant), house.signed(assistant, 2)
        list(assistant.deliver())
        assert states(assistant, state=DEAD) == [(1, "ehr", DEAD)] * 2
        assert states(assistant, destination="box") == [(1, "box", SENT)] * 2
        (of_first,) = assistant.deliveries(DeliveryFilter(report_id=first.id, state=DEAD), by=BY)
        assert of_first.case_id == first.case_id
        assert len(states(assistant, case_id=second.case_id)) == 2
        assert len(states(assistant, limit=3)) == 3


@pytest.mark.parametrize(
    ("alteration", "kind"),
    [
        ("DELETE FROM delivery WHERE destination = 'box'", "missing"),
        ("UPDATE delivery SET state = 'sent' WHERE destination = 'box'", "altered"),
        ("UPDATE delivery SET state = 'waiting' WHERE destination = 'ehr'", "altered"),
        ("UPDATE delivery SET destination = 'elsewhere' WHERE destination = 'box'", "missing"),
    ],
)
def test_a_delivery_that_was_taken_away_or_altered_is_found(
    house: House, alteration: str, kind: str
) -> None:
    with mllp_peer("AE") as peer, house.opened(ehr(peer), house.box) as assistant:
        house.signed(assistant)
        list(assistant.deliver(destination="ehr"))
        assert assistant.verify().ok
        assistant.retry_delivery(1, by=BY)
        list(assistant.deliver(destination="ehr"))
        assert assistant.verify().ok
        with closing(sqlite3.connect(house.folder / "data" / "medmm.sqlite")) as database, database:
            database.execute(alteration)
        first, *_ = assistant.verify().problems
        assert (first.kind, first.place.split(" to ")[0][:18]) == (kind, "delivery of report")


def test_only_the_outbox_keeps_reports() -> None:
    """So that no verb that comes later makes a version that goes nowhere."""
    folder = Path(outbox.__file__).parent
    keeping = [f.name for f in folder.glob("*.py") if ".save_report(" in f.read_text("utf-8")]
    assert keeping == ["outbox.py"]
