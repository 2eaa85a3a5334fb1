"""STOW-RS: instances of one request, each kept as the listener keeps objects.

Each instance is on disk before it is answered for. A study is admitted when nothing more of it has
come for a while; what comes later joins it. Source: DICOM PS3.18 8.6.1 (multipart/related), 10.5
(Store transaction), I.2 (its response); PS3.10 7.1 (file meta information).
"""

# FastAPI reads these annotations when addresses are made: they stay objects
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from medmm.domain.errors import InputError
from medmm.domain.roles import require
from medmm.doors.dicom.arriving import ArrivingObject, Command
from medmm.doors.dicom.object_uids import NO_DATASET, object_uids
from medmm.doors.dicom.receiver import ASIDE, NO_ROOM, NOT_UNDERSTOOD, SUCCESS, unwanted
from medmm.doors.dicom.spool import OtherContentError, Sender, Spool
from medmm.doors.http.app import STUDIES
from medmm.doors.http.calling import Caller
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.parts import Header, Parts, written
from medmm.doors.http.problems import refusals
from medmm.doors.telling import Tell

TITLE = "STOW-RS"  # in the place of an AE title
RELATED, DICOM, DICOM_JSON = "multipart/related", "application/dicom", "application/dicom+json"
OF_ANOTHER_STUDY = 0xA900  # PS3.18 I.2.2: data set does not match
MOST_META_BYTES = 65_536
# (0002,0000), UL, 4 bytes: the length of the file meta information, which stands first
GROUP_LENGTH, META_BEGINS = b"\x02\x00\x00\x00UL\x04\x00", 144
StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of one instance; without UIDs if none could be read."""

    status: int
    command: Command | None = None


class Instance:
    """One DICOM file as it comes: its header is read, its data set written."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._head = bytearray()
        self.command: Command | None = None
        self.arrived: ArrivingObject | None = None
        self.unreadable = False

    def write(self, data: bytes) -> None:
        """Take what came."""
        if self.arrived is not None:
            self.arrived.write(data)
        elif not self.unreadable:
            self._head += data
            self._begin()

    def _begin(self) -> None:
        """Begin to write the data set once the header is whole."""
        if len(self._head) < META_BEGINS:
            return
        length = int.from_bytes(self._head[META_BEGINS - 4 : META_BEGINS], "little")
        ends = META_BEGINS + length
        known = self._head[128:132] == b"DICM" and self._head[132:140] == GROUP_LENGTH
        if not known or length > MOST_META_BYTES:
            self.unreadable = True
        elif len(self._head) >= ends:
            self.command = _command(bytes(self._head[META_BEGINS:ends]))
            self.unreadable = self.command is None
            if self.command is not None:
                self.arrived = ArrivingObject(self._spool.room, lambda: self.command)
                self.arrived.write(self._head[ends:])
            self._head.clear()

    def close(self) -> None:
        """Remove what was not moved to its study."""
        if self.arrived is not None:
            self.arrived.drop()


def _command(meta: bytes) -> Command | None:
    """Read what a file says of itself; None if it says it in no way that counts."""
    try:
        said = read_dataset(BytesIO(meta), is_implicit_VR=False, is_little_endian=True)
        return Command(
            sop_class=str(said.MediaStorageSOPClassUID),
            sop_instance=str(said.MediaStorageSOPInstanceUID),
            syntax=UID(str(said.TransferSyntaxUID)),
        )
    except NO_DATASET:
        return None


class Store(Parts):
    """The parts of one request, each kept as it has come."""

    def __init__(
        self,
        spool: Spool,
        wanted: Collection[str],
        sender: Sender,
        boundary: bytes,
        study_uid: str | None,
    ) -> None:
        super().__init__(boundary, _damaged())
        self._spool, self._wanted, self._sender = spool, wanted, sender
        self._study_uid = study_uid
        self.stored: list[Stored] = []
        self._instance: Instance | None = None

    def opened(self, headers: dict[bytes, Header]) -> None:
        """Begin an instance. Raises: InputError for a part of another kind."""
        if headers.get(b"content-type", (b"", {}))[0] != DICOM.encode():
            raise InputError(
                "a part of another kind", remedy=f"send each as {DICOM}", content_type=""
            )
        self._instance = Instance(self._spool)

    def came(self, data: bytes) -> None:
        """Write a piece of the instance."""
        if self._instance is not None:
            self._instance.write(data)

    def closed(self) -> None:
        """Keep the instance, or put it aside."""
        if self._instance is not None:
            instance, self._instance = self._instance, None
            try:
                self.stored.append(self._kept(instance))
            finally:
                instance.close()

    def close(self) -> None:
        """Remove an instance that has not come whole."""
        if self._instance is not None:
            self._instance.close()

    def _kept(self, instance: Instance) -> Stored:
        """Flush an instance and move it to its study, or put it aside as the listener does."""
        arrived, command = instance.arrived, instance.command
        if arrived is None or command is None:
            return Stored(status=NOT_UNDERSTOOD)
        arrived.finish()
        if arrived.fault is not None:
            return Stored(status=NO_ROOM, command=command)
        uids = object_uids(arrived.head, arrived.path, arrived.size_bytes, command.syntax)
        why = unwanted(uids, command, self._wanted)
        if uids is not None and self._study_uid not in (None, uids.study):
            return Stored(status=OF_ANOTHER_STUDY, command=command)
        try:
            if uids is not None and not why:
                try:
                    self._spool.keep(arrived, uids, self._sender)
                    return Stored(status=SUCCESS, command=command)
                except OtherContentError:
                    why = "another object came under its UID"
            self._spool.put_aside(arrived, command, self._sender, why)
        except OSError:
            return Stored(status=NO_ROOM, command=command)
        return Stored(status=ASIDE, command=command)


