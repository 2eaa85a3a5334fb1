"""What sends to a destination, one for each kind of the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medmm.config import Destination, FolderEntry, MllpEntry
from medmm.config.destinations import DicomNodeDestination, FhirDestination, StowDestination
from medmm.connections.tls import client_context
from medmm.delivery.senders import Sender, sender_to


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
    from medmm.delivery.hl7.sender import MllpSender

    receiver = MllpReceiver(
        host=entry.host,
        port=entry.port,
        tls=client_context(entry.tls.files()) if entry.tls else None,
        connect_s=entry.connect_timeout_s,
        answer_s=entry.answer_timeout_s,
    )
    return MllpSender(receiver=receiver, refuses=entry.rejected == "refuse")


def _system(entry: DicomNodeDestination | StowDestination | FhirDestination) -> Sender:
    return sender_to(entry.receiver())


SENDERS: dict[str, Callable[[Any], Sender]] = {
    "folder": _folder,
    "mllp": _mllp,
    "dicom": _system,
    "stow": _system,
    "fhir": _system,
}
