"""A server of the API from start to end: settings, keys, socket, TLS, signals."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from medmm.config import TitleEntry
from medmm.domain.errors import ConfigError, needed
from medmm.domain.session_event import SessionEvent
from medmm.doors.dicom.tls import server_context
from medmm.doors.http.app import LOOPBACK, made_app
from medmm.doors.stopping import Signalled, signals
from medmm.doors.telling import Tell
from medmm.web.access_tokens import AccessTokens
from medmm.web.issuer_keys import IssuerKeys
from medmm.web.userinfo import UserInfo

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.config import ServeEntry
    from medmm.doors.dicom.spool import Spool

HEAD_BYTES = 32_768  # of request line and headers
HEAD_S = 10.0  # within which they must come
IDLE_S = 15  # a connection is kept between two requests
STORED = "received-http"  # of data_dir
END_S = 30  # what is being answered is waited for


class Protocol(H11Protocol):
    """HTTP/1.1 whose request lines and headers must come within a time, too."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a first request.

        asyncio sends at once (TCP_NODELAY) only where a socket was made with its protocol's number,
        which `create_server` leaves out: then each answer waits 40 ms for an acknowledgement.
        """
        super().connection_made(transport)
        if (taken := transport.get_extra_info("socket")) is not None:
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; as long as it is no whole head, the time goes on."""
        super().data_received(data)
        if self._answering:
            self._stop()
        elif self._due is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._due = self.loop.call_later(HEAD_S, self._end)

    def _stop(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _end(self) -> None:
        self._due = None
        if not self._answering:
            self.transport.close()


class Server(uvicorn.Server):
    """A server that a first signal ends in order, and a second one at once."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping, self._signalled = stopping, Signalled()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals while it serves; none is raised again, so that what is open is closed."""
        with signals() as self._signalled:
            yield

    async def on_tick(self, counter: int) -> bool:
        """Tell whether it is to end."""
        if self._stopping.is_set() or self._signalled.asked:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: answers that would go on by themselves end first."""
        self._stopping.set()
        await super().shutdown(sockets)


def serve_until_stopped(
    assistant: Assistant,
    tell: Tell,
    *,
    port: int | None = None,
    stopping: threading.Event | None = None,
    ready: Callable[[tuple[str, int]], None] = lambda address: None,
) -> None:
    """Serve until SIGTERM, SIGINT or the event; then finish what is being answered.

    Args:
        port: in place of that of the settings.
        ready: told address and port once connections are accepted.

    Raises: ConfigError if nobody could be let in, or address or certificate can't be used.
    """
    entry, stopping = assistant.settings.serve, stopping or threading.Event()
    with (
        closing(_keys(assistant)) as keys,
        _listening(entry, port) as listening,
        _storing(assistant, tell, stopping) as spool,
    ):
        app = made_app(
            assistant,
            _tokens(assistant, keys),
            tell=tell,
            stopping=stopping,
            hosts=_hosts(entry),
            spool=spool,
        )
        config = uvicorn.Config(app, **_options(entry))
        config.load()
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)  # may quote what came
        address, bound = listening.getsockname()[:2]
        tell("serving", address=address, port=bound, tls=entry.tls is not None)
        ready((address, bound))
        Server(config, stopping).run(sockets=[listening])
    tell("stopped")


@contextmanager
def _storing(assistant: Assistant, tell: Tell, stopping: threading.Event) -> Iterator[Spool | None]:
    """Admit what comes by STOW-RS while it serves; None where the settings want none."""
    action = assistant.settings.serve.stow
    if action is None:
        yield None
        return
    from medmm.doors.dicom.admissions import Admissions
    from medmm.doors.dicom.listening import opened_spool
    from medmm.doors.http.stow import TITLE

    titles = {TITLE: TitleEntry(action=action)}
    listen = assistant.settings.listen.model_copy(update={"titles": titles})
    with (
        opened_spool(assistant, STORED, "STOW-RS server") as spool,
        ThreadPoolExecutor(1) as thread,
    ):
        working = thread.submit(Admissions(assistant, listen, spool, tell).run, stopping)
        working.add_done_callback(lambda done: stopping.set())  # nothing more would be admitted
        try:
            yield spool
        finally:
            stopping.set()
        working.result()


def _keys(assistant: Assistant) -> IssuerKeys:
    settings = assistant.settings
    settings.serve.audience_beside(settings.sign_in)
    url = needed(settings.sign_in.metadata_url, "metadata_url")
    return IssuerKeys(url, key_set_url=settings.serve.key_set_url, now=time.time)


def _tokens(assistant: Assistant, keys: IssuerKeys) -> AccessTokens:
    settings = assistant.settings
    url = needed(settings.sign_in.metadata_url, "metadata_url")
    return AccessTokens(
        settings.serve,
        settings.sign_in,
        keys,
        service=settings.actor,
        now=time.time,
        source=UserInfo(url) if settings.sign_in.roles_from == "userinfo" else None,
        not_let_in=lambda person: assistant.note_session(SessionEvent.NOT_LET_IN, person),
    )


@contextmanager
def _listening(entry: ServeEntry, port: int | None) -> Iterator[socket.socket]:
    """Bind the address. Raises: ConfigError if it can't be."""
    family = socket.AF_INET6 if isinstance(_address(entry), IPv6Address) else socket.AF_INET
    wanted = (entry.bind, entry.port if port is None else port)
    try:
        made = socket.create_server(wanted, family=family, backlog=2 * entry.connections)
    except OSError as error:
        raise ConfigError(
            f"address and port can't be used: {type(error).__name__}",
            remedy="set `serve: bind:` to an address of this machine, and a port that is free",
            address=entry.bind,
            port=str(wanted[1]),
        ) from error
    with made:
        yield made


def _address(entry: ServeEntry) -> object:
    return ip_address(entry.bind)


def _hosts(entry: ServeEntry) -> tuple[str, ...]:
    """List the names under which the server answers."""
    address = ip_address(entry.bind)
    own = f"[{entry.bind}]" if isinstance(address, IPv6Address) else entry.bind
    return (own, *(LOOPBACK if address.is_loopback else ()), *entry.hosts)


def _options(entry: ServeEntry) -> dict[str, Any]:
    options: dict[str, Any] = {
        "http": Protocol,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "proxy_headers": False,  # nobody is where a header says
        "server_header": False,
        "limit_concurrency": entry.connections,
        "h11_max_incomplete_event_size": HEAD_BYTES,
        "timeout_keep_alive": IDLE_S,
        "timeout_graceful_shutdown": END_S,
    }
    if (tls := entry.tls) is not None:
        options["ssl_context_factory"] = lambda config, default: server_context(tls, "serve")
    return options
