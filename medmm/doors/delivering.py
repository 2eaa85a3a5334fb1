"""Sending signed reports until told to stop, and what is told of it: keys and codes, no patient."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from medmm.domain.delivery import Delivery, DeliveryState
from medmm.domain.errors import EXIT_CODES, InputError, Unavailable, exit_code_of_several
from medmm.doors.session import plain, write_json
from medmm.doors.stopping import signals

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.domain.report import Reader

POLL_S = 5.0  # between two looks at what is due
STEP_S = 0.2  # between two looks at whether a signal came
Tell = Callable[[dict[str, Any]], None]
CODES = {
    DeliveryState.SENT: 0,
    DeliveryState.WAITING: EXIT_CODES[Unavailable],
    DeliveryState.DEAD: EXIT_CODES[InputError],
}


def teller(*, as_json: bool) -> Tell:
    """Make what tells of attempts: JSON lines, lines for a terminal, or nothing elsewhere."""

    def tell(said: dict[str, Any]) -> None:
        # Where nobody reads any more, reports are sent all the same
        with suppress(BrokenPipeError):
            if as_json:
                write_json(said)
            elif sys.stdout.isatty():
                words = (f"{name} {value}" for name, value in said.items() if name != "event")
                sys.stdout.write(plain(f"{said['event']}  {'  '.join(words)}".rstrip()) + "\n")
                sys.stdout.flush()

    return tell


def attempt(delivery: Delivery) -> dict[str, Any]:
    """Tell of an attempt, without the receiver's words, which may name a patient."""
    due = {"due": delivery.due.isoformat(timespec="seconds")} if delivery.due else {}
    return {
        "event": {DeliveryState.WAITING: "postponed"}.get(delivery.state, delivery.state.value),
        "delivery": delivery.number,
        "report": delivery.report_id,
        "version": delivery.version,
        "destination": delivery.destination,
        "attempt": delivery.attempts,
        "code": delivery.code,
        **due,
    }


def deliver_once(
    assistant: Assistant, destination: str | None, by: Reader | None, tell: Tell
) -> int:
    """Send what is due now.

    Returns: the exit code of the command.
    """
    codes = []
    for sent in assistant.deliver(destination=destination, by=by):
        tell(attempt(sent))
        codes.append(CODES[sent.state])
    return exit_code_of_several(codes)


def deliver_until_stopped(
    assistant: Assistant,
    destination: str | None,
    by: Reader | None,
    tell: Tell,
    stopping: threading.Event | None = None,
) -> None:
    """Send what is due, again and again, until SIGTERM, SIGINT or the event.

    What is being sent is finished; a second signal ends it at once, and then it is sent again.

    Raises: ConfigError if the settings name no destination; InputError if none is of this name.
    """
    stopping = threading.Event() if stopping is None else stopping
    with signals() as signalled:
        tell({"event": "delivering"})
        while not stopping.is_set():
            try:
                for sent in assistant.deliver(destination=destination, by=by):
                    tell(attempt(sent))
                    if signalled.asked or stopping.is_set():
                        break
            except Unavailable as error:  # the store is out of reach for now
                tell({"event": "waits", "reason": error.problem})
            waited = 0.0
            while not signalled.asked and waited < POLL_S and not stopping.wait(STEP_S):
                waited += STEP_S
            if signalled.asked:
                stopping.set()
        tell({"event": "stopped"})
