"""Storing a version's objects on a DICOM node by C-STORE, all in one association.

Whatever of them arrived before a connection broke, all are sent again: they have the same SOP
Instance UIDs and the same content. Storage commitment is not asked for.

Source: DICOM PS3.4 annex B, PS3.7 9.1.1 and annex D, PS3.8 9.3.4.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from medmm.connections.addresses import addresses_of
from medmm.connections.tls import client_context
from medmm.delivery.dicom.storing import ObjectOutcome, of_status, together
from medmm.domain.errors import Unavailable
from medmm.domain.plain_text import clean
from medmm.domain.receivers import DicomReceiver
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

# What pydicom and pynetdicom raise of bytes that are no object, or that they can't encode
LIBRARY_ERRORS = (ValueError, TypeError, AttributeError, KeyError, IndexError, OSError)
REFUSED_CONTEXTS = {
    1: "the node refuses this kind of object",
    2: "the node refuses this kind of object without a reason",
    3: "the node does not know this kind of object",
    4: "the node does not take this kind of object in its transfer syntax",
}
NOTHING = Transmission(outcome=Outcome.ARRIVED, code="NOTHING TO SEND")


@dataclass(frozen=True, slots=True)
class DicomNode:
    """A node that takes objects by C-STORE."""

    receiver: DicomReceiver

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Store objects in their order, in one association.

        Returns: arrived only if the node said so of each; what each status means stands in
            docs/delivering-receivers.md.

        Raises: ConfigError if the node's address may not be spoken to, or a certificate can't be
            read.
        """
        read = [(one, _dataset(one)) for one in objects]
        sent = [(one, dataset) for one, dataset in read if dataset is not None]
        found = [_no_object(one) for one, dataset in read if dataset is None]
        if not sent:
            return together(found) if found else NOTHING
        try:
            with _associated(self.receiver, [dataset for _, dataset in sent]) as (
                association,
                link,
            ):
                found += _stored(association, link, sent, self.receiver)
        except _NoAssociation as none:
            return Transmission(outcome=none.outcome, code=none.code, reason=none.reason)
        return together(found)


class _NoAssociation(Exception):
    """There is no association, and why."""

    def __init__(self, code: str, reason: str, outcome: Outcome = Outcome.POSTPONED) -> None:
        super().__init__(code)
        self.outcome, self.code, self.reason = outcome, code, reason


@dataclass(slots=True)
class _Link:
    """What is noted of a connection beside what the library tells of it.

    Attributes:
        connection: None if there was none.
        handshake: why its TLS handshake failed.
        answered: the message that the last answer was to.
    """

    wait_s: float
    connection: socket.socket | None = None
    handshake: list[Exception] = field(default_factory=list)
    answered: int | None = None

    def open(self, event: Event) -> None:
        """Send small PDUs at once, and never wait for ever for a node that reads nothing."""
        held = event.assoc.dul.socket
        if held is not None and held.socket is not None:
            self.connection = held.socket
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.settimeout(self.wait_s)

    def close(self) -> None:
        """Close a connection whose other end went first: pynetdicom 3.0.4 leaves it open."""
        if self.connection is not None:
            self.connection.close()

    def message(self, event: Event) -> None:
        """Note which message is answered: the library takes any answer for the one it waits for."""
        self.answered = event.message.command_set.get("MessageIDBeingRespondedTo")

    def context(self, receiver: DicomReceiver) -> tuple[ssl.SSLContext, str] | None:
        """Make what the connection is wrapped in, which notes why a handshake failed."""
        if receiver.tls is None:
            return None
        noted = self.handshake

        class Noting(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                try:
                    super().do_handshake(block)
                except OSError as error:
                    noted.append(error)
                    self.close()
                    raise

        context = client_context(receiver.tls)
        context.sslsocket_class = Noting
        return context, receiver.host


def _dataset(one: OutgoingObject) -> Dataset | None:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        found = dcmread(BytesIO(one.content))
        return found if found.SOPInstanceUID and found.file_meta.TransferSyntaxUID else None
    except (*LIBRARY_ERRORS, InvalidDicomError):
        return None


def _no_object(one: OutgoingObject) -> ObjectOutcome:
    words = "no DICOM object: it can't be sent"
    return ObjectOutcome(name=one.name, outcome=Outcome.REFUSED, code="NO OBJECT", reason=words)


@contextmanager
def _associated(
    receiver: DicomReceiver, datasets: Sequence[Dataset]
) -> Iterator[tuple[Association, _Link]]:
    """Open an association for these objects, and release it.

    Raises: _NoAssociation saying why there is none.
    """
    association, link = _asked(receiver, datasets)
    try:
        if not association.is_established:
            raise _refusal(association, link)
        yield association, link
        if association.is_established:
            association.release()  # what was answered is kept, whatever becomes of this
    finally:
        link.close()


def _asked(receiver: DicomReceiver, datasets: Sequence[Dataset]) -> tuple[Association, _Link]:
    """Ask at each address of the node until one takes the connection."""
    from pynetdicom import AE, evt

    # Its log may quote a data set, and so goes into no other.
    logging.getLogger("pynetdicom").propagate = False
    entity = AE(receiver.calling)
    entity.acse_timeout = receiver.connect_s
    entity.connection_timeout = receiver.connect_s
    entity.dimse_timeout = entity.network_timeout = receiver.answer_s
    try:
        addresses = addresses_of(receiver.host, receiver.port)
    except Unavailable as error:
        raise _NoAssociation("NO CONNECTION", error.problem) from error
    for address in addresses:
        link = _Link(receiver.answer_s)
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, link.open), (evt.EVT_DIMSE_RECV, link.message)]
        association = entity.associate(
            address,
            receiver.port,
            contexts=_proposed(datasets),
            ae_title=receiver.title,
            max_pdu=receiver.max_pdu_bytes,
            tls_args=link.context(receiver),
            evt_handlers=handlers,
        )
        if link.connection or link.handshake:
            break
    return association, link


