"""The upper layer of an association that receives: from the socket to the disk.

pynetdicom copies what comes several times and hands each message to a second thread, and either of
its threads sleeps a millisecond before it looks again. Here a fragment of a data set is read into
one buffer and written from it. Whatever else comes (PS3.8 Table 9-10) goes the library's way.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from typing import TYPE_CHECKING, cast

from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from medmm.doors.dicom.association import StoringProvider

# Of one PDU; that of an association's request is the longest that anybody sends
MOST_PDU_BYTES = 2**20
ABORT, CLOSED = "Evt19", "Evt17"  # PS3.8 9.2.1: an invalid PDU, on which the provider aborts
DATA_TRANSFER = "Sta6"
P_DATA_TF = 0x04
COMMAND, LAST = 0x01, 0x02  # bits of the message control header, PS3.8 E.2
WAIT_S = 0.002  # for what comes, before a look for what is to be sent
PDU_BYTES = 131_072  # that callers are asked to send at most; the most that dcmtk sends
COMMAND_BYTES = 1024  # of a plain C-STORE's command: two UIDs and some numbers


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
        read, connection = 0, self.socket
        if connection is None:  # closed meanwhile
            raise OSError("the connection is closed")
        flags = 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_WAITALL
        while read < len(view):
            count = connection.recv_into(view[read:], 0, flags)
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

    A PDU of one fragment, of a plain C-STORE, leaves the association's state as it is.
    """

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._run_loop_delay = 0.0  # the socket waits
        self._buffer = memoryview(bytearray(PDU_BYTES))

    def _is_transport_event(self) -> bool:
        """Look for what comes; a release or an abort that came wakes the association's thread."""
        provider = cast("StoringProvider", self.assoc.dimse)
        if not self.to_user_queue.empty():
            provider.wake()
        return super()._is_transport_event()

    def _read_pdu_data(self) -> None:
        """Read PDUs of plain C-STOREs until none is there, or one PDU of another kind."""
        source = cast(ReceivingSocket, self.socket)
        provider = cast("StoringProvider", self.assoc.dimse)
        if self.state_machine.current_state != DATA_TRANSFER:
            super()._read_pdu_data()
            return
        try:
            while self._fragment(source, provider):
                self._idle_timer.restart()
                asked = self._kill_thread or self.to_provider_queue.queue
                if asked or not self.event_queue.empty() or not source.ready:
                    return
        except OSError:
            self.event_queue.put(CLOSED)
            return
        super()._read_pdu_data()

    def _fragment(self, source: ReceivingSocket, provider: StoringProvider) -> bool:
        """Read a PDU of one fragment of a plain C-STORE.

        Returns: false if it is another; then nothing was read.
        Raises: OSError if the connection fails.
        """
        head = source.recv(6)
        kind, size = struct.unpack(">BxL", head) if len(head) == 6 else (0, 0)
        plain = kind == P_DATA_TF and 6 <= size <= len(self._buffer)
        if not (plain and (provider.storing or provider.between)):
            source.unread = bytes(head)
            return False
        body = self._buffer[:size]
        if source.fill(body) < size:
            raise OSError("the connection ended in a PDU")
        length, context, control = struct.unpack_from(">LBB", body)
        if length == size - 4:
            if provider.storing and not control & COMMAND:
                provider.take(body[6:], last=bool(control & LAST))
                return True
            whole_command = control == COMMAND | LAST and length <= COMMAND_BYTES
            if provider.between and whole_command and provider.begin(context, bytes(body[6:])):
                return True
        source.unread = bytes(head) + bytes(body)
        return False
