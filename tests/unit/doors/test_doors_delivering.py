"""`medmm deliver`, `deliveries` and `delivery retry`, from settings to exit code."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.config import Settings, load_settings
from medmm.domain.errors import ConfigError, InputError, PermissionDenied
from medmm.doors import delivering
from medmm.doors.cli import app
from tests.dicom_files import SAYS_FRONTAL
from tests.mllp_receiver import MllpPeer, mllp_peer
from tests.quick_assistant import READS, GivenNetworks

EARLIER = Path(__file__).parents[1] / "store" / "earlier_release" / "store.tar.xz"
CASE = "case-1"
READERS = [
    {"id": "reader-1", "name": "ZZREADER One", "role": "attending"},
    {"id": "administrator-1", "name": "ZZADMIN", "role": "administrator"},
    {"id": "resident-1", "name": "ZZREADER Three", "role": "resident"},
]
ADD = ("addendum", CASE, "Told to the ward.", "--reason", "Asked for.")


@pytest.fixture
def peer() -> Iterator[MllpPeer]:
    with mllp_peer() as made:
        yield made


@pytest.fixture
def config(tmp_path: Path, peer: MllpPeer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a data folder that an earlier release left, with one signed case."""
    with tarfile.open(EARLIER) as packed:
        packed.extractall(tmp_path, filter="data")
    (data,) = [path.parent for path in tmp_path.rglob("medmm.sqlite")]
    (tmp_path / "box").mkdir()
    path = tmp_path / "settings.yaml"
    content = {
        "data_dir": str(data),
        "readers": READERS,
        "destinations": [
            {"name": "ehr", "kind": "mllp", "host": "127.0.0.1", "port": peer.port},
            {"name": "box", "kind": "folder", "path": str(tmp_path / "box"), "forms": ["text"]},
        ],
    }
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


def networks_of(settings: Settings) -> GivenNetworks:
    given = {"reader": READS, "picture_kinds": SAYS_FRONTAL, "language_model": None}
    return GivenNetworks(settings, **given)


def run(*words: str, by: str | None = None) -> Result:
    return CliRunner().invoke(app, [*(("--by", by) if by else ()), *words])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.output.splitlines()]


def test_a_report_of_an_earlier_release_goes_nowhere_and_its_next_version_to_all(
    config: Path, peer: MllpPeer
) -> None:
    assert run("deliver", "--once", "--json").output == ""
    assert "No such deliveries." in run("deliveries").output
    added = run(*ADD, by="reader-1")
    assert added.exit_code == 0
    assert "`medmm deliver` sends it" in " ".join(added.output.split())
    sent = run("deliver", "--once", "--json")
    assert sent.exit_code == 0
    assert [(one["event"], one["destination"], one["version"]) for one in lines(sent)] == [
        ("sent", "ehr", 2),
        ("sent", "box", 2),
    ]
    (written,) = (config.parent / "box").iterdir()
    assert "Told to the ward." in written.read_text()
    assert len(peer.came) == 1
    shown = run("deliveries", "--destination", "ehr").output
    assert "arrived, MSA AA" in shown
    (listed,) = lines(run("deliveries", "--destination", "box", "--json"))
    assert (listed["state"], listed["code"], listed["case_id"]) == ("sent", "written", CASE)


def test_exit_codes_are_those_of_several_inputs(config: Path, peer: MllpPeer) -> None:
    peer.answers = ["AE|of ZZPATIENT", "AR", "AA"]
    run(*ADD, by="reader-1")
    some = run("deliver", "--once")
    assert (some.exit_code, some.output) == (9, ""), "quiet where nobody watches"
    refused = run("deliveries", "--state", "dead")
    assert "MSA AE 101 at PID-1-5" in refused.output
    assert "ZZPATIENT" not in refused.output, "the service may not see identities"
    assert "ZZPATIENT" in run("deliveries", "--state", "dead", by="reader-1").output
    assert isinstance(run("delivery", "retry", "1").exception, InputError)
    assert isinstance(run("delivery", "retry", "1", by="nobody-1").exception, PermissionDenied)
    denied = run("delivery", "retry", "1", by="resident-1")
    assert denied.exit_code == 5
    put_back = run("delivery", "retry", "1", "2", "77", by="administrator-1")
    assert put_back.exit_code == 9
    assert "Put back: 1, to ehr." in put_back.output
    postponed = run("deliver", "--once", "--json", "--destination", "ehr")
    assert postponed.exit_code == 7
    (said,) = lines(postponed)
    assert (said["event"], said["code"], said["attempt"]) == ("postponed", "MSA AR", 1)
    assert "due" in said
    assert run("delivery", "retry", "1", by="reader-1").exit_code == 6, "it waits already"


