"""A recording sent to `/v1/audio/transcriptions`, and the answer read within limits.

Source: OpenAI API reference, "Create transcription": a multipart form of file, model and
response_format. No language is sent: a server that is told one may translate what was said into it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from typing import Protocol

from medmm.dictation.recording import Recording
from medmm.domain.errors import ConfigError
from medmm.domain.model_server import ModelServer
from medmm.domain.transcript import Transcript
from medmm.language.english import foreign_words

MOST_CHARACTERS = 10_000


class Posts(Protocol):
    """Sends a body to the server, within its limits of place, time and size."""

    def __call__(self, body: bytes, content_type: str) -> Iterable[bytes]:
        """Post a body and give the parts of the answer.

        Raises: Unavailable, ConfigError if there is no answer to read.
        """
        ...


def transcribe(
    recording: Recording, server: ModelServer, posts: Posts, response_format: str
) -> Transcript:
    """Have a server write down what was said; the recording is kept nowhere.

    Args:
        response_format: `verbose_json` or `json`.

    Raises: Unavailable if there is no answer now; ConfigError if it is none that can be read.
    """
    boundary = f"medmm-{secrets.token_hex(16)}"
    fields = {"model": server.model, "response_format": response_format}
    body = _form(recording.wav, fields, boundary)
    answer = b"".join(posts(body, f"multipart/form-data; boundary={boundary}"))
    text, language = _read(answer, server)
    return Transcript(
        text=text,
        seconds=recording.seconds,
        host=server.host,
        language=language,
        foreign=foreign_words(text),
    )


def _form(wav: bytes, fields: dict[str, str], boundary: str) -> bytes:
    """Write a form (RFC 7578); the boundary is drawn by chance, so that no sample is it."""
    parts = []
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        parts.append(f"--{boundary}\r\n{head}\r\n\r\n{value}\r\n".encode())
    head = 'Content-Disposition: form-data; name="file"; filename="dictation.wav"'
    kind = "Content-Type: audio/wav"
    parts.append(f"--{boundary}\r\n{head}\r\n{kind}\r\n\r\n".encode() + wav + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _read(answer: bytes, server: ModelServer) -> tuple[str, str | None]:
    """Read text and language of an answer."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise _unread(server, "it is no JSON") from error
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise _unread(server, "it holds no text")
    if len(text) > MOST_CHARACTERS:
        raise _unread(server, f"its text is longer than {MOST_CHARACTERS} characters")
    language = found.get("language")
    named = isinstance(language, str) and 0 < len(language) <= 40
    return " ".join(text.split()), language if named else None


def _unread(server: ModelServer, why: str) -> ConfigError:
    return ConfigError(
        f"the answer of the dictation server can't be read: {why}",
        remedy="check its address, and `response_format` under `dictation`",
        host=server.host,
    )
