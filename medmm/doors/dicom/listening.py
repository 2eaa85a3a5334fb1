"""A listener from start to end: spool, receiver and admissions, and what is told of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from medmm.domain.errors import ConfigError
from medmm.doors.dicom.admissions import POLL_S, Admissions
from medmm.doors.dicom.receiver import Receiver, Tell
from medmm.doors.dicom.spool import Spool
from medmm.doors.stopping import Signalled, signals

if TYPE_CHECKING:
    from medmm.assistant import Assistant

FOLDER = "received"  # of data_dir
OF_ONE_OBJECT = ("aside",)  # told to machines alone: a study may have hundreds


@contextmanager
def opened_spool(
    assistant: Assistant, name: str = FOLDER, called: str = "listener"
) -> Iterator[Spool]:
    """Open a spool of the assistant's data folder for one process alone.

    Args:
        name: of its folder.
        called: what errors call the process.

    Raises: ConfigError if it can't be used, or another process has it.
    """
    listen, folder = assistant.settings.listen, assistant.settings.data_dir / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder / "lock", timeout=0):
            yield Spool(folder, object_bytes=listen.object_bytes, free_bytes=listen.free_bytes)
    except Timeout as error:
        raise ConfigError(
            f"another {called} works on this data folder",
            remedy="wait for it or stop it, or give this one a data_dir of its own",
            folder=str(folder),
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the spool can't be used: {type(error).__name__}",
            remedy="check the folder, its permissions and its disk",
            folder=str(folder),
        ) from error


def listen_until_stopped(
    assistant: Assistant,
    tell: Tell,
    stopping: threading.Event | None = None,
    ready: Callable[[tuple[str, int]], None] = lambda address: None,
) -> None:
    """Listen until SIGTERM, SIGINT or the event; then finish what is under way.

    A second signal ends it at once; nothing that was answered is lost by that either.

    Args:
        ready: told address and port once associations are accepted.

    Raises: ConfigError if the settings let nobody in, or address or spool can't be used.
    """
    stopping = threading.Event() if stopping is None else stopping
    with opened_spool(assistant) as spool, signals() as signalled:
        listen = assistant.settings.listen
        receiver = Receiver(listen, spool, assistant.sop_classes, tell)
        admissions = Admissions(assistant, listen, spool, tell)
        receiver.start()
        closing = threading.Thread(target=_close_when, args=(stopping, signalled, receiver))
        closing.start()
        try:
            address, port = receiver.address
            titles = sorted(listen.titles)
            tell("listening", address=address, port=port, titles=titles, waiting=spool.waiting())
            ready(receiver.address)
            admissions.run(stopping, receiver.drop_abandoned)
        finally:
            stopping.set()
            closing.join()
        tell("stopped", **receiver.counted, waiting=spool.waiting())


def _close_when(stopping: threading.Event, signalled: Signalled, receiver: Receiver) -> None:
    """Close as soon as it is asked for, be a draft under way or not."""
    while not stopping.wait(POLL_S):
        if signalled.asked:
            stopping.set()
    receiver.stop()
