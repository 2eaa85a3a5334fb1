"""Sending one message over MLLP and waiting for its acknowledgement.

What came of it is a value, because each has another remedy: a message that was refused is at fault
itself, a receiver that can't take any now is asked again, and of silence nobody knows whether the
message arrived, so it is sent again under the same control id.

Source: HL7 v2.5.1 chapter 2 (MSA, ERR, table 0008) and appendix C (minimal lower layer protocol).
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from medmm.connections.hl7_text import COMPONENT, FIELD, REPETITION, SEGMENT_END, unescape
from medmm.connections.mllp import END, START, TooLongError, frames
from medmm.domain.errors import InputError
from medmm.domain.plain_text import clean

LONGEST_ANSWER = 1_048_576  # bytes of one connection, foreign acknowledgements included
CODES = 8  # of table 0357, beside the words of an ERR segment


class Sent(Enum):
    """What became of a message, and so what to do with it."""

    ACCEPTED = "accepted"  # AA, CA
    FAULTY = "faulty"  # AE, CE: sent again unchanged it fails again
    REJECTED = "rejected"  # AR, CR: the receiver can't take it now, or not from here
    UNANSWERED = "unanswered"  # it may have arrived: sent again it keeps its control id
    UNREACHABLE = "unreachable"  # nothing was sent


ANSWERS = {
    "AA": Sent.ACCEPTED,
    "CA": Sent.ACCEPTED,
    "AE": Sent.FAULTY,
    "CE": Sent.FAULTY,
    "AR": Sent.REJECTED,
    "CR": Sent.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a message.

    Attributes:
        control_id: of the message (MSH-10).
        code: of the acknowledgement (MSA-1); "" without one.
        reason: of the receiver in its own words, which may name a patient and so stand in no log;
            or why there is no acknowledgement.
        fault: code of HL7 table 0357 with its place, from ERR; "" without one.
    """

    outcome: Sent
    control_id: str
    code: str = ""
    reason: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpReceiver:
    """Where messages are sent.

    Attributes:
        tls: the context of the connection, which checks names and certificates; None sends plainly.
        connect_s, answer_s: how long to wait for the connection, and for all of the answer.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    connect_s: float = 10.0
    answer_s: float = 30.0


def send(content: bytes, receiver: MllpReceiver) -> Receipt:
    """Send one message on a connection of its own, and wait for its acknowledgement.

    Acknowledgements of other messages are passed over: they are late answers to somebody else.

    Args:
        content: in UTF-8, as `result_message` gives it.

    Raises: InputError if it is no message, or holds the bytes that end a frame.
    """
    control_id = _control_id(content)
    try:
        with _connected(receiver) as connection:
            return _exchanged(connection, content, control_id, receiver.answer_s)
    except OSError as error:  # ssl.SSLError is one
        reason = f"no connection: {type(error).__name__}"
        return Receipt(outcome=Sent.UNREACHABLE, control_id=control_id, reason=reason)


def _control_id(content: bytes) -> str:
    header = content.partition(b"\r")[0].decode("utf-8", "replace").split(FIELD)
    if len(header) < 12 or header[0] != "MSH" or not header[9]:
        raise InputError("no HL7 v2 message with a control id", remedy="send an ORU^R01 message")
    if START in content or END[:1] in content:
        raise InputError(
            "a message holds the bytes that begin or end a frame of MLLP",
            remedy="escape control characters in its values",
        )
    return header[9]


@contextmanager
def _connected(receiver: MllpReceiver) -> Iterator[socket.socket]:
    place = (receiver.host, receiver.port)
    with socket.create_connection(place, timeout=receiver.connect_s) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receiver.tls is None:
            yield plain
            return
        with receiver.tls.wrap_socket(plain, server_hostname=receiver.host) as secret:
            yield secret


def _exchanged(
    connection: socket.socket, content: bytes, control_id: str, answer_s: float
) -> Receipt:
    until = time.monotonic() + answer_s
    try:
        connection.settimeout(answer_s)
        connection.sendall(START + content + END)
        for answer in frames(connection, until, LONGEST_ANSWER):
            receipt = _read(answer, control_id)
            if receipt is not None:
                return receipt
        reason = "the receiver closed the connection without an acknowledgement"
    except TimeoutError:
        reason = f"no acknowledgement within {answer_s:g} s"
    except OSError as error:
        reason = f"the connection broke: {type(error).__name__}"
    except TooLongError:
        reason = f"no acknowledgement in {LONGEST_ANSWER} bytes"
    return Receipt(outcome=Sent.UNANSWERED, control_id=control_id, reason=reason)


def _read(answer: bytes, control_id: str) -> Receipt | None:
    """Read an acknowledgement; None if it is of another message, or is none."""
    lines = answer.decode("utf-8", "replace").replace("\n", SEGMENT_END).split(SEGMENT_END)
    segments = [line.split(FIELD) for line in lines if line]
    found = next((fields for fields in segments if fields[0] == "MSA"), None)
    if found is None or len(found) < 3 or found[2].strip() != control_id:
        return None
    code = found[1].strip()
    errors = [fields for fields in segments if fields[0] == "ERR"]
    words = [*_part(found, 3), *(word for fields in errors for word in _part(fields, 8))]
    return Receipt(
        outcome=ANSWERS.get(code, Sent.UNANSWERED),
        control_id=control_id,
        code=clean(code, limit=CODES),
        reason=clean("; ".join(dict.fromkeys(words))),
        fault=clean("; ".join(_fault(fields) for fields in errors)),
    )


def _part(fields: list[str], number: int) -> list[str]:
    value = unescape(fields[number]) if len(fields) > number else ""
    return [value] if value.strip() else []


def _fault(fields: list[str]) -> str:
    """Read where an error is (ERR-2) and its code (ERR-3)."""
    place, code = ((fields[n].split(REPETITION)[0] if len(fields) > n else "") for n in (2, 3))
    at = place.replace(COMPONENT, "-")
    return " at ".join(filter(None, (code.split(COMPONENT)[0], at)))
