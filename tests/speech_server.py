"""Servers of `/v1/audio/transcriptions` on loopback: one that does what it is told to, and one over pocketsphinx."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What CMU's dictionary lacks of the grammar's words, in its phones
PHONES = {
    "pneumothorax": "N UW M OW TH AO R AE K S",
    "atelectasis": "AE T AH L EH K T AH S IH S",
    "cardiomegaly": "K AA R D IY OW M EH G AH L IY",
    "effusion": "IH F Y UW ZH AH N",
}


@dataclass(frozen=True)
class Sent:
    """One request: its fields, its file and its header."""

    path: str
    fields: dict[str, str]
    audio: bytes
    headers: dict[str, str]


@dataclass
class Answer:
    """How a request is answered."""

    body: bytes | dict[str, Any] = b""
    status: int = 200
    kind: str = "application/json"
    wait_s: float = 0.0
    cut: bool = False
    fields: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[[Sent], Answer]


@dataclass
class SpeechServer:
    """A server on loopback, and what it was sent."""

    sent: list[Sent] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The `dictation:` block that names it."""
        found = {
            "url": self.url,
            "model": "tiny-speech",
            "hosts": ["127.0.0.1"],
            "plain_http_on_loopback": True,
            "timeout_s": 20,
        }
        return {**found, **changes}


@contextmanager
def speech_server(behaviour: Behaviour) -> Iterator[SpeechServer]:
    """Start it, and stop it."""
    server, stopped = SpeechServer(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent = parsed(self.path, dict(self.headers), body)
            server.sent.append(sent)
            answer = behaviour(sent)
            stopped.wait(answer.wait_s)
            content = (
                answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            )
            # The client goes away: that is what some tests want
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                self.send_header("Content-Length", str(len(content)))
                for name, value in answer.fields.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if answer.cut else content)

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
        stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()


def parsed(path: str, headers: dict[str, str], body: bytes) -> Sent:
    """Read a multipart form by other code than that which wrote it."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = list(message_from_bytes(head + body, policy=HTTP).iter_parts())
    named = {part.get_param("name", header="content-disposition"): part for part in parts}
    audio = named.pop("file").get_payload(decode=True)
    fields = {name: part.get_payload(decode=True).decode() for name, part in named.items()}
    return Sent(path, fields, audio, {k.lower(): v for k, v in headers.items()})


def says(text: str, **more: Any) -> Behaviour:
    """Hears these words, whatever is sent."""
    return lambda sent: Answer({"text": text, **more})


def tone(seconds: float = 1.0, rate_hz: int = 16_000) -> bytes:
    """A WAV file that no one speaks in."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(
            b"".join((8000 * (-1) ** (i // 20)).to_bytes(2, "little", signed=True) for i in range(int(seconds * rate_hz)))
        )  # fmt: skip
    return out.getvalue()


def lacking() -> str | None:
    """Say what is missing of a voice and of ears; None if both are here."""
    if shutil.which("flite") is None:
        return "Debian's flite is not installed (apt-get install flite)"
    if find_spec("pocketsphinx") is None:
        return "pocketsphinx is not installed (it is of the extra `dev`)"
    return None


def spoken(words: str, folder: Path, silence_s: float = 0.4) -> bytes:
    """A WAV file of 16 kHz in which Debian's flite says these words, with silence around them."""
    raw = folder / "spoken.wav"
    command = ["flite", "-voice", "slt", "-t", words, "-o", str(raw)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    with wave.open(str(raw), "rb") as file:
        rate, samples = file.getframerate(), file.readframes(file.getnframes())
    import numpy as np

    values = np.frombuffer(samples, dtype="<i2").astype(float)
    at = np.arange(0, len(values) - 1, rate / 16_000)
    quiet = np.zeros(int(silence_s * 16_000))
    resampled = np.concatenate([quiet, np.interp(at, np.arange(len(values)), values), quiet])
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(resampled.astype("<i2").tobytes())
    return out.getvalue()


def hears(phrases: Iterable[str], folder: Path) -> Behaviour:
    """Hears one of a closed list of phrases, by pocketsphinx; no phrase of it gives no text."""
    from pocketsphinx import Decoder, get_model_path

    grammar = folder / "commands.gram"
    alternatives = " | ".join(phrases)
    grammar.write_text(f"#JSGF V1.0;\ngrammar commands;\npublic <command> = {alternatives};\n")
    words = folder / "words.dict"
    known = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8")
    words.write_text(known + "".join(f"{one} {phones}\n" for one, phones in PHONES.items()))
    decoder = Decoder(
        hmm=get_model_path("en-us/en-us"), dict=str(words), jsgf=str(grammar), samprate=16_000, loglevel="FATAL"
    )  # fmt: skip
    lock = threading.Lock()

    def behave(sent: Sent) -> Answer:
        with wave.open(io.BytesIO(sent.audio), "rb") as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            samples = file.readframes(file.getnframes())
        with lock:
            decoder.start_utt()
            decoder.process_raw(samples, full_utt=True)
            decoder.end_utt()
            found = decoder.hyp()
        return Answer({"text": found.hypstr if found else "", "language": "english"})

    return behave
