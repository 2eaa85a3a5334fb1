"""A listener for orders from start to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from medmm.doors.dicom.admissions import POLL_S
from medmm.doors.orders.receiver import OrderReceiver, Tell
from medmm.doors.stopping import signals

if TYPE_CHECKING:
    from medmm.assistant import Assistant


def take_orders_until_stopped(
    assistant: Assistant,
    tell: Tell,
    stopping: threading.Event | None = None,
    ready: Callable[[tuple[str, int]], None] = lambda address: None,
) -> None:
    """Listen until SIGTERM, SIGINT or the event; then answer what is in hand.

    A second signal ends it at once; nothing that was acknowledged is lost by that either.

    Args:
        ready: told address and port once connections are accepted.

    Raises: ConfigError if the settings let nobody in, or the address can't be listened on.
    """
    stopping = threading.Event() if stopping is None else stopping
    with signals() as signalled:
        receiver = OrderReceiver(assistant, tell)
        receiver.start()
        try:
            address, port = receiver.address
            tell("listening", address=address, port=port)
            ready(receiver.address)
            while not (stopping.wait(POLL_S) or signalled.asked):
                pass
        finally:
            receiver.stop()
        tell("stopped", **receiver.counted)
