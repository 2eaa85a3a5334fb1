"""Which address a name leads to, and whether it may be spoken to."""

from __future__ import annotations

import socket

from medmm.domain.errors import ConfigError, Unavailable
from medmm.domain.model_server import METADATA_HOSTS, is_forbidden, is_loopback


def addresses_of(host: str, port: int, *, in_the_clear: bool = False) -> tuple[str, ...]:
    """Find the addresses of a host.

    Args:
        in_the_clear: whether what is sent there is a password or a patient's record without TLS,
            which leaves this machine for no other.

    Raises: Unavailable if the name service knows none; ConfigError if one of them is link-local,
        hands out credentials of a cloud, or is of another machine though sent in the clear.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(
            "the name of a host leads nowhere",
            remedy="correct it, or have the name service corrected",
            host=host,
        ) from error
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    away = in_the_clear and not all(map(is_loopback, addresses))
    if away or host.lower() in METADATA_HOSTS or any(map(is_forbidden, addresses)):
        raise ConfigError(
            "a host leads to an address that is never spoken to",
            remedy="name another host, or have the name service corrected",
            host=host,
        )
    return addresses
