"""What a server tells of its work while it runs: lines for a terminal, or JSON lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress

from medmm.doors.session import plain, write_json

Tell = Callable[..., None]


def teller(*, as_json: bool, machines_alone: Collection[str] = ()) -> Tell:
    """Make what tells of events: JSON lines, lines for a terminal, or nothing elsewhere.

    Lines of several threads don't mix.

    Args:
        machines_alone: events that a terminal is not told of.
    """
    lock = threading.Lock()

    def tell(event: str, **details: object) -> None:
        # Where nobody reads any more, the work goes on all the same
        with lock, suppress(BrokenPipeError):
            if as_json:
                write_json({"event": event, **details})
            elif event not in machines_alone and sys.stdout.isatty():
                said = "  ".join(f"{name} {_words(value)}" for name, value in details.items())
                sys.stdout.write(plain(f"{event}  {said}".rstrip()) + "\n")
                sys.stdout.flush()

    return tell


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
