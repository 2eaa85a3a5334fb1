"""A listener of the tests on a free port of loopback, and those who send to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from medmm.assistant import Assistant
from medmm.config import ListenEntry
from medmm.doors.dicom.listening import listen_until_stopped
from medmm.doors.dicom.receiver import Receiver
from medmm.doors.dicom.spool import Spool
from medmm.imaging import SOP_CLASSES

_shutdown = AssociationSocket._shutdown_socket


def _closed(self: AssociationSocket) -> None:
    """pynetdicom 3.0.4 leaves a socket open whose other end went first."""
    _shutdown(self)
    if self.socket is not None:
        self.socket.close()


AssociationSocket._shutdown_socket = _closed  # type: ignore[method-assign]

WANTED = frozenset(uid for classes in SOP_CLASSES.values() for uid in classes)
Event = tuple[str, dict[str, Any]]


def entry(**changes: Any) -> ListenEntry:
    """Settings that let the caller SCU in, on a free port, and need no room on the disk."""
    made = {"port": 0, "callers": ({"title": "SCU"},), "free_bytes": 0, **changes}
    return ListenEntry(**made)


@dataclass
class Listening:
    """A receiver with its spool, and what it told."""

    receiver: Receiver
    spool: Spool
    told: list[Event] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return self.receiver.address

    def stored(self) -> list[Path]:
        return sorted(self.spool.studies.glob("*/*/*.dcm"))

    def aside(self) -> list[Path]:
        return sorted(self.spool.aside.glob("*/*.dcm"))

    def arriving(self) -> list[Path]:
        return sorted(self.spool.room.folder.iterdir())


@contextmanager
def receiving(folder: Path, listen: ListenEntry | None = None) -> Iterator[Listening]:
    """A receiver alone: nothing is admitted."""
    listen = listen or entry()
    told: list[Event] = []
    spool = Spool(
        folder / "received", object_bytes=listen.object_bytes, free_bytes=listen.free_bytes
    )
    receiver = Receiver(listen, spool, WANTED, lambda event, **said: told.append((event, said)))
    receiver.start()
    try:
        yield Listening(receiver, spool, told)
    finally:
        receiver.stop()


@contextmanager
def listening(assistant: Assistant) -> Iterator[tuple[tuple[str, int], list[Event]]]:
    """The whole listener of an assistant: its address, and what it tells."""
    told: list[Event] = []
    stopping, ready = threading.Event(), threading.Event()
    found: list[tuple[str, int]] = []

    def begun(address: tuple[str, int]) -> None:
        found.append(address)
        ready.set()

    def run() -> None:
        try:
            listen_until_stopped(
                assistant, lambda event, **said: told.append((event, said)), stopping, begun
            )
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20)
        yield found[0], told
    finally:
        stopping.set()
        thread.join()


def associated(
    address: tuple[str, int],
    classes: dict[str, list[UID]] | None = None,
    *,
    calling: str = "SCU",
    called: str = "MEDMM",
    **more: Any,
) -> Association:
    """An association that proposes these classes with their syntaxes, and verification."""
    entity = AE(calling)
    entity.add_requested_context("1.2.840.10008.1.1")
    for name, syntaxes in (classes or {key: [ExplicitVRLittleEndian] for key in WANTED}).items():
        entity.add_requested_context(name, syntaxes)
    return entity.associate(*address, ae_title=called, **more)


def sent(address: tuple[str, int], *objects: Path | Dataset, **how: Any) -> list[int]:
    """The status of each object, sent in one association."""
    association = associated(address, **how)
    assert association.is_established
    statuses = [
        association.send_c_store(one if isinstance(one, Dataset) else str(one)).Status
        for one in objects
    ]
    association.release()
    return statuses


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def events(told: list[Event], name: str) -> list[dict[str, Any]]:
    return [said for event, said in told if event == name]


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A bare connection."""
    with socket.create_connection(address, timeout=10) as connection:
        yield connection
