"""Objects that a PACS sends over the association that asks for them (C-GET, PS3.4 C.4.3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE, DimseServiceType
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import (
    AllStoragePresentationContexts,
    PresentationContext,
    build_context,
    build_role,
)

from medmm.doors.dicom.arriving import ArrivingObject, Fault
from medmm.doors.dicom.association import SpoolingProvider
from medmm.doors.dicom.receiver import ASIDE, NO_ROOM, SUCCESS, answer
from medmm.doors.dicom.upper_layer import ABORT
from medmm.doors.fetch.staging import Staging

MOST_IDENTIFIER_BYTES = 1 << 20  # of the data set of an answer, such as a list of failed objects
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers of one byte
UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
# Each in a context of its own, so that the PACS sends an image as it has it
COMPRESSED = tuple(
    f"1.2.840.10008.1.2.{one}"
    for one in ("4.50", "4.51", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "4.201", "5")
)


class GotObject(ArrivingObject):
    """What follows a message: an object goes to the disk, the data set of an answer to memory."""

    def write(self, data: Any, /) -> int:
        """Take one fragment."""
        if self._out is None and self.fault is None and self._find_command() is None:
            if self.tell() + len(data) > MOST_IDENTIFIER_BYTES:
                self.fault = Fault.SIZE
                return len(data)
            return super(ArrivingObject, self).write(data)
        return super().write(data)


class GettingProvider(SpoolingProvider):
    """Collects the messages of an association that this end asked for."""

    def get_msg(self, block: bool = False) -> tuple[None, None] | tuple[int, DimseServiceType]:
        """Give the next message, waiting for it as pynetdicom's own does."""
        return DIMSEServiceProvider.get_msg(self, block)

    def _begin(self) -> None:
        message = self.message = DIMSEMessage()
        message.data_set = GotObject(self._room, lambda: self._command_of(message))
        self._opened(message.data_set, self.assoc)

    def receive_primitive(self, primitive: Any) -> None:
        """Take what one P-DATA primitive brings; abort where an answer has no end."""
        super().receive_primitive(primitive)
        data = self.message.data_set if self.message is not None else None
        if isinstance(data, GotObject) and data.fault is Fault.SIZE and data.command is None:
            self.dul.event_queue.put(ABORT)


def stored(event: Event, staging: Staging) -> Dataset:
    """Answer one C-STORE of a C-GET after its object is on the disk."""
    request = event.request
    arrived = getattr(request, "DataSet", None)
    if not isinstance(request, C_STORE) or not isinstance(arrived, ArrivingObject):
        return answer(NO_ROOM, "a C-STORE with a data set is expected")
    command = arrived.command
    if arrived.fault is not None:
        staging.fault = arrived.fault
        return answer(NO_ROOM, arrived.fault.value)
    if command is None:
        return answer(NO_ROOM, "there is no data set")
    try:
        why = staging.take(arrived, command)
    except OSError:
        staging.fault, why = Fault.DISK, Fault.DISK.value
    if staging.fault is not None:
        arrived.drop()
        return answer(NO_ROOM, why)
    return answer(ASIDE if why else SUCCESS, why)


def storage_contexts(
    wanted: Collection[str],
) -> tuple[list[PresentationContext], list[SCP_SCU_RoleSelectionNegotiation]]:
    """Propose storage in which this end is the SCP (PS3.7 D.3.3.4).

    Classes that are read here come with every transfer syntax. Others are proposed too, since a
    PACS would count what it can't send as failed; they are dropped as they arrive.
    """
    contexts = [
        build_context(name, syntaxes)
        for name in sorted(wanted)
        for syntaxes in (list(UNCOMPRESSED), *([UID(one)] for one in COMPRESSED))
    ]
    others = [str(one.abstract_syntax) for one in AllStoragePresentationContexts]
    first = [name for name in others if _comes_along(name) and name not in wanted]
    rest = [name for name in others if name not in wanted and name not in first]
    for name in (*first, *rest)[: MOST_CONTEXTS - 1 - len(contexts)]:
        contexts.append(build_context(name, list(UNCOMPRESSED)))
    names = dict.fromkeys(str(one.abstract_syntax) for one in contexts)
    return contexts, [build_role(name, scp_role=True) for name in names]


def _comes_along(name: str) -> bool:
    """Tell whether a class often comes with films and MR: reports, marks, notes, screens."""
    said = UID(name).name
    words = ("SR", "Report", "Presentation State", "Key Object", "Segmentation", "Secondary")
    return name in (CTImageStorage, EncapsulatedPDFStorage) or any(word in said for word in words)
