"""The receiving end of MLLP: who is let in, and what each message is answered."""

from __future__ import annotations

import errno
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medmm.connections.hl7_message import Header, header_of
from medmm.connections.mllp import END, START, Frames, TooLongError
from medmm.domain.errors import ConfigError, InputError, MedmmError
from medmm.doors.dicom.receiver import where
from medmm.doors.dicom.tls import server_context
from medmm.doors.orders.acknowledgement import (
    ACCEPTED,
    FAULTY,
    INTERNAL,
    REJECTED,
    Answer,
    acknowledgement,
)

if TYPE_CHECKING:
    from medmm.assistant import Assistant

HANDSHAKE_S = 10.0
POLL_S = 0.2  # between two looks of a connection that waits for whether it is to end
SEND_S = 30.0
FINISH_S = 10.0  # for messages in hand when the listener stops
# What a fault of medmm's own raises; the message is not taken, and its sender sends it again
DEFECTS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
Tell = Callable[..., None]


class OrderReceiver:
    """Listens for connections and takes in the orders that they bring.

    Args:
        tell: told what happened, by a word and its details: keys, codes and addresses alone.

    Raises: ConfigError if the settings let nobody in, or the address can't be listened on.
    """

    def __init__(self, assistant: Assistant, tell: Tell) -> None:
        self._entry, self._assistant, self._tell = assistant.settings.orders, assistant, tell
        if not self._entry.callers:
            raise ConfigError(
                "nobody may send: no callers are named",
                remedy="name addresses under `orders: callers:` (docs/orders.md)",
            )
        tls = self._entry.tls
        self._tls = None if tls is None else server_context(tls, "orders")
        self._listening = self._bound()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept)
        self.counted = {"taken": 0, "faulty": 0, "rejected": 0}

    @property
    def address(self) -> tuple[str, int]:
        """Address and port that are listened on."""
        found = self._listening.getsockname()
        return str(found[0]), int(found[1])

    def _bound(self) -> socket.socket:
        place = (self._entry.bind, self._entry.port)
        family = socket.AF_INET6 if ":" in self._entry.bind else socket.AF_INET
        try:
            return socket.create_server(place, family=family)
        except OSError as error:
            raise ConfigError(
                f"can't listen there: {errno.errorcode.get(error.errno or 0, 'OSError')}",
                remedy="another program listens there, or the address is not this machine's: "
                "correct bind and port under `orders:`",
                address=f"{self._entry.bind} port {self._entry.port}",
            ) from error

    def start(self) -> None:
        """Begin to accept connections, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more, answer the messages that are in hand, and close."""
        self._closing.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self._listening.close()
        self._thread.join()
        with self._lock:
            left = dict(self._open)
        end = time.monotonic() + FINISH_S
        for connection, thread in left.items():
            thread.join(max(end - time.monotonic(), 0))
            connection.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, (host, *_) = self._listening.accept()
            except OSError:
                if not self._closing.is_set():
                    time.sleep(0.1)  # too many open files, say
                continue
            why = self._why_not(host)
            if why:
                self._tell("rejected", why=why, host=host)
                connection.close()
                continue
            thread = threading.Thread(target=self._serve, args=(connection, host), daemon=True)
            with self._lock:
                self._open[connection] = thread
            thread.start()

    def _why_not(self, host: str) -> str:
        if host not in {one.host for one in self._entry.callers}:
            return "caller"
        with self._lock:
            return "connections" if len(self._open) >= self._entry.connections else ""

    def _serve(self, plain: socket.socket, host: str) -> None:
        connection = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                plain.settimeout(HANDSHAKE_S)
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open[connection] = self._open.pop(plain)
            self._converse(connection, host)
        except ssl.SSLError as error:
            self._tell("rejected", why="tls", error=error.reason or "SSLError", host=host)
        except TooLongError:
            self._tell("ended", why="message_bytes", host=host)
        except TimeoutError:
            self._tell("ended", why="time", host=host)
        except OSError as error:
            self._tell("ended", why=type(error).__name__, host=host)
        finally:
            with self._lock:
                self._open.pop(connection, None)
                self._open.pop(plain, None)
            connection.close()

    def _converse(self, connection: socket.socket, host: str) -> None:
        """Answer message after message, until the other end closes or this one stops.

        Raises: as `Frames.next`; OSError if the connection breaks.
        """
        frames = Frames(connection)
        while (frame := self._next(frames)) is not None:
            _, begun, content = frame.rpartition(START)
            if not begun:
                self._tell("ended", why="no start block", host=host)
                return
            header = header_of(content)
            answer = self._answer(content, header, host)
            connection.settimeout(SEND_S)
            said = acknowledgement(header, answer, datetime.now(UTC))
            connection.sendall(START + said + END)

    def _next(self, frames: Frames) -> bytes | None:
        """Wait for the next message; None if the other end closes, or this one stops.

        Raises: as `Frames.next`.
        """
        entry, idle_until = self._entry, time.monotonic() + self._entry.idle_seconds
        while True:
            until = min(idle_until, time.monotonic() + POLL_S)
            try:
                return frames.next(until, entry.message_bytes, entry.message_seconds)
            except TimeoutError:
                if frames.begun or time.monotonic() >= idle_until:
                    raise
                if self._closing.is_set():
                    return None

    def _answer(self, content: bytes, header: Header, host: str) -> Answer:
        """Take a message in, and say what became of it: nothing is accepted before it is kept."""
        if not self._may_send(header, host):
            self._count("faulty")
            self._tell("rejected", why="application", host=host)
            reason = "this application may not send here"
            return Answer(code=FAULTY, fault=INTERNAL, at="MSH-3", reason=reason)
        try:
            if shutil.disk_usage(self._assistant.settings.data_dir).free < self._entry.free_bytes:
                return self._not_now("the disk has no room", host)
            taken = self._assistant.take_order(content)
        except InputError as error:
            self._count("faulty")
            fault, at = error.where.get("fault", INTERNAL), error.where.get("at", "")
            self._tell("faulty", fault=fault, at=at, reason=error.problem, host=host)
            return Answer(code=FAULTY, fault=fault, at=at, reason=error.problem)
        except MedmmError as error:
            return self._not_now(type(error).__name__, host, remedy=error.remedy)
        except OSError as error:
            return self._not_now(errno.errorcode.get(error.errno or 0, "OSError"), host)
        except DEFECTS as error:
            self._tell("defect", **where(error))
            return self._not_now("a defect", host)
        self._count("taken")
        orders = [f"{one.key} {one.outcome}" for one in taken.orders]
        self._tell("taken", orders=orders, host=host)
        return Answer(code=ACCEPTED)

    def _not_now(self, why: str, host: str, **more: str) -> Answer:
        self._count("rejected")
        self._tell("not-taken", why=why, host=host, **more)
        return Answer(code=REJECTED, fault=INTERNAL, reason="it can't be kept now: send it again")

    def _count(self, what: str) -> None:
        with self._lock:
            self.counted[what] += 1

    def _may_send(self, header: Header, host: str) -> bool:
        return any(
            one.host == host
            and one.application in (None, header.application)
            and one.facility in (None, header.facility)
            for one in self._entry.callers
        )
