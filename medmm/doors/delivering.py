"""Sending signed reports until told to stop; what is told of it names no patient."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from medmm.domain.delivery import Delivery, DeliveryState
from medmm.domain.errors import EXIT_CODES, InputError, Unavailable, exit_code_of_several
from medmm.doors.stopping import signals
from medmm.doors.telling import Tell

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.domain.report import Reader

POLL_S = 5.0  # between two looks at what is due
STEP_S = 0.2  # between two looks at whether a signal came
CODES = {
    DeliveryState.SENT: 0,
    DeliveryState.WAITING: EXIT_CODES[Unavailable],
    DeliveryState.DEAD: EXIT_CODES[InputError],
}


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
        tell(**attempt(sent))
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

    Each destination has a thread, so that a slow one holds up no other. What is being sent is
    finished; a second signal ends it at once, and then it is sent again.

    Raises: ConfigError if the settings name no destination; InputError if none is of this name.
    """
    stopping = threading.Event() if stopping is None else stopping
    names = [one.name for one in assistant.settings.destinations]
    to = names if destination is None and names else [destination]
    with signals() as signalled, ThreadPoolExecutor(len(to)) as pool:
        tell("delivering", destinations=[name for name in to if name])
        at_work = [pool.submit(_send_on, assistant, name, by, tell, stopping) for name in to]
        while not (signalled.asked or stopping.is_set() or any(one.done() for one in at_work)):
            time.sleep(STEP_S)
        stopping.set()
        for one in at_work:
            one.result()
    tell("stopped")


def _send_on(
    assistant: Assistant,
    destination: str | None,
    by: Reader | None,
    tell: Tell,
    stopping: threading.Event,
) -> None:
    """Send what is due to one destination until the event; it ends earlier by an error alone."""
    while not stopping.is_set():
        try:
            for sent in assistant.deliver(destination=destination, by=by):
                tell(**attempt(sent))
                if stopping.is_set():
                    return
        except Unavailable as error:  # the store is out of reach for now
            tell("waits", reason=error.problem)
        stopping.wait(POLL_S)
