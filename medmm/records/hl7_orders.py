"""Imaging orders in HL7 v2 messages (ORM^O01, OMI^O23), as the sender words them.

Source: HL7 v2.5.1 chapters 2 (MSH), 3 (PID), 4 (ORC, OBR, TQ1, IPC); tables 0001, 0038, 0119, 0203
and 0485; IHE RAD TF-2 4.1 to 4.4 (OBR-18 as accession number, ZDS with the Study Instance UID).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from medmm.connections.hl7_message import (
    DUPLICATE,
    MISSING,
    NOT_IN_TABLE,
    SEQUENCE_ERROR,
    UNSUPPORTED_EVENT,
    UNSUPPORTED_TYPE,
    WRONG_TYPE,
    ReceivedSegment,
    fault,
    named,
    segments_of,
)
from medmm.domain.identity import PatientIdentity, PersonName
from medmm.domain.imaging_order import OrderIdentifier
from medmm.domain.record import ClinicalContext, Coding, Fact, FactKind
from medmm.domain.study import StudyTime
from medmm.domain.waiting_order import ORDER_FACT, WaitingOrder
from medmm.records.document import RecordDocument
from medmm.records.timeline import context_as_of

MESSAGES = {"ORM": "O01", "OMI": "O23"}
# Table 0119: what makes or changes an order, and what ends it
STANDING = frozenset({"NW", "XO", "XX", "XR", "RU", "RO", "SC", "SN", "RL", "HD", "HR"})
ENDING = frozenset({"CA", "OC", "CR", "DC", "OD", "DR", "RP"})
ENDED = frozenset({"CA", "DC", "RP"})  # table 0038, where SC says that the status changed
PRIORITIES = {
    "S": "stat",
    "STAT": "stat",
    "A": "asap",
    "ASAP": "asap",
    "U": "urgent",
    "UR": "urgent",
    "URGENT": "urgent",
    "R": "routine",
    "ROUTINE": "routine",
}
NOT_THE_PATIENTS = frozenset({"AN", "VN", "ACSN", "PLAC", "FILL"})  # of accounts, visits, orders
SEXES = {"F": "F", "M": "M", "O": "O", "A": "O", "U": None, "N": None, "": None}
TIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.\d+)?)?)?)?)?")
OFFSET = re.compile(r"(.*?)(?:([+-])(\d\d)(\d\d))?")
UID = re.compile(r"[0-9]+(\.[0-9]+)*")
CODE_SYSTEMS = {  # table 0396; a code of a local system is no code to anybody else
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "RADLEX": "http://radlex.org",
}


def read_orders(
    content: bytes, zone: tzinfo | None = None, character_set: str = "ASCII"
) -> tuple[WaitingOrder, ...]:
    """Read the imaging orders of a message.

    Args:
        content: the message without the blocks of MLLP.
        zone: of times that state none; without it they are taken as UTC.
        character_set: of a message that states none (table 0211).

    Raises: InputError with its code of table 0357 (`fault`) and its place (`at`) if the message is
        at fault, or of a kind that is not read. It names no value.
    """
    segments = segments_of(content, character_set)
    _refuse_other_kinds(segments[0])
    patients = [*named(segments, "PID")]
    if len(patients) != 1:
        raise fault("it has no patient, or several", SEQUENCE_ERROR, "PID")
    sent_at = _time(segments[0].value(7), zone or UTC, "MSH-7")
    if sent_at is None:
        raise fault("it doesn't say when it was made", MISSING, "MSH-7")
    message = _Message(
        identity=_identity(patients[0]),
        sent_at=sent_at,
        zone=zone or UTC,
        sha256=_digest(content),
        study_uid=_study_uid(segments),
    )
    found = [order for group in _groups(segments) for order in message.orders(group)]
    if not found:
        raise fault("it holds no order", SEQUENCE_ERROR, "ORC")
    seen: Counter[tuple[str, ...]] = Counter()
    placed = []
    for order in found:
        placed.append(replace(order, place=seen[order.number()]))
        seen[order.number()] += 1
    return tuple(placed)


def _digest(content: bytes) -> str:
    """Digest a message by its segments, which some senders end in other ways when they resend."""
    return hashlib.sha256(b"\r".join(content.splitlines())).hexdigest()


def _refuse_other_kinds(header: ReceivedSegment) -> None:
    kind, event = header.value(9, 1), header.value(9, 2)
    if kind not in MESSAGES:
        raise fault("only ORM^O01 and OMI^O23 are read", UNSUPPORTED_TYPE, "MSH-9")
    if event != MESSAGES[kind]:
        raise fault("only ORM^O01 and OMI^O23 are read", UNSUPPORTED_EVENT, "MSH-9")
    if not header.value(10):
        raise fault("it has no control id", MISSING, "MSH-10")


def _study_uid(segments: Sequence[ReceivedSegment]) -> str | None:
    """Read the Study Instance UID of IHE's ZDS segment, of which a message has one at most."""
    uids = {_uid(one.value(1), "ZDS-1") for one in segments if one.name == "ZDS"}
    if len(uids) > 1:
        raise fault("it names several studies", DUPLICATE, "ZDS-1")
    return next(iter(uids), None)


