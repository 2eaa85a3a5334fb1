"""A server of models that speaks OpenAI's protocol: where it is, and what it may cost."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from medmm.domain.study import Notice

# Names under which clouds hand out credentials to whoever asks from within.
METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data"})
METADATA_ADDRESSES = frozenset({"fd00:ec2::254", "100.100.100.200"})  # beside the link-local ones
LOOPBACK_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """A server that is asked for sentences, or for the words of a recording.

    Attributes:
        url: of its API, with the path below which `chat/completions` lies.
        model: its name there.
        api_key: sent as a bearer token; None sends none.
        ca_file: certificates to trust instead of those of the system's authorities.
        connect_s, chunk_s, total_s: seconds for a connection, between two parts of an answer,
            and for everything together with all tries.
        retries: further tries after 429, 5xx or a time-out, before an answer has begun.
        answer_bytes: how large an answer may be.
        budget_per_day: requests in a day (UTC), tries among them.
        pictures_without_statement: whether pictures go, too, of images that do not state whether
            text is burned into them.
        called, block: what errors call it, and the block of the settings that names it.
        endpoint: the path below `url` that requests go to.
    """

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    connect_s: float = 5.0
    chunk_s: float = 30.0
    total_s: float = 120.0
    retries: int = 2
    answer_bytes: int = 524_288
    budget_per_day: int = 500
    pictures_without_statement: bool = False
    called: str = "model server"
    block: str = "server"
    endpoint: str = "chat/completions"

    @property
    def host(self) -> str:
        """Its host, with the port where one is named."""
        return urlsplit(self.url).netloc

    @property
    def key(self) -> str:
        """What the audit log calls it: a digest of address and model."""
        words = f"{self.url.rstrip('/')}\n{self.model}"
        return "server-" + hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What drafts call it."""
        return f"{self.model} at {self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterProbe:
    """Whether a server does what it is relied on for, as it was found at one time.

    Attributes:
        server: its key in the audit log.
        refusals: what it fails, each by its name; it may speak only if there is none.
        log_probabilities: whether it gives those of its tokens.
    """

    server: str
    host: str
    model: str
    at: datetime
    seconds: float
    refusals: tuple[Notice, ...] = ()
    log_probabilities: bool = False

    @property
    def passed(self) -> bool:
        """Whether it may word drafts."""
        return not self.refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One request that leaves the house, in digests.

    Attributes:
        bytes: size of its body.
        sha256: digest of its body.
        picture_sha256: digest of the picture in it; None if there is none.
        facts: how many facts of the record are in it.
    """

    bytes: int
    sha256: str
    picture_sha256: str | None
    facts: int


def fault_of_address(url: str, hosts: Collection[str], plain_http: bool) -> str | None:
    """Say why a server may not be spoken to at this address; None if it may.

    Args:
        hosts: the only ones that may be.
        plain_http: whether `http:` is allowed, to this machine itself and nowhere else.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host:
        return "no address such as https://models.hospital.example/v1"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "an address without user, query and fragment is needed"
    if host not in {name.lower() for name in hosts}:
        return f"its host {host!r} is not among `hosts`"
    if host in METADATA_HOSTS or (not is_loopback(host) and is_forbidden(host)):
        return f"{host!r} is link-local or hands out credentials of a cloud"
    if parts.scheme == "http" and not is_loopback(host):
        return "plain http goes to this machine alone; write https"
    if parts.scheme == "http" and not plain_http:
        return "plain http needs `plain_http_on_loopback: true`"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host, by name or number, is this machine."""
    if host in LOOPBACK_NAMES:
        return True
    address = _number(host)
    return address is not None and address.is_loopback


def is_forbidden(address: str) -> bool:
    """Tell whether an address is one at which no server of a hospital stands."""
    number = _number(address)
    return number is not None and (
        number.is_link_local
        or number.is_multicast
        or number.is_unspecified
        or str(number) in METADATA_ADDRESSES
    )


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return mapped or number