def test_without_destinations_there_is_nothing_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMM_DATA_DIR", str(tmp_path / "data"))
    assert isinstance(run("deliver").exception, ConfigError)


def test_a_destination_is_named_as_in_the_settings(config: Path) -> None:
    assert isinstance(run("deliver", "--once", "--destination", "pacs").exception, InputError)


def test_until_it_is_stopped_it_sends_what_is_signed_meanwhile(
    config: Path, peer: MllpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "POLL_S", 0.05)
    monkeypatch.setattr(delivering, "STEP_S", 0.01)
    said: list[dict[str, Any]] = []
    stopping, came = threading.Event(), threading.Event()

    def tell(event: str, **details: object) -> None:
        said.append({"event": event, **details})
        if sum(one["event"] == "sent" for one in said) == 2:
            came.set()

    settings = load_settings(config)
    with Assistant(settings, networks=networks_of(settings)) as assistant:
        working = threading.Thread(
            target=delivering.deliver_until_stopped, args=(assistant, None, None, tell, stopping)
        )
        working.start()
        assistant.addendum(CASE, "Told to the ward.", reason="Asked for.", by="reader-1")
        assert came.wait(timeout=20)
        stopping.set()
        working.join(timeout=20)
        assert not working.is_alive()
    assert [one["event"] for one in said] == ["delivering", "sent", "sent", "stopped"]


def test_a_receiver_that_hangs_holds_up_no_other(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "STEP_S", 0.01)
    stopping, came = threading.Event(), threading.Event()
    said: list[dict[str, Any]] = []

    def tell(event: str, **details: object) -> None:
        said.append({"event": event, **details})
        if event == "sent":
            came.set()

    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and no more
        content = yaml.safe_load(config.read_text())
        content["destinations"][0] |= {"port": silent.getsockname()[1], "answer_timeout_s": 1}
        config.write_text(yaml.safe_dump(content))
        settings = load_settings(config)
        with Assistant(settings, networks=networks_of(settings)) as assistant:
            assistant.addendum(CASE, "Told to the ward.", reason="Asked for.", by="reader-1")
            working = threading.Thread(
                target=delivering.deliver_until_stopped,
                args=(assistant, None, None, tell, stopping),
            )
            working.start()
            assert came.wait(timeout=20)
            stopping.set()
            working.join(timeout=20)
    assert [one.get("code") for one in said] == [None, "written", "unanswered", None]


def test_an_error_of_one_thread_ends_all_and_is_told(config: Path) -> None:
    settings = load_settings(config)
    with Assistant(settings, networks=networks_of(settings)) as assistant:
        resident = assistant.reader_named("resident-1")
        with pytest.raises(PermissionDenied):
            delivering.deliver_until_stopped(
                assistant, None, resident, lambda event, **details: None
            )


def test_a_signal_ends_it_after_what_is_being_sent(config: Path, peer: MllpPeer) -> None:
    run(*ADD, by="reader-1")
    command = [sys.executable, "-m", "medmm.doors", "deliver", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        events = [json.loads(process.stdout.readline())["event"] for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        events += [json.loads(line)["event"] for line in process.stdout]
        assert process.wait(timeout=30) == 0
    assert events == ["delivering", "sent", "sent", "stopped"]


def test_what_is_withdrawn_after_a_dead_letter_arrives_and_the_letter_stays_dead(
    config: Path, peer: MllpPeer
) -> None:
    peer.answers = ["AE", "AA"]
    run(*ADD, by="reader-1")
    run("deliver", "--once")
    run("withdraw", CASE, "--reason", "Another patient's film.", by="reader-1")
    assert run("deliver", "--once").exit_code == 0
    overtaken = run("delivery", "retry", "1", by="reader-1")
    assert overtaken.exit_code == 6