@dataclass(slots=True)
class _Group:
    """An order's segments: its ORC, one OBR, and what follows that."""

    orc: ReceivedSegment
    obr: ReceivedSegment | None = None
    notes: list[ReceivedSegment] = field(default_factory=list)
    timings: list[ReceivedSegment] = field(default_factory=list)
    steps: list[ReceivedSegment] = field(default_factory=list)


def _groups(segments: Sequence[ReceivedSegment]) -> Iterator[_Group]:
    """Yield the orders; an OBR without an ORC of its own is another order under the same ORC."""
    group: _Group | None = None
    timings: list[ReceivedSegment] = []
    for one in segments:
        if one.name == "ORC":
            if group is not None:
                yield group
            group, timings = _Group(one), []
        elif one.name == "OBR":
            if group is None:
                raise fault("an OBR stands before any ORC", SEQUENCE_ERROR, "OBR")
            if group.obr is not None:
                yield group
                group = _Group(group.orc, timings=[*timings])
            group.obr = one
        elif group is not None and one.name == "TQ1":
            group.timings.append(one)
            timings += [one] if group.obr is None else []
        elif group is not None and one.name == "NTE" and group.obr is not None:
            group.notes.append(one)
        elif group is not None and one.name == "IPC":
            group.steps.append(one)
    if group is not None:
        yield group


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """What all orders of a message have in common."""

    identity: PatientIdentity
    sent_at: datetime
    zone: tzinfo
    sha256: str
    study_uid: str | None

    def orders(self, group: _Group) -> Iterator[WaitingOrder]:
        """Yield the orders of a group: one, or one for each study that its steps name."""
        obr = group.obr
        if obr is None:
            raise fault("an order has no OBR", SEQUENCE_ERROR, "OBR")
        whole = self._order(group, obr)
        steps = [(_uid(s.value(3), "IPC-3"), s.value(1) or whole.accession) for s in group.steps]
        for uid, accession in dict.fromkeys(steps or [(self.study_uid, whole.accession)]):
            order = replace(whole, study_uid=uid or self.study_uid, accession=accession)
            if not order.number()[-1]:
                raise fault("an order has no number", MISSING, "ORC-2")
            yield order

    def _order(self, group: _Group, obr: ReceivedSegment) -> WaitingOrder:
        control = group.orc.value(1).upper()
        if not control:
            raise fault("an order doesn't say what is done with it", MISSING, "ORC-1")
        if control not in STANDING | ENDING:
            raise fault("what is done with an order is not known here", NOT_IN_TABLE, "ORC-1")
        ended = control == "SC" and group.orc.value(5).upper() in ENDED
        label, codings = _procedure(obr)
        return WaitingOrder(
            identity=self.identity,
            control=control,
            cancelled=control in ENDING or ended,
            sent_at=self.sent_at,
            said_at=_time(group.orc.value(9), self.zone, "ORC-9") or self.sent_at,
            accession=obr.value(18) or None,
            placer=_number(obr, 2, "PLAC") or _number(group.orc, 2, "PLAC"),
            filler=_number(obr, 3, "FILL") or _number(group.orc, 3, "FILL"),
            procedure=label,
            codings=codings,
            reasons=tuple(dict.fromkeys(_reasons(obr, group.notes))),
            priority=_priority(group, obr),
            message_sha256=self.sha256,
        )


def _number(segment: ReceivedSegment, number: int, kind: str) -> OrderIdentifier | None:
    value = segment.value(number)
    if not value:
        return None
    namespace, universal, form = (segment.value(number, part) for part in (2, 3, 4))
    owners = [*_owners(namespace, universal, form)]
    return OrderIdentifier(value=value, system=owners[-1] if owners else None, kind=kind)


def _owners(namespace: str, universal: str, kind: str) -> Iterator[str]:
    """Yield whose a number is: by a local name, and by a universal ID as an absolute URI."""
    if namespace:
        yield namespace
    if universal and kind.upper() == "ISO" and UID.fullmatch(universal):
        yield f"urn:oid:{universal}"
    elif universal and kind.upper() == "URI":
        yield universal


def _procedure(obr: ReceivedSegment) -> tuple[str, tuple[Coding, ...]]:
    """Read what is to be done (OBR-4): in words, and by its codes."""
    code, text, system = (obr.value(4, number) for number in (1, 2, 3))
    other, other_text, other_system = (obr.value(4, number) for number in (4, 5, 6))
    label = text or other_text or code or other
    if not label:
        raise fault("an order doesn't say what is to be done", MISSING, "OBR-4")
    rows = ((code, text, system), (other, other_text, other_system))
    codings = (
        Coding(system=CODE_SYSTEMS[owner], code=value, display=words or None)
        for value, words, owner in rows
        if value and owner in CODE_SYSTEMS
    )
    return label, tuple(codings)


