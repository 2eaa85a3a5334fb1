"""Storing a version's objects on a DICOMweb server by STOW-RS, all in one request.

What became of each object stands in the answer, whatever its status: a server that answers 409 may
have kept the good ones. Whatever arrived, all are sent again: they have the same SOP Instance UIDs.

Source: DICOM PS3.18 10.5 (store transaction), annex F (DICOM JSON).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medmm.connections.http import Answer, HttpConnection, NoAnswer
from medmm.connections.sign_in import Credentials, credentials
from medmm.delivery.dicom.storing import ObjectOutcome, of_status, together
from medmm.delivery.http_outcome import outcome_of
from medmm.domain.plain_text import clean
from medmm.domain.receivers import StowReceiver
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission

REFERENCED_SOPS = "00081199"  # what was stored
FAILED_SOPS = "00081198"
SOP_INSTANCE_UID = "00081155"
FAILURE_REASON = "00081197"
WARNING_REASON = "00081196"
PROCESSING_FAILURE = 0x0110
# 400 too: Orthanc answers so where some objects were kept
LISTED = frozenset({200, 202, 400, 409})


@dataclass(slots=True)
class StowServer:
    """A DICOMweb server that takes objects by STOW-RS."""

    receiver: StowReceiver
    _credentials: Credentials = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._credentials = credentials(self.receiver.server)

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Store objects in one request.

        Returns: arrived only if the server names each as stored; what each status means stands in
            docs/delivering-receivers.md.

        Raises: ConfigError if the server's address may not be spoken to, or a file of a certificate
            or secret can't be read.
        """
        if not objects:
            return Transmission(outcome=Outcome.ARRIVED, code="NOTHING TO SEND")
        try:
            answer = self._asked(objects)
            if answer.status == 401 and self._credentials.renewed():
                answer = self._asked(objects)
        except NoAnswer as none:
            return Transmission(outcome=Outcome.POSTPONED, code=none.code, reason=none.reason)
        return judged(answer, objects)

    def _asked(self, objects: Sequence[OutgoingObject]) -> Answer:
        boundary = uuid.uuid4().hex
        fields = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
            **self._credentials.field(),
        }
        url = f"{self.receiver.server.url.rstrip('/')}/studies"
        body = tuple(_parts(objects, boundary.encode("ascii")))
        return HttpConnection(self.receiver.server).ask("POST", url, fields, body)


def _parts(objects: Sequence[OutgoingObject], boundary: bytes) -> Iterator[bytes]:
    for one in objects:
        yield b"--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n"
        yield one.content
        yield b"\r\n"
    yield b"--" + boundary + b"--\r\n"


def judged(answer: Answer, objects: Sequence[OutgoingObject]) -> Transmission:
    """Judge an answer by what it says of each object, else by its status."""
    stored, failed = _listed(answer) if answer.status in LISTED else ({}, {})
    if not stored and not failed:
        return outcome_of(answer, _words(answer))
    found = [_of(one, stored, failed, answer) for one in objects]
    whole = together(found, answer.retry_after_s())
    code = answer.code if whole.code == "0000" else f"{answer.code} {whole.code}"
    return Transmission(
        outcome=whole.outcome,
        code=code,
        reason=whole.reason,
        retry_after_s=whole.retry_after_s,
    )


def _of(
    one: OutgoingObject, stored: Mapping[str, int], failed: Mapping[str, int], answer: Answer
) -> ObjectOutcome:
    if one.key in stored:
        return of_status(one, stored[one.key])
    if one.key in failed:
        return of_status(one, failed[one.key])
    # As Orthanc does of what it can't parse: 400 is then of this one
    words = "the server does not say what became of it"
    outcome = outcome_of(answer).outcome
    return ObjectOutcome(name=one.name, outcome=outcome, code="UNNAMED", reason=words)


def _listed(answer: Answer) -> tuple[dict[str, int], dict[str, int]]:
    """Read which objects were stored, with warnings, and which failed, with reasons."""
    found = answer.json()
    if isinstance(found, list) and len(found) == 1:  # some servers give a list of one data set
        found = found[0]
    if not isinstance(found, dict):
        return {}, {}
    stored = {uid: _number(item, WARNING_REASON, 0) for uid, item in _items(found, REFERENCED_SOPS)}
    failed = {
        uid: _number(item, FAILURE_REASON, PROCESSING_FAILURE)
        for uid, item in _items(found, FAILED_SOPS)
    }
    return {uid: code for uid, code in stored.items() if uid not in failed}, failed


def _items(dataset: Mapping[str, Any], tag: str) -> Iterator[tuple[str, Any]]:
    for item in _values(dataset, tag):
        uid = next(iter(_values(item, SOP_INSTANCE_UID)), None)
        if isinstance(uid, str):
            yield uid, item


def _number(item: Any, tag: str, otherwise: int) -> int:
    value = next(iter(_values(item, tag)), None)
    return value if isinstance(value, int) and 0 <= value <= 0xFFFF else otherwise


def _values(dataset: Any, tag: str) -> list[Any]:
    element = dataset.get(tag) if isinstance(dataset, dict) else None
    value = element.get("Value") if isinstance(element, dict) else None
    return value if isinstance(value, list) else []


def _words(answer: Answer) -> str:
    """Read what a server says in words, such as Orthanc's own JSON."""
    found = answer.json()
    said = [found.get(name) for name in ("Message", "Details")] if isinstance(found, dict) else []
    return clean("; ".join(one for one in said if isinstance(one, str) and one))
