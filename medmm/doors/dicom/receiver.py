"""The receiving end: who is let in, and what each object is answered."""

from __future__ import annotations

import errno
import logging
import secrets
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import build_context

from medmm.config import ListenEntry
from medmm.domain.errors import ConfigError
from medmm.doors.dicom.arriving import (
    IMPLEMENTATION_NAME,
    IMPLEMENTATION_UID,
    ArrivingObject,
    Command,
    Fault,
)
from medmm.doors.dicom.association import ListeningHandler, ListeningServer, StoringProvider
from medmm.doors.dicom.negotiation import (
    CALLER_UNKNOWN,
    VERIFICATION,
    as_storage,
    offered,
    rejection,
)
from medmm.doors.dicom.object_uids import ObjectUids, object_uids
from medmm.doors.dicom.spool import OtherContentError, Sender, Spool
from medmm.doors.dicom.tls import server_context
from medmm.doors.dicom.upper_layer import PDU_BYTES

IDLE_S = 120.0
FINISH_S = 10.0  # for objects that are arriving when the listener stops
# PS3.4 B.2.3: statuses of C-STORE
SUCCESS, ASIDE, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xB000, 0xA700, 0xC000
DEFECT = 0xC211
Tell = Callable[..., None]


class Receiver:
    """Listens for associations and keeps what they bring in the spool.

    Args:
        wanted: UIDs of the SOP classes that studies are made of; objects of others are put aside.
        tell: told what happened, by a word and its details; it must not block for long.

    Raises: ConfigError if the settings let nobody in, or the address can't be listened on.
    """

    def __init__(
        self, listen: ListenEntry, spool: Spool, wanted: Collection[str], tell: Tell
    ) -> None:
        if not (listen.callers or listen.any_caller):
            raise ConfigError(
                "nobody may send: no callers are named",
                remedy="name AE titles under `listen: callers:` (docs/listening.md)",
            )
        self._listen, self._spool, self._wanted, self._tell = listen, spool, wanted, tell
        self._arriving: dict[ArrivingObject, Association] = {}
        self._senders: dict[Association, Sender] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = self._bound()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,))
        self.counted = {"stored": 0, "again": 0, "aside": 0, "refused": 0}
        self._refusing = False  # what is wrong with a disk is told once, not for each object

    @property
    def address(self) -> tuple[str, int]:
        """Address and port that are listened on."""
        found = self._server.server_address
        return str(found[0]), int(found[1])

    def _bound(self) -> ListeningServer:
        silence(self._tell)
        entity = AE()
        entity.maximum_associations = self._listen.associations
        entity.maximum_pdu_size = PDU_BYTES
        entity.network_timeout = IDLE_S
        entity.implementation_class_uid = IMPLEMENTATION_UID
        entity.implementation_version_name = IMPLEMENTATION_NAME
        entity.require_called_aet = False  # several titles: `_requested` judges
        context = None if self._listen.tls is None else server_context(self._listen.tls)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_SOP_COMMON, _private_classes),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_CONN_CLOSE, self._closed),
            (evt.EVT_REJECTED, self._too_many),
        ]
        try:
            server = entity.make_server(
                (self._listen.bind, self._listen.port),
                ae_title=next(iter(self._listen.titles)),
                contexts=[build_context(VERIFICATION)],
                ssl_context=context,
                evt_handlers=handlers,
                server_class=ListeningServer,
                request_handler=ListeningHandler,
            )
        except OSError as error:
            raise ConfigError(
                f"can't listen there: {errno.errorcode.get(error.errno or 0, 'OSError')}",
                remedy="another program listens there, or the address is not this machine's: "
                "correct bind and port under `listen:`",
                address=f"{self._listen.bind} port {self._listen.port}",
            ) from error
        made = cast(ListeningServer, server)
        made.limit, made.idle_s, made.provider = self._listen.associations, IDLE_S, self._provider
        made.failed = self._failed
        return made

    def _provider(self, association: Association) -> StoringProvider:
        return StoringProvider(
            association,
            self._spool.room,
            self._listen.association_bytes,
            self._closing.is_set,
            self._opened,
            self._stored,
        )

    def _opened(self, arriving: ArrivingObject, association: Association) -> None:
        with self._lock:
            self._arriving[arriving] = association

    def start(self) -> None:
        """Begin to accept associations, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more, let objects that are arriving arrive, and close.

        Stopping twice does nothing.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shut()
        end = time.monotonic() + FINISH_S
        while time.monotonic() < end and self._busy():
            time.sleep(0.02)
        for association in self._server.active_associations:
            if association.is_established:
                association.abort()
            elif association.dul.socket is not None:  # there is nothing yet that could be aborted
                association.dul.socket.close()
        self._thread.join()
        self.drop_abandoned(everything=True)

    def _busy(self) -> bool:
        """Tell whether an object is arriving or waits for its answer."""
        with self._lock:
            return any(
                one.size_bytes and association.is_alive()
                for one, association in self._arriving.items()
            )

    def drop_abandoned(self, *, everything: bool = False) -> None:
        """Remove objects whose association ended before they were whole, or answered."""
        with self._lock:
            gone = [
                one
                for one, association in self._arriving.items()
                if everything or not (association.is_alive() or association.dul.is_alive())
            ]
            for one in gone:
                cast(StoringProvider, self._arriving.pop(one).dimse).forget()
            for association in [a for a in self._senders if not a.is_alive()]:
                del self._senders[association]
        for one in gone:
            one.drop()

    def _requested(self, event: Event) -> None:
        """Judge who calls whom, and support what is proposed of storage and verification."""
        association = event.assoc
        request = cast(A_ASSOCIATE, association.requestor.primitive)
        sender = Sender(
            id=secrets.token_hex(8),
            calling=request.calling_ae_title.strip(),
            called=request.called_ae_title.strip(),
            host=str(association.requestor.address),
        )
        rejected = rejection(self._listen, sender.calling, sender.called, sender.host)
        if rejected is not None:
            association.acse.send_reject(*rejected)
            association.is_rejected = True
            association.kill()
            why = "caller" if rejected == CALLER_UNKNOWN else "title"
            self._tell(
                "rejected", why=why, calling=sender.calling, called=sender.called, host=sender.host
            )
            return
        association.acceptor.ae_title = sender.called
        association.acceptor.supported_contexts = offered(request)
        with self._lock:
            self._senders[association] = sender

    def _too_many(self, event: Event) -> None:
        """Tell of an association that the library rejected, for their number."""
        host = str(event.assoc.requestor.address)
        self._tell("rejected", why="associations", host=host)

    def _failed(self, error: BaseException, host: str) -> None:
        """Tell of a connection that was no association: of TLS, or by a defect."""
        if isinstance(error, ssl.SSLError):
            self._tell("rejected", why="tls", error=error.reason or "SSLError", host=host)
        elif not isinstance(error, OSError):
            self._tell("defect", **where(error))

    def _closed(self, event: Event) -> None:
        """Drop at once what was being sent when a connection ended.

        Of a caller that said nothing, as a load balancer's probe, the library would wait half a
        minute more, and count it among the associations.
        """
        if event.assoc.requestor.primitive is None:
            waiting: Any = event.assoc.dul.to_user_queue  # typed as if nothing ended it
            waiting.put(None)
        arriving = cast(StoringProvider, event.assoc.dimse).arriving()
        if arriving is not None:
            with self._lock:
                self._arriving.pop(arriving, None)
            arriving.drop()

    def _store(self, event: Event) -> Dataset:
        """Answer a C-STORE that came the library's way."""
        arrived = getattr(event.request, "DataSet", None)
        if not isinstance(event.request, C_STORE) or not isinstance(arrived, ArrivingObject):
            return answer(NOT_UNDERSTOOD, "a C-STORE with a data set is expected")
        return answer(*self._stored(arrived, event.assoc))

    def _stored(self, arrived: ArrivingObject, association: Association) -> tuple[int, str]:
        """Keep an object that became whole.

        Returns: status and comment of the answer, which may be given as soon as this returns.
        """
        found = (DEFECT, "")
        with ExitStack() as stack:
            stack.push(self._defect)
            stack.callback(self._done, arrived)
            try:
                found = self._kept(arrived, self._senders[association])
            except OSError as error:
                self._refuse(errno.errorcode.get(error.errno or 0, "OSError"))
                found = (NO_ROOM, Fault.DISK.value)
        return found

    def _done(self, arrived: ArrivingObject) -> None:
        with self._lock:
            self._arriving.pop(arrived, None)
        arrived.drop()

    def _defect(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Tell of a defect, which is answered and ends no association."""
        if isinstance(error, Exception):
            self._tell("defect", **where(error))
        return isinstance(error, Exception)

    def _refuse(self, why: str) -> None:
        self.counted["refused"] += 1
        if not self._refusing:
            self._tell("not-kept", why=why)
        self._refusing = True

    def _kept(self, arrived: ArrivingObject, sender: Sender) -> tuple[int, str]:
        """Flush an object and move it to its study, or put it aside.

        Raises: OSError if the disk is full or can't be written.
        """
        arrived.finish()
        command = arrived.command
        if arrived.fault is not None or command is None:
            lacking = arrived.fault.value if arrived.fault else "there is no data set"
            self._refuse(lacking)
            return (NO_ROOM if command else NOT_UNDERSTOOD), lacking
        self._refusing = False
        uids = object_uids(arrived.head, arrived.path, arrived.size_bytes, command.syntax)
        why = unwanted(uids, command, self._wanted)
        if uids is not None and not why:
            try:
                new = self._spool.keep(arrived, uids, sender)
                self.counted["stored" if new else "again"] += 1
                return SUCCESS, ""
            except OtherContentError:
                why = "another object came under its UID"
        self._spool.put_aside(arrived, command, sender, why)
        self.counted["aside"] += 1
        self._tell("aside", why=why)
        return ASIDE, f"put aside: {why}"


def unwanted(uids: ObjectUids | None, command: Command, wanted: Collection[str]) -> str:
    """Say why an object goes to no study; "" if it may."""
    if uids is None:
        return "its UIDs can't be read"
    if (uids.sop_class, uids.sop_instance) != (command.sop_class, command.sop_instance):
        return "its UIDs are not those of the command"
    return "" if uids.sop_class in wanted else "it is of a class that is not read here"


def answer(status: int, comment: str = "") -> Dataset:
    """Make the status of a response, with its Error Comment (LO: 64 characters)."""
    made = Dataset()
    made.Status = status
    if comment:
        made.ErrorComment = comment[:64]
    return made


def _private_classes(event: Event) -> dict[UID, SOPClassCommonExtendedNegotiation]:
    return as_storage(cast(A_ASSOCIATE, event.assoc.requestor.primitive))


def silence(tell: Tell) -> None:
    """Keep what pynetdicom logs, which may quote a data set, from every log.

    Only a defect of medmm's own is told: which error, and where it was raised.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    logger = logging.getLogger("pynetdicom")
    logger.propagate = False
    logger.handlers = [_Defects(tell)]
    logger.setLevel(logging.ERROR)


class _Defects(logging.Handler):
    """Tells of errors that pynetdicom caught in a thread of its own and that medmm raised."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell where the error of a record was raised, never what it says."""
        error = record.exc_info[1] if record.exc_info else record.msg
        if isinstance(error, BaseException) and not isinstance(error, OSError):
            found = where(error)  # an OSError is a connection that broke
            if found["at"]:
                self._tell("defect", **found)


def where(error: BaseException) -> dict[str, str]:
    """Say of which kind an error is and where in medmm it was raised, never what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "medmm" in frame.filename]
    at = f"{own[-1].filename.rsplit('/', 1)[-1]}:{own[-1].lineno}" if own else ""
    return {"error": type(error).__name__, "at": at}
