"""A run and who watches it: the signals that stop it and its progress bar."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class Stop:
    """Whether a signal asked the run to stop."""

    asked = False


@contextmanager
def signals() -> Iterator[Stop]:
    """Let SIGINT and SIGTERM ask to stop, once.

    Afterwards, and at a second one, they do what they did before.
    """
    stop = Stop()
    before: dict[signal.Signals, Any] = {}

    def back() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def ask(number: int, frame: FrameType | None) -> None:
        stop.asked = True
        back()
        log.warning(
            "%s: the step is finished and saved, then the run stops", signal.Signals(number).name
        )

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        back()


def bar_of(quiet: bool) -> Progress:
    """Build a progress bar with the time left, on a terminal alone."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(
        *columns,
        TextColumn("{task.fields[loss]}"),
        console=console,
        disable=quiet or not console.is_terminal,
    )
