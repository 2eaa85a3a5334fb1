"""One association: its socket, its messages, and how an object of it is answered."""

from __future__ import annotations

import queue
import secrets
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from socketserver import BaseServer
from typing import cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE, DimsePrimitiveType, DimseServiceType
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import (
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from medmm.doors.dicom.arriving import ArrivingObject, Command, Room
from medmm.doors.dicom.negotiation import VERIFICATION
from medmm.doors.dicom.store_messages import (
    STORE_REQUEST,
    StoreRequest,
    read_store_request,
    store_response,
)
from medmm.doors.dicom.upper_layer import (
    ABORT,
    COMMAND,
    LAST,
    P_DATA_TF,
    ReceivingLayer,
    ReceivingSocket,
)

MOST_COMMAND_BYTES = 65_536
MOST_WAITING = 16  # messages of one association that were sent before the last was answered
HANDSHAKE_S = 10.0
IDLE_POLL_S = 0.05  # between two looks of an idle association for what did not wake it
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
        self._counted(data, whole=self.message is None)

    def _counted(self, data: ArrivingObject, *, whole: bool) -> None:
        """Abort where an association brought too much."""
        if self._bytes_before + data.size_bytes > self._most_bytes:
            self.dul.event_queue.put(ABORT)
        if whole:
            self._bytes_before += data.size_bytes

    def arriving(self) -> ArrivingObject | None:
        """Give the object that is arriving, if one is."""
        found = self.message.data_set if self.message is not None else None
        return found if isinstance(found, ArrivingObject) else None

    def forget(self) -> None:
        """Let go of what is arriving."""
        self.message = None

    def get_msg(self, block: bool = False) -> tuple[None, None] | tuple[int, DimseServiceType]:
        """Give the next message; an idle association waits for it a moment rather than ask anew."""
        try:
            return self.msg_queue.get(timeout=IDLE_POLL_S)
        except queue.Empty:
            return None, None

    def wake(self) -> None:
        """Have the association's thread look for a release or an abort now."""
        if self.msg_queue.empty():
            self.msg_queue.put(cast("tuple[int, DimseServiceType]", (None, None)))

    def send_msg(self, primitive: DimsePrimitiveType, context_id: int) -> None:
        """Send a message; the answer to a C-STORE is encoded here, at a tenth of the time."""
        if not isinstance(primitive, C_STORE) or primitive.MessageIDBeingRespondedTo is None:
            super().send_msg(primitive, context_id)
            return
        sent = P_DATA()
        request = StoreRequest(
            message_id=primitive.MessageIDBeingRespondedTo,
            sop_class=str(primitive.AffectedSOPClassUID or ""),
            sop_instance=str(primitive.AffectedSOPInstanceUID or ""),
        )
        status, comment = primitive.Status or 0, str(primitive.ErrorComment or "")
        value = [context_id, b"\x03" + store_response(request, status, comment)]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Storing:
    """A C-STORE whose data set is arriving."""

    request: StoreRequest
    context_id: int
    data: ArrivingObject


class StoringProvider(SpoolingProvider):
    """Collects the messages of an association; a plain C-STORE is done where it is read.

    The library's way, of two data sets of pydicom and to another thread and back, takes longer than
    the object. What is no C-STORE, or is cut into unusual parts, goes that way.

    Args:
        keep: keeps an object that became whole, and gives status and comment of the answer.
    """

    def __init__(
        self,
        assoc: Association,
        room: Room,
        association_bytes: int,
        closing: Callable[[], bool],
        opened: Callable[[ArrivingObject, Association], None],
        keep: Callable[[ArrivingObject, Association], tuple[int, str]],
    ) -> None:
        super().__init__(assoc, room, association_bytes, closing, opened)
        self._keep = keep
        self._storing: Storing | None = None

    @property
    def storing(self) -> bool:
        """Whether the data set of a plain C-STORE is arriving."""
        return self._storing is not None

    @property
    def between(self) -> bool:
        """Whether the next that comes is a new message, and none waits for its answer."""
        return self._storing is None and self.message is None and self.msg_queue.empty()

    def begin(self, context_id: int, command: bytes) -> bool:
        """Begin a plain C-STORE; returns false if the command is another."""
        request, context = read_store_request(command), self._contexts().get(context_id)
        if (
            request is None
            or context is None
            or context.abstract_syntax != request.sop_class
            or context.abstract_syntax == VERIFICATION
        ):
            return False
        if self._closing():
            self.dul.event_queue.put(ABORT)
            return True
        announced = Command(
            sop_class=request.sop_class,
            sop_instance=request.sop_instance,
            syntax=context.transfer_syntax[0],
        )
        data = ArrivingObject(self._room, lambda: announced)
        self._opened(data, self.assoc)
        self._storing = Storing(request=request, context_id=context_id, data=data)
        return True

    def take(self, fragment: memoryview | bytes, *, last: bool) -> None:
        """Take a part of the data set that is arriving, and answer after the last."""
        storing = cast(Storing, self._storing)
        storing.data.write(fragment)
        self._counted(storing.data, whole=last)
        if not last:
            return
        self._storing = None
        answered = store_response(storing.request, *self._keep(storing.data, self.assoc))
        value = struct.pack(">LBB", len(answered) + 2, storing.context_id, 3) + answered
        head = struct.pack(">BxL", P_DATA_TF, len(value))
        cast(AssociationSocket, self.dul.socket).send(head + value)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take what one P-DATA primitive brings; abort where a limit is passed."""
        if self._storing is None:
            super().receive_primitive(primitive)
            return
        for _, value in primitive.presentation_data_value_list:
            if self._storing is None or value[0] & COMMAND:  # a further message in the same PDU
                self.dul.event_queue.put(ABORT)
                return
            self.take(value[1:], last=bool(value[0] & LAST))

    def arriving(self) -> ArrivingObject | None:
        """Give the object that is arriving, if one is."""
        return super().arriving() if self._storing is None else self._storing.data

    def forget(self) -> None:
        """Let go of what is arriving."""
        super().forget()
        self._storing = None


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
        _bound_wait(connection, self.server.idle_s)  # else a half-sent PDU waits for ever
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


def _bound_wait(connection: socket.socket, seconds: float) -> None:
    """Bound how long a read or a write waits.

    The system does so without TLS: Python's own way asks it twice for each read.
    """
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(seconds)
        return
    connection.settimeout(None)
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, way, limit)
