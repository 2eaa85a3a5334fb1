"""One association: its socket, its messages, and how an object of it is answered."""

from __future__ import annotations

import queue
import secrets
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from socketserver import BaseServer
from typing import cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE, DimsePrimitiveType, DimseServiceType
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from medmm.doors.dicom.arriving import ArrivingObject, Command, Room
from medmm.doors.dicom.negotiation import VERIFICATION
from medmm.doors.dicom.upper_layer import ABORT, ReceivingLayer, ReceivingSocket

MOST_COMMAND_BYTES = 65_536
MOST_WAITING = 16  # messages of one association that were sent before the last was answered
HANDSHAKE_S = 10.0
IDLE_POLL_S = 0.005  # between two looks of an idle association for its release
# PS3.7 E.1: command fields, and what (0000,0800) says where no data set follows
STORE_REQUEST, STORE_RESPONSE, NO_DATA_SET = 0x0001, 0x8001, 0x0101
CONNECTIONS_BESIDE = (
    8  # that may be open beside the accepted ones, to be told that they are too many
)


class SpoolingProvider(DIMSEServiceProvider):
    """Collects the messages of an association, data sets on disk.

    Args:
        association_bytes: of data sets, after which the association is aborted.
        closing: whether no further object may be begun.
        opened: told of each object that begins to arrive.
    """

    def __init__(
        self,
        assoc: Association,
        room: Room,
        association_bytes: int,
        closing: Callable[[], bool],
        opened: Callable[[ArrivingObject, Association], None],
    ) -> None:
        super().__init__(assoc)
        self._room, self._most_bytes = room, association_bytes
        self._closing, self._opened = closing, opened
        self._accepted: dict[int | None, PresentationContext] = {}
        self._bytes_before = 0  # of data sets whose messages are complete

    @property
    def taking(self) -> bool:
        """Whether the command of a message came, and its data set is arriving."""
        return self.message is not None and self.message.context_id is not None

    def take(self, fragment: memoryview) -> None:
        """Take a part of the data set that is arriving; abort where a limit is passed."""
        data = cast(ArrivingObject, cast(DIMSEMessage, self.message).data_set)
        data.write(fragment)
        self._bound(data)

    def _bound(self, data: ArrivingObject) -> None:
        if self._bytes_before + data.size_bytes > self._most_bytes:
            self.dul.event_queue.put(ABORT)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take what one P-DATA primitive brings; abort where a limit is passed."""
        if self.message is None:
            if self._closing() or self.msg_queue.qsize() >= MOST_WAITING:
                self.dul.event_queue.put(ABORT)
                return
            self._begin()
        message = cast(DIMSEMessage, self.message)
        data = cast(ArrivingObject, message.data_set)
        super().receive_primitive(primitive)
        if message.encoded_command_set.tell() > MOST_COMMAND_BYTES:
            self.dul.event_queue.put(ABORT)
        self._bound(data)
        if self.message is None:
            self._bytes_before += data.size_bytes
            self._whole()

    def _whole(self) -> None:
        """Leave a message that just became whole to the association's thread."""

    def get_msg(self, block: bool = False) -> tuple[None, None] | tuple[int, DimseServiceType]:
        """Give the next message; an idle association waits for it a moment rather than ask anew."""
        try:
            return self.msg_queue.get(timeout=IDLE_POLL_S)
        except queue.Empty:
            return None, None

    def send_msg(self, primitive: DimsePrimitiveType, context_id: int) -> None:
        """Send a message; the answer to a C-STORE is encoded here, at a tenth of the time."""
        if not isinstance(primitive, C_STORE) or primitive.MessageIDBeingRespondedTo is None:
            super().send_msg(primitive, context_id)
            return
        sent = P_DATA()
        value = [context_id, b"\x03" + store_response(primitive)]
        # The library's annotation says tuple, and its check wants a list
        sent.presentation_data_value_list = [cast("tuple[int, bytes]", value)]
        self.dul.send_pdu(sent)

    def _begin(self) -> None:
        message = self.message = DIMSEMessage()
        message.data_set = ArrivingObject(self._room, lambda: self._command_of(message))
        self._opened(message.data_set, self.assoc)

    def _command_of(self, message: DIMSEMessage) -> Command | None:
        """Say what the command of a message announces; None if it is no C-STORE."""
        said = message.command_set
        names = [said.get(k) for k in ("AffectedSOPClassUID", "AffectedSOPInstanceUID")]
        context = self._contexts().get(message.context_id)
        if said.get("CommandField") != STORE_REQUEST or not all(names) or context is None:
            return None
        syntax = context.transfer_syntax[0]
        return Command(sop_class=str(names[0]), sop_instance=str(names[1]), syntax=syntax)

    def _contexts(self) -> dict[int | None, PresentationContext]:
        """Give the accepted presentation contexts by their ids."""
        if not self._accepted:
            self._accepted = {one.context_id: one for one in self.assoc.accepted_contexts}
        return self._accepted


