"""A model server that does what it is told to, over real sockets: acceptance, streaming, and what no real one does on command."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

MODEL = "tiny-vlm"
SOUND = [
    "There is no evidence of pneumothorax.",
    "Cardiomegaly is possible.",
    "There may be a pleural effusion.",
]
Behaviour = Callable[["Asked"], None]


@dataclass
class Asked:
    """One request, and the ways to answer it."""

    handler: BaseHTTPRequestHandler
    body: dict[str, Any]
    number: int
    stopped: threading.Event

    @property
    def png(self) -> bytes | None:
        for part in self.body["messages"][1]["content"]:
            if part["type"] == "image_url":
                return base64.b64decode(part["image_url"]["url"].partition(",")[2])
        return None

    @property
    def schema(self) -> dict[str, Any]:
        return dict(self.body["response_format"]["json_schema"]["schema"])

    def head(self, status: int, kind: str = "application/json", **fields: str) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        for name, value in fields.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def whole(self, text: str, **changes: Any) -> None:
        """One JSON answer."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        self.head(200)
        self.write(
            json.dumps({"model": self.body["model"], "choices": [choice], **changes}).encode()
        )

    def streamed(self, text: str, *, done: bool = True, piece: int = 7, **changes: Any) -> None:
        """Server-sent events, a few characters each."""
        self.head(200, "text/event-stream")
        for start in range(0, len(text), piece):
            self.event(text[start : start + piece], **changes)
        self.event(None, finish="stop", **changes)
        if done:
            self.write(b"data: [DONE]\n\n")

    def event(self, text: str | None, finish: str | None = None, **changes: Any) -> None:
        choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
        chunk = {"model": self.body["model"], "choices": [choice], **changes}
        self.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def in_tokens(self, pieces: Sequence[bytes], given: Callable[[Any], Any] = lambda x: x) -> None:
        """A stream of a token an event; `given` makes what stands under `logprobs`, if asked."""
        self.head(200, "text/event-stream")
        come, sent = b"", 0
        for number, piece in enumerate(pieces):
            come += piece
            text = come.decode(errors="ignore")
            item = {"token": piece.decode(errors="replace"), "logprob": -(1 + number % 8) / 8}
            choice: dict[str, Any] = {"index": 0, "delta": {"content": text[sent:]}}
            if self.body.get("logprobs"):
                choice["logprobs"] = given({"content": [{**item, "bytes": list(piece)}]})
            sent = len(text)
            chunk = {"model": self.body["model"], "choices": [choice]}
            self.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.event(None, finish="stop")
        self.write(b"data: [DONE]\n\n")

    def answer(self, text: str, **changes: Any) -> None:
        """As it was asked for: in a stream or at once."""
        (self.streamed if self.body["stream"] else self.whole)(text, **changes)


def sentences(*texts: str) -> str:
    return json.dumps({"sentences": list(texts)})


def in_pieces(text: str, size: int = 5) -> list[bytes]:
    """Cut a text into tokens of some bytes each, within characters, too."""
    raw = text.encode()
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def passes_the_probe(asked: Asked) -> bool:
    """Answer a question of the probe as it should be; False if it is none."""
    if "mark" not in asked.schema.get("properties", {}):
        return False
    assert asked.png is not None
    middle = Image.open(io.BytesIO(asked.png)).getpixel((112, 112))
    colour = {(255, 255, 255): "white", (200, 0, 0): "red"}[middle]
    mark = asked.schema["properties"]["mark"]["enum"][0]
    text = json.dumps({"colour": colour, "mark": mark})
    if asked.body.get("logprobs"):
        asked.in_tokens(in_pieces(text))
    else:
        asked.answer(text)
    return True


def says(*texts: str) -> Behaviour:
    """Passes the probe, and says these sentences of whatever it is shown."""

    def behave(asked: Asked) -> None:
        if not passes_the_probe(asked):
            asked.answer(sentences(*texts))

    return behave


@dataclass
class ScriptedServer:
    """A server on loopback that behaves as it is told to."""

    behaviour: Behaviour
    requests: list[dict[str, Any]] = field(default_factory=list)
    fields: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The `server:` block that names it."""
        return {
            "url": self.url,
            "model": MODEL,
            "hosts": ("127.0.0.1",),
            "plain_http_on_loopback": True,
            "retries": 0,
            "timeout_s": 5,
            "chunk_timeout_s": 2,
            **changes,
        }


@contextmanager
def scripted(behaviour: Behaviour) -> Iterator[ScriptedServer]:
    """Start it, and stop it with all its answers."""
    server = ScriptedServer(behaviour)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(size))
            server.requests.append(body)
            server.fields.append({k.lower(): v for k, v in self.headers.items()})
            asked = Asked(self, body, len(server.requests), server.stopped)
            # The client goes away: that is what some tests want
            with suppress(BrokenPipeError, ConnectionResetError):
                server.behaviour(asked)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.port = http.server_address[1]
    thread = threading.Thread(
        target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()


def drip(asked: Asked, seconds: float) -> None:
    """A byte at a time, for ever."""
    asked.head(200, "text/event-stream")
    until = time.monotonic() + seconds
    while time.monotonic() < until and not asked.stopped.is_set():
        asked.write(b":")
        time.sleep(0.05)
