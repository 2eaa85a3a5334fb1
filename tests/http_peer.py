"""A server that does what it is told to, over real sockets: of HTTP, plain or by TLS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """One request, and the ways to answer it."""

    handler: BaseHTTPRequestHandler
    body: bytes
    stopped: threading.Event

    @property
    def method(self) -> str:
        return self.handler.command

    @property
    def path(self) -> str:
        return self.handler.path

    @property
    def fields(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.handler.headers.items()}

    def head(self, status: int, kind: str = "application/json", **fields: str) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        for name, value in fields.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def answer(
        self, status: int, value: Any = None, kind: str = "application/json", **fields: str
    ) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.head(status, kind, Content_Length=str(len(content)), **fields)
        self.handler.wfile.write(content)

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()


@dataclass
class Peer:
    """A running server, and what it was asked."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serving(
    behaviour: Callable[[Request], None], context: ssl.SSLContext | None = None
) -> Iterator[Peer]:
    """A server that answers every request by `behaviour`."""
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            request = Request(self, self.rfile.read(size), stopped)
            peer.asked.append((self.command, self.path))
            peer.requests.append(request)
            self.close_connection = True
            with suppress(OSError):
                behaviour(request)

        do_POST = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that refuses the certificate

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "https" if context is not None else "http"
    peer = Peer(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield peer
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