class StoringProvider(SpoolingProvider):
    """Collects the messages of an association, and answers a C-STORE in the thread that read it.

    The library's way to its other thread and back takes longer than the object.
    """

    def _whole(self) -> None:
        """Keep an object that just became whole, and answer; leave the rest to the library."""
        if not self.assoc.is_established or self.msg_queue.qsize() != 1:
            return
        context_id, message = self.msg_queue.queue[0]
        context = self._contexts().get(context_id)
        if (
            not isinstance(message, C_STORE)
            or not message.is_valid_request
            or context is None
            or context.abstract_syntax != message.AffectedSOPClassUID
            or context.abstract_syntax == VERIFICATION
        ):
            return
        try:
            self.msg_queue.get_nowait()
        except queue.Empty:  # the association's thread was faster
            return
        StorageServiceClass(self.assoc).SCP(message, context)


def store_response(primitive: C_STORE) -> bytes:
    """Encode a C-STORE response (PS3.7 9.3.1.2), implicit VR little endian."""
    elements = [
        _element(0x0002, str(primitive.AffectedSOPClassUID or "").encode("ascii"), b"\0"),
        _element(0x0100, struct.pack("<H", STORE_RESPONSE)),
        _element(0x0120, struct.pack("<H", primitive.MessageIDBeingRespondedTo)),
        _element(0x0800, struct.pack("<H", NO_DATA_SET)),
        _element(0x0900, struct.pack("<H", primitive.Status)),
    ]
    if primitive.ErrorComment:
        elements.append(_element(0x0902, str(primitive.ErrorComment).encode("ascii"), b" "))
    elements.append(
        _element(0x1000, str(primitive.AffectedSOPInstanceUID or "").encode("ascii"), b"\0")
    )
    body = b"".join(elements)
    return _element(0x0000, struct.pack("<L", len(body))) + body


def _element(number: int, value: bytes, padding: bytes = b"") -> bytes:
    value += padding * (len(value) % 2)
    return struct.pack("<HHL", 0, number, len(value)) + value


class ListeningServer(ThreadedAssociationServer):
    """The server, which shakes hands in the connection's own thread.

    pynetdicom does so in the thread that accepts connections: a caller that says nothing would keep
    all others out. Attributes that its handlers need are set after it is made.
    """

    request_queue_size = 64  # connections that the system holds ready
    limit = 1
    idle_s = 120.0
    provider: Callable[[Association], SpoolingProvider]
    failed: Callable[[BaseException, str], None]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection; with TLS it is wrapped and not yet spoken to."""
        connection, address = cast(socket.socket, self.socket).accept()
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: object, client_address: object) -> bool:
        """Tell whether there is room to talk to another caller at all."""
        return len(self.active_associations) < self.limit + CONNECTIONS_BESIDE

    def shut(self) -> None:
        """Accept nothing more and close the listening socket.

        The library's own `shutdown` is for servers that its `start_server` made.
        """
        BaseServer.shutdown(self)
        self.server_close()

    def handle_error(self, request: object, client_address: tuple[str, int]) -> None:
        """Tell of a connection that failed before it was an association, as by its certificate."""
        error = sys.exc_info()[1]
        if error is not None:
            self.failed(error, client_address[0])


class ListeningHandler(RequestHandler):
    """Makes an association of a connection."""

    server: ListeningServer

    def handle(self) -> None:
        """Shake hands, then let pynetdicom go on."""
        connection = cast(socket.socket, self.request)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(connection, ssl.SSLSocket):
            connection.settimeout(HANDSHAKE_S)
            connection.do_handshake()
        connection.settimeout(self.server.idle_s)  # else a half-sent PDU waits for ever
        super().handle()

    def _create_association(self) -> Association:
        association = super()._create_association()
        # The library makes each itself and takes none
        layer, made = ReceivingLayer(association), association.dul
        layer.socket, layer.event_queue = made.socket, made.event_queue
        layer.artim_timer, layer._idle_timer = made.artim_timer, made._idle_timer
        cast(ReceivingSocket, layer.socket).__class__ = ReceivingSocket
        association.dul = layer
        association.dimse = self.server.provider(association)
        association.name = f"AcceptorThread@{secrets.token_hex(8)}"
        return association
