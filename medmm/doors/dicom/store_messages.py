"""The two messages of C-STORE, read and written without a data set of pydicom for each.

Source: PS3.7 9.3.1 and E.1; implicit VR little endian.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

STORE_REQUEST, STORE_RESPONSE, NO_DATA_SET = 0x0001, 0x8001, 0x0101
_CLASS, _FIELD, _MESSAGE, _RESPONDED = 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET, _STATUS, _COMMENT, _INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
_UID = re.compile(rb"[0-9.]{1,64}\0?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """What a C-STORE request says that its answer, and the file of its object, need."""

    message_id: int
    sop_class: str
    sop_instance: str


def read_store_request(command: bytes) -> StoreRequest | None:
    """Read a command set; None if it is no plain C-STORE request that a data set follows."""
    found, at = {}, 0
    while at + 8 <= len(command):
        group, element, length = struct.unpack_from("<HHL", command, at)
        if group or element in found:
            return None
        found[element] = command[at + 8 : at + 8 + length]
        at += 8 + length
    fields = [found.get(one, b"") for one in (_FIELD, _MESSAGE, _DATA_SET)]
    uids = [found.get(one, b"") for one in (_CLASS, _INSTANCE)]
    if at != len(command) or any(len(one) != 2 for one in fields):
        return None
    kind, message_id, data_set = (int.from_bytes(one, "little") for one in fields)
    if kind != STORE_REQUEST or data_set == NO_DATA_SET or not all(map(_UID.fullmatch, uids)):
        return None
    sop_class, sop_instance = (one.rstrip(b"\0").decode("ascii") for one in uids)
    return StoreRequest(message_id=message_id, sop_class=sop_class, sop_instance=sop_instance)


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """Encode the answer to a C-STORE."""
    elements = [
        _element(_CLASS, request.sop_class.encode("ascii"), b"\0"),
        _element(_FIELD, struct.pack("<H", STORE_RESPONSE)),
        _element(_RESPONDED, struct.pack("<H", request.message_id)),
        _element(_DATA_SET, struct.pack("<H", NO_DATA_SET)),
        _element(_STATUS, struct.pack("<H", status)),
        *([_element(_COMMENT, comment.encode("ascii"), b" ")] if comment else []),
        _element(_INSTANCE, request.sop_instance.encode("ascii"), b"\0"),
    ]
    body = b"".join(elements)
    return _element(0x0000, struct.pack("<L", len(body))) + body


def _element(number: int, value: bytes, padding: bytes = b"") -> bytes:
    value += padding * (len(value) % 2)
    return struct.pack("<HHL", 0, number, len(value)) + value
