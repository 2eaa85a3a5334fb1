"""The frames of MLLP: one message each, between a start block and an end block.

Source: HL7 v2.5.1 appendix C (minimal lower layer protocol).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

START, END = b"\x0b", b"\x1c\r"
READ_AT_ONCE = 65_536


class TooLongError(Exception):
    """The other end sends on and on."""


class Frames:
    """Reads frames from a connection, however the network cuts them.

    What stands before a start block is passed over; half a message at the close is none.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._held, self._sought = connection, bytearray(), 0

    @property
    def begun(self) -> bool:
        """Whether a part of a message came that is not whole yet."""
        return bool(self._held)

    def next(self, until: float, most_bytes: int, within_s: float | None = None) -> bytes | None:
        """Read what comes up to the next end block; None if the other end closes first.

        Args:
            until: on the monotonic clock, when the message is to have come.
            most_bytes: of it.
            within_s: then `until` is for its first byte alone, and so long for all of it.

        Raises: TimeoutError after that, however slowly bytes trickle in; TooLongError.
        """
        begun = False
        while True:
            end = self._held.find(END, self._sought)
            if end >= 0:
                return self._taken(end)
            self._sought = max(len(self._held) - 1, 0)
            if len(self._held) > most_bytes:
                raise TooLongError
            if within_s is not None and self._held and not begun:
                begun, until = True, time.monotonic() + within_s
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            more = self._connection.recv(READ_AT_ONCE)
            if not more:
                return None
            self._held += more

    def _taken(self, end: int) -> bytes:
        frame = bytes(self._held[:end])
        del self._held[: end + len(END)]
        self._sought = 0
        return frame


def frames(connection: socket.socket, until: float, most_bytes: int) -> Iterator[bytes]:
    """Yield the messages that come until the other end closes.

    Args:
        most_bytes: of all of them together.

    Raises: as `Frames.next`.
    """
    reader = Frames(connection)
    while (frame := reader.next(until, most_bytes)) is not None:
        most_bytes -= len(frame) + len(END)
        yield frame.rpartition(START)[2]
        if most_bytes < 0:
            raise TooLongError