def _proposed(datasets: Sequence[Dataset]) -> list[PresentationContext]:
    """Propose each kind of object that is sent, in its own transfer syntax.

    What is not compressed is proposed in the default syntax too (PS3.5 10.1), in a context of its
    own: a node that is given the choice may take the default, and get other bytes.
    """
    from pydicom.uid import ImplicitVRLittleEndian
    from pynetdicom import build_context

    proposed = []
    kinds = dict.fromkeys((one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in datasets)
    for sop_class, own in kinds:
        proposed.append(build_context(sop_class, own))
        if not own.is_compressed and own != ImplicitVRLittleEndian:
            proposed.append(build_context(sop_class, ImplicitVRLittleEndian))
    return proposed


def _refusal(association: Association, link: _Link) -> _NoAssociation:
    if link.handshake:
        error = link.handshake[0]
        of_certificates = isinstance(error, ssl.SSLError)
        said = "one end does not trust the other" if of_certificates else "no TLS handshake"
        return _NoAssociation("TLS REFUSED", f"{said}: {type(error).__name__}")
    if link.connection is None:
        return _NoAssociation("NO CONNECTION", "the node can't be reached")
    if association.is_rejected and association.acceptor.primitive is not None:
        told = association.acceptor.primitive
        code = f"A-ASSOCIATE-RJ {told.result}.{told.result_source}.{told.diagnostic}"
        return _NoAssociation(code, f"association rejected: {told.reason_str}")
    if association.rejected_contexts:
        reason = REFUSED_CONTEXTS.get(association.rejected_contexts[0].result or 0, "")
        code = f"CONTEXT REFUSED {association.rejected_contexts[0].result}"
        return _NoAssociation(code, reason, Outcome.REFUSED)
    words = "the node aborts the association, or does not answer"
    return _NoAssociation("NO ASSOCIATION", words)


def _stored(
    association: Association,
    link: _Link,
    objects: Sequence[tuple[OutgoingObject, Dataset]],
    receiver: DicomReceiver,
) -> Iterator[ObjectOutcome]:
    from pydicom.dataset import Dataset

    for number, (one, dataset) in enumerate(objects, start=1):
        if not association.is_established:
            yield _unknown(one, "ABORTED", "not sent: the association ended before")
            continue
        begun = time.monotonic()
        try:
            answer = association.send_c_store(dataset, msg_id=number)
        except LIBRARY_ERRORS:  # of which no accepted context is one
            yield _without_context(association, one, dataset)
            continue
        except RuntimeError:  # the association ended just now
            answer = Dataset()
        if "Status" not in answer:
            _abort(association)
            if time.monotonic() - begun >= receiver.answer_s:
                yield _unknown(one, "NO ANSWER", f"no answer within {receiver.answer_s:g} s")
            else:
                yield _unknown(one, "ABORTED", "the connection broke")
        elif link.answered != number:
            _abort(association)
            yield _unknown(one, "WRONG ANSWER", "the node answers another message")
        else:
            words = clean(str(answer.get("ErrorComment", "") or ""))
            yield of_status(one, answer.Status, words)


def _abort(association: Association) -> None:
    """End an association at once: the library takes a while to notice that it has ended."""
    association.abort()
    association.is_established = False


def _unknown(one: OutgoingObject, code: str, words: str) -> ObjectOutcome:
    return ObjectOutcome(name=one.name, outcome=Outcome.POSTPONED, code=code, reason=words)


def _without_context(
    association: Association, one: OutgoingObject, dataset: Dataset
) -> ObjectOutcome:
    refused = [
        context
        for context in association.rejected_contexts
        if context.abstract_syntax == dataset.SOPClassUID
    ]
    if not refused:
        return _no_object(one)
    result = refused[0].result or 0
    return ObjectOutcome(
        name=one.name,
        outcome=Outcome.REFUSED,
        code=f"CONTEXT REFUSED {result}",
        reason=REFUSED_CONTEXTS.get(result, ""),
    )
