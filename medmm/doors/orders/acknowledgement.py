"""What a sender of orders is answered, in the protocol's own words.

Source: HL7 v2.5.1 chapter 2, section 2.9.2 (original mode), ACK, MSA, ERR; tables 0008, 0357, 0516.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime

from medmm.connections.hl7_message import Header
from medmm.connections.hl7_text import Field, message, segment

ACCEPTED, FAULTY, REJECTED = "AA", "AE", "AR"
INTERNAL = "207"  # of table 0357: application internal error
WORDS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "205": "Duplicate key identifier",
    INTERNAL: "Application internal error",
}
VERSION, OF_NEW_ERR = "2.5.1", (2, 5)
KNOWN_VERSION = re.compile(r"2\.([1-9])(\.[0-9])?")
LONGEST_ID = 199


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a message is answered.

    Attributes:
        code: MSA-1, of table 0008.
        fault: of table 0357; "" where nothing is wrong.
        at: the segment and field at fault, as in PID-3; "" if none is.
        reason: in words that hold nothing of a patient.
    """

    code: str
    fault: str = ""
    at: str = ""
    reason: str = ""


def acknowledgement(header: Header, answer: Answer, now: datetime) -> bytes:
    """Write the answer to a message, in the version of its sender, without the blocks of MLLP."""
    version = header.version if KNOWN_VERSION.fullmatch(header.version) else VERSION
    new = tuple(int(part) for part in version.split(".")[:2]) >= OF_NEW_ERR
    fields: dict[int, Field] = {
        3: header.own_application,
        4: header.own_facility,
        5: header.application,
        6: header.facility,
        7: now.strftime("%Y%m%d%H%M%S%z"),
        9: _type(header, new=new),
        10: uuid.uuid4().hex[:20].upper(),
        11: header.processing or "P",
        12: version,
        18: "UNICODE UTF-8",
    }
    written = segment("MSH", {1: "", 2: "", **fields})
    said: dict[int, Field] = {1: answer.code, 2: header.control_id[:LONGEST_ID]}
    if answer.reason and not new:
        said[3] = answer.reason
    rows = ["MSH|^~\\&" + written.removeprefix("MSH||"), segment("MSA", said)]
    if answer.fault:
        rows.append(segment("ERR", _new_error(answer) if new else _old_error(answer)))
    return message(rows)


def _type(header: Header, *, new: bool) -> tuple[str, ...]:
    event = (header.event,) if header.event else ()
    return ("ACK", *event, "ACK") if event and new else ("ACK", *event)


def _new_error(answer: Answer) -> dict[int, Field]:
    place, _, field = answer.at.partition("-")
    return {
        2: tuple(filter(None, (place, "1" if place else "", field))),
        3: (answer.fault, WORDS[answer.fault], "HL70357"),
        4: "E",
        8: answer.reason,
    }


def _old_error(answer: Answer) -> dict[int, Field]:
    """Write ERR-1, as it was before version 2.5."""
    place, _, field = answer.at.partition("-")
    code = (answer.fault, WORDS[answer.fault], "HL70357")
    return {1: (place, "1" if place else "", field, code)}
