"""The upper layer of an association that receives: data sets go from the socket to the disk.

pynetdicom copies what comes six times and hands each message to a second thread, and either of its
threads sleeps a millisecond before it looks again. Here a fragment of a data set is read into one
buffer and written from it. Whatever else comes (PS3.8 Table 9-10) goes the library's way.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from typing import TYPE_CHECKING, cast

from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from medmm.doors.dicom.association import SpoolingProvider

# Of one PDU; that of an association's request is the longest that anybody sends
MOST_PDU_BYTES = 2**20
ABORT, CLOSED = "Evt19", "Evt17"  # PS3.8 9.2.1: an invalid PDU, on which the provider aborts
DATA_TRANSFER = "Sta6"
P_DATA_TF = 0x04
COMMAND, LAST = 0x01, 0x02  # bits of the message control header, PS3.8 E.2
WAIT_S = 0.002  # for what comes, before a look for what is to be sent
BUFFER_BYTES = 131_072


class BoundedSocket(AssociationSocket):
    """The socket of an association, which reads no PDU longer than `MOST_PDU_BYTES`."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, or fewer if the connection ends before.

        Raises: OSError if they are more than a PDU may have, or the connection fails.
        """
        if nr_bytes > MOST_PDU_BYTES:
            self.event_queue.put(ABORT)
            raise OSError("the PDU is longer than any that is accepted")
        whole = bytearray(nr_bytes)
        read = self.fill(memoryview(whole))
        return whole[:read] if read < nr_bytes else whole

    def fill(self, view: memoryview) -> int:
        """Read until the view is full; returns how many bytes came before the connection ended.

        Raises: OSError if the connection fails.
        """
        read, connection = 0, cast(socket.socket, self.socket)
        while read < len(view):
            count = connection.recv_into(view[read:])
            if not count:
                break
            read += count
        return read

    def _shutdown_socket(self) -> None:
        """Close the socket, also where the other end went first and the library leaves it open."""
        super()._shutdown_socket()
        if self.socket is not None:
            self.socket.close()


class ReceivingSocket(BoundedSocket):
    """A socket that waits for what comes, and takes back what was read too early."""

    unread = b""

    @property
    def ready(self) -> bool:
        """Whether there is something to read, after at most `WAIT_S`."""
        connection = self.socket
        if connection is None or not self._is_connected:
            return False
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        try:
            return bool(select.select([connection], [], [], WAIT_S)[0])
        except (OSError, ValueError):
            self.event_queue.put(CLOSED)
            return False

    def fill(self, view: memoryview) -> int:
        """Read until the view is full, beginning with what was taken back."""
        early = self.unread[: len(view)]
        self.unread = self.unread[len(early) :]
        view[: len(early)] = early
        return len(early) + super().fill(view[len(early) :])


class ReceivingLayer(DULServiceProvider):
    """Reads the PDUs of an association, and lets data sets by the library's state machine.

    In a PDU of one fragment of a data set nothing can change the state but the end of the message,
    which the library is told by an empty last fragment.
    """

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._run_loop_delay = 0.0  # the socket waits
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def _read_pdu_data(self) -> None:
        """Read one PDU."""
        source = cast(ReceivingSocket, self.socket)
        provider = cast("SpoolingProvider", self.assoc.dimse)
        taking = self.state_machine.current_state == DATA_TRANSFER and provider.taking
        if not taking:
            super()._read_pdu_data()
            return
        try:
            self._fragment(source, provider)
        except OSError:
            self.event_queue.put(CLOSED)

    def _fragment(self, source: ReceivingSocket, provider: SpoolingProvider) -> None:
        """Read a PDU of one fragment of a data set; leave any other to the library.

        Raises: OSError if the connection fails.
        """
        head = bytes(source.recv(6))
        kind, whole = struct.unpack(">BxL", head) if len(head) == 6 else (0, 0)
        if kind == P_DATA_TF and 6 <= whole <= MOST_PDU_BYTES:
            head += source.recv(6)
        length, context, control = struct.unpack_from(">LBB", head + bytes(12), 6)
        if len(head) < 12 or length != whole - 4 or control & COMMAND:
            source.unread = head
            super()._read_pdu_data()
            return
        left = length - 2
        while left:
            view = self._buffer[:left]
            if source.fill(view) < len(view):
                self.event_queue.put(CLOSED)
                return
            provider.take(view)
            left -= len(view)
        if control & LAST:
            ended = P_DATA()
            # The library's annotation says tuple, and its check wants a list
            ended.presentation_data_value_list = [
                cast("tuple[int, bytes]", [context, bytes([control])])
            ]
            provider.receive_primitive(ended)