def _damaged() -> InputError:
    return InputError(
        "the request is damaged or does not end", remedy="send the study again: what came is kept"
    )


def stow_router(spool: Spool, wanted: Collection[str], tell: Tell) -> APIRouter:
    """Make the addresses of the Store transaction.

    Args:
        wanted: UIDs of the SOP classes that studies are made of.
        tell: told how many instances a request brought.
    """
    made = APIRouter(tags=["DICOMweb"])

    async def kept(request: Request, call: Caller, study_uid: str | None) -> Response:
        require("admit", call.by)
        kind, said = parse_options_header(request.headers.get("content-type"))
        boundary = said.get(b"boundary")
        of_files = said.get(b"type", DICOM.encode()) == DICOM.encode()
        if kind != RELATED.encode() or not boundary or not of_files:
            raise InputError(
                "instances of another kind",
                remedy=f'send {RELATED}; type="{DICOM}"; boundary=…',
                content_type="",
            )
        host = request.client.host if request.client else ""
        sender = Sender(id=secrets.token_hex(8), calling=call.by.id, called=TITLE, host=host)
        try:
            stored = await _received(request, spool, wanted, sender, boundary, study_uid)
        except ClientDisconnect:
            return Response(status_code=400)
        failed = sum(one.status not in (SUCCESS, ASIDE) for one in stored)
        tell("stored", instances=len(stored) - failed, failed=failed)
        return _answer(stored)

    @made.post(STUDIES, operation_id="stow", responses=_ANSWERS, openapi_extra=_BODY)
    async def stow(request: Request, call: Caller) -> Response:
        """Store instances, of one study or several."""
        return await kept(request, call, None)

    @made.post(
        STUDIES + "/{study_uid}",
        operation_id="stow_study",
        responses=_ANSWERS,
        openapi_extra=_BODY,
    )
    async def stow_study(request: Request, call: Caller, study_uid: StudyUid) -> Response:
        """Store instances of this study; those of others are refused."""
        return await kept(request, call, study_uid)

    return made


async def _received(
    request: Request,
    spool: Spool,
    wanted: Collection[str],
    sender: Sender,
    boundary: bytes,
    study_uid: str | None,
) -> list[Stored]:
    store = Store(spool, wanted, sender, boundary, study_uid)
    try:
        await written(request, store)
    finally:
        store.close()
    return store.stored


def _answer(stored: list[Stored]) -> Response:
    """Write the response: what is stored, with a warning or without, and what failed."""
    said: dict[str, Any] = {}
    places = {SUCCESS: ("00081199", None), ASIDE: ("00081199", "00081196")}
    for one in stored:
        sequence, reason = places.get(one.status, ("00081198", "00081197"))
        item: dict[str, Any] = {}
        if one.command is None:
            sequence = "0008119A"
        else:
            item["00081150"] = {"vr": "UI", "Value": [one.command.sop_class]}
            item["00081155"] = {"vr": "UI", "Value": [one.command.sop_instance]}
        if reason is not None:
            item[reason] = {"vr": "US", "Value": [one.status]}
        said.setdefault(sequence, {"vr": "SQ", "Value": []})["Value"].append(item)
    good = sum(one.status in places for one in stored)
    all_well = all(one.status == SUCCESS for one in stored)
    status = 200 if all_well and stored else 202 if good else 409
    return JsonAnswer(said, status, media_type=DICOM_JSON)


_RESULT = {"content": {DICOM_JSON: {"schema": {"type": "object"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    **refusals(413, 415),
    200: {"description": "All are stored.", **_RESULT},
    202: {"description": "Some are stored, or all with warnings.", **_RESULT},
    409: {"description": "None is stored.", **_RESULT},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {f'{RELATED}; type="{DICOM}"': {"schema": {"type": "string"}}},
    }
}
