"""What a sender of orders is answered over MLLP, on real sockets, and what then is kept."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hl7apy.parser import parse_message

from medmm.assistant import Assistant
from medmm.config import OrderCallerEntry, OrdersEntry, TlsEntry
from medmm.connections.mllp import END, START
from medmm.delivery.hl7.mllp import MllpReceiver, Sent, send
from medmm.domain.errors import ConfigError, Unavailable
from medmm.doors.orders.receiver import OrderReceiver
from tests.certificates import Authority
from tests.kept import kept
from tests.orders import order_message
from tests.quick_assistant import quick_assistant

HERE = OrderCallerEntry(host="127.0.0.1")
Event = tuple[str, dict[str, Any]]


class Door:
    """A listener for orders, and what it told."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant, self.told = assistant, cast(list[Event], [])
        self.receiver = OrderReceiver(assistant, lambda event, **d: self.told.append((event, d)))
        self.receiver.start()

    def connected(self) -> socket.socket:
        return socket.create_connection(self.receiver.address, timeout=10)

    def said(self, *parts: bytes, pause_s: float = 0.05) -> list[str]:
        """What is answered to bytes that are sent in parts, until this end's are read."""
        with self.connected() as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause_s if len(parts) > 1 else 0)
            connection.shutdown(socket.SHUT_WR)
            return answers(connection)

    def words(self, event: str) -> list[dict[str, Any]]:
        until = time.monotonic() + 5
        while time.monotonic() < until and event not in {name for name, _ in self.told}:
            time.sleep(0.01)
        return [details for name, details in self.told if name == event]


def answers(connection: socket.socket) -> list[str]:
    got = b""
    while more := connection.recv(65_536):
        got += more
    return [one.removeprefix(START).decode() for one in got.split(END) if one]


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[Door]:
    entry = OrdersEntry(**{"port": 0, "callers": (HERE,), "free_bytes": 0, **settings})
    with quick_assistant(folder, orders=entry) as assistant:
        door = Door(assistant)
        try:
            yield door
        finally:
            door.receiver.stop()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with opened(tmp_path / "data") as found:
        yield found


def framed(message: str | bytes | None = None, **how: Any) -> bytes:
    content = order_message(**how) if message is None else message
    return START + (content.encode() if isinstance(content, str) else content) + END


def msa(answer: str) -> list[str]:
    return next(line for line in answer.split("\r") if line.startswith("MSA")).split("|")[1:]


def orders(door: Door) -> int:
    return len([e for e in kept(door.assistant).events() if e.verb == "take_order" and e.outcome == "done"])  # fmt: skip


def test_an_order_is_kept_before_it_is_acknowledged(door: Door) -> None:
    (answer,) = door.said(framed())
    assert msa(answer) == ["AA", "C1"]
    assert orders(door) == 1
    header = answer.split("\r")[0].split("|")
    assert header[2:6] == ["MEDMM", "RAD", "OE", "HOSP"]
    assert header[8] == "ACK^O01^ACK"
    assert parse_message(answer).name == "ACK"
    (told,) = door.words("taken")
    assert re.fullmatch(r"order-[0-9a-f]{32} new", told["orders"][0])


@pytest.mark.parametrize(
    "cut",
    [
        lambda a, b: [a + b],
        lambda a, b: [a[:5], a[5:] + b[:1], b[1:]],
        lambda a, b: [a[:-1], a[-1:] + b],
        lambda a, b: [b"\r\n garbage \x00" + a, b],
        lambda a, b: [a + b[:40]],
        lambda a, b: [a[:60] + a + b],
    ],
    ids=["two in one packet", "one in two", "a cut end", "garbage before", "half at close", "begun anew"],
)  # fmt: skip
def test_frames_however_they_come(door: Door, cut: Callable[[bytes, bytes], list[bytes]]) -> None:
    one, two = framed(), framed(placer="P2", control_id="C2")
    found = [msa(answer) for answer in door.said(*cut(one, two))]
    whole = b"".join(cut(one, two)).count(END)
    assert found == [["AA", "C1"], ["AA", "C2"]][:whole]
    assert orders(door) == whole


