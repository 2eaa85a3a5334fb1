"""A receiver of HL7 messages on loopback that keeps what came, and answers as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from medmm.connections.mllp import END, START


@dataclass
class MllpPeer:
    """What came, each message once for each time that it was sent; and the next answers.

    `answers` are of the form "AA" or "AE|words of the fault"; "" closes without an answer, and the
    last one is given again and again.
    """

    port: int
    answers: list[str] = field(default_factory=lambda: ["AA"])
    came: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    @property
    def control_ids(self) -> list[str]:
        return [message.split("\r")[0].split("|")[9] for message in self.came]

    def _answer(self, message: str) -> bytes:
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        code, _, words = said.partition("|")
        if not code:
            return b""
        own = message.split("\r")[0].split("|")[9]
        fault = f"ERR||PID^1^5|101^Required field missing^HL70357|E||||{words}\r" if words else ""
        header = "MSH|^~\\&|EHR||MEDMM||20260101||ACK^R01^ACK|A1|P|2.5.1\r"
        return START + f"{header}MSA|{code}|{own}\r{fault}".encode() + END

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # it was closed
                return
            # Who sent is gone, or is not let in
            with connection, suppress(OSError), self._secured(connection) as served:
                self._take(served)

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection

    def _take(self, connection: socket.socket) -> None:
        frame = b""
        while not frame.endswith(END) and (more := connection.recv(65_536)):
            frame += more
        if frame:
            message = frame.removeprefix(START).removesuffix(END).decode()
            self.came.append(message)
            connection.sendall(self._answer(message))


@contextmanager
def mllp_peer(
    *answers: str, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[MllpPeer]:
    """A receiver that takes one message a connection until the body ends."""
    listening = socket.create_server(("127.0.0.1", port))
    peer = MllpPeer(port=listening.getsockname()[1], tls=tls)
    if answers:
        peer.answers = list(answers)
    worker = threading.Thread(target=peer.serve, args=(listening,), daemon=True)
    worker.start()
    try:
        yield peer
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        worker.join(timeout=10)
