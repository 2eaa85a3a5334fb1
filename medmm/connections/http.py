"""One HTTP request and its answer, within limits of time, size and place.

A thread of its own does the talking, so that nothing that a server or a name service does holds the
caller beyond its time. No redirect is followed, and no proxy of the environment is asked.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from medmm.connections.addresses import addresses_of
from medmm.connections.tls import client_context, is_of_certificates
from medmm.domain.errors import MedmmError, Unavailable, needed
from medmm.domain.receivers import HttpServer

if TYPE_CHECKING:
    import httpx

SENT_AT_ONCE = 65_536


class NoAnswer(Exception):
    """There is no answer that can be read.

    `code` is fit for a log, and says whether the request may have arrived.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, whole.

    Attributes:
        fields: of its header, names in lower case.
    """

    status: int
    fields: Mapping[str, str]
    content: bytes

    @property
    def kind(self) -> str:
        """The media type, without parameters."""
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def code(self) -> str:
        """What a log calls it."""
        return f"HTTP {self.status}"

    def json(self) -> Any:
        """Read JSON of any media type; None if it is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    def retry_after_s(self) -> float | None:
        """Read Retry-After, seconds or a date; None if it says nothing usable.

        Source: RFC 9110, 10.2.3.
        """
        said = self.fields.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return float(said[:9])
        try:
            return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class HttpConnection:
    """Sends requests to one server."""

    server: HttpServer

    def ask(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str],
        body: Sequence[bytes] = (),
    ) -> Answer:
        """Send a request and read its answer.

        Args:
            body: in parts, of which the length is sent.

        Raises: NoAnswer if there is none that can be read; ConfigError if the address may not be
            spoken to, or a certificate can't be read.
        """
        exchange = _Exchange(self.server, method, url, fields, body)
        threading.Thread(target=exchange.run, name="http-exchange", daemon=True).start()
        if not exchange.done.wait(self.server.total_s):
            exchange.stop.set()
            raise NoAnswer("HTTP TIMEOUT", f"no whole answer within {self.server.total_s:g} s")
        if exchange.failure is not None:
            raise exchange.failure
        return needed(exchange.answer, "the answer of a server")


@dataclass(slots=True)
class _Exchange:
    """One request and its answer, in a thread."""

    server: HttpServer
    method: str
    url: str
    fields: Mapping[str, str]
    body: Sequence[bytes]
    answer: Answer | None = None
    failure: NoAnswer | MedmmError | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Talk to the server until the answer ends or nobody waits."""
        import httpx

        try:
            self._check_address()
            self.answer = self._talk()
        except Unavailable as error:
            self.failure = NoAnswer("NO CONNECTION", error.problem)
        except (NoAnswer, MedmmError) as failure:
            self.failure = failure
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            self.failure = _of(error)
        except (OSError, ValueError) as error:  # what TLS and sockets raise beside httpx
            self.failure = _of(error)
        finally:
            self.done.set()

    def _check_address(self) -> None:
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses_of(parts.hostname or "", port, in_the_clear=parts.scheme != "https")

    def _talk(self) -> Answer:
        import httpx

        timeout = httpx.Timeout(self.server.total_s, connect=self.server.connect_s)
        fields = {"Accept-Encoding": "identity", "User-Agent": "medmm", **self.fields}
        if self.body:
            fields["Content-Length"] = str(sum(map(len, self.body)))
        with (
            httpx.Client(
                follow_redirects=False,
                timeout=timeout,
                trust_env=False,
                # Plain HTTP leaves this machine for no other, and needs no authorities, which take
                # 20 ms to read.
                verify=urlsplit(self.url).scheme != "http" and client_context(self.server.tls),
            ) as client,
            client.stream(
                self.method, self.url, headers=fields, content=self._parts() if self.body else None
            ) as response,
        ):
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(status=response.status_code, fields=found, content=self._read(response))

    def _parts(self) -> Any:
        for part in self.body:
            for start in range(0, len(part), SENT_AT_ONCE):
                if self.stop.is_set():
                    return
                yield part[start : start + SENT_AT_ONCE]

    def _read(self, response: httpx.Response) -> bytes:
        held = bytearray()
        for part in response.iter_raw():
            held += part
            if self.stop.is_set() or len(held) > self.server.answer_bytes:
                raise NoAnswer(
                    f"HTTP {response.status_code} TOO LARGE",
                    f"an answer of more than {self.server.answer_bytes} bytes",
                )
        return bytes(held)


def _of(error: Exception) -> NoAnswer:
    """Say what broke, never what the library says of it."""
    import httpx

    kind = type(error).__name__
    if is_of_certificates(error):
        return NoAnswer("TLS REFUSED", f"one end does not trust the other's certificate: {kind}")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return NoAnswer("NO CONNECTION", f"the server can't be reached: {kind}")
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer("HTTP TIMEOUT", f"the server was silent for too long: {kind}")
    return NoAnswer("HTTP BROKEN OFF", f"the connection broke: {kind}")