def test_a_message_at_fault_is_told_where_and_the_next_is_taken(door: Door) -> None:
    bad, good = door.said(framed(control="QQ", control_id="C9") + framed())
    assert msa(bad) == ["AE", "C9"]
    error = bad.split("\r")[2].split("|")
    assert error[:5] == ["ERR", "", "ORC^1^1", "103^Table value not found^HL70357", "E"]
    assert error[8] == "what is done with an order is not known here"
    assert parse_message(bad).err.err_3.to_er7().startswith("103")
    assert msa(good) == ["AA", "C1"]


def test_an_older_version_is_answered_in_its_own_words(door: Door) -> None:
    old = order_message(control="QQ").replace("2.5.1", "2.3").replace("ORM^O01^ORM_O01", "ORM^O01")
    (answer,) = door.said(framed(old))
    assert answer.split("\r")[0].split("|")[8:12] == ["ACK^O01", answer.split("|")[9], "P", "2.3"]
    assert msa(answer) == ["AE", "C1", "what is done with an order is not known here"]
    assert "ERR|ORC^1^1^103&Table value not found&HL70357" in answer


@pytest.mark.parametrize("content", [b"", b"hello", b"MSH", b"MSH|^~\\&|\xff\xfe", b"\x00" * 100])
def test_what_is_no_message_is_at_fault(door: Door, content: bytes) -> None:
    (answer,) = door.said(framed(content))
    assert msa(answer)[0] == "AE"
    assert orders(door) == 0


def test_nobody_s_name_is_told(door: Door) -> None:
    door.said(framed() + framed(born="19601399") + framed(control="QQ") + framed(b"ZZTEST"))
    for secret in ("ZZ-1", "ZZTEST", "ACC1", "19601399", "Cough"):
        assert secret not in repr(door.told)


def test_a_message_that_never_ends_ends_its_connection(tmp_path: Path) -> None:
    with opened(tmp_path, message_bytes=10_000, message_seconds=0.3, idle_seconds=0.3) as door:
        with door.connected() as connection:
            connection.sendall(START + b"MSH|" + b"x" * 20_000)
            assert answers_or_reset(connection) == []
        assert door.words("ended")[0]["why"] == "message_bytes"
        door.told.clear()
        with door.connected() as slow:
            began = time.monotonic()
            slow.sendall(START + b"MSH")
            assert answers_or_reset(slow) == []
            assert time.monotonic() - began < 5
        assert door.words("ended")[0]["why"] == "time"
        with door.connected() as silent:
            assert answers_or_reset(silent) == []
        (answer,) = door.said(framed())
        assert msa(answer)[0] == "AA"


def answers_or_reset(connection: socket.socket) -> list[str]:
    try:
        return answers(connection)
    except ConnectionResetError:
        return []


def test_only_named_callers_are_let_in(tmp_path: Path) -> None:
    with opened(tmp_path / "a", callers=(OrderCallerEntry(host="192.0.2.1"),)) as door:
        with door.connected() as connection:
            assert answers_or_reset(connection) == []
        assert door.words("rejected")[0]["why"] == "caller"
    named = OrderCallerEntry(host="127.0.0.1", application="OE", facility="OTHER")
    with opened(tmp_path / "b", callers=(named,)) as door:
        (answer,) = door.said(framed())
        assert msa(answer)[0] == "AE"
        assert "ERR||MSH^1^3|207" in answer
        (answer,) = door.said(framed(order_message().replace("|HOSP|", "|OTHER|")))
        assert msa(answer)[0] == "AA"
    with quick_assistant(tmp_path / "c") as assistant, pytest.raises(ConfigError, match="nobody"):
        Door(assistant)


def test_one_connection_too_many_is_closed(tmp_path: Path) -> None:
    with opened(tmp_path, connections=1) as door, door.connected() as first:
        first.sendall(framed())
        assert first.recv(4096)
        with door.connected() as second:
            assert answers_or_reset(second) == []
        assert door.words("rejected")[0]["why"] == "connections"


