"""A program that runs until a signal asks it to stop, and then finishes what is under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Signalled:
    """Whether a signal asked for the end.

    A signal's handler runs in the midst of whatever the main thread does, which may hold the lock
    of an event: it may set no event, and sets this.
    """

    asked: bool = False


@contextmanager
def signals() -> Iterator[Signalled]:
    """Let the first SIGTERM or SIGINT ask for the end, and the second end the process at once."""
    signalled = Signalled()
    if threading.current_thread() is not threading.main_thread():
        yield signalled
        return

    def ask(number: int, frame: FrameType | None) -> None:
        signalled.asked = True
        for one in before:
            signal.signal(one, signal.SIG_DFL)

    before = {one: signal.signal(one, ask) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield signalled
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
