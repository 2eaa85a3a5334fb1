"""One request to a model server and its answer, within limits of time, size and place.

A thread of its own does the talking, so that nothing that a server or a name service does holds the
caller beyond its time.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from medmm.domain.errors import ConfigError, MedmmError, Unavailable
from medmm.domain.model_server import ModelServer, is_forbidden, is_loopback

if TYPE_CHECKING:
    import httpx

FIRST_WAIT_S = 0.5
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
OF_JSON = ("application/json", "text/event-stream")
QUEUED = 64  # parts of an answer that may wait for the caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status and header fields (names in lower case) of an answer."""

    status: int
    fields: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The media type, without parameters."""
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Connection:
    """Sends requests to one server.

    Attributes:
        leaving: told before each try; it may raise, and then nothing leaves.
        sleep, clock: of tests.
    """

    server: ModelServer
    leaving: Callable[[], None]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _until: float = field(init=False, default=0.0)

    def answer(
        self, body: bytes, content_type: str = "application/json"
    ) -> tuple[Head, Iterator[bytes]]:
        """Post a body, again where that may help, and give head and parts of the answer.

        Raises: Unavailable if the server can't be reached, is overloaded, fails, is too slow or
            breaks off; ConfigError if it sends elsewhere, refuses the request, or answers with
            something that is no JSON.
        """
        self._until = self.clock() + self.server.total_s
        for number in range(self.server.retries + 1):
            self.leaving()
            try:
                head, parts = self._tried(body, content_type)
            except Unavailable:
                if number == self.server.retries or self._left() <= _wait(number):
                    raise
                self.sleep(_wait(number))
                continue
            if head.status not in AGAIN or number == self.server.retries:
                break
            wait = _asked_wait(head) or _wait(number)
            if wait >= self._left():
                break
            self.sleep(wait)
        self._refuse(head)
        return head, parts

    def _tried(self, body: bytes, content_type: str) -> tuple[Head, Iterator[bytes]]:
        exchange = _Exchange(self.server, body, content_type, self._left())
        threading.Thread(target=exchange.run, name="model-server", daemon=True).start()
        parts = self._heard(exchange)
        head = next(parts)
        if not isinstance(head, Head):
            raise _broke_off(self.server)
        return head, (part for part in parts if isinstance(part, bytes))

    def _heard(self, exchange: _Exchange) -> Iterator[Head | bytes]:
        size = 0
        try:
            while True:
                try:
                    part = exchange.parts.get(timeout=max(self._left(), 0.001))
                except queue.Empty:
                    raise _slow(self.server, self.server.total_s) from None
                if part is None:
                    return
                if isinstance(part, MedmmError):
                    raise part
                if isinstance(part, bytes):
                    size += len(part)
                    if size > self.server.answer_bytes:
                        raise _too_large(self.server)
                yield part
                if self._left() <= 0:
                    raise _slow(self.server, self.server.total_s)
        finally:
            exchange.stop.set()

    def _left(self) -> float:
        return self._until - self.clock()

    def _refuse(self, head: Head) -> None:
        """Refuse what is no answer."""
        server = self.server
        where = {"host": server.host, "status": str(head.status)}
        if 300 <= head.status < 400:
            raise ConfigError(
                f"the {server.called} sends on to another address, which is never followed",
                remedy=f"name the address itself under `{server.block}`",
                **where,
            )
        if head.status == 429:
            raise Unavailable(f"the {server.called} is overloaded", remedy="try later", **where)
        if head.status >= 500 or head.status in AGAIN:
            raise Unavailable(f"the {server.called} failed", remedy="look at its log", **where)
        if head.status in (401, 403):
            raise ConfigError(
                f"the {server.called} doesn't accept the key", remedy="set its api_key", **where
            )
        if head.status != 200:
            raise ConfigError(
                f"the {server.called} refuses the request",
                remedy="check its address and the name of the model",
                **where,
            )
        packed = head.fields.get("content-encoding", "identity") != "identity"
        if head.kind not in OF_JSON or packed:
            raise ConfigError(
                f"the {server.called} answers with something that is no JSON",
                remedy="check its address: it may be a page for people",
                **where,
            )


class _Exchange:
    """One request and its answer, in a thread: parts go into a queue, None ends them."""

    def __init__(self, server: ModelServer, body: bytes, content_type: str, total_s: float) -> None:
        self.server, self.body, self.total_s = server, body, total_s
        self.content_type = content_type
        self.stop = threading.Event()
        self.parts: queue.Queue[Head | bytes | MedmmError | None] = queue.Queue(QUEUED)

    def run(self) -> None:
        """Talk to the server until the answer ends or nobody listens."""
        import httpx

        try:
            _refuse_address(self.server)
            asked = ("POST", _endpoint(self.server))
            kind = {"Content-Type": self.content_type}
            with (
                _client(self.server, self.total_s) as client,
                client.stream(*asked, content=self.body, headers=kind) as response,
            ):
                fields = {name.lower(): value for name, value in response.headers.items()}
                self._put(Head(status=response.status_code, fields=fields))
                for part in response.iter_raw():
                    if self.stop.is_set():
                        return
                    self._put(part)
        except httpx.HTTPError as error:
            self._put(_of(error, self.server))
        except MedmmError as error:
            self._put(error)
        except (OSError, ValueError) as error:  # what TLS and name services raise beside httpx
            self._put(_unreachable(self.server, type(error).__name__))
        finally:
            self._put(None)

    def _put(self, part: Head | bytes | MedmmError | None) -> None:
        while not self.stop.is_set():
            try:
                return self.parts.put(part, timeout=1.0)
            except queue.Full:
                continue


def _client(server: ModelServer, total_s: float) -> httpx.Client:
    """Make a client that asks no proxy of the environment and follows nothing."""
    import httpx

    key = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    timeout = httpx.Timeout(min(server.chunk_s, total_s), connect=min(server.connect_s, total_s))
    return httpx.Client(
        headers={
            "Accept": ", ".join(OF_JSON),
            "Accept-Encoding": "identity",
            "User-Agent": "medmm",
            **key,
        },
        follow_redirects=False,
        timeout=timeout,
        trust_env=False,
        verify=_verified(server),
    )


def _verified(server: ModelServer) -> ssl.SSLContext:
    """Make the TLS context: version 1.2 or newer, certificates and names checked."""
    try:
        context = ssl.create_default_context(
            cafile=str(server.ca_file) if server.ca_file is not None else None
        )
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            "the certificates to trust can't be read",
            remedy=f"correct `ca_file` under `{server.block}`",
            file=str(server.ca_file),
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _refuse_address(server: ModelServer) -> None:
    """Refuse a name that leads to a link-local address, or plain http out of this machine."""
    parts = urlsplit(server.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = {str(one[4][0]) for one in found}
    away = parts.scheme == "http" and not all(map(is_loopback, addresses))
    if away or any(map(is_forbidden, addresses)):
        raise ConfigError(
            f"the name of the {server.called} leads to an address that is never spoken to",
            remedy=f"have the name service corrected, or name another host under `{server.block}`",
            host=server.host,
        )


def _endpoint(server: ModelServer) -> str:
    return f"{server.url.rstrip('/')}/{server.endpoint}"


def _of(error: httpx.HTTPError, server: ModelServer) -> MedmmError:
    """Translate an error of the client; a test holds that none is left."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return _slow(server, server.connect_s)
    if isinstance(error, httpx.TimeoutException):
        return _slow(server, server.chunk_s)
    if isinstance(error, httpx.ConnectError):
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                return ConfigError(
                    f"the certificate of the {server.called} can't be trusted",
                    remedy=f"set `ca_file` under `{server.block}`, or have the certificate renewed",
                    host=server.host,
                )
            cause = cause.__cause__ or cause.__context__
        return _unreachable(server, type(error).__name__)
    return _broke_off(server)


def _unreachable(server: ModelServer, why: str) -> Unavailable:
    return Unavailable(
        f"the {server.called} can't be reached",
        remedy=f"start it, or correct its address under `{server.block}`",
        host=server.host,
        error=why,
    )


def _broke_off(server: ModelServer) -> Unavailable:
    return Unavailable(
        f"the {server.called} broke off in the middle", remedy="look at its log", host=server.host
    )


def _slow(server: ModelServer, seconds: float) -> Unavailable:
    return Unavailable(
        f"the {server.called} took longer than {seconds:g} s",
        remedy=f"give it more time under `{server.block}`, or a smaller model",
        host=server.host,
    )


def _too_large(server: ModelServer) -> ConfigError:
    return ConfigError(
        f"the answer of the {server.called} is larger than {server.answer_bytes} bytes",
        remedy=f"choose another model, or raise `answer_bytes` under `{server.block}`",
        host=server.host,
    )


def _wait(number: int) -> float:
    return FIRST_WAIT_S * 2.0**number


def _asked_wait(head: Head) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3), seconds or a date; None if it says nothing usable."""
    said = head.fields.get("retry-after", "").strip()
    if said.isdigit():
        return float(said[:9])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None