def test_what_can_t_be_kept_now_is_rejected_and_taken_later(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **how: Any) -> None:
        raise Unavailable("the database is away", remedy="wait")

    def full(*args: Any, **how: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    def defect(*args: Any, **how: Any) -> None:
        raise KeyError("ZZTEST")

    for act, why in ((away, "Unavailable"), (full, "ENOSPC"), (defect, "a defect")):
        with monkeypatch.context() as patch:
            patch.setattr(door.assistant, "take_order", act)
            (answer,) = door.said(framed())
        assert msa(answer) == ["AR", "C1"]
        assert "|207^Application internal error^HL70357|E|" in answer
        assert door.words("not-taken")[-1]["why"] == why
        assert "ZZTEST" not in repr(door.told)
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(door.assistant.settings.data_dir)._replace(free=-1)
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        assert msa(door.said(framed())[0])[0] == "AR"
    assert orders(door) == 0
    assert msa(door.said(framed())[0]) == ["AA", "C1"]


def test_several_callers_at_once(door: Door) -> None:
    found: list[list[str]] = []

    def one(number: int) -> None:
        sent = [framed(placer=f"P{number}-{n}", control_id=f"C{n}") for n in range(5)]
        found.append([msa(answer)[0] for answer in door.said(b"".join(sent))])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["AA"] * 5] * 4
    assert orders(door) == 20
    assert door.assistant.verify().ok


def test_medmm_s_own_client_and_tls(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "hospital"), Authority(tmp_path, "other")
    certificate, key = authority.sign("medmm")
    tls = TlsEntry(certificate=certificate, key=key, callers_ca=authority.certificate)
    with opened(tmp_path / "data", tls=tls) as door:
        host, port = door.receiver.address
        context = ssl.create_default_context(cafile=authority.certificate)
        context.load_cert_chain(*authority.sign("oe"))
        receipt = send(order_message().encode(), MllpReceiver(host=host, port=port, tls=context))
        assert receipt.outcome is Sent.ACCEPTED
        strange = ssl.create_default_context(cafile=authority.certificate)
        strange.load_cert_chain(*other.sign("stranger"))
        refused = send(order_message().encode(), MllpReceiver(host=host, port=port, tls=strange))
        assert refused.outcome in (Sent.UNREACHABLE, Sent.UNANSWERED)
        assert door.words("rejected")[0]["why"] == "tls"
        plain = send(order_message().encode(), MllpReceiver(host=host, port=port, answer_s=5))
        assert plain.outcome is Sent.UNANSWERED
        # a connection that waits is ended, and its keys are not forgotten on the way
        with context.wrap_socket(door.connected(), server_hostname=host) as waiting:
            waiting.sendall(framed(placer="P2"))
            assert msa(waiting.recv(4096).decode().removeprefix("\x0b"))[0] == "AA"
            door.receiver.stop()
            assert waiting.recv(4096) == b""
    assert door.receiver.counted["taken"] == 2


def test_hl7apy_s_messages_are_taken(door: Door) -> None:
    from hl7apy.core import Message

    made = Message("ORM_O01", version="2.5")
    made.msh.msh_7, made.msh.msh_9, made.msh.msh_10 = "20200304080000", "ORM^O01^ORM_O01", "H1"
    made.msh.msh_11, made.msh.msh_18 = "P", "UNICODE UTF-8"
    patient = made.add_group("ORM_O01_PATIENT")
    patient.pid.pid_3, patient.pid.pid_5 = "ZZ-1^^^HOSP^MR", "Zß^Ä"
    order = made.add_group("ORM_O01_ORDER")
    order.orc.orc_1, order.orc.orc_2 = "NW", "P1"
    detail = order.add_group("ORM_O01_ORDER_DETAIL")
    choice = detail.add_group("ORM_O01_OBRRQDRQ1RXOODSODT_SUPPGRP")
    choice.obr.obr_4, choice.obr.obr_13 = "1^Chest", "no fever"
    assert [msa(a) for a in door.said(framed(made.to_er7()))] == [["AA", "H1"]]
    (answer,) = door.said(made.to_mllp().encode())
    assert msa(answer) == ["AA", "H1"]
    assert door.words("taken")[-1]["orders"][0].endswith(" again")


def test_the_command_listens_until_a_signal(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    entry = {"port": 0, "callers": [{"host": "127.0.0.1"}], "free_bytes": 0}
    settings.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "orders": entry}))
    command = [sys.executable, "-m", "medmm.doors", "--config", str(settings), "orders", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ), text=True) as run:
        assert run.stdout is not None
        listening = json.loads(run.stdout.readline())
        with socket.create_connection((listening["address"], listening["port"])) as connection:
            connection.sendall(framed())
            assert b"MSA|AA|C1" in connection.recv(4096)
            run.send_signal(signal.SIGTERM)
            assert connection.recv(4096) == b""
        told = [json.loads(line)["event"] for line in run.stdout]
    assert (run.returncode, told) == (0, ["taken", "stopped"])
