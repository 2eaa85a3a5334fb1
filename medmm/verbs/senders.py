"""What sends to a destination, one for each kind of the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from medmm.config import Destination, FolderEntry, MllpEntry
from medmm.domain.transmission import OutgoingObject, Transmission


class Sender(Protocol):
    """Sends to one destination; what a receiver has already is sent again without harm."""

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Send the objects of one version of a report, and say what became of them.

        A receiver that is away, or that refuses, is an outcome and no error.

        Raises: ConfigError if a setting is at fault, as a certificate that can't be read.
        """
        ...


def sender_of(destination: Destination) -> Sender:
    """Make what sends to a destination.

    Raises: ConfigError if a setting is at fault.
    """
    return SENDERS[destination.kind](destination)


def _folder(entry: FolderEntry) -> Sender:
    from medmm.delivery.folder import FolderSender

    return FolderSender(entry.path)


def _mllp(entry: MllpEntry) -> Sender:
    from medmm.delivery.hl7.mllp import MllpReceiver
    from medmm.delivery.hl7.sender import MllpSender, client_context

    tls = entry.tls
    receiver = MllpReceiver(
        host=entry.host,
        port=entry.port,
        tls=client_context(tls.ca_file, tls.certificate, tls.key) if tls else None,
        connect_s=entry.connect_timeout_s,
        answer_s=entry.answer_timeout_s,
    )
    return MllpSender(receiver=receiver, refuses=entry.rejected == "refuse")


SENDERS: dict[str, Callable[[Any], Sender]] = {"folder": _folder, "mllp": _mllp}