def _reasons(obr: ReceivedSegment, notes: Sequence[ReceivedSegment]) -> Iterator[str]:
    """Yield why it is asked for: reasons (OBR-31), information (OBR-13), notes (NTE-3)."""
    for one in obr.repetitions(31):
        words = obr.part(one, 2) or obr.part(one, 5) or obr.part(one, 1)
        if words:
            yield words
    yield from obr.texts(13)
    for note in notes:
        words = "\n".join(note.texts(3))
        if words:
            yield words


def _priority(group: _Group, obr: ReceivedSegment) -> str | None:
    """Read how urgent it is: TQ1-9, else the sixth component of OBR-27 or ORC-7, else OBR-5."""
    stated = [
        *(one.value(9) for one in group.timings),
        obr.value(27, 6),
        group.orc.value(7, 6),
        obr.value(5),
    ]
    return next((PRIORITIES.get(one.upper()) for one in stated if one), None)


def _identity(pid: ReceivedSegment) -> PatientIdentity:
    ids = [*_patient_ids(pid)]
    if not ids:
        raise fault("it names no patient ID", MISSING, "PID-3")
    names = [*_names(pid)]
    first = next((one for one in names if not one.former), None)
    born, coarse = _birth_date(pid.value(7))
    sex = pid.value(8).upper()
    if sex not in SEXES:
        raise fault("the sex is not of table 0001", NOT_IN_TABLE, "PID-8")
    return PatientIdentity(
        patient_id=ids[0][1],
        issuer=ids[0][0],
        identifiers=tuple(ids[1:]),
        family_name=first.family if first else None,
        given_name=first.given if first else None,
        names=tuple(one for one in names if one is not first),
        birth_date=born,
        birth_date_coarse=coarse,
        sex=SEXES[sex],
    )


def _patient_ids(pid: ReceivedSegment) -> Iterator[tuple[str | None, str]]:
    """Yield the patient's numbers, each under every name of its owner."""
    for one in pid.repetitions(3):
        value, kind = pid.part(one, 1), pid.part(one, 5).upper()
        if not value or kind in NOT_THE_PATIENTS:
            continue
        owners = [*_owners(pid.part(one, 4, 1), pid.part(one, 4, 2), pid.part(one, 4, 3))]
        for owner in owners or (None,):
            yield owner, value


def _names(pid: ReceivedSegment) -> Iterator[PersonName]:
    for one in pid.repetitions(5):
        family, given = pid.part(one, 1), pid.part(one, 2)
        if family or given:
            former = pid.part(one, 7).upper() == "M"  # table 0200: maiden name
            yield PersonName(family=family or None, given=given or None, former=former)


def _birth_date(written: str) -> tuple[date | None, str | None]:
    if not written:
        return None, None
    found = TIME.fullmatch(OFFSET.sub(r"\1", written, count=1))
    try:
        if found is None:
            raise ValueError
        year, month, day = found[1], found[2], found[3]
        if day:
            return date(int(year), int(month), int(day)), None
        checked = date(int(year), int(month or 1), 1)
    except ValueError:
        raise fault("the date of birth is no date", WRONG_TYPE, "PID-7") from None
    return None, checked.strftime("%Y-%m" if month else "%Y")


def _time(written: str, zone: tzinfo, at: str) -> datetime | None:
    """Read a time to the minute or second; one with a date alone is the end of that day."""
    if not written:
        return None
    split = OFFSET.fullmatch(written)
    found = TIME.fullmatch(split[1]) if split else None
    try:
        if split is None or found is None or not found[3]:
            raise ValueError
        clock = [int(part) for part in found.groups() if part]
        if len(clock) == 3:
            clock += [23, 59, 59]
        if split[2]:
            offset = timedelta(hours=int(split[3]), minutes=int(split[4]))
            zone = timezone(-offset if split[2] == "-" else offset)
        there = datetime(*clock, tzinfo=zone)  # type: ignore[arg-type, misc]
        return there.replace(tzinfo=timezone(there.utcoffset() or timedelta()))
    except ValueError:
        raise fault("a time is none to the day", WRONG_TYPE, at) from None


def _uid(value: str, at: str) -> str | None:
    if value and (len(value) > 64 or not UID.fullmatch(value)):
        raise fault("a Study Instance UID is no UID", WRONG_TYPE, at)
    return value or None


def order_context(
    orders: Mapping[str, WaitingOrder], *, patient_key: str, acquired: StudyTime | None
) -> ClinicalContext:
    """Select what orders say that was known when the study was made; say what is left out.

    They are cut as requests of a record are: by the time at which their words were entered.

    Args:
        orders: by key.
    """
    facts = tuple(_fact(key, order) for key, order in orders.items())
    document = RecordDocument(patients=(), facts=facts, left_out=(), sha256="")
    return context_as_of(document, patient_key=patient_key, acquired=acquired)


def _fact(key: str, order: WaitingOrder) -> Fact:
    said = "; ".join(line.strip() for one in order.reasons for line in one.splitlines())
    return Fact(
        id=f"{ORDER_FACT}{key}",
        kind=FactKind.ORDER,
        label=order.procedure,
        codings=order.codings,
        value=said or None,
        when=order.said_at,
        details=(f"priority: {order.priority}",) if order.priority else (),
        source=f"HL7 v2 {key}",
    )
