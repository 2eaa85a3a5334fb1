"""The one place that a DICOMweb source is asked at; no redirect or link leads elsewhere."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import httpx

from medmm.config import DicomwebSource
from medmm.connections.sign_in import FromFile
from medmm.domain.errors import ConfigError, InputError, MedmmError, Unavailable
from medmm.domain.model_server import is_forbidden, is_loopback

BUSY = frozenset({408, 425, 429})


class WebOrigin:
    """Asks one server, below one address.

    Args:
        name: of the source.
    """

    def __init__(self, name: str, source: DicomwebSource) -> None:
        self.name, self.source = name, source

    @contextmanager
    def answer(
        self, path: tuple[str, ...], accept: str, query: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Get what lies at a path below the address, unread.

        Raises: ConfigError if the server sends elsewhere, can't be trusted or refuses; Unavailable
            if it can't be reached, is slow, breaks off or fails; InputError if nothing is there.
        """
        url = "/".join((self.source.url.rstrip("/"), *(quote(one, safe="") for one in path)))
        fields = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "medmm"}
        fields |= FromFile(self.source.sign_in()).field()
        try:
            self._refuse_address()
            timeout = httpx.Timeout(self.source.answer_s, connect=self.source.connect_s)
            with (
                httpx.Client(
                    follow_redirects=False, timeout=timeout, trust_env=False, verify=self._tls()
                ) as client,
                client.stream("GET", url, params=query, headers=fields) as response,
            ):
                self._refuse(response)
                yield response
        except httpx.HTTPError as error:
            raise self._of(error) from error
        except (OSError, ValueError) as error:  # what TLS and name services raise beside httpx
            if isinstance(error, MedmmError):
                raise
            raise self._unreachable(type(error).__name__) from error

    def parts(self, response: httpx.Response, until_s: float) -> Iterator[bytes]:
        """Give the body as it comes, until a time of `time.monotonic`.

        Raises: Unavailable if it takes longer.
        """
        for part in response.iter_raw():
            yield part
            if time.monotonic() > until_s:
                raise self.error(
                    "the server took longer than is waited for",
                    "give it more time (study_s of the source)",
                )

    def error(self, problem: str, remedy: str) -> Unavailable:
        """Make the error of a server that fails."""
        return Unavailable(problem, remedy=remedy, source=self.name)

    def _tls(self) -> ssl.SSLContext:
        """Make the TLS context: version 1.2 or newer, certificates and names checked."""
        try:
            file = self.source.ca_file
            context = ssl.create_default_context(cafile=None if file is None else str(file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                "the certificates to trust can't be read",
                remedy="correct ca_file of the source",
                source=self.name,
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _refuse_address(self) -> None:
        """Refuse a name that leads to a link-local address, or plain http out of this machine."""
        parts = urlsplit(self.source.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = {str(one[4][0]) for one in found}
        away = parts.scheme == "http" and not all(map(is_loopback, addresses))
        if away or any(map(is_forbidden, addresses)):
            raise ConfigError(
                "the name of the server leads to an address that is never spoken to",
                remedy="have the name service corrected, or name another host",
                source=self.name,
            )

    def _refuse(self, response: httpx.Response) -> None:
        status = response.status_code
        where = {"source": self.name, "status": str(status)}
        if 300 <= status < 400:
            raise ConfigError(
                "the server sends on to another address, which is never followed",
                remedy="name the address itself as url of the source",
                **where,
            )
        if status in (401, 403):
            raise ConfigError(
                "the server doesn't let medmm in",
                remedy="correct token_file, or user and password_file, of the source",
                **where,
            )
        if status == 404:
            raise InputError(
                "the server has no such study, or nothing at this address",
                remedy="check url of the source, and that the study is still there",
                **where,
            )
        if status in BUSY:
            raise Unavailable("the server is overloaded", remedy="try later", **where)
        if status >= 500:
            raise Unavailable("the server failed", remedy="look at its log", **where)
        if status not in (200, 204, 206):
            raise ConfigError("the server refuses the request", remedy="look at its log", **where)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ConfigError(
                "the server packs its answer, which was not asked for",
                remedy="have it send DICOM as it is",
                **where,
            )

    def _of(self, error: httpx.HTTPError) -> MedmmError:
        if isinstance(error, httpx.TimeoutException):
            seconds = (
                self.source.connect_s
                if isinstance(error, httpx.ConnectTimeout)
                else self.source.answer_s
            )
            return self.error(
                f"the server said nothing for {seconds:g} s", "look at its log, or give it time"
            )
        if isinstance(error, httpx.ConnectError):
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, ssl.SSLError):
                    return ConfigError(
                        "the certificate of the server can't be trusted",
                        remedy="set ca_file of the source, or have the certificate renewed",
                        source=self.name,
                    )
                cause = cause.__cause__ or cause.__context__
            return self._unreachable(type(error).__name__)
        return self.error("the server broke off in the middle", "fetch again, or look at its log")

    def _unreachable(self, why: str) -> Unavailable:
        return Unavailable(
            "the server can't be reached",
            remedy="start it, or correct url of the source",
            source=self.name,
            error=why,
        )
