"""What sends a version's objects to another system, by the kind of that system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from medmm.domain.receivers import DicomReceiver, FhirReceiver, Receiver, StowReceiver
from medmm.domain.transmission import OutgoingObject, Transmission


class Sender(Protocol):
    """Sends the objects of one version of a report."""

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Send objects; sent again they do no harm.

        Raises: ConfigError if the receiver's address may not be spoken to, or a file of a
            certificate or secret can't be read.
        """
        ...


def sender_to(receiver: Receiver) -> Sender:
    """Make what sends to a receiver; kept, it uses a token again until it ends."""
    match receiver:
        case DicomReceiver():
            from medmm.delivery.dicom.node import DicomNode

            return DicomNode(receiver)
        case StowReceiver():
            from medmm.delivery.dicom.stow import StowServer

            return StowServer(receiver)
        case FhirReceiver():
            from medmm.delivery.fhir.server import FhirServer

            return FhirServer(receiver)
    assert_never(receiver)
