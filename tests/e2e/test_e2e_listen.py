"""`medmm listen` as a process: it is stopped, killed and started again, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from medmm.config import Settings
from tests.dicom_files import mr_file
from tests.listener import associated, events, sent, until
from tests.quick_assistant import quick_assistant
from tests.unit.doors.test_doors_listen_receiver import dataset_bytes, pdu, store_request
from tests.warm_parent import WarmParent

LISTEN = """
import sys
from medmm.doors.cli import main
sys.argv = ["medmm", *sys.argv[1:]]
main()
"""


class Listener:
    """The program, with its settings and what it said."""

    def __init__(self, folder: Path, parent: WarmParent, **listen: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = ("127.0.0.1", free.getsockname()[1])
        made = {"port": self.address[1], "callers": [{"title": "SCU"}], "free_bytes": 0, **listen}
        made = {"titles": {"MEDMM": {"action": "admit"}}, **made}
        self.config = folder / "settings.yaml"
        self.config.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "listen": made}))
        self.spool = folder / "data" / "received"
        self._parent, self._pid = parent, 0

    def start(self, *words: str) -> None:
        self._pid = self._parent.start(LISTEN, "--config", self.config, "listen", *words)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        lines = self._parent.said(self._pid).splitlines()
        return [(one.pop("event"), one) for one in map(json.loads, lines)]

    def ready(self) -> None:
        until(lambda: events(self.told(), "listening"), 30)

    def end(self, number: int) -> tuple[int, str]:
        os.kill(self._pid, number)
        ended = self._parent.ended(self._pid)
        self._pid = 0
        return ended.code, ended.said

    def close(self) -> None:
        if self._pid:
            self.end(signal.SIGKILL)


@pytest.fixture
def listener(tmp_path: Path, warm_parent: WarmParent) -> Iterator[Listener]:
    made = Listener(tmp_path, warm_parent, quiet_seconds=1.0)
    yield made
    made.close()


def slices(folder: Path) -> list[Path]:
    return [mr_file(folder, f"mr{number}.dcm", 5.0 * number) for number in range(4)]


def test_sigterm_ends_it_and_the_next_start_goes_on(listener: Listener, tmp_path: Path) -> None:
    listener.start("--json")
    listener.ready()
    assert sent(listener.address, *slices(tmp_path)) == [0] * 4
    code, said = listener.end(signal.SIGTERM)
    last = json.loads(said.splitlines()[-1])
    assert (code, last["event"], last["stored"], last["waiting"]) == (0, "stopped", 4, 1)
    listener.start("--json")
    listener.ready()
    until(lambda: events(listener.told(), "admitted"), 30)
    assert events(listener.told(), "admitted")[0]["instances"] == 4
    assert listener.end(signal.SIGINT)[0] == 0


def test_a_killed_process_loses_no_object_that_it_answered(
    listener: Listener, tmp_path: Path
) -> None:
    listener.start("--json")
    listener.ready()
    files = slices(tmp_path)
    assert sent(listener.address, *files[:3]) == [0] * 3
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(store_request(b"")[: -len(pdu(2, b""))] + pdu(0, dataset_bytes(files[3])[:2000]))
    until(lambda: list((listener.spool / "arriving").iterdir()))
    listener.end(signal.SIGKILL)
    link.abort()
    listener.start("--json")
    listener.ready()
    assert not list((listener.spool / "arriving").iterdir())
    assert sent(listener.address, *files) == [0] * 4  # the sender, which had no last answer
    until(lambda: events(listener.told(), "admitted"), 30)
    assert sum(said["instances"] for said in events(listener.told(), "admitted")) == 4
    listener.end(signal.SIGTERM)
    settings = Settings(data_dir=tmp_path / "data")
    with quick_assistant(settings.data_dir) as assistant:
        (case,) = [c for c in assistant.cases() if c.state.value != "superseded"]
        volumes = assistant.case(case.case_id).case.study.volumes
        assert sum(len(volume.file_sha256s) for volume in volumes) == 4


def test_it_is_quiet_where_nobody_reads(listener: Listener) -> None:
    listener.start()
    until(lambda: (listener.spool / "lock").exists(), 30)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(listener.address) == 0

    until(answers, 30)
    assert listener.end(signal.SIGTERM) == (0, "")


def test_settings_without_callers_end_it_with_the_remedy(
    tmp_path: Path, warm_parent: WarmParent
) -> None:
    one = Listener(tmp_path, warm_parent, callers=[])
    ended = warm_parent.run(LISTEN, "--config", one.config, "listen")
    assert ended.code == 4
    assert "nobody may send" in ended.said
    assert "listen: callers:" in ended.said
